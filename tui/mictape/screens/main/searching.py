"""Searching the text on the main screen: the bar, the view and what joins them."""

from textual import getters, on
from textual.screen import Screen

from mictape.failure import MictapeError
from mictape.transcript.query import Matcher, parse
from mictape.widgets.search_bar import SearchBar
from mictape.widgets.transcript_view import TranscriptView


class Searching(Screen[None]):
    """What a screen with a search bar and a transcript does about searching."""

    _bar = getters.query_one(SearchBar)
    _text = getters.query_one(TranscriptView)

    def show_search(self) -> None:
        """Say how far the search is; called by the clock."""
        walk = self._text.walk
        if self._bar.is_open and walk.search is not None:
            failure = walk.search.matcher.failure
            trouble = "" if failure is None else str(failure.failure)
            self._bar.show(_count(walk.rank, len(walk.hits), more=walk.counting), trouble)

    def action_search(self) -> None:
        """Type what to search for."""
        self._bar.open()

    def action_next_hit(self) -> None:
        """Go to the next hit."""
        self._text.move_to_hit(1)

    def action_previous_hit(self) -> None:
        """Go to the hit before."""
        self._text.move_to_hit(-1)

    def action_end_search(self) -> None:
        """Close the search and stay where one is."""
        if self._bar.is_open:
            self._close(stay=True)

    @on(SearchBar.Typed)
    def _search_for(self, event: SearchBar.Typed) -> None:
        try:
            self._text.search(Matcher(parse(event.line, event.toggles)))
            self._bar.show("")
        except MictapeError as error:
            self._text.search(None)
            self._bar.show("", str(error.failure))
        self.show_search()

    @on(SearchBar.Moved)
    def _move(self, event: SearchBar.Moved) -> None:
        self._text.move_to_hit(event.step)

    @on(SearchBar.Left)
    def _leave(self, event: SearchBar.Left) -> None:
        if event.stay and self._text.walk.hits:
            self._text.focus()
        else:
            self._close(stay=event.stay)

    def _close(self, *, stay: bool) -> None:
        self._text.end_search(stay=stay)
        self._bar.close()
        self._text.focus()


def _count(rank: int | None, hits: int, *, more: bool) -> str:
    """`37 of 1,204…`; the dots while it is still counting."""
    going_on = "…" if more else ""
    if not hits:
        return f"looking{going_on}" if more else "nothing found"
    return f"{(rank + 1 if rank is not None else 0):,} of {hits:,}{going_on}"
