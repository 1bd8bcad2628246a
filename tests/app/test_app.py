"""The whole app on real sound: a private sound server, a real terminal, the real model."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Speech
from support.pulse import PulseServer
from support.screen_app import ScreenApp, screen_app
from support.sessions import lines_of, room, sessions_of, tape_seconds


def test_choose_a_microphone_speak_read_pause_resume_quit(pulse: PulseServer, home: Path, speech: Speech) -> None:
    room(pulse)
    with screen_app(env=pulse.env) as app:
        app.sees("Record from", "Virtual_Mic_Two")
        app.press("down", "enter")
        app.sees("LISTENING", "Virtual_Mic_Two", timeout_s=60)

        playing = pulse.play(speech.two_cities, sink="vmic2_sink")
        # First as a partial, marked by its ellipsis, then as a final with its time.
        app.until(lambda text: re.search(r"\d\d:\d\d:\d\d\s+It was.*…", text))
        app.until(lambda text: re.search(r"\d\d:\d\d:\d\d\s+It was the best of times[^…\n]*\n", text))

        app.press(" ")
        app.sees("PAUSED")
        [session] = sessions_of(home)
        paused_at = tape_seconds(session)
        playing.kill()
        app.press(" ")
        app.sees("LISTENING")
        pulse.play(speech.beckett, sink="vmic2_sink")
        app.sees("tried", timeout_s=60)

        app.press("q")
        assert app.ends() == 0
        assert app.modes() == app.before, "the terminal's modes are put back"

    assert tape_seconds(session) > paused_at
    text = " ".join(lines_of(home)).lower()
    assert "best of times" in text
    assert "tried" in text
    with sqlite3.connect(home / "library.db") as library:
        assert library.execute("SELECT state FROM sessions").fetchall() == [("closed",)]


@pytest.mark.proof
def test_the_device_is_remembered_and_listening_starts_at_once(pulse: PulseServer, home: Path) -> None:
    room(pulse)
    with screen_app(env=pulse.env) as app:
        app.sees("Record from", "Virtual_Mic_Two")
        app.press("two", "enter")
        app.sees("LISTENING", timeout_s=60)
        app.press("q")
        assert app.ends() == 0
    with screen_app(env=pulse.env) as app:
        screen = app.sees("LISTENING", timeout_s=60)
        assert "Virtual_Mic_Two" in screen
        assert "Record from" not in screen
        app.press("q")
        assert app.ends() == 0
    assert "Virtual_Mic_Two" in (home / "state.toml").read_text()


@pytest.mark.proof
def test_changing_the_microphone_keeps_session_clock_and_text(pulse: PulseServer, home: Path, speech: Speech) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees("LISTENING", timeout_s=60)
        pulse.play(speech.beckett, sink="vmic2_sink")
        app.sees("tried", timeout_s=60)
        app.press("d")
        app.sees("Record from", "in use")
        app.press("escape")
        app.until(lambda text: "Record from" not in text)
        app.press("d")
        app.sees("Record from", "in use")
        app.press("down", "enter")
        app.sees("microphone: Virtual_Mic")
        pulse.play(speech.two_cities, sink="vmic_sink")
        app.sees("best of times", "tried", timeout_s=60)
        app.press("q")
        assert app.ends() == 0
    assert len(sessions_of(home)) == 1


@pytest.mark.proof
def test_a_file_plays_as_if_it_were_live(home: Path, speech: Speech, pulse: PulseServer) -> None:
    with screen_app("--input", str(speech.beckett), env=pulse.env) as app:
        app.sees("beckett.wav", "tried", timeout_s=60)
        app.sees("ENDED", timeout_s=60)
        app.press("q")
        assert app.ends() == 0


@pytest.mark.proof
def test_no_keep_keeps_nothing(pulse: PulseServer, home: Path) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", "--no-keep", env=pulse.env) as app:
        app.sees("LISTENING", timeout_s=60)
        app.press("q")
        assert app.ends() == 0
    assert not list((home / "sessions").iterdir())
    assert not (home / "library.db").exists()


@pytest.mark.proof
def test_the_terminal_may_be_small_and_may_change(pulse: PulseServer, speech: Speech) -> None:
    with screen_app("--input", str(speech.two_cities), env=pulse.env, columns=60, rows=20) as app:
        app.sees("best of times", "LISTENING", timeout_s=60)
        app.resize(100, 30)
        app.until(lambda text: "two_cities.wav" in text and "moonshine" in text)
        app.resize(40, 12)
        app.sees("LISTENING")
        app.press("q", "q")
        assert app.ends() == 0


@pytest.mark.proof
def test_scrolled_up_it_stays_and_counts_what_is_new(pulse: PulseServer, speech: Speech) -> None:
    with screen_app("--input", str(speech.two_cities), env=pulse.env, columns=60, rows=14) as app:
        app.until(lambda text: text.count("It was") >= 4, timeout_s=60)
        app.press("home")
        first = app.sees("best of times")
        assert "best of times" in first
        app.sees("new · End to follow", timeout_s=60)
        assert "best of times" in app.read()
        app.press("end")
        app.until(lambda text: "best of times" not in text)
        app.press("q", "q")
        assert app.ends() == 0


def test_a_device_that_is_not_there_is_said_with_the_list(pulse: PulseServer) -> None:
    with screen_app("--device", "Yeti", env=pulse.env) as app:
        assert app.ends() == 2
        screen = app.read()
        assert "Yeti" in screen
        assert "Virtual_Mic_Two" in screen
        assert app.modes() == app.before


def test_without_a_terminal_it_says_what_to_use(pulse: PulseServer) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mictape"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=pulse.env,
        start_new_session=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "mictape listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_breaks_while_drawing_ends_in_a_sentence_and_is_in_the_log(pulse: PulseServer, home: Path) -> None:
    broken = "from mictape.widgets.level_meter import LevelMeter as M; M.pull = lambda *a, **k: 1 / 0"
    program = (
        f"{broken}; import sys, mictape.cli.main; sys.exit(mictape.cli.main.run(['--device', 'PulseAudio:vmic2']))"
    )
    app = ScreenApp([sys.executable, "-c", program], pulse.env)
    try:
        assert app.ends(60) == 1
        screen = " ".join(app.read().split())
        assert "The screen failed unexpectedly: division by zero. The log has the details" in screen
        assert "ZeroDivisionError" not in screen
        assert app.modes() == app.before
    finally:
        app.close()
    assert "ZeroDivisionError" in (home / "mictape.log").read_text()
