"""Reading the library, for one thread: every statement there is about sessions."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library import database, folders
from mictape.library.listing import KEPT, ORDERS, SESSIONS, Order, SessionFilter, kept_or_trash
from mictape.library.low_confidence import unsure_spans, words_in
from mictape.library.placing import Lines
from mictape.library.records import CoverageRecord, LineRecord, SessionRecord, TrackRecord
from mictape.library.rows import storable, unpacked, unpacked_words
from mictape.library.titles import title_of
from mictape.library.words import bare
from mictape.paths import is_folder, is_there
from mictape.plain_text import did_you_mean, one_line
from mictape.transcript.line import NOTE, SPEECH
from mictape.units import Span

BUSY_S: Final = 5.0
"""How long a statement waits for another process that writes."""

_NAMED: Final = 5
"""So many sessions are named where more than one may be meant: the newest."""

T = TypeVar("T")


class Reader:
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

    @classmethod
    def to_read(cls, path: Path, sessions: Path | None = None) -> Self:
        """Open the library if there is one; else an empty one in memory, so that looking creates nothing.

        One that may only be read (another user's, on a read-only disk) is copied into memory.
        """
        there = is_there(path)
        if not there and is_there(path.parent) and not is_folder(path.parent):
            raise MictapeError(Failure(f"{path.parent} is not a folder", "Name another one in MICTAPE_HOME"))
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
        return {row["key"]: msgspec.convert(unpacked(row), SessionRecord) for row in rows}

    def count_sessions(self, which: SessionFilter = KEPT) -> int:
        """How many sessions a filter lets through."""
        condition, values = which.where()
        [(count,)] = self.rows(f"SELECT count(*) FROM sessions WHERE {condition}", *values)
        return count

    def place(self, session: str, which: SessionFilter = KEPT, *, order: Order = "newest") -> int:
        """The place of a session, by its id, among those that a filter lets through; 0 where it is not one of them."""
        condition, values = which.where()
        ids = [
            id for (id,) in self.rows(f"SELECT id FROM sessions WHERE {condition} ORDER BY {ORDERS[order]}", *values)
        ]
        return ids.index(session) if session in ids else 0

    def session(self, which: str, *, trash: bool = False, or_trash: bool = False) -> SessionRecord:
        """The session with this id or title, the only one whose id begins so, or the one recorded last (`last`).

        Where there is none, the only one whose title begins so, or else has this in it, in any case.

        Args:
            which: What names it.
            trash: Whether it is looked for in the trash, and only there.
            or_trash: Whether it is looked for there, too, where it is not found among the others.

        Raises:
            MictapeError: (`ExitCode.USAGE`) none or more than one is meant.
        """
        found = self._last(trash=trash) if which == "last" else self._named(which, trash=trash)
        if _is_one(which, found):
            return found[0]
        if not found and or_trash and which != "last":
            return self.session(which, trash=True)
        if not found and not trash and which != "last" and _is_one(which, deleted := self._named(which, trash=True)):
            id = deleted[0].id
            remedy = f"mictape sessions restore {id} brings it back, mictape sessions delete --for-good {id} removes it"
            raise MictapeError(Failure(f"The session {which} is in the trash", remedy, ExitCode.USAGE))
        known = [] if found else self.sessions(SessionFilter(trash=trash))
        raise MictapeError(_not_one(which, found, known, trash=trash))

    def _last(self, *, trash: bool) -> list[SessionRecord]:
        """The one that is being recorded, else the one that was recorded last; nothing where there is none."""
        open = self.sessions(SessionFilter(trash=trash, unfinished=True))
        if alive := [each for each in open if folders.is_alive(self.sessions_folder / each.id)]:
            return alive[:1]
        rows = self.rows(
            f"SELECT key FROM sessions WHERE {kept_or_trash(trash=trash)}"
            " ORDER BY max(started_utc_s, coalesce(ended_utc_s, 0)) DESC, key DESC LIMIT 1"
        )
        return list(self.sessions_of(key for (key,) in rows).values())

    def _named(self, which: str, *, trash: bool) -> list[SessionRecord]:
        """The sessions that `which` may mean; the one with exactly this id is the first."""
        named = self.read(
            f"{SESSIONS} WHERE {kept_or_trash(trash=trash)} AND ?1 <> ''"
            " AND (substr(id, 1, length(?1)) = ?1 OR title = ?1 COLLATE NOCASE) ORDER BY id = ?1 DESC, id",
            storable(which),
            SessionRecord,
        )
        return named or (self._titled(which, trash=trash) if which.strip() else [])

    def _titled(self, part: str, *, trash: bool) -> list[SessionRecord]:
        """The session whose title is the only one to begin so, or else those that have this in their titles."""
        wanted = bare(part)
        titles = [(each, bare(title_of(each))) for each in self.sessions(SessionFilter(trash=trash))]
        begin = [each for each, title in titles if title.startswith(wanted)]
        return begin if len(begin) == 1 else sorted((each for each, title in titles if wanted in title), key=_id_of)

    def record(self, session: str) -> SessionRecord:
        """The session with exactly this id, also one in the trash. Raises MictapeError when there is none."""
        key = self._key(session)
        return self.sessions_of([key])[key]

    def unfinished(self) -> list[SessionRecord]:
        """Sessions that were never closed and that no living process holds, the newest first."""
        found = self.sessions(SessionFilter(unfinished=True))
        return [each for each in found if not folders.is_alive(self.sessions_folder / each.id)]

    def tracks(self, session: str) -> list[TrackRecord]:
        """The tracks of a session, by number."""
        return self.read(
            "SELECT number, name, source, host_api, kind, origin, samples, lost, device, removed FROM tracks"
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
        by_id = {line.id: line for line in lines}
        return [by_id[id] for id in ids if id in by_id]

    def first_texts(self, session: str) -> list[str]:
        """The texts of its first lines of speech, enough for a title: what one voice says before another does."""
        key = self._key(session)
        rows = self.rows(
            "SELECT text, track, speaker FROM lines WHERE session = ? AND version = ? AND kind = ?"
            ' ORDER BY "start", id LIMIT 5',
            *(key, self.version(key), int(SPEECH)),
        )
        return [text for text, *voice in rows if voice == list(rows[0])[1:]] if rows else []

    def next_line(self, session: str) -> int:
        """The first id that no line of the session has, in any version of its text."""
        return self.next_line_of(self._key(session))

    def next_line_of(self, key: int) -> int:
        """The same by the session's key. Those of removed lines are taken: they may come back."""
        [(id,)] = self.rows(
            "SELECT 1 + max(coalesce((SELECT max(id) FROM lines WHERE session = ?1), -1),"
            " coalesce((SELECT max(id) FROM removed_lines WHERE session = ?1), -1))",
            key,
        )
        return id

    def removed_lines(self, session: str) -> list[LineRecord]:
        """The lines that the person has removed from the version that is shown, with their marks, the last one last."""
        key = self._key(session)
        return [
            msgspec.msgpack.decode(line, type=LineRecord)
            for (line,) in self.rows(
                "SELECT line FROM removed_lines WHERE session = ? AND version IN (0, ?) ORDER BY key",
                *(key, self.version(key)),
            )
        ]

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
        spans = ((id, unsure_spans(text, unpacked_words(words) or ())) for id, text, words in rows)
        return {id: found for id, found in spans if found}

    def word_start(self, session: str, line: int, at: int) -> int | None:
        """Session time at which the word begins that stands at character `at` of a line, or the next one.

        None where the words of the line have no times, or it is not the engine's any more.
        """
        rows = self.rows(
            "SELECT text, words FROM lines WHERE session = ? AND id = ? AND original IS NULL", self._key(session), line
        )
        placed = (each for text, words in rows for each in words_in(text, unpacked_words(words) or ()))
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
        return [msgspec.convert(unpacked(row), kind) for row in self.rows(query, *values)]

    def rows(self, query: str, *values: object) -> list[Any]:
        """The rows of a query. Raises MictapeError; `sqlite3.Error` for what is a mistake of this program."""
        with database.sqlite_errors(self._path):
            return self._db.execute(query, values).fetchall()

    def _key(self, session: str) -> int:
        """The key of the session with exactly this id."""
        with database.sqlite_errors(self._path):
            row: tuple[int] | None = self._db.execute("SELECT key FROM sessions WHERE id = ?", (session,)).fetchone()
        if row is None:
            raise MictapeError(_not_one(session, [], []))
        return row[0]


def _is_one(which: str, found: Sequence[SessionRecord]) -> bool:
    """Whether the first of what `which` may mean is meant."""
    return len(found) == 1 or (len(found) > 1 and found[0].id == which)


def _id_of(session: SessionRecord) -> str:
    return session.id


def _not_one(
    which: str, found: Sequence[SessionRecord], known: Sequence[SessionRecord], *, trash: bool = False
) -> Failure:
    """The sentence for a session that is not the only one (`found`), or not there: all there are is `known`."""
    near = did_you_mean(which, [name for each in known for name in (title_of(each), each.id) if name])
    if found:
        titles = {each.id: one_line(title_of(each)) for each in found[-_NAMED:]}
        newest = [f"{id} ({title})" if title else id for id, title in titles.items()]
        more = f" or one of {len(found) - _NAMED} older ones" if len(found) > _NAMED else ""
        what, remedy = f"{which} may be {', '.join(newest)}{more}", "Give its id, or more of its title"
    elif trash:
        what, remedy = (
            f"There is no session {which} in the trash",
            near or "mictape sessions list --trash shows what is",
        )
    elif which == "last":
        what, remedy = "There is no session yet", "Start Mictape to record one"
    else:
        what, remedy = f"There is no session {which}", near or "mictape sessions lists them"
    return Failure(what=what, remedy=remedy, code=ExitCode.USAGE)
