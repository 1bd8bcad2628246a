"""Searching the text: the search bar, the view, and what joins them."""

from typing import TYPE_CHECKING

from mictape.commands import keymap_in, shown_key
from mictape.failure import MictapeError
from mictape.screens.main.page import Commands, Page

if TYPE_CHECKING:
    from mictape.transcript.query import Query
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

    def show_count(self) -> None:
        """Say how far the search is; called by the clock."""
        bar, walk = self._page.search_bar, self._page.view.walk
        if bar is not None and bar.is_open and walk.search is not None:
            failure = walk.search.matcher.failure
            trouble = "" if failure is None else str(failure.failure)
            bar.show(_count(walk.rank, len(walk.hits), more=walk.counting), trouble)

    def search(self) -> None:
        """Type what to search for."""
        if self._page.search_bar is not None:
            self._page.search_bar.open()
        else:
            self._page.ask(self._begin(), "The search", group="search bar")

    async def _begin(self) -> None:
        bar = await self._bar()
        bar.open()

    async def _bar(self) -> "SearchBar":
        """The search bar; the first search makes it, so that the first frame of the screen is sooner there."""
        from mictape.widgets.search_bar import SearchBar

        if self._page.search_bar is None:
            bar = SearchBar()
            await self._page.mount(bar, before=self._page.footer)
            self._page.search_bar = bar
        return self._page.search_bar

    async def begin_at_cursor(self, line: str, toggles: "Query") -> None:
        """Search for something that was not typed here; the keys stay with the text, and the cursor where it is."""
        from mictape.transcript.query import Matcher, parse

        matcher = Matcher(parse(line, toggles))
        if not matcher.query.empty:
            bar = await self._bar()
            bar.show_typed(line, toggles)
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
        if (bar := self._page.search_bar) is not None and bar.is_open:
            self._close(bar, stay=True)

    async def search_for(self, event: "SearchBar.Typed") -> None:
        """Something was typed: search for it."""
        from mictape.transcript.query import Matcher, parse

        bar = await self._bar()
        try:
            self._page.view.search(Matcher(parse(event.line, event.toggles)))
            bar.show("")
        except MictapeError as error:
            self._page.view.search(None)
            bar.show("", str(error.failure))
        self.show_count()

    def move(self, event: "SearchBar.Moved") -> None:
        """Go to another hit."""
        self._page.view.move_to_hit(event.step)

    async def leave(self, event: "SearchBar.Left") -> None:
        """The search bar was left."""
        if event.stay and self._page.view.walk.hits:
            self._page.view.focus()
        else:
            self._close(await self._bar(), stay=event.stay)

    def _close(self, bar: "SearchBar", *, stay: bool) -> None:
        self._page.view.end_search(stay=stay)
        bar.close()
        self._page.view.focus()


def _count(rank: int | None, hits: int, *, more: bool) -> str:
    """`37 of 1,204…`; the dots while it is still counting."""
    going_on = "…" if more else ""
    if not hits:
        return f"looking{going_on}" if more else "nothing found"
    return f"{(rank + 1 if rank is not None else 0):,} of {hits:,}{going_on}"
