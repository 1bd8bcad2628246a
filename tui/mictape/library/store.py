"""The library for one thread: every statement there is about sessions.

`Library` puts it on a thread of its own for the app; the command line uses it as it is.
"""

import os
import sqlite3
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from mictape import __version__
from mictape.engines.base import Word
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library import database, folders, schema
from mictape.library.folders import SessionFolder
from mictape.library.listing import KEPT, LISTS, ORDERS, SESSIONS, Order, SessionFilter
from mictape.library.low_confidence import unsure_spans, words_in
from mictape.library.placing import Lines
from mictape.library.records import CoverageRecord, LineRecord, SessionRecord, TrackChange, TrackRecord
from mictape.library.titles import proposed_title
from mictape.paths import is_there
from mictape.transcript.model import NOTE, SPEECH
from mictape.units import Span

BUSY_S: Final = 5.0
"""How long a statement waits for another process that writes."""

_MERGED_PAGES: Final = 16
"""Of the search index at a time: about 2 ms. A line adds one page, which is merged a few times in its life."""
_TIDIED_PER_CHECKPOINT: Final = 128
"""Lines write about 20 pages to the log each: less than the `database` lets it grow to by itself."""

_NAMED: Final = 5
"""So many sessions are named where more than one may be meant: the newest."""

SQLValue = str | int | float | bytes | None
"""What a column can hold."""

T = TypeVar("T")


class Store:
    """Sessions on disk. Every method raises `MictapeError` (`ExitCode.SOUND`) when the database cannot be used."""

    def __init__(
        self, path: Path | None, sessions: Path | None = None, *, busy_s: float = BUSY_S, copy: bool = False
    ) -> None:
        """Open the library, bringing an older one up to date.

        Args:
            path: the database, made when it is not there; None keeps nothing: the database is in memory, the
                sessions' folders are temporary and go with `close()`.
            sessions: the folder with one folder a session; beside the database when not said.
            busy_s: seconds that a statement waits for another process.
            copy: read the database into memory and leave it as it is.

        Raises:
            MictapeError: (`ExitCode.SOUND`) it cannot be opened, is damaged, or is of a newer Mictape.
        """
        self._temporary = folders.temporary_sessions() if path is None and sessions is None else None
        self._path = path
        temporary = self._temporary.path if self._temporary is not None else None
        self.sessions_folder: Path = sessions or temporary or Path(path or "").parent / "sessions"
        self._db = database.copied(path) if copy and path is not None else database.connect(path, busy_s=busy_s)
        self._keys: dict[str, int] = {}
        """The keys of sessions that were written to."""
        self._tidied = 0

    @classmethod
    def to_read(cls, path: Path, sessions: Path | None = None) -> Self:
        """Open the library if there is one; else an empty one in memory, so that looking creates nothing.

        One that may only be read (another user's, on a read-only disk) is copied into memory.
        """
        there = is_there(path)
        copy = there and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
        return cls(path if there else None, sessions or path.parent / "sessions", copy=copy)

    def close(self) -> None:
        """Close the database; what was not to be kept is removed."""
        self._db.close()
        if self._temporary is not None:
            folders.discard(self._temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Writing: one transaction a call. With a write-ahead log, what has returned outlives a kill of the process.

    @contextmanager
    def writing(self, session: str) -> Generator[int]:
        """A transaction on one session, whose key is the value."""
        if session not in self._keys:
            self._keys[session] = self._key(session)
        with database.transaction(self._db, self._path):
            yield self._keys[session]

    @contextmanager
    def adding(self) -> Generator[None]:
        """A transaction that adds a session."""
        with database.transaction(self._db, self._path):
            yield

    def create_session(
        self, *, title: str = "", settings: Mapping[str, object] | None = None, started: datetime | None = None
    ) -> SessionFolder:
        """Begin a session: its folder, held by this process, and its row.

        Args:
            title: what the person calls it.
            settings: what it is recorded with; must be writable as JSON and must hold no keys or passwords.
            started: an aware time; now when not said.
        """
        started = (started or datetime.now()).astimezone()
        folder = SessionFolder.create(self.sessions_folder, f"{started:%Y%m%d-%H%M%S}")
        row = (folder.session, started.timestamp(), title, __version__, msgspec.json.encode(settings or {}))
        try:
            with self.adding():
                self._db.execute(
                    "INSERT INTO sessions (id, started_utc_s, state, title, titled, app_version, settings)"
                    " VALUES (?1, ?2, 'open', ?3, ?3 <> '', ?4, ?5)",
                    storable(*row),
                )
        except BaseException:
            folder.release()
            folders.remove(folder.path)
            raise
        return folder

    def resume_session(self, session: str) -> SessionFolder:
        """Hold a session again and open it, to go on with it or to complete it.

        Raises:
            MictapeError: (`ExitCode.USAGE`) there is none of that id, or a living process holds it.
        """
        folder = self.hold_session(session)
        with self.writing(session) as key:
            self._db.execute("UPDATE sessions SET state = 'open' WHERE key = ?", (key,))
        return folder

    def hold_session(self, session: str) -> SessionFolder:
        """Hold a session, so that nothing else records, reads or deletes it; its row stays as it is.

        Raises:
            MictapeError: (`ExitCode.USAGE`) there is none of that id, or a living process holds it.
        """
        self._key(session)
        return SessionFolder(self.sessions_folder / session)

    def close_session(self, session: str, *, recorded: bool = True) -> None:
        """Mark a session as ended properly, with a proposed title; releasing its folder is its holder's.

        It ended now when something was `recorded`, else when it ended before.
        """
        title = proposed_title(self.tracks(session), self.first_texts(session))
        with self.writing(session) as key:
            self._db.execute(
                "UPDATE sessions SET state = 'closed',"
                " ended_utc_s = CASE WHEN ?1 THEN ?2 ELSE coalesce(ended_utc_s, ?2) END,"
                " title = CASE WHEN titled THEN title ELSE ?3 END WHERE key = ?4",
                storable(recorded, time.time(), title, key),
            )

    def add_track(self, session: str, track: TrackRecord) -> None:
        """Add a track to a session; one of the same number is replaced."""
        with self.writing(session) as key:
            self._db.execute(
                "INSERT OR REPLACE INTO tracks (session, number, name, source, host_api, kind, origin, samples, lost)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                storable(key, *msgspec.structs.astuple(track)),
            )

    def rename_track(self, session: str, number: int, name: str) -> None:
        """Set the name of a track for all of the session."""
        with self.writing(session) as key:
            self._db.execute("UPDATE tracks SET name = ? WHERE session = ? AND number = ?", storable(name, key, number))

    def change_track(self, session: str, change: TrackChange) -> None:
        """Store how far a track has come."""
        with self.writing(session) as key:
            self.apply(key, change)

    def add_line(self, session: str, line: LineRecord, change: TrackChange | None = None) -> None:
        """Store a final line and what was answered with it, in one transaction.

        Once this has returned the line is there whatever happens to the process.
        """
        with self.writing(session) as key:
            self._add_line(key, line)
            self.apply(key, change)

    def _add_line(self, key: int, line: LineRecord) -> None:
        self._db.execute(
            'INSERT INTO lines (version, session, id, track, "start", "end", text, kind, original, speaker,'
            " language, engine, connection, turn, words, created_utc_s)"
            " SELECT CASE WHEN ?7 IN (4, 5) THEN 0 ELSE version END,"
            " ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15 FROM sessions WHERE key = ?1",
            line_row(key, line),
        )

    def replace_lines(self, session: str, removed: Sequence[int], added: Sequence[LineRecord]) -> None:
        """Store lines, with their marks, in the place of others, in one transaction."""
        with self.writing(session) as key:
            for id in removed:
                self._set_mark(key, id, None)
                self._db.execute("DELETE FROM lines WHERE session = ? AND id = ?", (key, id))
            for line in added:
                self._add_line(key, line)
                if line.mark is not None:
                    self._set_mark(key, line.id, line.mark)

    def revise_line(self, session: str, line: LineRecord, change: TrackChange | None = None) -> None:
        """Store what an engine now says of a line that is there already; a text a person has edited stays.

        Replaces the text the engine said, words, times, speaker and language of the line with `line.id`.
        """
        with self.writing(session) as key:
            # The right sides all see the row as it was, so the order of the two texts does not matter.
            self._db.execute(
                "UPDATE lines SET text = CASE WHEN original IS NULL THEN ?1 ELSE text END,"
                " original = CASE WHEN original IS NULL THEN NULL ELSE ?1 END,"
                ' "start" = ?2, "end" = ?3, speaker = ?4, language = ?5, words = ?6'
                " WHERE session = ?7 AND id = ?8",
                storable(
                    *(line.text, line.start, line.end, line.speaker, line.language, _packed(line.words), key, line.id)
                ),
            )
            self.apply(key, change)

    def set_speakers(self, session: str, speakers: Mapping[int, str | None]) -> None:
        """Set or clear who spoke lines, with those of their words that were the same speaker's, in one transaction."""
        with self.writing(session) as key:
            for line, speaker in speakers.items():
                rows = self._db.execute(
                    "SELECT id, speaker, words FROM lines WHERE session = ? AND id = ?", (key, line)
                ).fetchall()
                self._db.execute(
                    "UPDATE lines SET speaker = ? WHERE session = ? AND id = ?", storable(speaker, key, line)
                )
                for row in rows:
                    self._rename_words(key, [row], row["speaker"], speaker)

    def edit_line(self, session: str, line: int, text: str, original: str | None) -> None:
        """Store a person's text of a line beside the engine's; `original` None: it is the engine's text again."""
        with self.writing(session) as key:
            self._db.execute(
                "UPDATE lines SET text = ?, original = ? WHERE session = ? AND id = ?",
                storable(text, original, key, line),
            )

    def rename_speaker(self, session: str, track: int, old: str, new: str) -> None:
        """Rename a speaker in every line of a track, and in every word of them."""
        with self.writing(session) as key:
            self._db.execute(
                "UPDATE lines SET speaker = ? WHERE session = ? AND track = ? AND speaker = ?",
                storable(new, key, track, old),
            )
            rows = self._db.execute(
                "SELECT id, words FROM lines WHERE session = ? AND track = ? AND instr(words, CAST(? AS BLOB)) > 0",
                storable(key, track, old),
            ).fetchall()
            self._rename_words(key, rows, old, new)

    def _rename_words(self, key: int, rows: list[sqlite3.Row], old: str | None, new: str | None) -> None:
        """Give the words of lines (`id`, `words`) that one speaker said to another."""
        for row in rows:
            words = _words(row["words"]) or ()
            if old is not None and any(word.speaker == old for word in words):
                named = (msgspec.structs.replace(word, speaker=new) if word.speaker == old else word for word in words)
                self._db.execute(
                    "UPDATE lines SET words = ? WHERE session = ? AND id = ?", (_packed(tuple(named)), key, row["id"])
                )

    def set_mark(self, session: str, line: int, note: str | None) -> None:
        """Mark a stored line, with a note or an empty one; None takes the mark away."""
        with self.writing(session) as key:
            self._set_mark(key, line, note)

    def _set_mark(self, key: int, line: int, note: str | None) -> None:
        if note is None:
            self._db.execute("DELETE FROM marks WHERE session = ? AND line = ?", (key, line))
            self._remove_marks_at(key, line)
            return
        self._db.execute(
            'INSERT INTO marks (session, at, line, note, created_utc_s) SELECT session, "start", id, ?, ?'
            " FROM lines WHERE session = ? AND id = ?"
            " ON CONFLICT (session, line) DO UPDATE SET note = excluded.note",
            storable(note, time.time(), key, line),
        )

    def _remove_marks_at(self, key: int, line: int) -> None:
        """Remove the marks of other versions that are shown on a line."""
        version = self.version(key)
        if marks := self._marks_elsewhere(key, version):
            lines = Lines(
                self.read(
                    'SELECT id, track, "start", "end", text, kind FROM lines WHERE session = ? AND version IN (0, ?)'
                    ' ORDER BY "start", id',
                    (key, version),
                    LineRecord,
                )
            )
            here = [(mark,) for mark, *place, _ in marks if (found := lines.at(*place)) and found.id == line]
            self._db.executemany("DELETE FROM marks WHERE key = ?", here)

    def apply(self, key: int, change: TrackChange | None) -> None:
        """Store what has changed on a track, as part of a transaction."""
        if change is None:
            return
        self._db.execute(
            "UPDATE tracks SET samples = ?, lost = ? WHERE session = ? AND number = ?",
            (change.samples, change.lost, key, change.track),
        )
        for interval in change.coverage:
            self._set_interval(key, change.track, interval)

    def _set_interval(self, key: int, track: int, new: CoverageRecord) -> None:
        """Give an interval its state, cutting what overlaps it and joining what touches it in the same state."""
        rows: list[tuple[int, int, str, str]] = self._db.execute(
            'SELECT "start", "end", what, why FROM coverage WHERE session = ?1 AND track = ?2 AND "start" <= ?4'
            ' AND "start" >= coalesce((SELECT max("start") FROM coverage'
            ' WHERE session = ?1 AND track = ?2 AND "start" < ?3), ?3)',
            (key, track, new.start, new.end),
        ).fetchall()
        touching = [row for row in rows if row[1] >= new.start]
        same = [row for row in touching if row[2:] == (new.what, new.why)]
        start = min([new.start, *(row[0] for row in same)])
        end = max([new.end, *(row[1] for row in same)])
        pieces = [(start, end, new.what, new.why)] if new.what != "open" else []
        for row in touching:
            if row not in same:
                pieces += [(row[0], min(row[1], new.start), *row[2:]), (max(row[0], new.end), row[1], *row[2:])]
        self._db.executemany(
            'DELETE FROM coverage WHERE session = ? AND track = ? AND "start" = ?',
            [(key, track, row[0]) for row in touching],
        )
        self._db.executemany(
            'INSERT INTO coverage (session, track, "start", "end", what, why) VALUES (?, ?, ?, ?, ?, ?)',
            [storable(key, track, *piece) for piece in pieces if piece[0] < piece[1]],
        )

    def remove(self, session: str) -> None:
        """Remove a session's rows, so that nothing of its text is left in the files of the library."""
        with self.writing(session) as key:
            secure = sqlite3.sqlite_version_info >= (3, 42)
            for index in ("line_index", "session_index"):
                if secure:
                    self.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('secure-delete', 1)")
            self.execute("DELETE FROM sessions WHERE key = ?", key)
            for index in ("line_index", "session_index"):
                if not secure:  # words of removed rows stay in an index until it is merged into one piece
                    self.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")
        del self._keys[session]
        # The text is still in the write-ahead log until that is emptied (see `secure_delete` for the database).
        with database.sqlite_errors(self._path):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def tidy(self) -> None:
        """Do a little of what SQLite would else do within the transaction of some line, for much longer.

        Merges a few pieces of the search index, and every now and then moves the write-ahead log into the database.
        To be called after a write, when that is safe; raises MictapeError.
        """
        with database.transaction(self._db, self._path):
            self.execute("INSERT INTO line_index (line_index, rank) VALUES ('merge', ?)", _MERGED_PAGES)
        self._tidied += 1
        if self._tidied % _TIDIED_PER_CHECKPOINT == 0:
            with database.sqlite_errors(self._path):
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def execute(self, statement: str, *values: object) -> None:
        """Execute a statement within `writing`."""
        self._db.execute(statement, values)

    # Reading.

    def sessions(
        self, which: SessionFilter = KEPT, *, order: Order = "newest", limit: int = -1, offset: int = 0
    ) -> list[SessionRecord]:
        """The sessions that a filter lets through, in order: `limit` of them from place `offset` on; -1: all."""
        condition, values = which.where()
        # First which ones: SQLite would find out everything about each before it sorts them.
        rows = self.rows(
            f"SELECT key FROM sessions WHERE {condition} ORDER BY {ORDERS[order]} LIMIT ? OFFSET ?",
            *(*values, limit, offset),
        )
        found = self.sessions_of(key for (key,) in rows)
        return [found[key] for (key,) in rows]

    def sessions_of(self, keys: Iterable[int]) -> dict[int, SessionRecord]:
        """Sessions by their keys."""
        rows = self.rows(
            f"{SESSIONS.replace('SELECT id', 'SELECT key, id', 1)} WHERE key IN (SELECT value FROM json_each(?))",
            msgspec.json.encode(list(keys)).decode(),
        )
        return {row["key"]: msgspec.convert(_unpacked(row), SessionRecord) for row in rows}

    def count_sessions(self, which: SessionFilter = KEPT) -> int:
        """How many sessions a filter lets through."""
        condition, values = which.where()
        [(count,)] = self.rows(f"SELECT count(*) FROM sessions WHERE {condition}", *values)
        return count

    def session(self, which: str, *, trash: bool = False) -> SessionRecord:
        """The session with this id or title, the only one whose id begins so, or the newest (`last`).

        Args:
            which: What names it.
            trash: Whether it is looked for in the trash, and only there.

        Raises:
            MictapeError: (`ExitCode.USAGE`) none or more than one is meant.
        """
        if which == "last":
            found = self.sessions(SessionFilter(trash=trash), limit=1)
        else:
            found = self.read(
                f"{SESSIONS} WHERE deleted_utc_s IS {'NOT' if trash else ''} NULL AND ?1 <> ''"
                " AND (substr(id, 1, length(?1)) = ?1 OR title = ?1 COLLATE NOCASE) ORDER BY id = ?1 DESC, id",
                storable(which),
                SessionRecord,
            )
        if len(found) == 1 or (found and found[0].id == which):
            return found[0]
        raise MictapeError(_not_one(which, [each.id for each in found], trash=trash))

    def unfinished(self) -> list[SessionRecord]:
        """Sessions that were never closed and that no living process holds, the newest first."""
        found = self.sessions(SessionFilter(unfinished=True))
        return [each for each in found if not folders.is_alive(self.sessions_folder / each.id)]

    def tracks(self, session: str) -> list[TrackRecord]:
        """The tracks of a session, by number."""
        return self.read(
            "SELECT number, name, source, host_api, kind, origin, samples, lost FROM tracks"
            " WHERE session = ? ORDER BY number",
            (self._key(session),),
            TrackRecord,
        )

    def lines(self, session: str, *, words: bool = True, version: int | None = None) -> list[LineRecord]:
        """The lines of a session in tape order; without their words where these are not needed.

        A mark that was made in another version of the text is on the line at its place.
        """
        key = self._key(session)
        shown = self.version(key) if version is None else version
        lines = self.read(
            'SELECT id, track, "start", "end", text, kind, original, speaker, language, engine, connection,'
            f" turn, {'words' if words else 'NULL AS words'}, note AS mark"
            " FROM lines LEFT JOIN marks ON marks.session = lines.session AND marks.line = lines.id"
            ' WHERE lines.session = ? AND version IN (0, ?) ORDER BY "start", id',
            (key, shown),
            LineRecord,
        )
        if not (marks := self._marks_elsewhere(key, shown)):
            return lines
        places, notes = Lines(lines), dict[int, list[str]]()
        for _, *place, note in marks:
            if (line := places.at(*place)) is not None:
                notes.setdefault(line.id, [line.mark] if line.mark else []).append(note)
        return [
            msgspec.structs.replace(line, mark=" · ".join(filter(None, notes[line.id]))) if line.id in notes else line
            for line in lines
        ]

    def _marks_elsewhere(self, key: int, version: int) -> list[tuple[int, int, int, int, str]]:
        """Marks on lines of other versions: key, the line's track, start and end, and note."""
        return [
            tuple(row)
            for row in self.rows(
                'SELECT marks.key, lines.track, lines."start", lines."end", marks.note FROM marks'
                " JOIN lines ON lines.session = marks.session AND lines.id = marks.line"
                " WHERE marks.session = ? AND lines.version NOT IN (0, ?) ORDER BY marks.at, marks.key",
                key,
                version,
            )
        ]

    def version(self, key: int) -> int:
        """The version of the text of a session that is shown, by the session's key."""
        [(version,)] = self.rows("SELECT version FROM sessions WHERE key = ?", key)
        return version

    def lines_of(self, session: str, ids: Sequence[int]) -> list[LineRecord]:
        """Lines by their ids, in the order of these, with their words and without their marks."""
        lines = self.read(
            'SELECT id, track, "start", "end", text, kind, original, speaker, language, engine, connection, turn, words'
            " FROM lines WHERE session = ? AND id IN (SELECT value FROM json_each(?))",
            (self._key(session), msgspec.json.encode(tuple(ids)).decode()),
            LineRecord,
        )
        return sorted(lines, key=lambda line: ids.index(line.id))

    def first_texts(self, session: str) -> list[str]:
        """The texts of its first lines of speech, enough for a title."""
        key = self._key(session)
        return [
            text
            for (text,) in self.rows(
                'SELECT text FROM lines WHERE session = ? AND version = ? AND kind = ? ORDER BY "start", id LIMIT 5',
                *(key, self.version(key), int(SPEECH)),
            )
        ]

    def next_line(self, session: str) -> int:
        """The first id that no line of the session has, in any version of its text."""
        [(id,)] = self.rows("SELECT 1 + coalesce(max(id), -1) FROM lines WHERE session = ?", self._key(session))
        return id

    def notes(self, session: str) -> int:
        """How many notes of the person's it has."""
        [(count,)] = self.rows(
            "SELECT count(*) FROM lines WHERE session = ? AND version = 0 AND kind = ?", self._key(session), int(NOTE)
        )
        return count

    def unsure(self, session: str, lines: Sequence[int]) -> dict[int, tuple[Span, ...]]:
        """Where in the texts of lines the words stand that the engine was unsure of, for those lines that have any.

        A line that a person has edited has none: it is the person's word now. See `unsure_spans`.
        """
        with database.sqlite_errors(self._path):
            rows: list[tuple[int, str, bytes]] = self._db.execute(
                "SELECT id, text, words FROM lines WHERE session = ? AND id IN (SELECT value FROM json_each(?))"
                " AND original IS NULL AND words IS NOT NULL",
                (self._key(session), msgspec.json.encode(tuple(lines)).decode()),
            ).fetchall()
        spans = ((id, unsure_spans(text, _words(words) or ())) for id, text, words in rows)
        return {id: found for id, found in spans if found}

    def word_start(self, session: str, line: int, at: int) -> int | None:
        """Session time at which the word begins that stands at character `at` of a line, or the next one.

        None where the words of the line have no times, or it is not the engine's any more.
        """
        rows = self.rows(
            "SELECT text, words FROM lines WHERE session = ? AND id = ? AND original IS NULL", self._key(session), line
        )
        placed = (each for text, words in rows for each in words_in(text, _words(words) or ()))
        return next((word.start for word, (_, end) in placed if end > at), None)

    def coverage(self, session: str, track: int) -> list[CoverageRecord]:
        """How it stands with a track's tape, in tape order."""
        return self.read(
            'SELECT "start", "end", what, why FROM coverage WHERE session = ? AND track = ? ORDER BY "start"',
            (self._key(session), track),
            CoverageRecord,
        )

    def read(self, query: str, values: tuple[object, ...], kind: type[T]) -> list[T]:
        """The rows of a query as records whose fields are its columns."""
        return [msgspec.convert(_unpacked(row), kind) for row in self.rows(query, *values)]

    def rows(self, query: str, *values: object) -> list[Any]:
        """The rows of a query. Raises MictapeError; `sqlite3.Error` for what is a mistake of this program."""
        with database.sqlite_errors(self._path):
            return self._db.execute(query, values).fetchall()

    def rebuild_indexes(self) -> None:
        """Make the search indexes again from the rows that there are."""
        with database.sqlite_errors(self._path):
            schema.rebuild_indexes(self._db)

    def _key(self, session: str) -> int:
        """The key of the session with exactly this id."""
        with database.sqlite_errors(self._path):
            row: tuple[int] | None = self._db.execute("SELECT key FROM sessions WHERE id = ?", (session,)).fetchone()
        if row is None:
            raise MictapeError(_not_one(session, []))
        return row[0]


def line_row(key: int, line: LineRecord) -> tuple[SQLValue, ...]:
    """The values of a line's columns, from `session` to `created_utc_s`."""
    return storable(
        *(key, line.id, line.track, line.start, line.end, line.text, int(line.kind)),
        *(line.original, line.speaker, line.language, line.engine, line.connection, line.turn),
        *(_packed(line.words), time.time()),
    )


def _packed(words: tuple[Word, ...] | None) -> bytes | None:
    return None if words is None else msgspec.msgpack.encode(words)


def _words(packed: bytes | None) -> tuple[Word, ...] | None:
    return None if packed is None else msgspec.msgpack.decode(packed, type=tuple[Word, ...])


def _unpacked(row: sqlite3.Row) -> dict[str, object]:
    """A row as its columns by name, what is packed in them as plain values."""
    columns: dict[str, object] = dict(row)
    if isinstance(packed := columns.get("words"), bytes):
        columns["words"] = msgspec.msgpack.decode(packed)
    if isinstance(packed := columns.get("settings"), bytes):
        columns["settings"] = msgspec.json.decode(packed)
    for name in LISTS:
        if isinstance(packed := columns.get(name), str):
            columns[name] = [each for each in msgspec.json.decode(packed) if each]
    for name in {"titled", "complete"} & columns.keys():
        columns[name] = bool(columns[name])
    return columns


def storable(*values: SQLValue) -> tuple[SQLValue, ...]:
    """Values for a row. Half a surrogate pair in a text, which UTF-8 cannot hold, becomes a question mark.

    An engine's JSON and the names of files may contain them, and no line may be lost for it.
    """
    return tuple(value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in values)


def _not_one(which: str, found: list[str], *, trash: bool = False) -> Failure:
    """The sentence for a session that is not there or not the only one."""
    if found:
        newest = found[-_NAMED:]
        more = f" or one of {len(found) - _NAMED} older ones" if len(found) > _NAMED else ""
        what, remedy = f"{which} may be {', '.join(newest)}{more}", "Give more of its id"
    elif trash:
        what, remedy = f"There is no session {which} in the trash", "`mictape sessions list --trash` shows what is"
    elif which == "last":
        what, remedy = "There is no session yet", "Start Mictape to record one"
    else:
        what, remedy = f"There is no session {which}", "`mictape sessions` lists them"
    return Failure(what=what, remedy=remedy, code=ExitCode.USAGE)
