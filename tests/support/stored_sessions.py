"""Finished sessions in a library."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from mictape.audio.tape import TapeWriter
from mictape.library.library import Store
from mictape.library.records import CoverageRecord, LineRecord, TrackChange, TrackRecord
from mictape.units import RATE
from support.scripted import spoken

TEXTS = ("Good morning everybody.", "The budget is next.", "Then we go home.")
BEGAN = datetime(2026, 11, 23, 14, 5).astimezone()
"""When the oldest one began; 14:05 wherever the tests run."""


LENGTH = 30 * RATE
TEXT_ENDS = 20 * RATE
"""Where the sound of words begins."""


def fill(
    home: Path, sessions: int = 3, *, sound: bool = False, said: Sequence[int] = (), gap: bool = False
) -> list[str]:
    """A library of finished sessions, a day apart, half a minute long; the ids, the oldest first.

    Args:
        home: Where it is made.
        sessions: How many.
        sound: Whether they have any: silence.
        said: Words that are said in it, from `TEXT_ENDS` on; they are not in the text.
        gap: Whether the library has a gap from there on.
    """
    pcm = bytes(2 * TEXT_ENDS) + spoken(said) if said else b""
    with Store(home / "library.db", home / "sessions") as store:
        return [
            _add(store, number, pcm=pcm.ljust(2 * LENGTH, b"\0") if sound or said else b"", gap=gap)
            for number in range(sessions)
        ]


def _add(store: Store, number: int, *, pcm: bytes, gap: bool) -> str:
    began = BEGAN + timedelta(days=number)
    folder = store.create_session(started=began, settings={"engine": "scripted"})
    id = folder.session
    store.add_track(id, TrackRecord(1, "You", "Blue Yeti", "Fake", samples=LENGTH))
    for line, text in enumerate((f"Session number {number}.", *TEXTS)):
        store.add_line(id, LineRecord(line, 1, 5 * line * RATE, (5 * line + 4) * RATE, text))
    covered = CoverageRecord(0, TEXT_ENDS if gap else LENGTH, "covered")
    missing = CoverageRecord(TEXT_ENDS, LENGTH, "gap", "no network")
    store.change_track(id, TrackChange(1, LENGTH, 0, (covered, missing) if gap else (covered,)))
    store.close_session(id)
    if pcm:
        writer = TapeWriter(folder.path, 1)
        writer.append(pcm)
        writer.close()
    folder.release()
    return id
