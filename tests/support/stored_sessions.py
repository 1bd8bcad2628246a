"""Finished sessions in a library."""

from datetime import datetime, timedelta
from pathlib import Path

from mictape.audio.tape import TapeWriter
from mictape.library.library import Store
from mictape.library.records import LineRecord, TrackChange, TrackRecord
from mictape.units import RATE

TEXTS = ("Good morning everybody.", "The budget is next.", "Then we go home.")
BEGAN = datetime(2026, 11, 23, 14, 5).astimezone()
"""When the oldest one began; 14:05 wherever the tests run."""


def fill(home: Path, sessions: int = 3, *, sound: bool = False) -> list[str]:
    """A library of finished sessions, a day apart, their sound half a minute of silence; the ids, the oldest first."""
    with Store(home / "library.db", home / "sessions") as store:
        return [_add(store, number, sound=sound) for number in range(sessions)]


def _add(store: Store, number: int, *, sound: bool) -> str:
    began = BEGAN + timedelta(days=number)
    folder = store.create_session(started=began, settings={"engine": "scripted"})
    id = folder.session
    store.add_track(id, TrackRecord(1, "You", "Blue Yeti", "Fake", samples=30 * RATE))
    for line, text in enumerate((f"Session number {number}.", *TEXTS)):
        store.add_line(id, LineRecord(line, 1, 5 * line * RATE, (5 * line + 4) * RATE, text))
    store.change_track(id, TrackChange(1, 30 * RATE, 0, ()))
    store.close_session(id)
    if sound:
        writer = TapeWriter(folder.path, 1)
        writer.append(bytes(30 * RATE * 2))
        writer.close()
    folder.release()
    return id
