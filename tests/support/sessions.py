"""What a person's home holds after a run: session folders, lines, length of the sound; and a quiet room."""

import random
import sqlite3
import wave
from array import array
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from support.pulse import PulseServer

ROOM_S = 180


def room(pulse: PulseServer, *sinks: str) -> None:
    """The hiss of a quiet room (about -80 dBFS): a living microphone never gives exact zeros."""
    hiss = array("h", random.Random(1).choices((-3, -2, -1, 0, 1, 2, 3), k=16_000 * ROOM_S)).tobytes()
    for sink in sinks or ("vmic2_sink",):
        pulse.play_raw(hiss, sink=sink)


def sessions_of(home: Path) -> list[Path]:
    """The folders of all sessions, the oldest first."""
    return sorted((home / "sessions").iterdir())


def lines_of(home: Path) -> list[str]:
    """The text of every line the library has, in tape order; none while it is being made."""
    with sqlite3.connect(home / "library.db") as library:
        if not library.execute("SELECT 1 FROM sqlite_master WHERE name = 'lines'").fetchall():
            return []
        return [text for (text,) in library.execute('SELECT text FROM lines ORDER BY "start", id')]


def states_of(home: Path) -> dict[str, str]:
    """The state of every session in the library, by id: what is not `closed` was cut off or still lives."""
    with sqlite3.connect(home / "library.db") as library:
        return dict(library.execute("SELECT id, state FROM sessions"))


def tape_seconds(session: Path) -> float:
    """How long the tape is, as any player sees it."""
    total = 0.0
    for part in session.glob("*.wav"):
        with wave.open(str(part)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
            total += file.getnframes() / file.getframerate()
    return total


@contextmanager
def held(library: Path) -> Generator[None]:
    """This process holds a library while the block runs, as another program might."""
    with closing(sqlite3.connect(library, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
