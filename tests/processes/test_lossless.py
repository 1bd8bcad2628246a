"""Nothing is lost: the real app on a microphone with a clock, whose every sample says when it was recorded.

Not on PulseAudio: its record buffer would hide what a slow reader loses.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest
import soundfile

from mictape.audio.capture.backends import Backend
from mictape.audio.messages import GRID_MS
from mictape.audio.source import OPEN_S
from mictape.audio.tape import Tape, count_samples, find_parts, read_journal
from mictape.library.store import Store
from mictape.units import RATE
from support.backends import available
from support.child_processes import children_of
from support.clocked_mic import CYCLE, ClockedMics, breaks, counted, misplaced
from support.lossless import CAPTURE, FOREGROUND, HELD, HOLD_S, assert_no_loss_reported, end, hold_up, recording
from support.small_disk import small_disk
from support.waiting import until

LENGTHS: Final = (10, pytest.param(60, marks=pytest.mark.proof))
"""Seconds: for every run of the tests, and for the proof."""
EXACT: Final = 48
"""A hole is right to this many samples, 3 ms: the device's own word for when a block was captured is no better."""
BLOCK: Final = RATE * GRID_MS // 1000
"""A block that PortAudio reports an overflow with may begin with what it had kept from before."""


def assert_whole(session: Path, samples: int) -> None:
    """At least so many samples, each followed by the very next one, and as many as the clock says."""
    tape = Tape.finished(session, 1)
    assert tape.samples >= samples
    assert_no_loss_reported(session)
    assert breaks(counted(tape.read(0, tape.samples))) == []
    journal = read_journal(session, 1)
    first, last = journal.anchors[0], journal.anchors[-1]
    # The counter alone would not show a loss of a whole cycle.
    assert abs((last.monotonic - first.monotonic) * RATE - (last.sample - first.sample)) < CYCLE // 4


@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize(
    "held", [signal.SIGUSR1, pytest.param(signal.SIGUSR2, marks=pytest.mark.proof)], ids=["loop", "interpreter"]
)
def test_nothing_is_lost_while_the_app_is_held_up_for_two_seconds_again_and_again(
    clocked_mics: ClockedMics, home: Path, held: signal.Signals, seconds: int
) -> None:
    with recording(clocked_mics, home, str(HELD), str(HOLD_S)) as (app, session):
        hold_up(app, session, held, seconds)
        end(app)
    assert_whole(session, seconds * RATE)


@pytest.mark.proof
@pytest.mark.parametrize("seconds", [20, LENGTHS[1]])  # the pipe takes 64 KiB
def test_nothing_is_lost_while_the_app_is_stopped_by_ctrl_z_and_its_status_pipe_is_full(
    clocked_mics: ClockedMics, home: Path, seconds: int
) -> None:
    with recording(clocked_mics, home, str(FOREGROUND), sys.executable, "-m", "mictape") as (app, session):
        app.press("\x1a")
        app.sees("STOPPED", timeout_s=60)
        stopped_at = count_samples(session, 1)
        until(lambda: count_samples(session, 1) >= stopped_at + seconds * RATE, timeout_s=seconds + 60)
        app.signal(signal.SIGUSR1)
        app.sees("OFFLINE", timeout_s=60)
        app.press("q")
        assert app.ends(60) == 0
    assert_whole(session, stopped_at + seconds * RATE)


def test_a_killed_app_leaves_all_but_a_tenth_of_a_second_playable_by_everyone(
    clocked_mics: ClockedMics, home: Path
) -> None:
    with recording(clocked_mics, home) as (app, session):
        app.until(lambda _: count_samples(session, 1) >= 2 * RATE, timeout_s=60)
        killed = time.monotonic()
        end(app)
    assert_whole(session, 2 * RATE)
    [part] = find_parts(session, 1)
    with wave.open(str(part.path)) as file:
        values = counted(file.readframes(file.getnframes()))
    assert len(values) == part.samples == soundfile.info(str(part.path)).frames
    if shutil.which("soxi"):
        said = subprocess.check_output(["soxi", "-s", part.path], stderr=subprocess.STDOUT, text=True)
        assert said == f"{part.samples}\n"
    lost = (int(killed * RATE) - int(values[-1])) % CYCLE
    assert not RATE // 10 < lost < CYCLE // 2


def test_a_killed_capture_process_leaves_a_hole_of_the_true_length(clocked_mics: ClockedMics, home: Path) -> None:
    with recording(clocked_mics, home) as (app, session):
        app.until(lambda _: count_samples(session, 1) >= RATE, timeout_s=60)
        [child] = children_of(app.process.pid, CAPTURE)
        os.kill(child, signal.SIGKILL)
        app.sees("s lost: recording had to start again", timeout_s=60)
        [again] = children_of(app.process.pid, CAPTURE)
        assert again != child, "one other process, started at once"
        received = count_samples(session, 1)
        app.until(lambda _: count_samples(session, 1) >= received + RATE, timeout_s=60)
        end(app)
    assert_holes_fit(session, ["restart"])
    # Without a back-off: the hole is as long as a process takes to start and a device to open, and no more.
    [hole] = read_journal(session, 1).holes
    assert hole.end - hole.start < OPEN_S * RATE


@pytest.mark.parametrize("backend", ["sounddevice", pytest.param("pyaudio", marks=pytest.mark.proof)])
def test_a_capture_process_that_was_stopped_says_so_and_time_stays_true(
    clocked_mics: ClockedMics, home: Path, backend: Backend
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(f'[audio]\nbackend = "{available(backend)}"\n', "utf-8")
    with recording(clocked_mics, home) as (app, session):
        app.until(lambda _: count_samples(session, 1) >= RATE, timeout_s=60)
        [child] = children_of(app.process.pid, CAPTURE)
        assert f"--backend\0{backend}\0" in Path(f"/proc/{child}/cmdline").read_text("utf-8") + "\0"
        before = time.monotonic()
        os.kill(child, signal.SIGSTOP)
        app.until(lambda _: time.monotonic() > before + 1.5)  # longer than the device's buffer, not given up yet
        os.kill(child, signal.SIGCONT)
        app.sees("s lost: the computer was too busy", timeout_s=60)
        received = count_samples(session, 1)
        app.until(lambda _: count_samples(session, 1) >= received + RATE, timeout_s=60)
        end(app)
    assert_holes_fit(session, ["overflow"])


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A disk of a few megabytes, on which Mictape keeps everything."""
    with small_disk(tmp_path / "disk") as disk:
        monkeypatch.setenv("MICTAPE_HOME", str(disk / "home"))
        yield disk


def fill(disk: Path) -> Path:
    """Leave no room on a disk; the file to delete to have it back."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while file.write(bytes(4096)):
            pass
    return ballast


def test_a_full_disk_is_said_until_there_is_room_and_then_the_recording_goes_on(
    clocked_mics: ClockedMics, disk: Path
) -> None:
    home = disk / "home"
    with recording(clocked_mics, home) as (app, session):
        app.until(lambda _: count_samples(session, 1) >= RATE, timeout_s=60)
        ballast = fill(disk)
        app.sees("DISK FULL", "No space is left for the recording", timeout_s=60)  # the rest wraps with the path
        kept = count_samples(session, 1)
        tries = set[int]()

        def has_tried_again(text: str) -> bool:
            assert "DISK FULL" in text  # a device that opens again is no room on the disk
            tries.update(children_of(app.process.pid, CAPTURE))
            return len(tries) >= 3

        app.until(has_tried_again, timeout_s=60)
        assert Tape.finished(session, 1).read(0, kept)
        ballast.unlink()
        app.sees("OFFLINE", "s lost: recording had to start again", timeout_s=60)
        received = count_samples(session, 1)
        app.until(lambda _: count_samples(session, 1) >= received + RATE, timeout_s=60)
        app.press("q")
        assert app.ends(60) == 0
    assert len(tries) >= 3
    assert_holes_fit(session, ["restart"])
    for part in find_parts(session, 1):
        assert soundfile.info(str(part.path)).samplerate == RATE
    with Store(home / "library.db") as library:
        [kept_session] = library.sessions()
        [track] = library.tracks(kept_session.id)
    assert kept_session.state == "closed"
    assert track.samples == count_samples(session, 1)
    assert track.lost == sum(hole.end - hole.start for hole in read_journal(session, 1).holes)


@pytest.mark.proof
def test_a_folder_that_is_deleted_while_recording_is_said(clocked_mics: ClockedMics, home: Path) -> None:
    with recording(clocked_mics, home) as (app, session):
        app.until(lambda _: count_samples(session, 1) >= RATE, timeout_s=60)
        shutil.rmtree(session)
        app.sees("CANNOT WRITE", "has vanished", timeout_s=60)
        app.press("q", "q")
        assert app.ends(60) == 3
        assert re.search(r"mictape: .*\n?.*has vanished", app.read()), "it is said again, on the terminal"


@pytest.mark.proof
def test_a_folder_that_is_moved_while_recording_takes_the_recording_with_it(
    clocked_mics: ClockedMics, home: Path
) -> None:
    with recording(clocked_mics, home) as (app, session):
        moved = home / "moved"
        session.rename(moved)
        received = count_samples(moved, 1)
        app.until(lambda _: count_samples(moved, 1) >= received + 2 * RATE, timeout_s=60)
        moved.rename(session)
        end(app)
    assert_whole(session, received + 2 * RATE)


def assert_holes_fit(session: Path, reasons: list[str]) -> None:
    """The holes have these reasons; all other sound is there without a break, and stands where it was recorded."""
    tape, holes = Tape.finished(session, 1), read_journal(session, 1).holes
    assert [hole.why for hole in holes] == reasons
    values = counted(tape.read(0, tape.samples))
    for hole in holes:
        assert abs(misplaced(values, hole.start, hole.end + BLOCK)) <= EXACT
    account = read_journal(session, 1).account
    assert account is not None
    assert account.lost == sum(hole.end - hole.start for hole in holes)
    assert account.missing == 0
    assert (account.overflows > 0) == ("overflow" in reasons)
    silent = [(hole.start, hole.end + BLOCK) for hole in holes]
    assert breaks(values, silent) == []
