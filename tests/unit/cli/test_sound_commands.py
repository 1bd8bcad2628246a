"""`sessions audio`, `pack` and `prune`, on sessions that were recorded."""

import shutil
import subprocess
import wave
from pathlib import Path

import pytest
import soundfile

from mictape.audio.tape import TapeWriter
from mictape.library.folders import SessionFolder
from mictape.library.records import CoverageRecord, LineRecord, TrackChange, TrackRecord
from mictape.library.sound_storage import Weight, weight_of
from mictape.library.store import Store
from support.command_line import called
from support.sound import pcm


def recorded_session(home: Path, *, gap: bool = False) -> Path:
    """The folder of a finished session of 2 s with a line."""
    with Store(home / "library.db", home / "sessions") as store:
        folder = store.create_session()
        writer = TapeWriter(folder.path, 1)
        writer.append(pcm(0, 32_000))
        writer.close()
        store.add_track(folder.session, TrackRecord(1, "You", "a microphone", samples=32_000))
        store.add_line(folder.session, LineRecord(1, 1, 0, 16_000, "text that stays"))
        if gap:
            stretch = CoverageRecord(16_000, 32_000, "gap", "no network")
            store.change_track(folder.session, TrackChange(1, 32_000, 0, (stretch,)))
        store.close_session(folder.session)
        folder.release()
    return folder.path


@pytest.fixture
def session(home: Path) -> Path:
    """The folder of a finished session of 2 s, whose text is complete."""
    return recorded_session(home)


def test_the_sound_of_a_session_becomes_one_file(session: Path, tmp_path: Path) -> None:
    output = tmp_path / "talk.flac"
    done = called("sessions", "audio", session.name, "-o", str(output), "--from", "0:01")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{output}  00:00:01  ")
    [part] = session.glob("*.wav")
    with wave.open(str(part)) as file:
        whole = file.readframes(32_000)
    assert soundfile.read(output, dtype="int16")[0].tobytes() == whole[32_000:]
    again = called("sessions", "audio", "-o", str(output))
    assert (again.returncode, "talk.flac exists" in again.stderr) == (3, True)
    assert called("sessions", "audio", "-o", str(output), "--force").returncode == 0
    assert len(soundfile.read(output)[0]) == 32_000
    assert [path.name for path in tmp_path.iterdir() if "talk" in path.name] == ["talk.flac"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "talk.xyz"), "which kind of sound file"),
        (("-o", "talk.wav", "--track", "7"), "no such track"),
        (("-o", "talk.wav", "--from", "1:00"), "no sound in that part"),
        (("-o", "talk.wav", "--from", "@14:05"), "not a time in a session"),
    ],
)
def test_what_cannot_be_written_is_bad_usage(session: Path, options: tuple[str, ...], words: str) -> None:
    done = called("sessions", "audio", session.name, *options)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not Path("talk.wav").exists()


def test_packing_keeps_every_sample_and_leaves_a_session_that_is_recorded(session: Path, tmp_path: Path) -> None:
    before = weight_of(session)
    assert called("sessions", "audio", "-o", str(tmp_path / "before.wav")).returncode == 0
    with SessionFolder(session):
        done = called("sessions", "pack")
        assert (done.returncode, done.stdout) == (0, "packed 0 sessions; 0 B saved\n")
        assert called("sessions", "pack", session.name).returncode == 2
    done = called("sessions", "pack")
    assert (done.returncode, done.stdout.startswith("packed 1 session; ")) == (0, True)
    after = weight_of(session)
    assert before.packed == after.unpacked == 0
    assert 0 < after.packed < before.unpacked
    assert called("sessions", "audio", "-o", str(tmp_path / "after.wav")).returncode == 0
    assert (tmp_path / "after.wav").read_bytes() == (tmp_path / "before.wav").read_bytes()
    if shutil.which("flac"):
        subprocess.run(["flac", "--test", "--silent", *map(str, session.glob("*.flac"))], check=True)


def test_pruning_shows_the_weight_and_removes_the_oldest_sound_only_when_agreed(home: Path, session: Path) -> None:
    newer = recorded_session(home)
    shown = called("sessions", "prune")
    assert shown.stdout == "2 sessions with 128.1 kB of sound, 128.1 kB of it not packed\n"
    asked = called("sessions", "prune", "--down-to", "100kB")
    assert (asked.returncode, "Add --yes" in asked.stderr) == (2, True)
    assert weight_of(session).total == weight_of(newer).total > 0
    done = called("sessions", "prune", "--down-to", "100kB", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("removed 64.0 kB\n")
    assert (weight_of(session), weight_of(newer).total > 0) == (Weight(), True)
    assert "text that stays" in called("sessions", "show", session.name).stdout
    assert "nothing to remove" in called("sessions", "prune", "--older-than", "30", "--yes").stdout


def test_the_sound_of_a_session_with_gaps_stays(home: Path) -> None:
    session = recorded_session(home, gap=True)
    done = called("sessions", "prune", "--down-to", "0", "--yes")
    assert "nothing to remove" in done.stdout
    assert "has parts without text" in done.stderr
    assert weight_of(session).total > 0
