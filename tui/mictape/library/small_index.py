"""A search index of a few lines, in memory: it finds in them exactly what the library's index would find."""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing

from mictape.library.query import LibraryQuery
from mictape.library.schema import TOKENS
from mictape.library.words import search_words


def matching(lines: Sequence[tuple[int, str]], query: LibraryQuery) -> list[int]:
    """The keys of those lines, given by key and text, that have the terms of a query and none it must be without."""
    likely = _likely(lines, query)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"CREATE VIRTUAL TABLE lines USING fts5 (text, content = '', tokenize = '{TOKENS}')")
        rows = ((key, search_words(text)) for key, text in likely)
        db.executemany("INSERT INTO lines (rowid, text) VALUES (?, ?)", rows)

        def found(match: str) -> set[int]:
            return {key for (key,) in db.execute("SELECT rowid FROM lines WHERE lines MATCH ?", (match,))}

        if query.terms:
            wanted = found(query.match())
            return [key for key, _ in likely if key in wanted]
        unwanted = found(" OR ".join(term.match() for term in query.without))
        return [key for key, _ in likely if key not in unwanted]


def _likely(lines: Sequence[tuple[int, str]], query: LibraryQuery) -> list[tuple[int, str]]:
    """The lines but for those without the letters of the terms: that is seen sooner than they are indexed."""
    words = [search_words(term.text) for term in query.terms]
    parts = [part for word in words if word.isascii() for part in re.findall("[a-z0-9]+", word.lower())]
    return [(key, text) for key, text in lines if not text.isascii() or all(part in text.lower() for part in parts)]
