"""A hundred terminals are frozen, flooded, resized and closed: no process stays, and no sample is lost.

Twenty for each thing that a terminal may do, each a test that can be run alone (`-k flooded`). They record a microphone
with a clock that plays speech round and round, so a tape that lacks anything is no part of that sound.
"""

import os
import select
import signal
import sqlite3
import sys
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import pytest

from conftest import SpeakingMic
from mictape.audio.tape import Tape, count_samples
from mictape.units import RATE
from support.child_processes import descendants_of, with_variable
from support.lossless import assert_no_loss_reported
from support.screen_app import ScreenApp, screen_app
from support.sessions import sessions_of, states_of
from support.waiting import until

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

TERMINALS: Final = 20
"""For each thing that a terminal may do."""

KEPT: Final = 3 * RATE
"""Shorter sessions without text are discarded."""

FLOOD: Final = b"\xff\xe9\x1b[<35;10;10M\x1b[I\x1b[O" * 500
"""Bytes that are no UTF-8, moves of the mouse, changes of the focus: input that asks for nothing."""


def leave_alone(app: ScreenApp) -> None:
    """Do nothing to the terminal."""
    app.sees("REC")


def freeze_and_thaw(app: ScreenApp) -> None:
    """Read nothing until the terminal is full, and then read again."""
    app.freeze()
    app.sees("REC", "q quit", timeout_s=60)


def flood(app: ScreenApp) -> None:
    """Type faster than anybody does, and read what is drawn meanwhile."""
    rest = memoryview(FLOOD)
    while rest:
        readable, writable, _ = select.select([app.master], [app.master], [], 10)
        if readable:
            app.read()
        if writable:
            rest = rest[os.write(app.master, rest[:1024]) :]


def resize(app: ScreenApp) -> None:
    """Give the terminal one size after the other."""
    for columns, rows in ((20, 3), (300, 80), (1, 1), (10, 60), (160, 50)):
        app.resize(columns, rows)
        app.read()
    app.sees("REC", "q quit", timeout_s=60)


ENDS: Final[list[Callable[[ScreenApp], None]]] = [
    ScreenApp.hang_up,
    lambda app: app.signal(signal.SIGTERM),
    lambda app: app.signal(signal.SIGHUP),
    lambda app: app.press("q", "q"),
]


def descriptors(pid: int) -> int:
    """How many files a process holds open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.proof
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "what",
    [
        pytest.param(leave_alone, id="left-alone"),
        pytest.param(ScreenApp.freeze, id="frozen"),
        pytest.param(freeze_and_thaw, id="thawed"),
        pytest.param(flood, id="flooded"),
        pytest.param(resize, id="resized"),
    ],
)
def test_twenty_terminals_leave_nothing_and_lose_nothing(
    what: Callable[[ScreenApp], None], speaking_mic: SpeakingMic, home: Path
) -> None:
    once = speaking_mic.sound
    for turn, end in enumerate(islice(cycle(ENDS), TERMINALS), 1):
        with screen_app("--device", "ALSA:speaking", env=speaking_mic.env, columns=160, rows=50) as app:
            app.until(lambda text: "REC" in text and "LOADING" not in text, timeout_s=60)
            app.until(lambda _, pid=app.process.pid: len(descendants_of(pid)) >= 2, timeout_s=60)  # capture and engine
            session = sessions_of(home)[-1]
            held = descriptors(app.process.pid)
            what(app)
            until(lambda most=held: descriptors(app.process.pid) <= most, what="an end of what was opened")
            until(lambda tape=session: count_samples(tape, 1) >= KEPT, 60, what="a tape that is kept")
            end(app)
            # Keys come after all that was typed before them, and a flood of changes of the focus takes its time.
            until(lambda: app.process.poll() is not None, 120, what=f"the end of terminal {turn}")
            until(lambda: not with_variable("MICTAPE_HOME", str(home)), what="the end of its children")
        tape = Tape.finished(session, 1).read(0, count_samples(session, 1))
        assert tape in once * (len(tape) // len(once) + 2), "not a sample of it is missing"
        assert_no_loss_reported(session)
    assert len(sessions_of(home)) == TERMINALS
    with sqlite3.connect(home / "library.db") as library:
        lost = library.execute("SELECT sum(lost) FROM tracks").fetchone()
    assert list(states_of(home).values()) == ["closed"] * TERMINALS
    assert lost == (0,)
