"""Files and pipes as a source: any name, any kind of pipe, and what is odd about their sound."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from mictape.audio import source as source_module
from mictape.audio.file_info import FileInfo, file_info
from mictape.audio.messages import Ended
from mictape.audio.source import SourceChanged
from mictape.audio.source_spec import FileSource, StdinSource, source_of
from mictape.audio.tape import read_journal
from mictape.failure import MictapeError
from support.running_source import Run, source
from support.sound import pcm, wav
from support.waiting import until_async

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX names, pipes and signals")


@pytest.mark.parametrize("name", [b"-go.wav", b"--help", b"caf\xe9.wav", b"a\nb \x1b[31m.wav"])
@posix
async def test_a_file_of_any_name_is_read(tmp_path: Path, name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(os.fsdecode(name))
    wav(path, pcm(0, 8_000))
    async with source(FileSource(path, "fast"), tmp_path) as run:
        assert (await run.open()).name == name.decode(errors="replace")
        run.source.go()
        assert await run.until_reported(Ended) == Ended(8_000, "exhausted")
        assert run.sound == pcm(0, 8_000)


@posix
async def test_a_named_pipe_is_read_as_it_comes_and_may_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WATCH_S", "STALL_S", "GIVE_UP_S"):
        monkeypatch.setattr(source_module, name, 0.02)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    data = wav(tmp_path / "sound.wav", pcm(0, 32_000)).read_bytes()
    async with source(FileSource(path, "fast"), tmp_path) as run:
        opening = asyncio.create_task(run.open())
        pipe = await asyncio.to_thread(path.open, "wb", 0)
        with pipe:
            pipe.write(data[:32_000])
            assert (await asyncio.wait_for(opening, 20)).name == "fifo"
            run.source.go()
            await run.until_samples((32_000 - 44) // 2)
            run.events.clear()
            await until_async(lambda: len(run.events) > 1)  # its heartbeat
            pipe.write(data[32_000:])
        assert await run.until_reported(Ended) == Ended(32_000, "exhausted")
        assert run.sound == pcm(0, 32_000)
        assert run.states == []


@posix
async def test_a_named_pipe_whose_process_is_killed_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    async with source(FileSource(path, "fast"), tmp_path) as run:
        opening = asyncio.create_task(run.open())
        with await asyncio.to_thread(path.open, "wb", 0) as pipe:
            pipe.write(wav(tmp_path / "sound.wav", pcm(0, 8_000)).read_bytes()[:-100])
            await asyncio.wait_for(opening, 20)
            run.source.go()
            await run.until_samples(7_000)
            os.kill(run.pid, signal.SIGKILL)
            ended = await run.until_reported(Ended)
        assert (ended.why, ended.warning) == ("exhausted", "The capture process ended unexpectedly")


@posix
async def test_a_shells_process_substitution_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    data = wav(tmp_path / "sound.wav", pcm(0, 8_000)).read_bytes()
    assert os.write(writing, data) == len(data)
    os.close(writing)
    try:
        async with source(FileSource(Path(f"/dev/fd/{reading}"), "fast"), tmp_path) as run:
            await run.open()
            run.source.go()
            assert await run.until_reported(Ended) == Ended(8_000, "exhausted")
            assert run.sound == pcm(0, 8_000)
    finally:
        os.close(reading)


def test_the_paths_of_standard_input_are_standard_input() -> None:
    assert source_of("-") == source_of("/dev/stdin") == source_of("/dev/fd/0") == StdinSource()
    assert source_of("./-") == FileSource(Path("-"), "fast")


async def test_channels_that_cancel_each_other_out_are_reported_and_one_is_recorded(tmp_path: Path) -> None:
    left = np.rint(8_000 * np.sin(np.arange(32_000) / 5)).astype(np.int16)
    data = np.stack([left, -left], axis=1).tobytes()
    async with source(FileSource(wav(tmp_path / "sound.wav", data, channels=2), "fast"), tmp_path) as run:
        await run.open()
        run.source.go()
        reported = await run.until_reported(SourceChanged, lambda event: event.failure is not None)
        assert (reported.state, "channel 1 alone is recorded" in str(reported.failure)) == ("open", True)
        assert await run.until_reported(Ended) == Ended(32_000, "exhausted")
        assert run.sound == left.tobytes()
        assert read_journal(tmp_path, 1).anchors == (), "what is read as fast as it goes has no moments"


async def test_one_channel_of_a_file_is_recorded_without_moments(tmp_path: Path) -> None:
    left, right = np.arange(8_000, dtype=np.int16), np.arange(8_000, dtype=np.int16)[::-1]
    path = wav(tmp_path / "sound.wav", np.stack([left, right], axis=1).tobytes(), channels=2)
    async with source(FileSource(path, "fast", 2), tmp_path) as run:
        assert (await run.open()).channels == 1
        run.source.go()
        assert await run.until_reported(Ended) == Ended(8_000, "exhausted")
        assert run.sound == right.tobytes()
        assert read_journal(tmp_path, 1).anchors == ()


async def test_a_channel_that_a_file_does_not_have_is_refused(tmp_path: Path) -> None:
    run = Run(FileSource(wav(tmp_path / "sound.wav", pcm(0, 100)), "fast", 2), tmp_path)
    with pytest.raises(MictapeError, match="has no channel 2: it has 1"):
        await run.source.open()
    await run.source.close()


async def test_what_a_file_is_is_known_before_it_is_recorded(tmp_path: Path) -> None:
    assert await file_info(wav(tmp_path / "-a.wav", pcm(0, 100), rate=8_000, channels=2)) == FileInfo(8_000, 2)
    (tmp_path / "b.wav").write_text("no sound")
    with pytest.raises(MictapeError, match="is not a sound file") as caught:
        await file_info(tmp_path / "b.wav")
    assert caught.value.failure.remedy
