"""What a search over all sessions finds, and what its parts share."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from mictape.library.query import LibraryQuery
from mictape.library.records import SessionRecord
from mictape.library.words import places_of
from mictape.units import Span

FIRST: Final = 20
"""Lines of the first page: about what a screen has room for, so that they come soon."""
PAGE: Final = 50
"""Lines of every other page."""
SessionKeys = list[int] | None
"""Keys of sessions; None: all."""

What = Literal["line", "note", "mark", "title", "tag"]
"""Where something was found: in a line of speech, a note, the note of a mark, the title or a tag of a session."""


class Hit(msgspec.Struct, frozen=True):
    """One place at which it was found."""

    what: What
    text: str
    spans: tuple[Span, ...] = ()
    """Where in the text; nothing when only filters were asked for."""
    line: int | None = None
    """The id of the line in its session; None for titles and tags."""
    start: int | None = None
    """Session time of the line, samples at 16 kHz."""
    voice: str = ""
    """Who speaks: track, where there are several, and speaker; empty for a note."""
    mark: str | None = None
    """The note on the line's mark, empty without one; None when it is not marked."""
    before: str = ""
    """The text of the line before it."""
    after: str = ""
    """The text of the line after it."""


class SessionHits(msgspec.Struct, frozen=True):
    """What was found in one session, in tape order."""

    session: SessionRecord
    hits: tuple[Hit, ...]


class Page(msgspec.Struct, frozen=True):
    """Some of what was found, by session, the newest first; a session may go on on the next page."""

    sessions: tuple[SessionHits, ...]
    following: int | None
    """Asks for the next page; None when this is the last one. A page may have few hits, or none, and yet not be it."""


def spans_of(text: str, query: LibraryQuery) -> tuple[Span, ...]:
    """Where the terms of a query are in a text."""
    return places_of(text, ((term.text, term.prefix) for term in query.terms))


def as_json_array(values: Sequence[object]) -> str:
    """Values as SQLite's `json_each` takes them."""
    return msgspec.json.encode(values).decode()
