"""The library for one thread: every statement there is about sessions.

`Library` puts it on a thread of its own for the app; the command line uses it as it is.
"""

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from mictape import __version__
from mictape.engines.base import Word
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library import database, folders
from mictape.library.folders import SessionFolder
from mictape.library.low_confidence import unsure_spans
from mictape.library.records import CoverageRecord, LineRecord, SessionRecord, TrackRecord
from mictape.transcript.model import SPEECH
from mictape.units import Span

BUSY_S: Final = 5.0
"""How long a statement waits for another process that writes."""

_SESSIONS: Final = f"""
    SELECT id, started_utc_s, ended_utc_s, state, title, app_version, settings,
           (SELECT coalesce(max(origin + samples), 0) FROM tracks WHERE session = sessions.key) AS samples,
           (SELECT count(*) FROM lines WHERE session = sessions.key AND kind = {SPEECH:d}) AS lines
    FROM sessions
"""

T = TypeVar("T")


class Store:
    """Sessions on disk. Every method raises `MictapeError` (`ExitCode.SOUND`) when the database cannot be used."""

    def __init__(self, path: Path | None, sessions: Path | None = None, *, busy_s: float = BUSY_S) -> None:
        """Open the library, bringing an older one up to date.

        Args:
            path: the database, made when it is not there; None keeps nothing: the database is in memory, the
                sessions' folders are temporary and go with `close()`.
            sessions: the folder with one folder a session; beside the database when not said.
            busy_s: seconds that a statement waits for another process.

        Raises:
            MictapeError: (`ExitCode.SOUND`) it cannot be opened, is damaged, or is of a newer Mictape.
        """
        self._passing = folders.passing_sessions() if path is None and sessions is None else None
        self._path = path
        self.sessions_folder: Path = sessions or self._passing or Path(path or "").parent / "sessions"
        self._db = database.connect(path, busy_s=busy_s)

    @classmethod
    def to_read(cls, path: Path, sessions: Path | None = None) -> Self:
        """Open the library if there is one; else an empty one in memory, so that looking creates nothing."""
        return cls(path if path.exists() else None, sessions or path.parent / "sessions")

    def close(self) -> None:
        """Close the database; what was not to be kept is removed."""
        self._db.close()
        if self._passing is not None:
            folders.discard(self._passing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Writing: one transaction a call. With a write-ahead log, what has returned outlives a kill of the process.

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
            with database.transaction(self._db, self._path):
                self._db.execute(
                    "INSERT INTO sessions (id, started_utc_s, state, title, app_version, settings)"
                    " VALUES (?, ?, 'open', ?, ?, ?)",
                    row,
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
        self._key(session)
        folder = SessionFolder(self.sessions_folder / session)
        with database.transaction(self._db, self._path):
            self._db.execute("UPDATE sessions SET state = 'open', ended_utc_s = NULL WHERE id = ?", (session,))
        return folder

    def close_session(self, session: str, *, ended: datetime | None = None) -> None:
        """Mark a session as ended properly; releasing its folder is its holder's."""
        key = self._key(session)
        with database.transaction(self._db, self._path):
            self._db.execute(
                "UPDATE sessions SET state = 'closed', ended_utc_s = ? WHERE key = ?",
                ((ended or datetime.now()).timestamp(), key),
            )

    def add_track(self, session: str, track: TrackRecord) -> None:
        """Add a track to a session; one of the same number is replaced."""
        key = self._key(session)
        with database.transaction(self._db, self._path):
            self._db.execute(
                "INSERT OR REPLACE INTO tracks (session, number, name, source, host_api, kind, origin, samples, lost)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, *msgspec.structs.astuple(track)),
            )

    def rename_track(self, session: str, number: int, name: str) -> None:
        """Say what a track is called from now on, in all of the session."""
        key = self._key(session)
        with database.transaction(self._db, self._path):
            self._db.execute(
                "UPDATE tracks SET name = ? WHERE session = ? AND number = ?", (_storable(name), key, number)
            )

    def update_track(self, session: str, number: int, *, samples: int, lost: int) -> None:
        """Say how long a track's tape is and how much of it is holes, both in samples."""
        key = self._key(session)
        with database.transaction(self._db, self._path):
            self._db.execute(
                "UPDATE tracks SET samples = ?, lost = ? WHERE session = ? AND number = ?",
                (samples, lost, key, number),
            )

    def add_line(self, session: str, line: LineRecord) -> None:
        """Keep a final line. Once this has returned the line is there whatever happens to the process."""
        key = self._key(session)
        with database.transaction(self._db, self._path):
            self._db.execute(
                'INSERT INTO lines (session, id, track, "start", "end", text, kind, heard, speaker, language,'
                " engine, connection, turn, words, created_utc_s)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(key, line.id, line.track, line.start, line.end, _storable(line.text), line.kind),
                    *(line.heard, line.speaker, line.language, line.engine, line.connection, line.turn),
                    *(_packed(line.words), time.time()),
                ),
            )

    def revise_line(self, session: str, line: LineRecord) -> None:
        """Keep what an engine now says of a line that is there already; a text a person has edited stays.

        Replaces the text the engine said, words, times, speaker and language of the line with `line.id`.
        """
        key = self._key(session)
        with database.transaction(self._db, self._path):
            # The right sides all see the row as it was, so the order of the two texts does not matter.
            self._db.execute(
                "UPDATE lines SET text = CASE WHEN heard IS NULL THEN :text ELSE text END,"
                " heard = CASE WHEN heard IS NULL THEN NULL ELSE :text END,"
                ' "start" = :start, "end" = :end, speaker = :speaker, language = :language, words = :words'
                " WHERE session = :session AND id = :id",
                {
                    **{"session": key, "id": line.id, "text": _storable(line.text), "start": line.start},
                    **{"end": line.end, "speaker": line.speaker, "language": line.language},
                    "words": _packed(line.words),
                },
            )

    def set_speaker(self, session: str, line: int, speaker: str) -> None:
        """Say who spoke a line, with those of its words that were the same speaker's; all else of it stays."""
        key = self._key(session)
        with database.transaction(self._db, self._path):
            rows = self._db.execute(
                "SELECT id, speaker, words FROM lines WHERE session = ? AND id = ?", (key, line)
            ).fetchall()
            self._db.execute("UPDATE lines SET speaker = ? WHERE session = ? AND id = ?", (speaker, key, line))
            for row in rows:
                self._rename_words(key, [row], row["speaker"], speaker)

    def edit_line(self, session: str, line: int, text: str, heard: str | None) -> None:
        """Keep a person's text of a line beside what the engine said; `heard` None: it is the engine's text again."""
        key = self._key(session)
        with database.transaction(self._db, self._path):
            self._db.execute(
                "UPDATE lines SET text = ?, heard = ? WHERE session = ? AND id = ?", (_storable(text), heard, key, line)
            )

    def rename_speaker(self, session: str, track: int, old: str, new: str) -> None:
        """Call a speaker otherwise in every line of a track, and in every word of them."""
        key = self._key(session)
        with database.transaction(self._db, self._path):
            self._db.execute(
                "UPDATE lines SET speaker = ? WHERE session = ? AND track = ? AND speaker = ?", (new, key, track, old)
            )
            rows = self._db.execute(
                "SELECT id, words FROM lines WHERE session = ? AND track = ? AND instr(words, CAST(? AS BLOB)) > 0",
                (key, track, old),
            ).fetchall()
            self._rename_words(key, rows, old, new)

    def _rename_words(self, key: int, rows: list[sqlite3.Row], old: str | None, new: str) -> None:
        """The words of lines (`id`, `words`) that one speaker said are another's."""
        for row in rows:
            words = _words(row["words"]) or ()
            if old is not None and any(word.speaker == old for word in words):
                named = (msgspec.structs.replace(word, speaker=new) if word.speaker == old else word for word in words)
                self._db.execute(
                    "UPDATE lines SET words = ? WHERE session = ? AND id = ?", (_packed(tuple(named)), key, row["id"])
                )

    def set_mark(self, session: str, line: int, note: str | None) -> None:
        """Mark a line that is kept, with a note or an empty one; None takes the mark away."""
        key = self._key(session)
        with database.transaction(self._db, self._path):
            if note is None:
                self._db.execute("DELETE FROM marks WHERE session = ? AND line = ?", (key, line))
                return
            self._db.execute(
                'INSERT INTO marks (session, at, line, note, created_utc_s) SELECT session, "start", id, ?, ?'
                " FROM lines WHERE session = ? AND id = ?"
                " ON CONFLICT (session, line) DO UPDATE SET note = excluded.note",
                (_storable(note), time.time(), key, line),
            )

    def set_coverage(self, session: str, track: int, intervals: Iterable[CoverageRecord]) -> None:
        """Replace what is known of a track's coverage."""
        key = self._key(session)
        rows = [(key, track, *msgspec.structs.astuple(interval)) for interval in intervals]
        with database.transaction(self._db, self._path):
            self._db.execute("DELETE FROM coverage WHERE session = ? AND track = ?", (key, track))
            self._db.executemany(
                'INSERT INTO coverage (session, track, "start", "end", what, why) VALUES (?, ?, ?, ?, ?, ?)', rows
            )

    def delete_session(self, which: str) -> str:
        """Remove all of a session, its sound and its text, and return its id.

        Raises:
            MictapeError: as `session()`; (`ExitCode.USAGE`) a living process holds it; (`ExitCode.SOUND`) something
                of it cannot be removed, and then its row stays.
        """
        session = self.session(which).id
        # The sound first: were it the other way round, a crash in between would leave sound that nothing lists.
        folders.remove(self.sessions_folder / session)
        with database.transaction(self._db, self._path):
            self._db.execute("DELETE FROM sessions WHERE id = ?", (session,))
        # The text is still in the write-ahead log until that is emptied (see `secure_delete` for the database).
        with database.told(self._path):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return session

    # Reading.

    def sessions(self) -> list[SessionRecord]:
        """All sessions, the newest first."""
        return self._read(f"{_SESSIONS} ORDER BY started_utc_s DESC, key DESC", (), SessionRecord)

    def session(self, which: str) -> SessionRecord:
        """The session with this id, the only one whose id begins so, or the newest (`last`).

        Raises:
            MictapeError: (`ExitCode.USAGE`) none or more than one is meant.
        """
        if which == "last":
            found = self.sessions()[:1]
        else:
            found = self._read(
                f"{_SESSIONS} WHERE substr(id, 1, length(?1)) = ?1 AND ?1 <> '' ORDER BY id = ?1 DESC, id",
                (which,),
                SessionRecord,
            )
        if len(found) == 1 or (found and found[0].id == which):
            return found[0]
        raise MictapeError(_not_one(which, [each.id for each in found]))

    def unfinished(self) -> list[SessionRecord]:
        """Sessions that were never closed and that no living process holds, the newest first."""
        return [
            each
            for each in self.sessions()
            if each.state == "open" and not folders.is_alive(self.sessions_folder / each.id)
        ]

    def tracks(self, session: str) -> list[TrackRecord]:
        """The tracks of a session, by number."""
        return self._read(
            "SELECT number, name, source, host_api, kind, origin, samples, lost FROM tracks"
            " WHERE session = ? ORDER BY number",
            (self._key(session),),
            TrackRecord,
        )

    def lines(self, session: str, *, words: bool = True) -> list[LineRecord]:
        """The lines of a session in tape order; without their words where nobody looks at them."""
        return self._read(
            'SELECT id, track, "start", "end", text, kind, heard, speaker, language, engine, connection, turn,'
            f" {'words' if words else 'NULL AS words'}, note AS mark"
            " FROM lines LEFT JOIN marks ON marks.session = lines.session AND marks.line = lines.id"
            ' WHERE lines.session = ? ORDER BY "start", id',
            (self._key(session),),
            LineRecord,
        )

    def unsure(self, session: str, lines: Sequence[int]) -> dict[int, tuple[Span, ...]]:
        """Where in the texts of lines the words stand that the engine was unsure of, for those lines that have any.

        A line that a person has edited has none: it is the person's word now. See `unsure_spans`.
        """
        with database.told(self._path):
            rows: list[tuple[int, str, bytes]] = self._db.execute(
                "SELECT id, text, words FROM lines WHERE session = ? AND id IN (SELECT value FROM json_each(?))"
                " AND heard IS NULL AND words IS NOT NULL",
                (self._key(session), msgspec.json.encode(tuple(lines)).decode()),
            ).fetchall()
        spans = ((id, unsure_spans(text, _words(words) or ())) for id, text, words in rows)
        return {id: found for id, found in spans if found}

    def coverage(self, session: str, track: int) -> list[CoverageRecord]:
        """How it stands with a track's tape, in tape order."""
        return self._read(
            'SELECT "start", "end", what, why FROM coverage WHERE session = ? AND track = ? ORDER BY "start"',
            (self._key(session), track),
            CoverageRecord,
        )

    def _read(self, query: str, values: tuple[object, ...], kind: type[T]) -> list[T]:
        with database.told(self._path):
            rows: list[sqlite3.Row] = self._db.execute(query, values).fetchall()
        return [msgspec.convert(_unpacked(row), kind) for row in rows]

    def _key(self, session: str) -> int:
        """The key of the session with exactly this id."""
        with database.told(self._path):
            row: tuple[int] | None = self._db.execute("SELECT key FROM sessions WHERE id = ?", (session,)).fetchone()
        if row is None:
            raise MictapeError(_not_one(session, []))
        return row[0]


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
    return columns


def _storable(text: str) -> str:
    """Text that UTF-8 can hold: an engine's JSON may contain halves of surrogate pairs, and no line may be lost."""
    return text.encode("utf-8", "replace").decode()


def _not_one(which: str, found: list[str]) -> Failure:
    """The sentence for a session that is not there or not the only one."""
    if found:
        what, remedy = f"{which} may be {', '.join(found)}", "Say more of its id"
    elif which == "last":
        what, remedy = "There is no session yet", "Start Mictape to record one"
    else:
        what, remedy = f"There is no session {which}", "`mictape sessions` lists them"
    return Failure(what=what, remedy=remedy, code=ExitCode.USAGE)
