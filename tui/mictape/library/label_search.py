"""The part of a search over all sessions that looks in titles, tags and the notes of marks."""

import sqlite3

from mictape.library.hits import FIRST, PAGE, Hit, SessionKeys, What, as_json_array, spans_of
from mictape.library.listing import kept_or_trash
from mictape.library.query import LibraryQuery
from mictape.library.store import Store


def page_of_labels(
    store: Store, query: LibraryQuery, sessions: SessionKeys, page: int | None, following: int | None
) -> tuple[list[tuple[int, Hit]], int | None]:
    """What a page has of titles, tags and notes of marks, and what asks for the next page.

    The newest stand on the first page, and the others behind the last line, on pages below zero: so many before them.
    """
    found = _labels(store, query, sessions, (0, FIRST)) if page is None else []
    if following is not None or (page is None and len(found) < FIRST):
        return found, following
    before = -page if page is not None and page < 0 else FIRST
    more = _labels(store, query, sessions, (before, PAGE))
    return found + more, -(before + PAGE) if len(more) == PAGE else None


def _labels(store: Store, query: LibraryQuery, sessions: SessionKeys, part: tuple[int, int]) -> list[tuple[int, Hit]]:
    """What is found in titles, tags and the notes of marks, the newest first: keys of sessions, and hits.

    Of these a part: how many to leave out, and how many there are at most.
    """
    conditions = [
        (kept_or_trash(trash=query.trash), ()),
        # A title that was proposed from what was said would only repeat a line.
        (
            "(session_index.rowid % 4 <> 0 OR sessions.titled"
            " OR EXISTS (SELECT 1 FROM tracks WHERE session = sessions.key AND kind = 'file'))",
            (),
        ),
        ("sessions.started_utc_s >= ?", None if query.after_utc_s is None else (query.after_utc_s,)),
        ("sessions.key IN (SELECT value FROM json_each(?))", None if sessions is None else (as_json_array(sessions),)),
    ]
    used = [(sql, values) for sql, values in conditions if values is not None]
    rows = store.rows(
        "SELECT sessions.key AS session, session_index.rowid % 4 AS what, sessions.title, tags.tag, marks.note,"
        " marks.line, marks.at FROM session_index"
        " LEFT JOIN tags ON session_index.rowid % 4 = 1 AND tags.key = session_index.rowid / 4"
        " LEFT JOIN marks ON session_index.rowid % 4 = 2 AND marks.key = session_index.rowid / 4"
        " JOIN sessions ON sessions.key = CASE session_index.rowid % 4 WHEN 0 THEN session_index.rowid / 4"
        " ELSE coalesce(tags.session, marks.session) END"
        f" WHERE session_index MATCH ? AND {' AND '.join(sql for sql, _ in used)}"
        " ORDER BY sessions.started_utc_s DESC, session_index.rowid LIMIT ? OFFSET ?",
        query.match(),
        *(value for _, values in used for value in values),
        *(part[1], part[0]),
    )
    return [(row["session"], _label_hit(row, query)) for row in rows]


def _label_hit(row: sqlite3.Row, query: LibraryQuery) -> Hit:
    kinds: tuple[tuple[What, str], ...] = (("title", "title"), ("tag", "tag"), ("mark", "note"))
    number: int = row["what"]
    what, column = kinds[number]
    text: str = row[column]
    return Hit(what, text, spans_of(text, query), line=row["line"], start=row["at"])
