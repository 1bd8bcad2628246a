"""The terminal itself goes, freezes and sends nonsense; leaving works at every question and in every phase."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from conftest import Speech
from mictape.library.store import Store
from support.child_processes import alive, descendants_of
from support.screen_app import KEY_TO_NOTHING, NOWHERE, ScreenApp, screen_app
from support.sessions import sessions_of, states_of
from support.stored_sessions import fill
from support.tmux import tmux
from support.waiting import until

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

FAILING = str(Path(__file__).parents[1] / "support" / "failing_app.py")

ESCAPE = "\x1b[27u"
"""As terminals with kitty's protocol send it; a bare one differs from a sequence by the time that passes."""

GONE_S = 15.0
"""Ends a broken test. An end takes about a second here, alone."""

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


def none_left(processes: list[int]) -> None:
    """Wait until none of them runs any more."""
    until(lambda: not any(map(alive, processes)), GONE_S, what=f"the end of {processes}")


def everything(app: ScreenApp) -> list[int]:
    """The app's process and all below it."""
    return [app.process.pid, *descendants_of(app.process.pid)]


def is_closed(home: Path) -> None:
    """The only session is closed."""
    [session] = sessions_of(home)
    assert states_of(home) == {session.name: "closed"}


@needs_tmux
@pytest.mark.parametrize(
    "how", [*(pytest.param(way, marks=pytest.mark.proof) for way in ("kill-pane", "kill-session")), "kill-server"]
)
def test_a_closed_tmux_window_leaves_no_process(how: str, home: Path, speech: Speech) -> None:
    with tmux("--input", str(speech.two_cities)) as pane:
        pane.sees("REC")
        until(lambda: len(pane.processes()) >= 3, 60, what="the app, its capture process, its engine")
        processes = pane.processes()
        pane.run(how)
        none_left(processes)
    is_closed(home)


@pytest.mark.parametrize(
    "controlling",
    [pytest.param(True, id="with SIGHUP", marks=pytest.mark.proof), pytest.param(False, id="without SIGHUP")],
)
def test_a_closed_terminal_is_a_hang_up(controlling: bool, home: Path, speech: Speech) -> None:
    with screen_app(
        "--input", str(speech.two_cities), *NOWHERE, env=os.environ | KEY_TO_NOTHING, controlling=controlling
    ) as app:
        app.sees("REC", timeout_s=60)
        processes = everything(app)
        app.hang_up()
        none_left(processes)
        assert app.process.wait() == 129
    is_closed(home)


@pytest.mark.parametrize("how", ["hang-up", pytest.param("SIGTERM", marks=pytest.mark.proof)])
def test_a_frozen_terminal_blocks_neither_the_recording_nor_the_end(how: str, home: Path, speech: Speech) -> None:
    with screen_app(
        "--input", str(speech.two_cities), *NOWHERE, env=os.environ | KEY_TO_NOTHING, columns=200, rows=60
    ) as app:
        app.sees("REC", timeout_s=60)
        processes = everything(app)
        app.freeze()
        if how == "hang-up":
            app.hang_up()
        else:
            app.signal(signal.SIGTERM)
        none_left(processes)
        assert app.process.wait() == (129 if how == "hang-up" else 143)
    is_closed(home)


@pytest.mark.proof
def test_a_terminal_that_thaws_shows_what_is_true_then(speech: Speech) -> None:
    with screen_app("--input", str(speech.beckett), env=os.environ, columns=200, rows=60) as app:
        app.sees("REC", timeout_s=60)
        app.freeze()
        app.sees("tried", "q quit", timeout_s=60)
        app.press("q", "q")
        assert app.ends() == 0
        assert app.modes() == app.before


@pytest.mark.proof
def test_bytes_that_are_not_utf_8_are_keys_like_others(quiet_room: Path) -> None:
    with screen_app("--input", str(quiet_room), env=os.environ) as app:
        app.sees("REC", timeout_s=60)
        app.send(b"\xe9")
        app.press("t")
        app.sees("Note at this moment")
        app.send(b"\x1b[200~caf\xe9 a\x1b[201~")
        app.sees("caf� a")
        app.press("enter")
        app.until(lambda text: "caf� a" in text and "Note at this moment" not in text)
        app.press("q", "q")
        assert app.ends() == 0


@pytest.mark.proof
def test_columns_and_lines_in_the_environment_do_not_hide_the_terminals_size(quiet_room: Path) -> None:
    with screen_app("--input", str(quiet_room), env=os.environ, size=("200", "50")) as app:
        assert "q quit" in app.sees("REC", "q quit", timeout_s=60).splitlines()[-1]
        app.resize(70, 20)
        app.until(lambda text: "q quit" in text.splitlines()[-1])
        app.press("q", "q")
        assert app.ends() == 0


# ---- Leaving ---------------------------------------------------------------------------------------------------------

LEAVING: list[tuple[str, Callable[[ScreenApp], None], int]] = [
    ("Ctrl-C", lambda app: app.press("\x03"), 0),
    ("SIGINT", lambda app: app.signal(signal.SIGINT), 130),
    ("SIGTERM", lambda app: app.signal(signal.SIGTERM), 143),
    ("SIGHUP", lambda app: app.signal(signal.SIGHUP), 129),
    ("closed", lambda app: app.hang_up(), 129),
]
Q: tuple[str, Callable[[ScreenApp], None], int] = ("q", lambda app: app.press("q"), 0)


def leaving(
    *quick: str, ways: Sequence[tuple[str, Callable[[ScreenApp], None], int]] = LEAVING
) -> pytest.MarkDecorator:
    """Every way to leave; those that are not named are left to the proof: each starts the app once more."""
    cases = [pytest.param(*how, id=name, marks=[] if name in quick else [pytest.mark.proof]) for name, *how in ways]
    return pytest.mark.parametrize(("leave", "code"), cases)


def leaves(app: ScreenApp, leave: Callable[[ScreenApp], None], code: int) -> None:
    """Leave, and see the process end with the code and give the terminal back."""
    processes = everything(app)
    leave(app)
    assert app.ends(GONE_S) == code
    none_left(processes)
    if not app.closed:
        assert app.modes() == app.before


@leaving("Ctrl-C")
def test_leaving_works_at_the_first_question(leave: Callable[[ScreenApp], None], code: int, home: Path) -> None:
    with screen_app(env=os.environ) as app:
        app.sees("Record from", timeout_s=60)
        leaves(app, leave, code)
    assert sessions_of(home) == []


@leaving()
def test_leaving_works_after_the_first_question_was_left(leave: Callable[[ScreenApp], None], code: int) -> None:
    with screen_app(env=os.environ) as app:
        app.sees("Record from", timeout_s=60)
        app.press("escape")
        app.until(lambda text: "Record from" not in text)
        leaves(app, leave, code)


@pytest.fixture
def cut_off(home: Path) -> Path:
    """A home with a session that was cut off."""
    [id] = fill(home, 1, sound=True)
    with Store(home / "library.db", home / "sessions") as store:
        store.resume_session(id).release()
    return home


@leaving(ways=(*LEAVING, Q))
def test_leaving_works_at_the_question_of_a_session_that_was_cut_off(
    leave: Callable[[ScreenApp], None], code: int, cut_off: Path, speech: Speech
) -> None:
    with screen_app("--input", str(speech.two_cities), *NOWHERE, env=os.environ | KEY_TO_NOTHING) as app:
        app.sees("A session was cut off", "Continue it", timeout_s=60)
        leaves(app, leave, code)
    assert len(sessions_of(cut_off)) == 1, "nothing was decided: it is offered again"


def test_the_question_of_a_session_that_was_cut_off_takes_keys_in_a_terminal_without_focus(
    cut_off: Path, speech: Speech
) -> None:
    with screen_app("--input", str(speech.two_cities), *NOWHERE, env=os.environ | KEY_TO_NOTHING) as app:
        app.until(lambda _: app.reports_focus, 60)
        app.send(b"\x1b[O")
        app.sees("A session was cut off", "Continue it", timeout_s=60)
        app.press("down", "enter")
        app.sees("REC", timeout_s=60)
        app.press("q", "q")
        assert app.ends() == 0
    assert len(sessions_of(cut_off)) == 2, "the second of the ways was chosen"


@leaving("SIGINT")
def test_leaving_works_while_the_model_is_loading(
    leave: Callable[[ScreenApp], None], code: int, quiet_room: Path
) -> None:
    with screen_app("--input", str(quiet_room), env=os.environ) as app:
        app.until(lambda text: "CONNECTING" in text or "LOADING" in text, 60)
        leaves(app, leave, code)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.proof),
        pytest.param(signal.SIGHUP, marks=pytest.mark.proof),
    ],
)
def test_a_signal_ends_it_at_any_moment_before_the_first_frame(number: signal.Signals, speech: Speech) -> None:
    moments = random.Random(number)
    for _ in range(2 if number == signal.SIGTERM else 4):
        with screen_app("--input", str(speech.two_cities), env=os.environ) as app:
            with pytest.raises(subprocess.TimeoutExpired):
                app.process.wait(moments.uniform(0.1, 1.5))
            leaves_by(app, number)


def leaves_by(app: ScreenApp, number: signal.Signals) -> None:
    """Send a signal and see it end, by the signal itself where Python had not begun."""
    processes = everything(app)
    app.signal(number)
    assert app.ends(GONE_S) in (128 + number, -number)
    none_left(processes)
    assert app.modes() == app.before


# ---- Errors ----------------------------------------------------------------------------------------------------------


def failing(recording: Path) -> ScreenApp:
    """The app with planted errors, listening."""
    argv = [sys.executable, FAILING, "--input", str(recording), *NOWHERE]
    app = ScreenApp(argv, os.environ | KEY_TO_NOTHING, 110, 30)
    app.sees("REC", timeout_s=60)
    return app


def test_an_error_costs_the_dialog_or_nothing_and_not_the_recording(home: Path, quiet_room: Path) -> None:
    app = failing(quiet_room)
    try:
        app.press("e")
        app.sees("needs a key")
        app.press("\x12")
        text = app.sees("That dialog failed unexpectedly: planted", "The recording goes on")
        assert "needs a key" not in text
        app.press("\x1b[17~")  # F6, in the app
        app.sees("The screen failed unexpectedly: planted")
        app.press("\x1b[18~", "?")  # F7, in the main screen, which still takes keys
        app.sees("Pause or resume the recording")
        app.press(ESCAPE, "q", "q")
        assert app.ends() == 0
        assert app.modes() == app.before
    finally:
        app.close()
    assert (home / "mictape.log").read_text().count("RuntimeError: planted") == 3
    is_closed(home)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("\x1b[19~", id="a widget of Textual's own", marks=pytest.mark.proof),
        pytest.param("\x1b[20~", id="panic"),
    ],
)
def test_where_the_app_must_end_the_session_is_closed_first(key: str, home: Path, speech: Speech) -> None:
    app = failing(speech.two_cities)
    try:
        app.press(key)
        assert app.ends() == 1
        assert "mictape: The screen failed unexpectedly" in app.read()
        assert app.modes() == app.before
    finally:
        app.close()
    is_closed(home)


@pytest.mark.proof
def test_a_path_that_cannot_be_looked_at_is_said_in_the_export_box(home: Path, speech: Speech) -> None:
    with screen_app("--input", str(speech.beckett), env=os.environ, columns=120) as app:
        app.sees("Try again", timeout_s=60)  # by then there are final lines to export
        for path, sentence in (
            ("~nosuchuser/notes.md", "There is no such user"),
            ("a" * 300 + ".md", "File name too long"),
        ):
            app.press("x")
            app.sees("esc: cancel")
            app.press("\x15")
            app.until(lambda text: ".md" not in text.partition("file   ")[2].partition("\n")[0])
            app.press(path)
            app.sees(path[-12:])
            app.press("enter")
            app.sees(sentence, "esc: cancel")
            app.press(ESCAPE)
            app.until(lambda text: "esc: cancel" not in text)
        app.press("q", "q")
        assert app.ends() == 0
    is_closed(home)


@pytest.mark.proof
def test_pickers_left_at_once_cost_nothing(home: Path, quiet_room: Path) -> None:
    with screen_app("--input", str(quiet_room), env=os.environ) as app:
        app.sees("REC", timeout_s=60)
        for turn in range(6):
            key, title = ("e", "m models") if turn % 2 else ("d", "Record from")
            app.press(key)
            app.sees(title)
            app.press(ESCAPE)
            app.until(lambda text, title=title: title not in text)
        app.press("q", "q")
        assert app.ends() == 0
    assert "Traceback" not in (home / "mictape.log").read_text()
