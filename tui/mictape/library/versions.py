"""Versions of a session's text: transcribed again, it gets a new one beside the old one.

Notes and dividers belong to every version. What the person did to a line stays where it is in the recording: marks are
shown on the line at their place, the person's text of a line takes the place of what a new version has there, and where
a line was removed a new version has none.
"""

import time
from collections.abc import Iterable, Sequence
from itertools import count

import msgspec

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.intervals import Intervals
from mictape.library.placing import with_edits, with_speakers, without_removed
from mictape.library.records import CoverageRecord, LineRecord, SessionRecord, TrackChange, TrackRecord, VersionRecord
from mictape.library.rows import line_row, packed_line, storable
from mictape.library.store import Store
from mictape.transcript.line import SPEECH

_NOT_HERE = "not in this version of the text"

StoredCoverage = dict[int, tuple[CoverageRecord, ...]]
"""Coverage by the number of the track."""


def versions(store: Store, session: str) -> list[VersionRecord]:
    """All versions of a session's text, the recorded one first."""
    record = store.record(session)
    later = store.read(
        "SELECT number, engine, title, created_utc_s, complete FROM versions"
        " WHERE session = (SELECT key FROM sessions WHERE id = ?) ORDER BY number",
        (record.id,),
        VersionRecord,
    )
    return later if later and later[0].number == 1 else [_recorded(record), *later]


def _recorded(record: SessionRecord) -> VersionRecord:
    engine = str(record.settings.get("engine", ""))
    title = str(record.settings.get("engine_title", engine))
    return VersionRecord(1, engine, title, record.started_utc_s, complete=True)


def version_of(store: Store, session: str, number: int) -> VersionRecord:
    """One version. Raises MictapeError (`ExitCode.USAGE`) when there is none of this number."""
    known = versions(store, session)
    found = next((version for version in known if version.number == number), None)
    if found is None:
        there = ", ".join(str(version.number) for version in known)
        what = f"Session {session} has no version {number} of its text"
        raise MictapeError(Failure(what, f"Choose from: {there}", ExitCode.USAGE))
    return found


def copy_without_text(store: Store, session: SessionRecord, tracks: Iterable[TrackRecord]) -> None:
    """Give another library, which has none of that id, a session with its tracks and nothing that was said."""
    row = (session.id, session.started_utc_s, session.title, session.app_version)
    with store.adding():
        store.execute(
            "INSERT INTO sessions (id, started_utc_s, state, title, app_version, settings)"
            " VALUES (?, ?, 'closed', ?, ?, ?)",
            *storable(*row, msgspec.json.encode(session.settings)),
        )
    for track in tracks:
        store.add_track(session.id, track)


def add_version(
    store: Store, session: str, lines: Iterable[LineRecord], coverage: StoredCoverage, *, engine: str, title: str
) -> VersionRecord:
    """Add a version in one transaction, with the person's edits, removals and speakers' names at their places.

    One without gaps is shown from now on.

    Args:
        store: The library.
        session: The id of a session that nothing holds.
        lines: Its lines; they get ids of their own.
        coverage: What of each track it answers for.
        engine: The name of the engine that made it.
        title: What people call that engine and its model.

    Raises:
        MictapeError: (`ExitCode.USAGE`) there is no such session, or a living process holds it.
    """
    with store.hold_session(session):
        shown = [line for line in store.lines(session) if line.kind is SPEECH]
        new = with_edits(with_speakers([line for line in lines if line.kind is SPEECH], shown), shown)
        new, removed = without_removed(new, store.removed_lines(session))
        recorded = _recorded(store.session(session))
        complete = not any(each.what == "gap" for records in coverage.values() for each in records)
        with store.writing(session) as key:
            _insert(store, key, recorded, None, anyway=False)
            [(number,)] = store.rows("SELECT 1 + max(number) FROM versions WHERE session = ?", key)
            version = VersionRecord(number, engine, title, time.time(), complete=complete)
            _insert(store, key, version, coverage)
            _add_lines(store, key, number, new, removed)
            if complete:
                _show(store, session, key, number)
    return version


def choose_version(store: Store, session: str, number: int) -> None:
    """Show another version of a session's text.

    Raises:
        MictapeError: (`ExitCode.USAGE`) there is none of this number, or a living process holds the session.
    """
    version_of(store, session, number)
    with store.hold_session(session), store.writing(session) as key:
        _show(store, session, key, number)


def _insert(
    store: Store, key: int, version: VersionRecord, coverage: StoredCoverage | None, *, anyway: bool = True
) -> None:
    """Insert the row of a version, whose coverage is kept there while it is not shown; unless one is there already."""
    store.execute(
        f"INSERT {'' if anyway else 'OR IGNORE '}INTO versions"
        " (session, number, engine, title, created_utc_s, complete, coverage) VALUES (?, ?, ?, ?, ?, ?, ?)",
        *storable(key, version.number, version.engine, version.title, version.created_utc_s, version.complete),
        None if coverage is None else msgspec.msgpack.encode(coverage),
    )


def _add_lines(store: Store, key: int, number: int, lines: Sequence[LineRecord], removed: Sequence[LineRecord]) -> None:
    ids = count(store.next_line_of(key))
    for id, line in zip(ids, removed, strict=False):
        store.execute(
            "INSERT INTO removed_lines (session, id, version, line) VALUES (?, ?, ?, ?)",
            *(key, id, number, packed_line(msgspec.structs.replace(line, id=id))),
        )
    for id, line in zip(ids, lines, strict=False):
        store.execute(
            'INSERT INTO lines (session, id, track, "start", "end", text, kind, original, speaker, language, engine,'
            " connection, turn, words, created_utc_s, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *line_row(key, msgspec.structs.replace(line, id=id)),
            number,
        )


def _show(store: Store, session: str, key: int, number: int) -> None:
    """Show a version, as part of a transaction: its coverage takes the place of what is shown now."""
    before = store.version(key)
    if before == number:
        return
    tracks = store.tracks(session)
    [(packed,)] = store.rows("SELECT coverage FROM versions WHERE session = ? AND number = ?", key, number)
    if packed is not None:
        now: StoredCoverage = {track.number: tuple(store.coverage(session, track.number)) for track in tracks}
        store.execute(
            "UPDATE versions SET coverage = ? WHERE session = ? AND number = ?",
            *(msgspec.msgpack.encode(now), key, before),
        )
        coverage = msgspec.msgpack.decode(packed, type=StoredCoverage)
        for track in tracks:
            records = coverage.get(track.number, ())
            answered = Intervals((each.start, each.end) for each in records)
            left = answered.missing(track.origin, track.origin + track.samples)  # recorded since then
            gaps = (CoverageRecord(*piece, "gap", _NOT_HERE) for piece in left)
            store.execute("DELETE FROM coverage WHERE session = ? AND track = ?", key, track.number)
            store.apply(key, TrackChange(track.number, track.samples, track.lost, (*records, *gaps)))
        store.execute("UPDATE versions SET coverage = NULL WHERE session = ? AND number = ?", key, number)
    store.execute(
        "UPDATE sessions SET version = ?1, lines = (SELECT count(*) FROM lines"
        f" WHERE session = ?2 AND version = ?1 AND kind = {SPEECH:d}) WHERE key = ?2",
        *(number, key),
    )
