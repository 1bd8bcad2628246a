"""The app on the counting microphone, held up again and again."""

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mictape.audio.tape import count_samples, read_journal
from mictape.units import RATE
from support.child_processes import alive, children_of
from support.clocked_mic import ClockedMics
from support.screen_app import KEY_TO_NOTHING, NOWHERE, ScreenApp
from support.sessions import sessions_of
from support.waiting import until

ROOT: Final = Path(__file__).parents[2]


HELD: Final = Path(__file__).with_name("stoppable_app.py")


FOREGROUND: Final = Path(__file__).with_name("foreground.py")


HOLD_S: Final = 2.0


FREE_S: Final = 0.5
"""Between two holds: the app should live, too."""


CAPTURE: Final = "mictape.audio.capture.process"


@contextmanager
def recording(mics: ClockedMics, home: Path, *launcher: str) -> Generator[tuple[ScreenApp, Path]]:
    """The app on the counter, in a session that has begun; its engine is out of reach, which is no matter of sound."""
    env = mics.env | {"PYTHONPATH": str(ROOT / "tui")} | KEY_TO_NOTHING
    app = ScreenApp([sys.executable, *(launcher or ("-m", "mictape")), "--device", "ALSA:counter", *NOWHERE], env)
    try:
        app.until(lambda _: (home / "sessions").exists() and sessions_of(home), timeout_s=60)
        [session] = sessions_of(home)
        app.until(lambda _: count_samples(session, 1) > 0, timeout_s=60)
        yield app, session
    finally:
        app.close()


def end(app: ScreenApp) -> None:
    """Kill the app; its capture process closes the tape by itself."""
    children = children_of(app.process.pid, CAPTURE)
    app.process.kill()
    app.process.wait()
    until(lambda: not any(map(alive, children)), what="the end of the capture process")


def hold_up(app: ScreenApp, session: Path, how: signal.Signals, seconds: int) -> None:
    """Hold the app up, let it live for a moment, hold it up again, until the tape is so long."""
    holds = 0

    def is_long_enough(_: str) -> bool:
        nonlocal holds
        samples = count_samples(session, 1)
        if samples > holds * (HOLD_S + FREE_S) * RATE:
            holds += 1
            app.signal(how)
        return samples >= seconds * RATE

    app.until(is_long_enough, timeout_s=seconds + 60)


def assert_no_loss_reported(session: Path) -> None:
    """The journal of the first track knows of no hole and of no sample that did not come."""
    journal = read_journal(session, 1)
    assert journal.holes == ()
    assert journal.account is not None
    assert (journal.account.overflows, journal.account.lost, journal.account.missing) == (0, 0, 0)
