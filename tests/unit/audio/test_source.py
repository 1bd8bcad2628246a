"""The app's side of the capture process, on real processes and real sound."""

import asyncio
import os
import signal
import sys
import wave
from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from mictape import subprocesses as children
from mictape.audio.clock import Clock
from mictape.audio.devices import Device
from mictape.audio.messages import Backend, Ended, Hole, Opened, Paused, Progress
from mictape.audio.source import FIRST_STARTS, SourceChanged
from mictape.audio.source_spec import DeviceSource, FileSource
from mictape.audio.tape import Tape, find_parts, read_journal
from mictape.failure import ExitCode, MictapeError
from support.pulse import PulseServer
from support.running_source import Run, source
from support.sound import pcm, wav
from support.waiting import until_async

RATE = 16_000
posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


@pytest.mark.parametrize("pace", ["real", "fast"])
async def test_a_file_is_on_the_tape_bit_by_bit(tmp_path: Path, pace: str) -> None:
    spec = FileSource(wav(tmp_path / "sound.wav", pcm(0, 20_000)), "fast" if pace == "fast" else "real")
    async with source(spec, tmp_path) as run:
        assert await run.open() == Opened(RATE, 1, "sound.wav")
        run.source.go()
        assert await run.until_reported(Ended) == Ended(20_000, "exhausted")
        assert (run.tape.samples, run.tape.ended) == (20_000, False)
        assert run.sound == pcm(0, 20_000)
        cells = [cell for event in run.events if isinstance(event, Progress) for cell in event.cells]
        assert sum(cell.steps for cell in cells) == 62


async def test_what_cannot_be_opened_is_reported_with_the_next_step(tmp_path: Path) -> None:
    run = Run(FileSource(tmp_path / "gone.wav"), tmp_path)
    with pytest.raises(MictapeError, match="no such file") as caught:
        await run.source.open()
    assert caught.value.failure.code is ExitCode.SOUND
    assert caught.value.failure.remedy
    assert (await run.source.close()).why == "closed"
    assert [event async for event in run.source] == [Ended(0, "closed")]


async def test_a_pause_is_answered_and_go_waits_for_its_end(tmp_path: Path) -> None:
    spec = FileSource(wav(tmp_path / "sound.wav", pcm(0, 16_000)))
    async with source(spec, tmp_path) as run:
        await run.open()
        run.source.pause()
        run.source.go()
        assert await run.until_reported(Paused) == Paused(0)
        assert run.tape.samples == 0
        run.source.resume()
        assert await run.until_reported(Ended) == Ended(16_000, "exhausted")
        assert run.sound == pcm(0, 16_000)


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.proof)])
async def test_a_killed_process_is_replaced_and_a_file_goes_on_where_it_was(
    number: signal.Signals, tmp_path: Path
) -> None:
    spec = FileSource(wav(tmp_path / "sound.wav", pcm(0, 32_000)))
    async with source(spec, tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(8_000)
        os.kill(run.pid, number)
        await run.until_reported(SourceChanged, lambda event: event.state == "lost")
        (part,) = find_parts(tmp_path, 1)
        with wave.open(str(part.path)) as file:
            assert file.readframes(file.getnframes()) == pcm(0, file.getnframes())
        assert await run.until_reported(Ended) == Ended(32_000, "exhausted")
        assert run.sound == pcm(0, 32_000)
        assert run.states == ["open", "lost", "open"]
        assert len(find_parts(tmp_path, 1)) == 2


@posix
async def test_a_process_that_died_in_a_pause_stays_in_it(tmp_path: Path) -> None:
    spec = FileSource(wav(tmp_path / "sound.wav", pcm(0, 16_000)))
    async with source(spec, tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_000)
        run.source.pause()
        await run.until_reported(Paused)
        paused = run.tape.samples
        os.kill(run.pid, signal.SIGKILL)
        await until_async(lambda: run.states == ["open", "lost", "open"])
        run.events.clear()
        await until_async(lambda: len(run.events) > 1)  # its heartbeat
        assert run.tape.samples == paused
        run.source.resume()
        assert await run.until_reported(Ended) == Ended(16_000, "exhausted")
        assert run.sound == pcm(0, 16_000)


@posix
async def test_a_process_that_stands_still_is_reported_and_replaced(tmp_path: Path) -> None:
    spec = FileSource(wav(tmp_path / "sound.wav", pcm(0, 16_000)))
    async with source(spec, tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_000)
        os.kill(run.pid, signal.SIGSTOP)
        assert await run.until_reported(Ended) == Ended(16_000, "exhausted")
        assert run.states == ["open", "stalled", "open"]
        assert run.sound == pcm(0, 16_000)


@posix
async def test_closing_a_process_that_does_not_answer_is_bounded(tmp_path: Path) -> None:
    async with source(FileSource(wav(tmp_path / "sound.wav", pcm(0, 160_000))), tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_000)
        os.kill(run.pid, signal.SIGSTOP)
        ended = await asyncio.wait_for(run.source.close(), 20)
        assert ended.why == "closed"
        assert run.sound == pcm(0, ended.samples)


@posix
async def test_a_tape_that_cannot_be_written_is_no_full_disk(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    async with source(FileSource(wav(tmp_path / "sound.wav", pcm(0, 160_000))), folder) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_000)
        find_parts(folder, 1)[0].path.unlink()
        reported = await run.until_reported(SourceChanged, lambda event: event.failure is not None)
        assert reported.state == "unwritable"


@posix
@pytest.mark.parametrize(
    "nonsense", [*(pytest.param(each, marks=pytest.mark.proof) for each in ("'?'", "'{}'")), "'x' * 70_000"]
)
async def test_a_process_that_cannot_be_understood_is_replaced(
    tmp_path: Path, nonsense: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    talks = [sys.executable, "-c", f"import time; print({nonsense}, flush=True); time.sleep(60)"]
    command, starts = children.command, list[str]()

    def nonsense_second(module: str, *arguments: str) -> list[str]:
        starts.append(module)
        return talks if len(starts) == 2 else command(module, *arguments)

    monkeypatch.setattr(children, "command", nonsense_second)
    async with source(FileSource(wav(tmp_path / "sound.wav", pcm(0, 32_000))), tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(8_000)
        os.kill(run.pid, signal.SIGKILL)
        assert await run.until_reported(Ended) == Ended(32_000, "exhausted")
        assert run.sound == pcm(0, 32_000)
        assert len(starts) == 3


@posix
async def test_a_process_that_is_killed_before_it_is_open_is_replaced(tmp_path: Path) -> None:
    spec = FileSource(wav(tmp_path / "sound.wav", pcm(0, 16_000)), "fast")
    async with source(spec, tmp_path) as run:
        opening = asyncio.create_task(run.open())
        await until_async(lambda: run.source._process is not None)
        os.kill(run.pid, signal.SIGKILL)
        assert await asyncio.wait_for(opening, 20) == Opened(RATE, 1, "sound.wav")
        run.source.go()
        assert await run.until_reported(Ended) == Ended(16_000, "exhausted")
        assert run.sound == pcm(0, 16_000)


def dies(monkeypatch: pytest.MonkeyPatch, code: str) -> list[str]:
    """Let every capture process be this Python code; the list of those that were started."""
    starts = list[str]()

    def command(module: str, *arguments: str) -> list[str]:
        del arguments
        starts.append(module)
        return [sys.executable, "-c", code]

    monkeypatch.setattr(children, "command", command)
    return starts


async def test_a_source_whose_processes_all_die_before_they_are_open_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = dies(monkeypatch, "")
    with pytest.raises(MictapeError, match="ended unexpectedly"):
        await Run(FileSource(tmp_path / "sound.wav"), tmp_path).source.open()
    assert len(starts) == FIRST_STARTS


async def test_a_file_at_which_two_processes_in_a_row_die_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = '{"type":"opened","rate":16000,"channels":1,"name":"sound.wav"}'
    starts = dies(monkeypatch, f"print({opened!r}, flush=True); input()")
    async with source(FileSource(wav(tmp_path / "sound.wav", pcm(0, 16_000))), tmp_path) as run:
        await run.open()
        run.source.go()
        assert await run.until_reported(Ended) == Ended(0, "exhausted", "sound.wav cannot be read beyond 00:00:00")
        assert len(starts) == 2


@pytest.mark.proof
@posix
async def test_a_process_that_is_killed_again_and_again_further_on_is_always_replaced(tmp_path: Path) -> None:
    async with source(FileSource(wav(tmp_path / "sound.wav", pcm(0, 32_000))), tmp_path) as run:
        await run.open()
        run.source.go()
        for samples in (4_000, 8_000, 12_000, 16_000):
            await run.until_samples(samples)
            os.kill(run.pid, signal.SIGKILL)
        assert await run.until_reported(Ended) == Ended(32_000, "exhausted")
        assert run.sound == pcm(0, 32_000)


async def test_standard_input_goes_at_once_and_is_not_restarted(tmp_path: Path) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from mictape.audio.source import Source
from mictape.audio.source_spec import StdinSource
from mictape.audio.tape import Tape
async def main():
    tape = Tape(Path(sys.argv[1]), 1)
    source = Source(StdinSource(), Path(sys.argv[1]), 1, tape)
    await source.open()
    source.go()
    async for event in source:
        pass
    print(event, tape.samples)
    await source.close()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, str(tmp_path)), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate(wav(tmp_path / "sound.wav", pcm(0, 3_000)).read_bytes())
    assert said.decode().strip() == f"{Ended(3_000, 'exhausted')} 3000"
    assert Tape.finished(tmp_path, 1).read(0, 4_000) == pcm(0, 3_000)


# Devices.


@pytest.fixture
def server(pulse: PulseServer, monkeypatch: pytest.MonkeyPatch) -> PulseServer:
    """The sound server, for the processes that this test starts."""
    for name, value in pulse.variables.items():
        monkeypatch.setenv(name, value)
    return pulse


def microphone(target: str = "vmic2", rate: int = RATE, name: str | None = None) -> DeviceSource:
    id = f"PulseAudio:{target}"
    return DeviceSource(Device(id, name or target, "PulseAudio", 1, rate, False, "microphone", target))


async def test_a_microphone_is_on_the_tape_bit_by_bit(tmp_path: Path, server: PulseServer) -> None:
    counter = array("h", range(-16_000, 16_000))
    async with source(microphone(), tmp_path) as run:
        assert await run.open() == Opened(RATE, 1, "vmic2")
        run.source.go()
        server.play_raw(counter.tobytes())

        def received() -> bool:
            return counter.tobytes() in run.sound

        await until_async(received)
        ended = await run.source.close()
        assert ended.why == "closed"
        assert run.states == ["open"]
        assert not any(isinstance(event, Hole) for event in run.events)


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.proof)])
async def test_a_killed_process_leaves_a_hole_of_the_true_length(
    number: signal.Signals, tmp_path: Path, server: PulseServer
) -> None:
    async with source(microphone(), tmp_path) as run:
        await run.open()
        run.source.go()
        server.play_raw(pcm(0, 160_000))  # a counter, which shows how much was lost
        await run.until_samples(24_000)
        os.kill(run.pid, number)
        hole = await run.until_reported(Hole)
        await run.until_samples(hole.end + 16_000)
        assert run.states == ["open", "lost", "open"]
        assert hole.why == "restart"
        lost = hole.end - hole.start
        assert run.tape.read(hole.start, lost) == bytes(2 * lost)
        last, first = (array("H", run.tape.read(sample, 1))[0] for sample in (hole.start - 1, hole.end))
        assert (first - last - 1) % 65_536 == pytest.approx(lost, abs=0.15 * RATE)
        journal = read_journal(tmp_path, 1)
        assert journal.holes == (hole,)
        before, after = Clock([journal.anchors[0]]), Clock([journal.anchors[-1]])
        ended, began = before.monotonic(hole.start), after.monotonic(hole.end)
        assert ended is not None
        assert began is not None
        assert began - ended == pytest.approx(lost / RATE, abs=0.001)
        progress = [event for event in run.events if isinstance(event, Progress)][-1]
        assert progress.lost == lost


@posix
async def test_a_microphone_that_has_gone_is_lost_until_it_is_back(tmp_path: Path, server: PulseServer) -> None:
    async with source(microphone(), tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_600)
        os.kill(run.pid, signal.SIGSTOP)  # so that it cannot see the microphone go, and end, before it is killed
        server.remove("vmic2")
        os.kill(run.pid, signal.SIGKILL)
        lost = await run.until_reported(SourceChanged, lambda event: "is gone" in str(event.failure))
        assert lost.state == "lost"
        samples = run.tape.samples
        server.add("vmic2", "Virtual_Mic_Two")
        await run.until_samples(samples + 16_000)
        assert run.states[-1] == "open"
        assert [event.why for event in run.events if isinstance(event, Hole)] == ["restart"]


@posix
@pytest.mark.parametrize("backend", ["sounddevice", pytest.param("parec", marks=pytest.mark.proof)])
async def test_a_microphone_that_comes_back_under_another_target_goes_on(
    tmp_path: Path, server: PulseServer, backend: Backend
) -> None:
    server.add("bluez_input.AA.0", "Headset")
    async with source(replace(microphone("bluez_input.AA.0", name="Headset"), backend=backend), tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_600)
        server.remove("bluez_input.AA.0")
        await run.until_reported(SourceChanged, lambda event: event.state == "lost")
        server.add("bluez_input.AA.2", "Headset")
        await until_async(lambda: run.states[-1] == "open")
        samples = run.tape.samples
        server.play_raw(array("h", [20_000]).tobytes() * 160_000)
        await until_async(lambda: array("h", [20_000] * 100).tobytes() in run.sound[2 * samples :])


@posix
async def test_another_microphone_of_the_same_name_is_not_taken_for_it(tmp_path: Path, server: PulseServer) -> None:
    server.add("usb.1", "Headset")
    server.add("usb.2", "Headset")
    async with source(microphone("usb.1", name="Headset"), tmp_path) as run:
        assert (await run.open()).twins == ("usb.2",)
        run.source.go()
        await run.until_samples(1_600)
        server.remove("usb.1")
        await run.until_reported(SourceChanged, lambda event: event.state == "lost")
        first = run.pid
        await until_async(lambda: run.pid != first)  # it was looked for again
        second = run.pid
        await until_async(lambda: run.pid != second)
        assert run.states[-1] == "lost"
        server.add("usb.1", "Headset")
        await until_async(lambda: run.states[-1] == "open")


@posix
async def test_a_stream_that_the_server_moves_to_its_new_default_source_is_moved_back(
    tmp_path: Path, server: PulseServer
) -> None:
    def sources() -> set[str]:
        """The sources that are recorded from, but for the server's own remapping."""
        names = {number: name for number, name, *_ in map(str.split, listed("sources"))}
        return {names[fields[1]] for fields in map(str.split, listed("source-outputs")) if fields[2] != "-"}

    def listed(what: str) -> list[str]:
        return server.control("list", "short", what).splitlines()

    server.add("usb.1", "Headset")
    server.set_default("usb.1")
    async with source(microphone("usb.1", name="Headset"), tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_600)
        pid = run.pid
        for default in ("vmic2", "usb.1", "vmic2"):
            server.set_default(default)
            at = run.tape.samples
            await run.until_samples(at + 16_000)
            await until_async(lambda: sources() == {"usb.1"})
        assert (run.states, run.pid) == (["open"], pid)
        assert not any(isinstance(event, Hole) for event in run.events)


async def test_levels_come_before_go_and_while_paused(tmp_path: Path, server: PulseServer) -> None:
    def loud(event: Progress) -> bool:
        return any(cell.peak > 0.5 for cell in event.cells)

    async with source(microphone(), tmp_path) as run:
        await run.open()
        server.play_raw(array("h", [20_000]).tobytes() * 160_000)
        await run.until_reported(Progress, loud)
        run.source.pause()
        await run.until_reported(Paused)
        run.events.clear()
        await run.until_reported(Progress, loud)
        assert run.tape.samples == 0


async def test_a_microphone_that_is_not_there_is_reported(tmp_path: Path, server: PulseServer) -> None:
    with pytest.raises(MictapeError, match="vmic9") as caught:
        await Run(microphone("vmic9"), tmp_path).source.open()
    assert "choose another" in caught.value.failure.remedy


async def test_without_a_sound_server_the_next_step_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")
    with pytest.raises(MictapeError) as caught:
        await Run(microphone(), tmp_path).source.open()
    assert caught.value.failure.remedy
