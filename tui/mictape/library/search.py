"""Full-text search over all sessions: page by page, the newest lines first."""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple

import msgspec

from mictape.library.hits import FIRST, PAGE, Hit, Page, SessionHits, SessionKeys, as_json_array, spans_of
from mictape.library.label_search import page_of_labels
from mictape.library.listing import SessionFilter, kept_or_trash
from mictape.library.query import LibraryQuery
from mictape.library.small_index import matching
from mictape.library.store import Store
from mictape.library.words import bare
from mictape.transcript.line import NOTE, SPEECH, Kind, voice_of
from mictape.units import RATE, Span

PIECE: Final = 20_000
"""Lines that are searched at first where a filter may leave most of them out."""
BUDGET_S: Final = 0.02
"""A page goes no further after this: a screen has to be drawn."""

FEW: Final = 50
"""Of so many sessions it is looked up where their lines are, and nothing else is searched."""

LOOKED_THROUGH: Final = (100, 1_000)
"""So many lines are searched without the index, one lot after the other, before it is asked for beginnings of words.

FTS5 puts together the lists of all words that begin so before it gives the first line: in ten million lines it takes
1.9 s for `t*`. What is frequent is found in these lines, and what is seldom by the index in a few milliseconds.
"""

_SHARED: Final = 'min({0}."end", made."end") - max({0}."start", made."start")'
_MARK: Final = "SELECT note FROM marks WHERE marks.session = lines.session AND marks.line = lines.id"
"""The note of a line's mark."""
_MARK_ELSEWHERE: Final = (
    "SELECT marks.note FROM marks JOIN lines AS made ON made.session = marks.session AND made.id = marks.line"
    " WHERE EXISTS (SELECT 1 FROM versions WHERE versions.session = lines.session)"  # few have any: looked at first
    " AND marks.session = lines.session AND made.version NOT IN (0, lines.version)"
    f" AND made.track = lines.track AND {_SHARED.format('lines')} > 0"
    " AND NOT EXISTS (SELECT 1 FROM lines AS here WHERE here.session = lines.session"
    f" AND here.version = lines.version AND here.kind = {SPEECH:d} AND here.track = made.track"
    f" AND {_SHARED.format('here')} > {_SHARED.format('lines')})"
)
"""The note of a mark that was made in another version of the text, on the line that has most of it."""

_COLUMNS: Final = (
    'lines.key, lines.session, lines.id, lines.track, lines."start", lines.text, lines.kind, lines.speaker,'
    f" coalesce(({_MARK}), ({_MARK_ELSEWHERE})) AS mark,"
    " (SELECT name FROM tracks WHERE session = lines.session AND number = lines.track"
    " AND (SELECT count(*) FROM tracks WHERE session = lines.session) > 1) AS track_name"
)
"""Of the lines of a page."""

_Voices = tuple[list[str], list[str]]
"""Names of speakers, and names of tracks."""


class _Scope(NamedTuple):
    """Where lines can be found at all."""

    sessions: SessionKeys
    voices: _Voices | None
    """Who may have said them; None: any speaker."""


def find(store: Store, query: LibraryQuery, *, page: int | None = None, limit: int | None = None) -> Page:
    """Search titles, tags and marks' notes, then lines, page by page.

    Args:
        store: The library.
        query: What to search for.
        page: `following` of the page before; None: the first page, which also has the newest titles, tags and marks.
        limit: How many lines the page has at most; None: `FIRST` or `PAGE`.

    Raises:
        MictapeError: (`ExitCode.SOUND`) the library cannot be read.
    """
    if query.empty:
        return Page((), None)
    voices = None if query.speaker is None else _voices(store, query.speaker)
    scope = _Scope(_sessions(store, query, voices), voices)
    if scope.sessions == []:
        return Page((), None)
    found: list[tuple[int, Hit]] = []
    following = None
    if page is None or page > 0:
        rows, following = _lines(store, query, scope, page, limit or (FIRST if page is None else PAGE))
        found = [(row["session"], _line_hit(store, row, query)) for row in rows]
    if query.terms and not query.of_lines:
        labels, following = page_of_labels(store, query, scope.sessions, page, following)
        found = labels + found
    return Page(tuple(_grouped(store, found)), following)


def _lines(
    store: Store, query: LibraryQuery, scope: _Scope, page: int | None, limit: int
) -> tuple[list[sqlite3.Row], int | None]:
    """The rows of lines, the newest first, and where the next page begins.

    Where filters may leave most lines out, these are searched piece by piece, for no longer than `BUDGET_S`.
    """
    rows: list[sqlite3.Row] = []
    began_s = time.monotonic()
    for start, behind in _pieces(store, query, scope.sessions, page):
        end, counts = behind, iter(LOOKED_THROUGH if query.has_beginnings else ())
        while start < end and len(rows) < limit:
            left = limit - len(rows)
            if count := next(counts, 0):
                found, end = _looked_through(store, query, scope, (start, end), count)
            else:
                found, end = _select(store, _COLUMNS, query, scope, piece=(start, end), limit=left), start
            rows += found[:left]
        if len(rows) == limit:
            return rows, rows[-1]["key"]
        if time.monotonic() - began_s > BUDGET_S:
            return rows, start or None
    return rows, None


def _select(
    store: Store, columns: str, query: LibraryQuery, scope: _Scope, *, piece: Span, limit: int
) -> list[sqlite3.Row]:
    """Columns of the lines that a query finds in a range of keys, the newest first."""
    where, values = _filters(query, scope)
    if query.terms:
        source = "line_index CROSS JOIN lines ON lines.key = line_index.rowid"
        where, values = ["line_index MATCH ?", *where], [query.match(), *values]
        key = "line_index.rowid"  # in the index's own order, so that a page reads no more than it shows
    else:
        source, key = "lines", "lines.key"
        for term in query.without:
            unwanted = "SELECT rowid FROM line_index WHERE line_index MATCH ? AND rowid >= ? AND rowid < ?"
            where.append(f"lines.key NOT IN ({unwanted})")
            values += [term.match(), *piece]
    return store.rows(
        # CROSS JOIN keeps this order: whatever else is asked for, the newest lines come first and nothing is sorted.
        f"SELECT {columns} FROM {source} CROSS JOIN sessions ON sessions.key = lines.session"
        f" WHERE {' AND '.join(where)} AND {key} >= ? AND {key} < ? ORDER BY {key} DESC LIMIT ?",
        *(*values, *piece, limit),
    )


def _looked_through(
    store: Store, query: LibraryQuery, scope: _Scope, piece: Span, count: int
) -> tuple[list[sqlite3.Row], int]:
    """What is found among the newest lines of a piece, so many, without the index; and the key where these begin."""
    whole = tuple(term for term in query.terms if not term.prefix)
    others = msgspec.structs.replace(query, terms=whole, without=())
    read = _select(store, "lines.key, lines.text", others, scope, piece=piece, limit=count)
    begin = read[-1]["key"] if len(read) == count else piece[0]
    found = f"SELECT {_COLUMNS} FROM lines WHERE key IN (SELECT value FROM json_each(?)) ORDER BY key DESC"
    return store.rows(found, as_json_array(matching([(key, text) for key, text in read], query))), begin


def _pieces(store: Store, query: LibraryQuery, sessions: SessionKeys, page: int | None) -> Iterator[Span]:
    """Ranges of keys of lines in which to search, the newest first; together they are all before `page`."""
    if sessions is not None and len(sessions) <= FEW:
        ranges: list[Span] = [
            (first, last + 1)
            for first, last in store.rows(
                "SELECT min(key), max(key) FROM lines WHERE session IN (SELECT value FROM json_each(?))"
                " GROUP BY session ORDER BY max(key) DESC",
                as_json_array(sessions),
            )
        ]
        for start, end in _joined(ranges):
            if page is None or start < page:
                yield start, end if page is None else min(end, page)
        return
    [(behind,)] = store.rows("SELECT 1 + coalesce(max(key), 0) FROM lines")
    end, piece = behind if page is None else page, PIECE if query.filtered else behind
    while end > 0:
        start = max(0, end - piece)
        yield start, end
        end, piece = start, piece * 4


def _joined(ranges: Iterable[Span]) -> list[Span]:
    """Ranges by their ends, the last one first; those that overlap as one."""
    joined: list[Span] = []
    for start, end in ranges:
        if joined and end > joined[-1][0]:
            joined[-1] = (min(start, joined[-1][0]), joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _voices(store: Store, part: str) -> _Voices:
    """The names of speakers and those of tracks that have `part` in them."""
    # Each name is looked up in the index behind the one before: there are few names, and many lines.
    speakers = store.rows(
        "WITH RECURSIVE names (name) AS (SELECT min(speaker) FROM lines WHERE speaker IS NOT NULL UNION ALL"
        " SELECT (SELECT min(speaker) FROM lines WHERE speaker > name) FROM names WHERE name IS NOT NULL)"
        " SELECT name FROM names WHERE name IS NOT NULL"
    )
    tracks = store.rows("SELECT DISTINCT name FROM tracks")
    wanted = bare(part)
    speaking, recorded = ([name for (name,) in rows if wanted in bare(name)] for rows in (speakers, tracks))
    return speaking, recorded


def _sessions(store: Store, query: LibraryQuery, voices: _Voices | None) -> SessionKeys:
    """The keys of the sessions in which lines can be found at all; None: in any."""
    which = SessionFilter(
        title=query.title, tag=query.tag, device=query.device, engine=query.engine, before_utc_s=query.before_utc_s
    )
    used = which.conditions()
    if query.marked:
        used.append(("sessions.key IN (SELECT session FROM marks)", ()))
    if voices is not None and not voices[0]:  # then it can only be a track
        named = "SELECT session FROM tracks WHERE name IN (SELECT value FROM json_each(?))"
        used.append((f"sessions.key IN ({named})", (as_json_array(voices[1]),)))
    if not used:
        return None
    where = " AND ".join([kept_or_trash(trash=query.trash), *(sql for sql, _ in used)])
    rows = store.rows(f"SELECT key FROM sessions WHERE {where}", *(each for _, values in used for each in values))
    return [key for (key,) in rows]


def _filters(query: LibraryQuery, scope: _Scope) -> tuple[list[str], list[object]]:
    """The conditions on `lines` and `sessions`, and their values."""
    spoken_at = f'(sessions.started_utc_s + lines."start" / {RATE:d}.0)'
    conditions: list[tuple[str, Sequence[object] | None]] = [
        (f"lines.kind IN ({SPEECH:d}, {NOTE:d}) AND lines.version IN (0, sessions.version)", ()),
        (kept_or_trash(trash=query.trash), ()),
        (
            "+lines.session IN (SELECT value FROM json_each(?))",
            None if scope.sessions is None else (as_json_array(scope.sessions),),
        ),
        _said_by(scope.voices),
        (f"+lines.kind = {SPEECH:d}", None if scope.voices is None else ()),
        (f"{spoken_at} >= ?", None if query.after_utc_s is None else (query.after_utc_s,)),
        (f"{spoken_at} < ?", None if query.before_utc_s is None else (query.before_utc_s,)),
        ('lines."start" >= ?', None if query.after is None else (query.after,)),
        ('lines."start" < ?', None if query.before is None else (query.before,)),
        (
            f"(EXISTS ({_MARK}) OR EXISTS ({_MARK_ELSEWHERE}))",
            () if query.marked else None,
        ),
    ]
    used = [(sql, values) for sql, values in conditions if values is not None]
    return [sql for sql, _ in used], [value for _, values in used for value in values]


def _said_by(voices: _Voices | None) -> tuple[str, Sequence[object] | None]:
    """The condition that one of these said a line, and its values; None: there is none."""
    speaking = "lines.speaker IN (SELECT value FROM json_each(?))"
    if voices is None or not voices[1]:
        return speaking, None if voices is None else [as_json_array(voices[0])]
    recorded = "SELECT session, number FROM tracks WHERE name IN (SELECT value FROM json_each(?))"
    # +: a track has so many lines that they are not looked up by their speakers and sessions.
    return f"(+{speaking} OR (+lines.session, lines.track) IN ({recorded}))", [as_json_array(names) for names in voices]


def _line_hit(store: Store, row: sqlite3.Row, query: LibraryQuery) -> Hit:
    return Hit(
        "note" if (kind := Kind(row["kind"])) is NOTE else "line",
        row["text"],
        spans_of(row["text"], query),
        line=row["id"],
        start=row["start"],
        voice=voice_of(kind, row["track_name"], row["speaker"]),
        mark=row["mark"],
        before=_neighbour(store, row, "<", "DESC"),
        after=_neighbour(store, row, ">", "ASC"),
    )


def _neighbour(store: Store, row: sqlite3.Row, side: Literal["<", ">"], order: Literal["ASC", "DESC"]) -> str:
    """The text of the line before or after a line; empty without one."""
    found = store.rows(
        "SELECT text FROM lines WHERE session = ?"
        f' AND ("start", id) {side} (?, ?) AND kind IN ({SPEECH:d}, {NOTE:d})'
        " AND version IN (0, (SELECT version FROM sessions WHERE key = ?))"
        f' ORDER BY "start" {order}, id {order} LIMIT 1',
        *(row["session"], row["start"], row["id"], row["session"]),
    )
    return found[0]["text"] if found else ""


def _grouped(store: Store, found: Sequence[tuple[int, Hit]]) -> list[SessionHits]:
    """Hits by session, in the order in which sessions come up first; within one, titles first, then tape order."""
    order = {key: place for place, key in enumerate(dict.fromkeys(key for key, _ in found))}
    sessions = store.sessions_of(order)
    ordered = sorted(found, key=lambda each: (order[each[0]], each[1].start is not None, each[1].start or 0))
    return [
        SessionHits(sessions[key], tuple(hit for _, hit in hits))
        for key, hits in groupby(ordered, key=lambda each: each[0])
    ]
