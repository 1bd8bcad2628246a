"""Searching the text: the search bar, the view, and what joins them."""

from mictape.commands import keymap_in, shown_key
from mictape.failure import MictapeError
from mictape.screens.main.page import Commands, Page
from mictape.transcript.query import Matcher, Query, parse
from mictape.widgets.search_bar import SearchBar


class Searching:
    """The commands of the search, and what the search bar reports."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.commands: Commands = {
            "search": self.search,
            "next_hit": self.next_hit,
            "previous_hit": self.previous_hit,
            "end_search": self.end_search,
        }

    @property
    def _bar(self) -> SearchBar:
        return self._page.search_bar

    def show_count(self) -> None:
        """Say how far the search is; called by the clock."""
        walk = self._page.view.walk
        if self._bar.is_open and walk.search is not None:
            failure = walk.search.matcher.failure
            trouble = "" if failure is None else str(failure.failure)
            self._bar.show(_count(walk.rank, len(walk.hits), more=walk.counting), trouble)

    def search(self) -> None:
        """Type what to search for."""
        if self._bar.is_built:
            self._bar.open()
        else:
            self._page.ask(self._build(), "The search", group="search bar")

    async def _build(self) -> None:
        await self._bar.build()
        self._bar.open()

    async def begin_at_cursor(self, line: str, toggles: Query) -> None:
        """Search for something that was not typed here; the keys stay with the text, and the cursor where it is."""
        matcher = Matcher(parse(line, toggles))
        if not matcher.query.empty:
            await self._bar.build()
            self._bar.show_typed(line, toggles)
            self._page.view.search_from_cursor(matcher)

    def next_hit(self) -> None:
        """Go to the next hit."""
        self._move(1)

    def previous_hit(self) -> None:
        """Go to the hit before."""
        self._move(-1)

    def _move(self, step: int) -> None:
        if self._page.view.walk.matcher is None:
            self._page.say(f"Nothing is searched for. Search first ({shown_key('search', keymap_in(self._page))}).")
        else:
            self._page.view.move_to_hit(step)

    def end_search(self) -> None:
        """Close the search and stay where one is."""
        if self._bar.is_open:
            self._close(stay=True)

    def search_for(self, event: SearchBar.Typed) -> None:
        """Something was typed: search for it."""
        try:
            self._page.view.search(Matcher(parse(event.line, event.toggles)))
            self._bar.show("")
        except MictapeError as error:
            self._page.view.search(None)
            self._bar.show("", str(error.failure))
        self.show_count()

    def move(self, event: SearchBar.Moved) -> None:
        """Go to another hit."""
        self._page.view.move_to_hit(event.step)

    def leave(self, event: SearchBar.Left) -> None:
        """The search bar was left."""
        if event.stay and self._page.view.walk.hits:
            self._page.view.focus()
        else:
            self._close(stay=event.stay)

    def _close(self, *, stay: bool) -> None:
        self._page.view.end_search(stay=stay)
        self._bar.close()
        self._page.view.focus()


def _count(rank: int | None, hits: int, *, more: bool) -> str:
    """`37 of 1,204…`; the dots while it is still counting."""
    going_on = "…" if more else ""
    if not hits:
        return f"looking{going_on}" if more else "nothing found"
    return f"{(rank + 1 if rank is not None else 0):,} of {hits:,}{going_on}"
