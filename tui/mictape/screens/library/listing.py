"""What the library's list shows: sessions that are read when they come into view, or what a search has found."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from mictape.library import folders, search
from mictape.library.hits import Hit
from mictape.library.library import Library, Store
from mictape.library.listing import Order, SessionFilter
from mictape.library.query import LibraryQuery
from mictape.library.records import SessionRecord
from mictape.screens.library.rows import heading_row, hit_row, session_row
from mictape.units import day_of
from mictape.widgets.row_list import Row

PAGE: Final = 50
"""Sessions that are read at once."""
FULL: Final = 5_000
"""Rows at which a search stops: more is not read."""


@dataclass(frozen=True, slots=True)
class SessionChoice:
    """A session, and what is to be done with it."""

    session: str
    line: int | None = None
    """The id of the line to begin at."""
    at: int = 0
    """Session time to begin at, where no line is named."""
    search: LibraryQuery | None = None
    """What was searched for, which is searched for in the session, too."""
    record_on: bool = False
    """Whether to record on in it, not to read it."""


class Listing(Protocol):
    """The rows of the list."""

    def __len__(self) -> int:
        """How many rows there are, as far as is known."""
        ...

    def row(self, index: int, width: int) -> Row:
        """A row as it is drawn."""
        ...

    def session(self, index: int) -> SessionRecord | None:
        """The session that a row belongs to; None while it is not read yet."""
        ...

    def choice(self, index: int) -> SessionChoice | None:
        """What Enter opens there."""
        ...

    async def load(self, changed: Callable[[], None]) -> None:
        """Read until nothing more is needed; `changed` is called after each piece."""
        ...


async def live_of(library: Library, records: list[SessionRecord]) -> set[str]:
    """Which of these a living process records or imports now."""

    def alive(store: Store) -> set[str]:
        return {each.id for each in records if folders.is_alive(store.sessions_folder / each.id)}

    return await library.run(alive) if any(each.state == "open" for each in records) else set()


class SessionListing:
    """All sessions that a filter lets through, one a row; only those that are drawn are read."""

    def __init__(self, library: Library, which: SessionFilter, order: Order, today: date) -> None:
        self._library = library
        self._which = which
        self._order: Order = order
        self._count = 0
        self._pages: dict[int, list[SessionRecord]] = {}
        self._live: set[str] = set()
        self._wanted: set[int] = {0}
        self._more = asyncio.Event()
        self._today = today

    def __len__(self) -> int:
        """As counted when it was loaded."""
        return self._count

    def session(self, index: int) -> SessionRecord | None:
        """The session of a row; one that is not there is read soon."""
        page = self._pages.get(index // PAGE)
        if page is None:
            self._wanted.add(index // PAGE)
            self._more.set()
            return None
        return page[index % PAGE] if index % PAGE < len(page) else None

    def row(self, index: int, width: int) -> Row:
        """A session; its day where the row before has another one."""
        if (session := self.session(index)) is None:
            return [("…", "detail")]
        day = day_of(session.started, self._today)
        before = self.session(index - 1) if index else None
        by_day = self._order in ("newest", "oldest")
        same = by_day and before is not None and day_of(before.started, self._today) == day
        return session_row(session, width, day="" if same else day, live=session.id in self._live)

    def choice(self, index: int) -> SessionChoice | None:
        """The session."""
        session = self.session(index) if index < self._count else None
        return None if session is None else SessionChoice(session.id)

    async def load(self, changed: Callable[[], None]) -> None:
        """Count them, then read page by page what is looked at, for as long as the list is shown."""
        self._count = await self._library.run(Store.count_sessions, self._which)
        while True:
            while self._wanted:
                number = self._wanted.pop()
                page = await self._library.run(
                    Store.sessions, self._which, order=self._order, limit=PAGE, offset=number * PAGE
                )
                self._live |= await live_of(self._library, [each for each in page if each.state == "open"])
                self._pages[number] = page
                changed()
            self._more.clear()
            await self._more.wait()


class HitListing:
    """What a search finds, under the session in which it was found; it grows while the search goes on."""

    def __init__(self, library: Library, query: LibraryQuery) -> None:
        self._library = library
        self._query = query
        self._rows: list[tuple[SessionRecord, Hit | None]] = []
        self._live: set[str] = set()
        self.done = False
        """Whether all was found."""

    def __len__(self) -> int:
        """What was found so far."""
        return len(self._rows)

    @property
    def hits(self) -> int:
        """How many places were found so far."""
        return sum(hit is not None for _, hit in self._rows)

    def session(self, index: int) -> SessionRecord | None:
        """The session of a row."""
        return self._rows[index][0]

    def row(self, index: int, width: int) -> Row:
        """A session's heading, or a place in it."""
        session, hit = self._rows[index]
        return heading_row(session, width, live=session.id in self._live) if hit is None else hit_row(hit, width)

    def choice(self, index: int) -> SessionChoice | None:
        """The session, at the line that was found; from its heading, at the first one."""
        if index >= len(self._rows):
            return None
        session, hit = self._rows[index]
        line = self._first_line(index + 1) if hit is None else hit.line
        return SessionChoice(session.id, line, search=None if line is None else self._query)

    def _first_line(self, index: int) -> int | None:
        """The first line that was found below a heading, from a row on; None without one: it was a title or a tag."""
        for _, hit in self._rows[index:]:
            if hit is None or hit.line is not None:
                return hit and hit.line
        return None

    async def load(self, changed: Callable[[], None]) -> None:
        """Search page after page."""
        page: int | None = None
        while len(self._rows) < FULL:
            found = await self._library.run(search.find, self._query, page=page)
            for each in found.sessions:
                last = self._rows[-1][0].id if self._rows else None
                self._rows += [(each.session, None)] if each.session.id != last else []
                self._rows += [(each.session, hit) for hit in each.hits]
            self._live |= await live_of(
                self._library, [each.session for each in found.sessions if each.session.state == "open"]
            )
            page = found.following
            self.done = page is None
            changed()
            if self.done:
                return
