"""The capture process by its own protocol, and what it does with blocks."""

import os
import signal
import struct
import subprocess
import sys
import wave
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import IO

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from mictape.audio.capture import process as process_module
from mictape.audio.capture import recorder as recorder_module
from mictape.audio.capture.device_input import QUIET_S, DeviceInput, Format
from mictape.audio.capture.device_time import DeviceTime
from mictape.audio.capture.inputs import Inbox
from mictape.audio.capture.recorder import Block, Mixer, Recorder
from mictape.audio.clock import Clock, Clocks, jump_between
from mictape.audio.devices import Device
from mictape.audio.messages import (
    ClocksJumped,
    Ended,
    Failed,
    Hole,
    Message,
    Oddity,
    Opened,
    Paused,
)
from mictape.audio.tape import Tape, TapeWriter, find_parts, read_journal
from support import command_line
from support.sound import pcm, wav
from support.waiting import until

RATE = 16_000


@contextmanager
def capture(
    folder: Path, *options: str, stdin: int | IO[bytes] = subprocess.PIPE
) -> Generator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "mictape.audio.capture.process", "--folder", str(folder), "--track", "1", *options]
    process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def messages(process: subprocess.Popen[bytes]) -> Iterator[Message]:
    assert process.stdout
    for line in process.stdout:
        yield msgspec.json.decode(line, type=Message)


def say(process: subprocess.Popen[bytes], word: str) -> None:
    assert process.stdin
    process.stdin.write(f"{word}\n".encode())
    process.stdin.flush()


def recorded(folder: Path) -> bytes:
    tape = Tape.finished(folder, 1)
    return tape.read(0, tape.samples)


# The process.


def test_the_last_word_is_the_last_also_when_it_comes_while_there_is_nothing_to_say() -> None:
    reading, writing = os.pipe()
    status = process_module.Status(writing, Inbox())
    status.say(Opened(RATE, 1, "sound.wav"))
    with os.fdopen(reading, "rb") as pipe:
        assert msgspec.json.decode(pipe.readline(), type=Message) == Opened(RATE, 1, "sound.wav")
        pipe.readline()  # how far it is
        until(lambda: status._news._waiters)  # type: ignore[attr-defined]
        status.finish(Ended(0, "closed"))
        assert not status._thread.is_alive()
        os.close(writing)
        assert msgspec.json.decode(pipe.readlines()[-1], type=Message) == Ended(0, "closed")


def test_nothing_is_written_before_go(tmp_path: Path) -> None:
    sound = wav(tmp_path / "sound.wav", pcm(0, 1_000))
    with capture(tmp_path, "--source", "file", "--path", str(sound), "--pace", "fast") as process:
        says = messages(process)
        assert next(says) == Opened(RATE, 1, "sound.wav")
        say(process, "close")
        assert list(says)[-1] == Ended(0, "closed")
    assert find_parts(tmp_path, 1) == []


@pytest.mark.parametrize(("pace", "size"), [("real", 16_000), ("fast", 100 * 65_536)])
def test_a_pause_of_a_file_loses_nothing_and_writes_nothing(tmp_path: Path, pace: str, size: int) -> None:
    counter = (pcm(0, 65_536) * (size // 65_536 + 1))[: 2 * size]
    sound = wav(tmp_path / "sound.wav", counter)
    with capture(tmp_path, "--source", "file", "--path", str(sound), "--pace", pace) as process:
        says = messages(process)
        say(process, "go")
        until(lambda: find_parts(tmp_path, 1))
        say(process, "pause")
        paused = next(message for message in says if isinstance(message, Paused))
        assert 0 < paused.samples < size
        say(process, "resume")
        assert list(says)[-1] == Ended(size, "exhausted")
    assert recorded(tmp_path) == counter
    breaks = [anchor.why for anchor in read_journal(tmp_path, 1).anchors if anchor.why != "tick"]
    # The moments at which a file is read at speed are those of nothing in it.
    assert breaks == (["start", "pause", "resume", "pause"] if pace == "real" else [])


def test_it_closes_the_tape_when_the_app_has_died(tmp_path: Path) -> None:
    sound = wav(tmp_path / "sound.wav", pcm(0, 160_000))
    with capture(tmp_path, "--source", "file", "--path", str(sound)) as process:
        say(process, "go")
        until(lambda: find_parts(tmp_path, 1))
        assert process.stdin
        process.stdin.close()
        ended = list(messages(process))[-1]
        assert isinstance(ended, Ended)
        assert process.wait(10) == 0
    assert ended.why == "closed"
    assert recorded(tmp_path) == pcm(0, ended.samples)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_closes(tmp_path: Path) -> None:
    sound = wav(tmp_path / "sound.wav", pcm(0, 160_000))
    with capture(tmp_path, "--source", "file", "--path", str(sound)) as process:
        says = messages(process)
        next(says)
        process.send_signal(signal.SIGTERM)
        assert list(says)[-1] == Ended(0, "closed")


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")
def test_a_tape_that_vanishes_ends_it_with_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    sound = wav(tmp_path / "sound.wav", pcm(0, 160_000))
    with capture(folder, "--source", "file", "--path", str(sound)) as process:
        say(process, "go")
        until(lambda: find_parts(folder, 1))
        find_parts(folder, 1)[0].path.unlink()
        failed = list(messages(process))[-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, "vanished" in failed.what) == ("disk", True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of another process")
def test_a_disk_that_takes_no_more_ends_it_with_a_sentence_and_a_whole_tape(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    sound = wav(tmp_path / "sound.wav", pcm(0, 160_000))
    with capture(tmp_path, "--source", "file", "--path", str(sound)) as process:
        says = messages(process)
        next(says)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_001, 20_001))
        say(process, "go")
        failed = list(says)[-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, "cannot be written" in failed.what) == ("disk", True)
    [part] = find_parts(tmp_path, 1)
    with wave.open(str(part.path)) as file:
        received = file.readframes(160_000)
    assert len(received) >= 2 * (10_000 - 320 - 22)
    assert received == pcm(0, len(received) // 2)


def in_this_process(folder: Path, *options: str) -> Message:
    """The last word of a recording that is made in the test's process, without a new interpreter."""
    inbox, (reading, writing) = Inbox(), os.pipe()
    status = process_module.Status(writing, inbox)
    inbox.put("go")
    status.finish(
        process_module.record(process_module.parse(["--folder", str(folder), "--track", "1", *options]), inbox, status)
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        return msgspec.json.decode(pipe.readlines()[-1], type=Message)


def piped(folder: Path, data: bytes) -> Message:
    """The last word about `data` on standard input."""
    with command_line.piped(data):
        return in_this_process(folder, "--source", "stdin")


def header(size: int, *, code: int = 1, bits: int = 16, channels: int = 1, rate: int = RATE) -> bytes:
    width = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, code, channels, rate, rate * width, width, bits)
    return b"RIFF\xff\xff\xff\xffWAVE" + b"LIST\x03\0\0\0abc\0" + form + struct.pack("<4sI", b"data", size)


@pytest.mark.parametrize("size", [4_000, 0, 0xFFFF_FFFF, 0x7FFF_F000])
def test_a_wav_over_a_pipe_of_known_and_unknown_length(tmp_path: Path, size: int) -> None:
    assert piped(tmp_path, header(size) + pcm(0, 2_000)) == Ended(2_000, "exhausted")
    assert recorded(tmp_path) == pcm(0, 2_000)


def test_a_wav_over_a_pipe_in_24_bits_and_stereo(tmp_path: Path) -> None:
    frames = b"".join(b"\0" + pcm(n, 1) + b"\0" + pcm(n, 1) for n in range(500))
    assert piped(tmp_path, header(3_000, bits=24, channels=2) + frames) == Ended(500, "exhausted")
    assert recorded(tmp_path) == pcm(0, 500)


def test_a_pipe_that_breaks_off_is_warned_of(tmp_path: Path) -> None:
    ended = piped(tmp_path, header(64_000) + pcm(0, 16_000) + b"x")
    assert isinstance(ended, Ended)
    assert (ended.samples, ended.warning) == (16_000, "standard input is truncated: 1.0 s of 2.0 s could be read")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Nothing came through standard input"),
        (b"RIFF", "is not sound that can be read"),
        (b"<html>", "is not sound that can be read"),
        (b"RIFF\0\0\0\0WAVEfmt ", "ended within its header"),
        (header(8, code=17), "its format is not known"),
    ],
)
def test_a_pipe_without_sound_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    failed = piped(tmp_path, data)
    assert isinstance(failed, Failed)
    assert (failed.kind, bool(failed.remedy)) == ("file", True)
    assert words in failed.what


@pytest.mark.skipif(os.name == "nt", reason="needs pipes between processes")
def test_it_ends_when_nobody_reads_its_status_and_nothing_comes(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with capture(tmp_path, "--source", "stdin", stdin=reading) as process:
        os.write(writing, header(0) + pcm(0, 100))
        assert next(messages(process)) == Opened(RATE, 1, "standard input")
        assert process.stdout
        process.stdout.close()
        assert process.wait(10) == 0
    os.close(reading)
    os.close(writing)
    assert recorded(tmp_path) == pcm(0, 100)


@pytest.mark.skipif(os.name == "nt", reason="needs pipes between processes")
def test_it_ends_with_the_app_while_it_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with capture(tmp_path, "--source", "file", f"--path={tmp_path / 'fifo'}") as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(20) == 0
    reading, writing = os.pipe()
    with capture(tmp_path, "--source", "stdin", stdin=reading) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(20) == 0
    os.close(reading)
    os.close(writing)


# Files of all kinds.


def fast(folder: Path, path: Path) -> Message:
    return in_this_process(folder, "--source", "file", "--path", str(path), "--pace", "fast")


@pytest.mark.parametrize("name", ["sound.wav", "sound.flac", "sound.ogg", "sound.mp3"])
def test_any_file_at_any_rate_and_channel_count(tmp_path: Path, name: str) -> None:
    seconds = np.arange(44_100) / 44_100
    tone = 0.5 * np.sin(2 * np.pi * 440 * seconds)
    soundfile.write(tmp_path / name, np.stack([tone, tone], axis=1), 44_100)
    ended = fast(tmp_path, tmp_path / name)
    assert isinstance(ended, Ended)
    assert (ended.why, ended.warning) == ("exhausted", "")
    if name.endswith(("wav", "flac", "ogg")):
        assert ended.samples == RATE
    received = np.frombuffer(recorded(tmp_path), dtype=np.int16) / 32_768
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    middle = slice(4_000, 12_000)  # a lossy file begins somewhere near
    assert abs(np.sqrt(np.mean(received[middle] ** 2)) - np.sqrt(np.mean(expected[middle] ** 2))) < 0.01
    if name.endswith(("wav", "flac")):
        assert np.abs(received[middle] - expected[middle]).max() < 0.002


def test_a_file_that_was_cut_off_is_read_and_warned_of(tmp_path: Path) -> None:
    sound = wav(tmp_path / "sound.wav", pcm(0, 32_000))
    with sound.open("r+b") as file:
        file.truncate(44 + 32_000)
    assert fast(tmp_path, sound) == Ended(16_000, "exhausted", "sound.wav is truncated: 1.0 s of 2.0 s could be read")


def test_samples_that_are_no_number_are_silence_and_infinite_ones_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    samples = np.tile(np.array([np.nan, np.inf, -np.inf, 0.5], dtype=np.float32), RATE // 4)
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    fast(tmp_path, path)
    assert recorded(tmp_path) == struct.pack("<4h", 0, 32_767, -32_768, 16_384) * (RATE // 4)


def test_files_that_are_no_sound_are_reported(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    wav(tmp_path / "none.wav", b"")
    for name, words in (
        ("empty.wav", "is empty"),
        ("text.wav", "not a sound file"),
        ("none.wav", "has no sound in it"),
        ("gone.wav", "there is no such file"),
    ):
        failed = fast(tmp_path, tmp_path / name)
        assert isinstance(failed, Failed)
        assert words in failed.what
        assert (failed.kind, bool(failed.remedy)) == ("file", True)


# What is taken at a time.


class Fed(DeviceInput):
    """A device that delivers what the test gives it, in blocks of 40 ms."""

    def __init__(self) -> None:
        super().__init__(Device("ALSA:fed", "fed", "ALSA", 1, RATE, False, "microphone", "fed"), None)
        self.inbox = Inbox()
        self.blocks = 0

    def deliver(self, value: int, *, late_s: float = 0.0, overflow: bool = False) -> None:
        """One block, all samples alike."""
        sound = np.full(640, value, dtype=np.int16).tobytes()
        self._deliver(sound, 100 + self.blocks * 0.04 + late_s, overflow=overflow)
        self.blocks += 1

    def close(self) -> None: ...

    def _request(self, wanted: Format) -> None: ...

    def _begin(self) -> int:
        return os.getpid()


@pytest.fixture
def fed() -> Fed:
    device = Fed()
    device.start(device.inbox)
    return device


def taken(fed: Fed) -> Block:
    """All the sound that there is to take, without waiting."""
    block = fed.inbox.get(timeout=0)
    assert isinstance(block, Block)
    return fed.inbox.with_following(block, RATE)


def test_quiet_sound_is_taken_seldom_and_loud_sound_at_once_with_what_was_before_it(fed: Fed) -> None:
    fed.inbox.quiet = True
    for _ in range(round(QUIET_S / 0.04) - 1):
        fed.deliver(-100)
        with pytest.raises(Empty):
            fed.inbox.get(timeout=0)
    fed.deliver(100)
    assert len(taken(fed).samples) == QUIET_S * RATE
    fed.deliver(5)
    fed.deliver(-32_768)
    assert taken(fed).samples[:, 0].tolist() == [5] * 640 + [-32_768] * 640
    fed.deliver(5)
    fed.inbox.put("pause")
    assert len(taken(fed).samples) == 640, "before the command that came behind it"
    assert fed.inbox.get(timeout=0) == "pause"


def test_lost_sound_is_said_at_once_and_keeps_its_place(fed: Fed) -> None:
    fed.inbox.quiet = True
    fed.deliver(0)
    fed.deliver(0, overflow=True)
    before, behind = taken(fed), taken(fed)
    assert (before.overflow, len(before.samples)) == (False, 640)
    assert (behind.overflow, len(behind.samples)) == (True, 640)


def test_sound_is_left_only_once_it_has_been_quiet_for_a_while(fed: Fed, tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path, 1)
    recorder = Recorder(writer, rate=RATE, channels=1, after="start", live=True, say=lambda _: None)
    reading, writing = os.pipe()
    status = process_module.Status(writing, fed.inbox)
    run = process_module.Capture(fed, recorder, writer, status)
    for value, blocks, quiet in ((1_000, 200, False), (3, 50, False), (3, 60, True), (1_000, 1, False)):
        for _ in range(blocks):
            fed.deliver(value)
        run._take(taken(fed), fed.inbox)
        assert fed.inbox.quiet == quiet, (value, blocks)
    status.finish(Ended(0, "closed"))
    os.close(writing)
    os.close(reading)


@given(late=st.lists(st.floats(0, 0.03), min_size=2, max_size=40))
def test_blocks_taken_as_one_began_when_the_earliest_of_them_says(late: list[float]) -> None:
    fed, time = Fed(), DeviceTime(RATE)
    fed.start(fed.inbox)
    for late_s in late:
        fed.deliver(0, late_s=late_s)
        time.count(100 + (fed.blocks - 1) * 0.04 + late_s, 640)
    block, at_once = taken(fed), DeviceTime(RATE)
    at_once.count(block.monotonic, len(block.samples))
    assert block.monotonic == pytest.approx(100 + min(late))
    assert at_once.moment(0) == pytest.approx(time.moment(0), abs=1e-3)


# What is done with blocks.


class Bench:
    """A recorder on a real tape, fed by the test."""

    def __init__(self, folder: Path, *, rate: int = RATE, after: recorder_module.After = "start") -> None:
        self.said: list[Hole | Oddity] = []
        self.clocks = Clocks(0.0, 0.0, 1_000.0)
        """What the machine's clocks show."""
        self.folder = folder
        self.writer = TapeWriter(folder, 1)
        self.recorder = Recorder(
            self.writer,
            rate=rate,
            channels=1,
            after=after,
            live=True,
            say=self.said.append,
            clocks=lambda: self.clocks,
        )
        self.recorder.running = True
        self._block = rate // 50
        self._frames = 0

    @property
    def holes(self) -> list[Hole]:
        """Those it spoke of."""
        return [said for said in self.said if isinstance(said, Hole)]

    def take(self, monotonic: float, *, blocks: int = 1, overflow: bool = False) -> None:
        for n in range(blocks):
            first = self._frames
            samples = np.arange(first, first + self._block).astype(np.int16).reshape(-1, 1)
            self.recorder.take(Block(samples, monotonic + n * 0.02, overflow and not n))
            self._frames += self._block


def test_an_overflow_becomes_a_hole_of_the_true_length(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(100.0, blocks=50)
    bench.take(101.5, blocks=50, overflow=True)
    (hole,) = bench.holes
    assert (hole.start, hole.why) == (16_000, "overflow")
    assert abs(hole.end - 24_000) < 5
    assert bench.recorder.lost == hole.end - 16_000
    assert bench.recorder.overflows == 1
    assert bench.writer.samples == 32_000 + bench.recorder.lost
    assert recorded(tmp_path)[32_000 : 2 * hole.end] == bytes(2 * bench.recorder.lost)
    assert Clock(read_journal(tmp_path, 1).anchors).monotonic(bench.writer.samples) == pytest.approx(102.5, abs=1e-3)
    assert read_journal(tmp_path, 1).holes == tuple(bench.holes)


def test_an_overflow_at_another_rate_keeps_the_end_of_what_was_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=48_000)
    bench.take(100.0, blocks=50)
    bench.take(101.2, overflow=True)
    bench.recorder.pause()
    (hole,) = bench.holes
    assert hole.start == 16_000
    assert abs(hole.end - 19_200) < 5
    assert bench.writer.samples == hole.end + 320


def test_a_hole_of_more_than_a_minute_ends_like_a_pause(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(100.0, blocks=50)
    bench.take(162.0, blocks=20, overflow=True)
    assert (bench.holes, bench.writer.samples) == ([], 22_400)
    assert read_journal(tmp_path, 1).anchors[-1].why == "resume"


def test_a_restart_becomes_a_hole_and_a_late_one_a_pause(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(100.0, blocks=50)
    bench = Bench(tmp_path, after="hole")
    bench.take(103.0, blocks=50)
    assert bench.holes == [Hole(16_000, 48_000, "restart")]
    bench = Bench(tmp_path, after="hole")
    bench.take(170.0, blocks=15)
    assert (bench.holes, bench.writer.samples) == ([], 68_800)
    bench = Bench(tmp_path, after="pause")
    bench.take(171.0)
    anchors = read_journal(tmp_path, 1).anchors
    assert [(anchor.why, anchor.sample) for anchor in anchors] == [
        ("start", 0),
        ("hole", 48_000),
        ("resume", 64_000),
        ("resume", 68_800),
    ]


def test_anchors_are_set_every_ten_seconds_and_when_the_wall_clock_steps(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(100.0, blocks=510)
    bench.clocks = Clocks(0.0, 0.0, 4_600.0)
    bench.take(110.2, blocks=10)
    bench.recorder.pause()
    anchors = read_journal(tmp_path, 1).anchors
    assert [(anchor.why, anchor.sample) for anchor in anchors] == [
        ("start", 0),
        ("tick", 160_000),
        ("step", 163_200),
        ("pause", 166_400),
    ]
    assert bench.said == [ClocksJumped("step", 3_600.0)]
    clock = Clock(anchors)
    assert clock.utc(163_199) == pytest.approx(1_110.2, abs=1e-3)
    assert clock.utc(163_200) == pytest.approx(4_710.2, abs=1e-3)


def test_a_small_step_of_the_wall_clock_is_an_anchor_and_no_word(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(100.0, blocks=5)
    bench.clocks = Clocks(0.0, 0.0, 999.5)
    bench.take(100.1, blocks=5)
    assert [anchor.why for anchor in read_journal(tmp_path, 1).anchors] == ["start", "step"]
    assert bench.said == []


def test_a_machine_that_slept_ends_the_sound_like_a_pause_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(100.0, blocks=50)
    # An hour of sleep: the monotonic clock stood still, the other two went on.
    bench.clocks = Clocks(0.0, 3_600.0, 4_600.0)
    bench.take(101.0, blocks=50)
    assert [(anchor.why, anchor.sample) for anchor in read_journal(tmp_path, 1).anchors] == [
        ("start", 0),
        ("suspend", 16_000),
        ("resume", 16_000),
    ]
    assert bench.said == [ClocksJumped("suspend", 3_600.0)]
    assert bench.writer.samples == 32_000, "nothing is made up for the time asleep"
    clock = Clock(read_journal(tmp_path, 1).anchors)
    assert clock.utc(15_999) == pytest.approx(1_101.0, abs=1e-3)
    assert clock.utc(16_000) == pytest.approx(4_701.0, abs=1e-3)


@pytest.mark.parametrize(
    ("later", "jump"),
    [
        (Clocks(10.0, 10.0, 1_010.0), None),
        (Clocks(10.0, 10.0, 1_010.09), None),
        (Clocks(10.0, 10.0, 1_070.0), ClocksJumped("step", 60.0)),
        (Clocks(10.0, 10.0, 950.0), ClocksJumped("step", -60.0)),
        (Clocks(10.0, 40.0, 1_040.0), ClocksJumped("suspend", 30.0)),
        (Clocks(10.0, 40.0, 5_000.0), ClocksJumped("suspend", 30.0)),
    ],
)
def test_sleep_and_steps_differ_from_time_that_passes(later: Clocks, jump: ClocksJumped | None) -> None:
    found = jump_between(Clocks(0.0, 0.0, 1_000.0), later)
    if jump is None:
        assert found is None
    else:
        assert found is not None
        assert (found.why, found.by_s) == (jump.why, pytest.approx(jump.by_s))


def test_levels_go_on_in_a_pause_and_the_tape_does_not(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(100.0, blocks=2)
    bench.recorder.pause()
    cells = bench.recorder.take(Block(np.full((320, 1), 16_384, dtype=np.int16), 101.0))
    assert ([cell.peak for cell in cells], bench.writer.samples) == ([0.5], 640)


def test_lost_frames_are_distinguished_from_late_ones() -> None:
    time = DeviceTime(RATE)
    for n, jitter in enumerate((0.005, 0.0, 0.02, 0.001, 0.015) * 20):
        time.count(10 + n * 0.02 + jitter, 320)
    assert time.lateness_s(12.0) == pytest.approx(0.0, abs=1e-3)
    assert time.lateness_s(12.3) == pytest.approx(0.3, abs=1e-3)


JITTERS = st.lists(st.floats(0, 0.03), min_size=1, max_size=60)


def arrivals(jitters: list[float], *, seconds: int, skipped_s: float = 0.0, slow: float = 0.0) -> Iterator[float]:
    """When blocks of 20 ms arrive whose device skips some time after 5 s, or runs slow; a few are always in time."""
    for n in range(seconds * 50):
        jitter = 0.0 if n % 23 == 0 else jitters[n % len(jitters)]
        yield 10 + n * 0.02 * (1 + slow) + (skipped_s if n >= 250 else 0.0) + jitter


@given(jitters=JITTERS, skipped_s=st.floats(0.06, 30))
def test_what_is_missing_without_a_word_is_found_once_and_in_its_length(jitters: list[float], skipped_s: float) -> None:
    time, found = DeviceTime(RATE), list[float]()
    for arrival in arrivals(jitters, seconds=12, skipped_s=skipped_s):
        time.count(arrival, 320)
        if missing_s := time.take_missing_s():
            found.append(missing_s)
    assert found == [pytest.approx(skipped_s, abs=5e-3)]


@given(jitters=JITTERS, slow=st.floats(-0.02, 0.02), stalls=st.lists(st.integers(0, 500), max_size=3))
def test_late_and_slow_devices_raise_no_alarm(jitters: list[float], slow: float, stalls: list[int]) -> None:
    time = DeviceTime(RATE)
    for n, arrival in enumerate(arrivals(jitters, seconds=12, slow=slow)):
        # A stall: the sound of two seconds arrives at its end, all at once.
        held = max(
            (10 + (stall + 100) * 0.02 * (1 + slow) for stall in stalls if stall <= n < stall + 100), default=0.0
        )
        time.count(max(arrival, held), 320)
        assert time.take_missing_s() == 0.0


def test_several_flags_are_one_overflow_and_what_is_missing_without_one_is_filled(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(100.0, blocks=50)
    for n in range(3):
        bench.take(101.5 + n * 0.02, overflow=True)
    bench.take(101.56, blocks=247)
    assert [(hole.why, bench.recorder.overflows) for hole in bench.holes] == [("overflow", 1)]
    bench.take(107.0, blocks=300)  # half a second skipped, and nobody says so
    assert [hole.why for hole in bench.holes] == ["overflow", "missing"]
    assert bench.recorder.missing == pytest.approx(8_000, abs=80)
    assert bench.recorder.lost == pytest.approx(16_000, abs=80)
    bench.recorder.pause()
    assert bench.writer.samples == pytest.approx(13 * RATE, abs=80)
    assert bench.recorder.expected == bench.writer.samples


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_second_of_any_rate_is_a_second_on_the_tape(rate: int) -> None:
    mixer = Mixer(rate)
    samples = np.zeros((rate // 50, 2), dtype=np.int16)
    for _ in range(2):  # after a flush it begins again
        data = b"".join(mixer.feed(samples) for _ in range(50)) + mixer.flush()
        assert len(data) == 2 * RATE


def test_channels_are_mixed_to_their_mean_and_floats_are_held_to_full_scale() -> None:
    mixer = Mixer(RATE)
    assert mixer.feed(np.array([[100, 200], [-32_768, -32_768]], dtype=np.int16)) == struct.pack("<2h", 150, -32_768)
    assert mixer.feed(np.array([[0.5], [1.5], [-1.5]], dtype=np.float32)) == struct.pack("<3h", 16_384, 32_767, -32_768)
