"""The output of a live recording whose reader pauses, comes back, or goes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import Speech
from mictape.cli.output import Messages, Output
from mictape.cli.unblocked import unblocked
from support.command_line import MICTAPE
from support.pulse import PulseServer
from support.sessions import lines_of, sessions_of, states_of
from support.waiting import until

posix = pytest.mark.skipif(os.name == "nt", reason="fills a pipe without blocking")


def full_pipe() -> tuple[int, int, int]:
    """Both ends of a pipe that takes no more, and how many bytes are in it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = 0
    while True:
        try:
            filled += os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    return reading, writing, filled


@contextmanager
def printing_to(monkeypatch: pytest.MonkeyPatch, descriptor: int) -> Generator[Output]:
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        output = Output(file, encoding="utf-8")
        monkeypatch.setattr(sys, "stdout", output)
        yield output
        output.detach()


@posix
async def test_a_line_that_nobody_reads_holds_nothing_up_and_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing, filled = full_pipe()
    lines = "".join(f"{number}\n" for number in range(1_000))
    with printing_to(monkeypatch, writing), unblocked() as streams:
        for number in range(1_000):
            print(number, flush=True)
        await asyncio.sleep(0)
        got = b""
        while len(got) < filled + len(lines):
            got += await asyncio.to_thread(os.read, reading, 65_536)
        await streams.written()
    assert got[filled:].decode() == lines
    os.close(reading)
    os.close(writing)


@posix
async def test_a_reader_that_goes_is_noticed_though_nothing_more_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing, _ = full_pipe()
    left = asyncio.Event()
    with printing_to(monkeypatch, writing) as output, unblocked() as streams:
        waiting = asyncio.create_task(streams.when_gone(left.set))
        print("the last line", flush=True)
        await asyncio.sleep(0)
        assert not left.is_set()
        os.close(reading)
        await asyncio.wait_for(left.wait(), 20)
        await streams.written()
        await waiting
        with pytest.raises(BrokenPipeError):
            print("one more", flush=True)
    assert isinstance(output.error, BrokenPipeError)
    os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_messages_that_cannot_be_written_end_nothing() -> None:
    with Path("/dev/full").open("wb") as full:
        messages = Messages(full, encoding="utf-8")
        print("a message", file=messages, flush=True)
        assert isinstance(messages.error, OSError)
        full.raw.close()


@posix
@pytest.mark.proof
def test_a_recording_that_nobody_reads_ends_in_order(pulse: PulseServer, home: Path, speech: Speech) -> None:
    reading, writing, _ = full_pipe()
    with Path("/dev/full").open("wb") as full:
        command = [*MICTAPE, "listen", "--device", "PulseAudio:vmic2"]
        run = subprocess.Popen(command, env=pulse.env, stdout=writing, stderr=full)
    try:
        until(pulse.recorders, timeout_s=60)
        playing = pulse.play(speech.beckett, sink="vmic2_sink")

        def has_two_lines() -> bool:
            nonlocal playing
            if playing.poll() is not None:
                playing = pulse.play(speech.beckett, sink="vmic2_sink")
            return len(lines_of(home)) >= 2

        until(has_two_lines, timeout_s=60)
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=20) == 143
    finally:
        run.kill()
        run.wait()
    [session] = sessions_of(home)
    assert states_of(home) == {session.name: "closed"}
    os.close(reading)
    os.close(writing)
