"""The app and the command line: two views of one way to record."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from conftest import Speech
from mictape.library.store import Store
from support.command_line import MICTAPE, called
from support.pulse import PulseServer
from support.screen_app import screen_app
from support.sessions import lines_of, room, sessions_of, tape_seconds
from support.soundfiles import beginning
from support.waiting import until


def _kept(home: Path) -> list[object]:
    """What a library holds of its only session, without ids, times of day and confidences.

    What a slow machine has time to draft decides whether a line's text is searched for or only checked, which rounds
    confidences in other ways.
    """
    with contextlib.closing(Store.to_read(home / "library.db", home / "sessions")) as store:
        [session] = store.sessions()
        lines = [
            replace(line, words=tuple(replace(word, confidence=None) for word in line.words or ()))
            for line in store.lines(session.id)
        ]
        tracks = store.tracks(session.id)
        coverage = [store.coverage(session.id, track.number) for track in tracks]
        return [session.state, session.samples, session.lines, lines, tracks, coverage]


def _home(folder: Path, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    return {**env, "MICTAPE_HOME": str(folder)}


def test_both_keep_the_same_of_the_same_file(speech: Speech, tmp_path: Path) -> None:
    plain, screen = tmp_path / "plain", tmp_path / "screen"
    recording = str(beginning(speech.beckett, 5, tmp_path / "beginning.wav"))
    command = [*MICTAPE, "transcribe", "--keep", "--pace", "real", recording]
    with (
        subprocess.Popen(command, env=_home(plain), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as done,
        screen_app("--input", recording, env=_home(screen)) as app,
    ):
        app.sees("ENDED", timeout_s=120)
        app.press("q")
        assert app.ends() == 0
        assert done.communicate(timeout=150)[1] == ""
    assert done.returncode == 0
    assert lines_of(plain), "something was said"
    assert _kept(plain) == _kept(screen)
    assert [tape_seconds(each) for each in sessions_of(plain)] == [tape_seconds(each) for each in sessions_of(screen)]


def test_a_proxy_that_cannot_be_used_is_said_and_ends_the_command(
    speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5h://127.0.0.1:9")
    monkeypatch.setenv("ASSEMBLYAI_API_KEY", "0" * 32)
    done = called("transcribe", "--engine", "assemblyai", "--give-up", "0", str(speech.beckett))
    assert done.returncode == 4
    assert done.stdout == ""
    assert "proxy" in done.stderr.lower()
    assert "Traceback" not in done.stderr


@pytest.mark.proof
def test_the_app_says_that_a_proxy_cannot_be_used(speech: Speech, tmp_path: Path) -> None:
    env = _home(tmp_path / "h") | {"HTTPS_PROXY": "socks5h://127.0.0.1:9", "ASSEMBLYAI_API_KEY": "0" * 32}
    with screen_app("--engine", "assemblyai", "--input", str(speech.beckett), env=env) as app:
        app.until(lambda text: "proxy" in text.lower() and "CONNECTING" not in text, timeout_s=60)
        app.press("q")
        assert app.ends() == 0


@pytest.mark.proof  # when it is said is tried in tests/unit/cli/test_no_signal.py
def test_listen_says_that_a_microphone_is_muted_and_that_it_is_back(pulse: PulseServer) -> None:
    pulse.set_muted("vmic2")
    room(pulse)
    command = [*MICTAPE, "listen", "--device", "PulseAudio:vmic2"]
    with subprocess.Popen(command, env=pulse.env, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr is not None
            assert running.stderr.readline().startswith("Listening to ")
            assert "No signal: muted" in running.stderr.readline()
            pulse.set_muted("vmic2", False)
            assert running.stderr.readline().endswith(": There is a signal again.\n")
        finally:
            running.kill()


def test_listen_ends_when_its_reader_has_gone(pulse: PulseServer, home: Path, speech: Speech) -> None:
    room(pulse)
    reads, writes = os.pipe()
    command = [*MICTAPE, "listen", "--device", "PulseAudio:vmic2"]
    with subprocess.Popen(command, env=pulse.env, stdout=writes, stderr=subprocess.PIPE, text=True) as running:
        try:
            os.close(writes)
            until(pulse.recorders, timeout_s=60)
            with os.fdopen(reads) as reader:
                playing = pulse.play(speech.beckett, sink="vmic2_sink")
                assert reader.readline(), "one line is read, as by head"

            def ended() -> bool:
                nonlocal playing
                if playing.poll() is not None:  # said again until it is over: the next line finds nobody
                    playing = pulse.play(speech.beckett, sink="vmic2_sink")
                return running.poll() is not None

            until(ended, timeout_s=120)
            assert running.stderr is not None
            said = running.stderr.read()
            assert said.count("\n") > 1, (running.returncode, said)
            greeting, saved, *more = said.splitlines()
            assert running.returncode == 0
            assert [line for line in more if "has no text yet" not in line] == [], "a late machine may leave some of it"
            assert greeting.startswith("Listening to ")
            assert saved.startswith("mictape: saved ")
        finally:
            running.kill()
    assert lines_of(home)
    with sqlite3.connect(home / "library.db") as library:
        assert library.execute("SELECT state FROM sessions").fetchall() == [("closed",)]
