"""`import`, and what `transcribe` does with the channels of a file, on real sound."""

import json
import os
import shutil
import signal
import sqlite3
import stat
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import Speech
from mictape.library import imported, trash
from mictape.library.library import Store
from servers.base import Server
from support.command_line import called, starts
from support.example_service import leading_to
from support.references import BECKETT, words_in_order
from support.sessions import lines_of, sessions_of, tape_seconds
from support.soundfiles import beginning
from support.waiting import until

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


def two_channels(speech: Speech, path: Path) -> Path:
    """A call: the left speaker, and a second later than his end the right one."""
    samples, rate = soundfile.read(speech.beckett)
    silence = np.zeros(len(samples) + rate)
    both = np.stack([np.concatenate([samples, silence]), np.concatenate([silence, samples])], axis=1)
    soundfile.write(path, both, rate)
    return path


def test_files_and_folders_become_sessions_one_after_the_other(
    parrot: Server, speech: Speech, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "talks"
    (folder / "deeper").mkdir(parents=True)
    shutil.copy(speech.beckett, folder / "deeper" / "a.wav")
    (folder / "notes.txt").write_text("no sound")
    samples, rate = soundfile.read(speech.beckett)
    soundfile.write(tmp_path / "b.mp3", samples[: len(samples) // 3], rate)
    done = called("import", *leading_to(parrot), str(tmp_path / "b.mp3"), str(folder))
    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["b.mp3", "a.wav"]
    assert "second 9" in called("sessions", "show").stdout
    first, second = sessions_of(home)
    assert called("sessions", "show", first.name).stdout.splitlines()[:3] == ["second 1", "second 2", "second 3"]
    noted = second / "imported.json"
    assert json.loads(noted.read_bytes())["path"] == str(folder / "deeper" / "a.wav")
    assert stat.S_IMODE(noted.stat().st_mode) == 0o600


def test_the_same_content_is_not_imported_twice_unasked(
    parrot: Server, short_room: Path, home: Path, tmp_path: Path
) -> None:
    assert called("import", *leading_to(parrot), str(short_room)).returncode == 0
    shutil.copy(short_room, tmp_path / "other name.wav")
    again = called("import", *leading_to(parrot), str(tmp_path / "other name.wav"))
    [session] = sessions_of(home)
    assert (again.returncode, again.stdout) == (0, "")
    assert f"was imported before, as {session.name}" in again.stderr
    assert called("import", *leading_to(parrot), "--again", str(short_room)).returncode == 0
    assert len(sessions_of(home)) == 2


def test_content_whose_session_is_in_the_trash_is_not_imported_again_and_the_way_back_is_said(
    parrot: Server, short_room: Path, home: Path
) -> None:
    assert called("import", *leading_to(parrot), str(short_room)).returncode == 0
    [session] = sessions_of(home)
    assert called("sessions", "delete", session.name, "--yes").returncode == 0
    again = called("import", *leading_to(parrot), str(short_room))
    assert (again.returncode, again.stdout) == (0, "")
    back = f"mictape sessions restore {session.name}"
    assert f"as {session.name}, which is in the trash; {back} brings it back, --again imports it" in again.stderr
    assert back in called("sessions", "complete", session.name).stderr
    assert called(*back.split()[1:]).returncode == 0
    assert "mictape sessions complete" in called("import", *leading_to(parrot), str(short_room)).stderr


def test_a_file_that_fails_costs_no_other_and_leaves_no_session(
    parrot: Server, short_room: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    files = (tmp_path / "text.wav", tmp_path / "gone.wav", short_room)
    done = called("import", *leading_to(parrot), *map(str, files))
    assert done.returncode == 3
    assert "text.wav is not a sound file that can be read" in done.stderr
    assert "there is no such file" in done.stderr
    assert len(done.stdout.splitlines()) == len(sessions_of(home)) == 1


@pytest.mark.parametrize(("name", "words"), [("empty", "has no sound file in it"), ("*.flac", "No file fits")])
def test_nothing_to_import_is_reported(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    done = called("import", str(tmp_path / name))
    assert done.returncode == 2
    assert words in done.stderr


def test_standard_input_is_imported(parrot: Server, short_room: Path, home: Path) -> None:
    done = called("import", *leading_to(parrot), "-", stdin=short_room.read_bytes())
    assert done.returncode == 0, done.stderr
    [session] = sessions_of(home)
    assert tape_seconds(session) == 4
    assert lines_of(home)[:4] == ["second 1", "second 2", "second 3", "second 4"]


@pytest.mark.proof
@posix
def test_an_import_that_is_interrupted_while_it_transcribes_can_be_completed(
    speech: Speech, home: Path, tmp_path: Path
) -> None:
    cities = beginning(speech.two_cities, 20, tmp_path / "beginning.wav")
    with starts("import", str(cities), str(speech.beckett)) as process:
        until(lambda: lines_of(home) if (home / "library.db").exists() else [], timeout_s=100)  # it is read long before
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    [session] = sessions_of(home)
    assert tape_seconds(session) == pytest.approx(20, abs=1)
    completed = called("sessions", "complete", session.name)
    assert completed.returncode == 0, completed.stderr
    said = called("sessions", "show").stdout
    assert "the best of times" in said and "the age of foolishness" in said
    assert "was imported before" in called("import", str(cities)).stderr


@posix
@pytest.mark.parametrize("read", [False, pytest.param(True, marks=pytest.mark.proof)])
def test_an_import_that_is_killed_is_as_if_it_had_not_begun_or_has_all_sound(
    parrot: Server, short_room: Path, home: Path, tmp_path: Path, read: bool
) -> None:
    # Most of it is silence, so that it takes its time to be read and none to be transcribed.
    samples, rate = soundfile.read(short_room)
    soundfile.write(tmp_path / "long.wav", np.concatenate([samples, np.zeros(rate * 400)]), rate)
    with starts("import", str(tmp_path / "long.wav")) as process:
        until(lambda: list(home.glob(f"sessions/*/{'imported' if read else 'importing'}.json")), timeout_s=60)
        process.send_signal(signal.SIGKILL)
    again = called("import", *leading_to(parrot), str(short_room))
    assert again.returncode == 0, again.stderr
    with sqlite3.connect(home / "library.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    *killed, _ = sessions_of(home)
    assert len(killed) == read
    if read:
        assert tape_seconds(killed[0]) == pytest.approx(400 + len(samples) / rate, abs=1)
        assert "was imported before" in called("import", str(tmp_path / "long.wav")).stderr


@posix
def test_an_import_that_is_interrupted_while_it_reads_leaves_no_session(speech: Speech, home: Path) -> None:
    reading, writing = os.pipe()
    with starts("import", "-", stdin=reading) as process:
        os.write(writing, speech.beckett.read_bytes()[:20_000])
        until(lambda: list(home.glob("sessions/*/*.wav")))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    os.close(writing)
    os.close(reading)
    assert process.returncode == 130
    assert "was not read to its end" in said
    assert sessions_of(home) == []


@pytest.mark.proof
def test_each_channel_of_a_call_is_a_track(speech: Speech, tmp_path: Path) -> None:
    call = two_channels(speech, tmp_path / "call.wav")
    apart = called("transcribe", str(call), "--tracks", "channels", "--format", "json")
    assert (apart.returncode, apart.stderr) == (0, "")
    document = json.loads(apart.stdout)
    assert [track["name"] for track in document["tracks"]] == ["Channel 1", "Channel 2"]
    for number in (1, 2):
        text = " ".join(line["text"] for line in document["lines"] if line["track"] == number)
        assert words_in_order(BECKETT, text) >= 9
    starts_of = [min(line["start_s"] for line in document["lines"] if line["track"] == number) for number in (1, 2)]
    assert abs(starts_of[1] - starts_of[0] - soundfile.info(speech.beckett).duration - 1) < 0.5
    text = called("transcribe", str(call), "--tracks", "channels").stdout.splitlines()
    names = [line.split(":")[0] for line in text]
    assert names == sorted(names), "in the order in which it was said"
    assert set(names) == {"Channel 1", "Channel 2"}


def test_channels_that_differ_are_offered_as_tracks(parrot: Server, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (20 * 16_000, 2))
    noise[: 10 * 16_000, 1] = noise[10 * 16_000 :, 0] = 0
    soundfile.write(tmp_path / "call.wav", noise, 16_000)
    call, out = str(tmp_path / "call.wav"), str(tmp_path / "call.txt")
    said = called("transcribe", *leading_to(parrot), call, "-o", out).stderr
    assert "mictape: call.wav: The two channels take turns" in said and "--tracks channels" in said
    said = called("import", *leading_to(parrot), str(tmp_path / "call.wav")).stderr
    assert "mictape: call.wav: The two channels take turns" in said, "of which file"


def test_a_pipe_cannot_be_taken_apart(speech: Speech) -> None:
    done = called("transcribe", "-", "--tracks", "channels", stdin=speech.beckett.read_bytes())
    assert (done.returncode, "read once only" in done.stderr) == (2, True)


def test_what_was_imported_is_found_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"sound")
    (tmp_path / "b").write_bytes(b"sound")
    with Store(tmp_path / "library.db") as store:

        def found() -> str | None:
            session = imported.session_of(store, imported.look_at(tmp_path / "b"))
            return session and session.id

        folders: list[Path] = []
        for name in ("a", "b", "a"):
            with store.create_session() as folder:
                folders.append(folder.path)
                imported.begin(folder.path, imported.look_at(tmp_path / name))
        older, newer, broken = folders
        assert found() is None, "not all of it is there"
        for each in (older, newer):
            imported.finish(each)
        (broken / "imported.json").write_bytes(b"{")
        assert found() == newer.name
        trash.delete(store, newer.name)
        assert found() == older.name, "it is of more use than the newer one, which is in the trash"
        trash.delete(store, older.name)
        assert found() == newer.name
        store.remove(newer.name)
        assert found() == older.name, "no command would find the newer one"
        (tmp_path / "b").write_bytes(b"other")
        assert found() is None
