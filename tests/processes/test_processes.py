"""Signals and kills on real processes: the app, the capture process, the engine process."""

import os
import signal
import sys
from pathlib import Path

import pytest

from conftest import Speech
from mictape.audio.tape import count_samples, read_journal
from mictape.units import RATE
from support.child_processes import alive, children_of
from support.lossless import FOREGROUND
from support.pulse import PulseServer
from support.screen_app import ScreenApp, screen_app
from support.sessions import lines_of, room, sessions_of, states_of, tape_seconds
from support.waiting import until

LISTENING = "LISTENING"


def has_recorded(app: ScreenApp, home: Path, seconds: int) -> None:
    """Wait until the only session's tape is at least so long."""
    [session] = sessions_of(home)
    app.until(lambda _: count_samples(session, 1) >= seconds * RATE, timeout_s=60)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.proof),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.proof),
    ],
)
def test_a_signal_closes_the_session_and_the_terminal(
    pulse: PulseServer, home: Path, number: signal.Signals, code: int
) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees(LISTENING, timeout_s=60)
        children = children_of(app.process.pid, "mictape.audio.capture.process") + children_of(
            app.process.pid, "mictape.engines.local.process"
        )
        assert len(children) == 2
        has_recorded(app, home, 4)  # a shorter session without text is not kept
        app.signal(number)
        assert app.ends() == code
        assert app.modes() == app.before
    until(lambda: not any(map(alive, children)), what="the end of the children")
    [session] = sessions_of(home)
    assert tape_seconds(session) > 0
    assert states_of(home) == {session.name: "closed"}


@pytest.mark.proof
def test_ctrl_c_leaves_as_q_does(pulse: PulseServer) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees(LISTENING, timeout_s=60)
        app.press("\x03")
        assert app.ends() == 0
        assert app.modes() == app.before


def test_a_killed_session_is_offered_back_and_completed(pulse: PulseServer, home: Path, speech: Speech) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees(LISTENING, timeout_s=60)
        pulse.play(speech.beckett, sink="vmic2_sink")
        app.until(lambda _: lines_of(home), timeout_s=60)
        first = lines_of(home)[0]
        children = children_of(app.process.pid, "mictape.audio.capture.process")
        app.process.kill()
        app.process.wait()
        until(lambda: not any(map(alive, children)), what="the end of the capture process")
    [session] = sessions_of(home)
    kept = tape_seconds(session)
    assert kept * 16_000 == count_samples(session, 1), "playable as it lies there"
    lines = lines_of(home)

    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees("cut off", "Continue it", timeout_s=60)
        app.press("enter")
        app.sees(first[:20], LISTENING, timeout_s=60)
        app.until(lambda _: tape_seconds(session) > kept, timeout_s=60)
        app.press("q")
        assert app.ends() == 0
    assert sessions_of(home) == [session]
    assert lines_of(home)[: len(lines)] == lines
    assert tape_seconds(session) > kept


@pytest.mark.proof
def test_a_killed_session_may_be_left_as_it_is(pulse: PulseServer, home: Path) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees(LISTENING, timeout_s=60)
        has_recorded(app, home, 2)
        app.process.kill()
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees("cut off", timeout_s=60)
        app.press("n")
        app.sees(LISTENING, timeout_s=60)
        app.until(lambda _: tape_seconds(sessions_of(home)[-1]) >= 4, timeout_s=60)  # a shorter one is not kept
        app.press("q")
        assert app.ends() == 0
    assert len(sessions_of(home)) == 2
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        screen = app.sees(LISTENING, timeout_s=60)
        assert "cut off" not in screen
        app.press("q")
        assert app.ends() == 0


@pytest.mark.proof
def test_a_killed_capture_process_is_restarted_and_the_hole_is_reported(
    pulse: PulseServer, home: Path, speech: Speech
) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees(LISTENING, timeout_s=60)
        has_recorded(app, home, 1)
        [child] = children_of(app.process.pid, "mictape.audio.capture.process")
        os.kill(child, signal.SIGKILL)
        app.sees("s lost: recording had to start again", LISTENING, timeout_s=60)
        app.until(lambda _: children_of(app.process.pid, "mictape.audio.capture.process") not in ([], [child]))
        pulse.play(speech.beckett, sink="vmic2_sink")
        app.sees("tried", timeout_s=60)
        app.press("q")
        assert app.ends() == 0
    [session] = sessions_of(home)
    [hole] = read_journal(session, 1).holes
    assert hole.end > hole.start
    assert len(list(session.glob("*.wav"))) == 2


@pytest.mark.proof
def test_a_killed_engine_process_is_restarted_and_no_word_is_lost(
    pulse: PulseServer, home: Path, speech: Speech
) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env, columns=120) as app:
        app.sees(LISTENING, timeout_s=60)
        pulse.play(speech.two_cities, sink="vmic2_sink")
        app.sees("best of times", "worst of times", timeout_s=60)
        [child] = children_of(app.process.pid, "mictape.engines.local.process")
        os.kill(child, signal.SIGKILL)
        app.sees("wisdom", "foolishness", "belief", timeout_s=90)
        app.press("q", "q")
        assert app.ends() == 0
    text = " ".join(lines_of(home)).lower()
    assert text.count("age of wisdom") == 1
    assert text.count("best of times") == 1


@pytest.mark.proof
def test_ctrl_z_stops_the_app_and_not_the_recording(pulse: PulseServer, home: Path, speech: Speech) -> None:
    room(pulse)
    leader = str(FOREGROUND)
    app = ScreenApp(
        [sys.executable, leader, sys.executable, "-m", "mictape", "--device", "PulseAudio:vmic2"], pulse.env, 110, 30
    )
    try:
        app.sees(LISTENING, timeout_s=60)
        [session] = sessions_of(home)
        app.press("\x1a")
        app.sees("STOPPED", timeout_s=30)
        before = count_samples(session, 1)
        playing = pulse.play(speech.beckett, sink="vmic2_sink")
        playing.wait(60)
        assert count_samples(session, 1) - before > 9 * 16_000, "the recording went on"
        app.signal(signal.SIGUSR1)
        app.sees("tried", LISTENING, timeout_s=60)
        app.press("q")
        assert app.ends() == 0
        assert app.modes() == app.before
    finally:
        app.close()


@pytest.mark.proof
def test_a_microphone_that_goes_is_never_replaced_unsaid_and_comes_back_by_itself(
    pulse: PulseServer, home: Path
) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees(LISTENING, timeout_s=60)
        has_recorded(app, home, 1)
        pulse.remove("vmic2")
        app.sees("DEVICE LOST", "Virtual_Mic_Two is gone", timeout_s=60)
        app.until(lambda _: not pulse.recorders(), timeout_s=60)
        pulse.add("vmic2", "Virtual_Mic_Two")
        app.sees(LISTENING, "s lost", timeout_s=60)
        app.press("q")
        assert app.ends() == 0
