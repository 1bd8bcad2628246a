"""Writing to the library, for one thread, and reading it.

`Library` puts it on a thread of its own for the app; the command line uses it as it is.
"""

import sqlite3
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from mictape import __version__
from mictape.library import database, folders, schema
from mictape.library.folders import SessionFolder
from mictape.library.placing import Lines
from mictape.library.reader import BUSY_S, Reader
from mictape.library.records import CoverageRecord, LineRecord, TrackChange, TrackRecord
from mictape.library.rows import line_row, packed_line, packed_words, storable, unpacked_words
from mictape.library.titles import proposed_title

_MERGED_PAGES: Final = 16
"""Of the search index at a time: about 2 ms. A line adds one page, which is merged a few times in its life."""
_TIDIED_PER_CHECKPOINT: Final = 128
"""Lines write about 20 pages to the log each: less than the `database` lets it grow to by itself."""


class Store(Reader):
    """A library that is written to as well: one transaction a call.

    With a write-ahead log, what has returned outlives a kill of the process.
    """

    def __init__(
        self, path: Path | None, sessions: Path | None = None, *, busy_s: float = BUSY_S, copy: bool = False
    ) -> None:
        """See `Reader`."""
        super().__init__(path, sessions, busy_s=busy_s, copy=copy)
        self._keys: dict[str, int] = {}
        """The keys of sessions that were written to."""
        self._tidied = 0

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

    def resume_session(self, session: str, *, shared: bool = False) -> SessionFolder:
        """Hold a session again and open it, to go on with it or to complete it; `shared` as `SessionFolder` takes it.

        Raises:
            MictapeError: (`ExitCode.USAGE`) there is none of that id, or a living process holds it.
        """
        folder = self.hold_session(session, shared=shared)
        with self.writing(session) as key:
            self._db.execute("UPDATE sessions SET state = 'open' WHERE key = ?", (key,))
        return folder

    def hold_session(self, session: str, *, shared: bool = False) -> SessionFolder:
        """Hold a session, so that nothing else records or deletes it, and nothing reads it unless it is `shared`.

        Raises:
            MictapeError: (`ExitCode.USAGE`) there is none of that id, or a living process holds it.
        """
        self._key(session)
        return SessionFolder(self.sessions_folder / session, shared=shared)

    def close_session(self, session: str, *, recorded: bool = True, ended_utc_s: float | None = None) -> None:
        """Mark a session as ended properly, with a proposed title; releasing its folder is its holder's.

        It ended at `ended_utc_s`, or else now when something was `recorded`, else when it ended before.
        """
        title = proposed_title(self.tracks(session), self.first_texts(session))
        with self.writing(session) as key:
            self._db.execute(
                "UPDATE sessions SET state = 'closed',"
                " ended_utc_s = CASE WHEN ?1 THEN ?2 ELSE coalesce(ended_utc_s, ?2) END,"
                " title = CASE WHEN titled THEN title ELSE ?3 END WHERE key = ?4",
                storable(recorded or ended_utc_s is not None, ended_utc_s or time.time(), title, key),
            )

    def add_track(self, session: str, track: TrackRecord) -> None:
        """Add a track to a session; one of the same number is replaced."""
        with self.writing(session) as key:
            self._db.execute(
                "INSERT OR REPLACE INTO tracks"
                " (session, number, name, source, host_api, kind, origin, samples, lost, device, removed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                storable(key, *msgspec.structs.astuple(track)),
            )

    def rename_track(self, session: str, number: int, name: str) -> None:
        """Set the name of a track for all of the session."""
        with self.writing(session) as key:
            self._db.execute("UPDATE tracks SET name = ? WHERE session = ? AND number = ?", storable(name, key, number))

    def set_device(self, session: str, number: int, device: str) -> None:
        """Store which device a track records now."""
        with self.writing(session) as key:
            self._db.execute(
                "UPDATE tracks SET device = nullif(?, source) WHERE session = ? AND number = ?",
                storable(device, key, number),
            )

    def set_removed(self, session: str, number: int, removed: bool) -> None:
        """Store whether the device of a track was removed."""
        with self.writing(session) as key:
            self._db.execute("UPDATE tracks SET removed = ? WHERE session = ? AND number = ?", (removed, key, number))

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
                self._add_marked(key, line)

    def _add_marked(self, key: int, line: LineRecord) -> None:
        self._add_line(key, line)
        if line.mark is not None:
            self._set_mark(key, line.id, line.mark)

    def remove_lines(self, session: str, lines: Sequence[LineRecord]) -> None:
        """Take lines out of the text, in one transaction; they are kept, with their marks, for `restore_lines`."""
        with self.writing(session) as key:
            for line in lines:
                self._set_mark(key, line.id, None)
                self._db.execute(
                    "INSERT OR REPLACE INTO removed_lines (session, id, version, line)"
                    " SELECT session, id, version, ? FROM lines WHERE session = ? AND id = ?",
                    (packed_line(line), key, line.id),
                )
                self._db.execute("DELETE FROM lines WHERE session = ? AND id = ?", (key, line.id))

    def restore_lines(self, session: str, lines: Sequence[LineRecord]) -> None:
        """Put removed lines back into the text, with their marks, in one transaction."""
        with self.writing(session) as key:
            for line in lines:
                self._db.execute("DELETE FROM removed_lines WHERE session = ? AND id = ?", (key, line.id))
                self._add_marked(key, line)

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
                    *(
                        line.text,
                        line.start,
                        line.end,
                        line.speaker,
                        line.language,
                        packed_words(line.words),
                        key,
                        line.id,
                    )
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
            words = unpacked_words(row["words"]) or ()
            if old is not None and any(word.speaker == old for word in words):
                named = (msgspec.structs.replace(word, speaker=new) if word.speaker == old else word for word in words)
                self._db.execute(
                    "UPDATE lines SET words = ? WHERE session = ? AND id = ?",
                    (packed_words(tuple(named)), key, row["id"]),
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

    def rebuild_indexes(self) -> None:
        """Make the search indexes again from the rows that there are."""
        with database.sqlite_errors(self._path):
            schema.rebuild_indexes(self._db)
