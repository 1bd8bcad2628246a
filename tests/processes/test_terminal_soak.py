"""A hundred terminals are closed, frozen and flooded, one after the other: nothing stays, and nothing is lost."""

import os
import select
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from conftest import Speech
from mictape.audio.tape import read_journal
from support.child_processes import alive, descendants_of
from support.screen_app import ScreenApp, screen_app
from support.sessions import sessions_of
from support.waiting import until

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

TERMINALS = 100

FLOOD = b"\xff\xe9\x1b[<35;10;10M\x1b[I\x1b[O" * 2000
"""Bytes that are no UTF-8, moves of the mouse, changes of the focus: input that asks for nothing."""


def descriptors(pid: int) -> int:
    """How many files a process holds open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def freeze(app: ScreenApp) -> None:
    """Read nothing until the terminal is full."""
    until(lambda: not select.select([], [app.slave], [], 0)[1], 60, what="a full terminal")


def flood(app: ScreenApp) -> None:
    """Type faster than anybody does, and read what is drawn meanwhile."""
    rest = memoryview(FLOOD)
    while rest:
        readable, writable, _ = select.select([app.master], [app.master], [], 10)
        if readable:
            app.read()
        if writable:
            rest = rest[os.write(app.master, rest[:1024]) :]


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_a_hundred_terminals_leave_nothing_and_lose_nothing(home: Path, speech: Speech) -> None:
    ends = [ScreenApp.hang_up, lambda app: app.signal(signal.SIGTERM), lambda app: app.signal(signal.SIGHUP)]
    for turn in range(TERMINALS):
        with screen_app("--input", str(speech.two_cities), env=os.environ, columns=160, rows=50) as app:
            app.sees("REC", timeout_s=60)
            processes = [app.process.pid, *descendants_of(app.process.pid)]
            match turn % 4:
                case 0:
                    freeze(app)
                case 1:
                    flood(app)
                case 2:
                    freeze(app)
                    held = descriptors(app.process.pid)
                    app.sees("REC", "q quit", timeout_s=60)
                    assert descriptors(app.process.pid) <= held
                case _:
                    pass
            ends[turn % len(ends)](app)
            until(lambda left=processes: not any(map(alive, left)), what=f"the end of terminal {turn}")
    sessions = sessions_of(home)
    assert len(sessions) == TERMINALS
    assert [hole for session in sessions for hole in read_journal(session, 1).holes] == []
    with sqlite3.connect(home / "library.db") as library:
        states = library.execute("SELECT state, count(*) FROM sessions GROUP BY state").fetchall()
        lost = library.execute("SELECT sum(lost) FROM tracks").fetchone()
    assert states == [("closed", TERMINALS)]
    assert lost == (0,)
