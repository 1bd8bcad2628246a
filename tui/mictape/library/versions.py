"""Versions of a session's text: transcribed again, it gets a new one beside the old one.

Notes and dividers belong to every version. What the person did to a line stays where it is on the tape: marks are shown
on the line at their place, and the person's text of a line takes the place of what a new version has there.
"""

import time

import msgspec

from mictape.library.records import LineRecord, VersionRecord
from mictape.library.store import Store, line_row, storable
from mictape.transcript.model import SPEECH


def versions(store: Store, session: str) -> list[VersionRecord]:
    """All versions of a session's text, the recorded one first."""
    record = store.session(session)
    first = VersionRecord(1, record.engines[0] if record.engines else "", record.started_utc_s, True)
    later = store.rows(
        "SELECT number, engine, created_utc_s, complete FROM versions"
        " WHERE session = (SELECT key FROM sessions WHERE id = ?) ORDER BY number",
        session,
    )
    return [first, *(VersionRecord(number, engine, at, bool(complete)) for number, engine, at, complete in later)]


def begin_version(store: Store, session: str, engine: str) -> int:
    """Begin a new version, which is not shown yet, and return its number."""
    with store.writing(session) as key:
        [(number,)] = store.rows("SELECT 1 + max(1, coalesce(max(number), 1)) FROM versions WHERE session = ?", key)
        store.execute(
            "INSERT INTO versions (session, number, engine, created_utc_s) VALUES (?, ?, ?, ?)",
            *storable(key, number, engine, time.time()),
        )
    return number


def add_version_line(store: Store, session: str, number: int, line: LineRecord) -> int:
    """Add a final line to a version that is not shown, under a free id, which is returned."""
    with store.writing(session) as key:
        return _add(store, key, number, line)


def finish_version(store: Store, session: str, number: int) -> None:
    """Show a version whose lines are complete, with the person's edits at their places, in one transaction."""
    old = store.lines(session)
    new = [line for line in store.lines(session, version=number) if line.kind is SPEECH]
    with store.writing(session) as key:
        for edited in (line for line in old if line.kind is SPEECH and line.original is not None):
            replaced = [line for line in new if line.track == edited.track and _middle_in(line, edited)]
            for line in replaced:
                store.execute("DELETE FROM lines WHERE session = ? AND id = ?", key, line.id)
            said = " ".join(line.text for line in replaced)
            _add(store, key, number, msgspec.structs.replace(edited, original=said, words=None))
        store.execute("UPDATE versions SET complete = 1 WHERE session = ? AND number = ?", key, number)
        store.execute("UPDATE sessions SET version = ? WHERE key = ?", number, key)


def choose_version(store: Store, session: str, number: int) -> None:
    """Show another version of a session's text; ValueError when it has none of this number."""
    if number not in [version.number for version in versions(store, session)]:
        raise ValueError(f"session {session} has no version {number}")
    with store.writing(session) as key:
        store.execute("UPDATE sessions SET version = ? WHERE key = ?", number, key)


def discard_version(store: Store, session: str, number: int) -> None:
    """Remove a version that is not shown; the recorded one and the one that is shown stay."""
    with store.writing(session) as key:
        shown = store.version(key)
        if number not in (1, shown):
            store.execute("DELETE FROM lines WHERE session = ? AND version = ?", key, number)
            store.execute("DELETE FROM versions WHERE session = ? AND number = ?", key, number)


def _add(store: Store, key: int, number: int, line: LineRecord) -> int:
    [(id,)] = store.rows("SELECT 1 + coalesce(max(id), -1) FROM lines WHERE session = ?", key)
    store.execute(
        'INSERT INTO lines (session, id, track, "start", "end", text, kind, original, speaker, language, engine,'
        " connection, turn, words, created_utc_s, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *line_row(key, msgspec.structs.replace(line, id=id)),
        number,
    )
    return id


def _middle_in(line: LineRecord, place: LineRecord) -> bool:
    middle = (line.start + line.end) // 2
    return place.start <= middle < max(place.end, place.start + 1)
