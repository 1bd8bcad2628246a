"""A search as one walks through it: the hit one is at, where one began, and the ticks beside the text."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment, Segments
from rich.style import Style
from textual.scrollbar import ScrollBar, ScrollBarRender

from mictape.transcript.layout import Layout
from mictape.transcript.model import Transcript

if TYPE_CHECKING:  # loaded when something is searched for
    from mictape.transcript.query import Matcher
    from mictape.transcript.search import Search

BUDGET_S: Final = 0.006
"""How long one look at the clock may search: what is drawn then must fit into the same frame of 16 ms."""

TICK: Final = "━"


class Walk:
    """A search and the hit one is at, which stays the same line whatever comes in."""

    def __init__(self, transcript: Transcript) -> None:
        self.search: Search | None = None
        self.current: int | None = None
        """The id of the hit that is shown."""
        self._transcript = transcript
        self._origin = 0

    @property
    def matcher(self) -> "Matcher | None":
        """What is searched for; None when nothing is."""
        return self.search.matcher if self.search is not None else None

    @property
    def hits(self) -> Sequence[int]:
        """The ids of the lines found so far, in tape order."""
        return self.search.hits if self.search is not None else ()

    @property
    def counting(self) -> bool:
        """Whether there are lines that were not looked through yet."""
        return self.search is not None and not self.search.done

    @property
    def rank(self) -> int | None:
        """Which of the hits one is at, from 0."""
        return None if self.search is None or self.current is None else self.search.rank(self.current)

    def look_for(self, matcher: "Matcher | None", origin: int) -> None:
        """Search for something else from a place in tape order on; None ends the search."""
        self._origin = origin
        self.current = None
        if matcher is None or matcher.query.empty:
            self.search = None
        else:
            from mictape.transcript.search import Search

            self.search = Search(self._transcript, matcher, origin, self.search)

    def step(self) -> int | None:
        """Search on for a few milliseconds.

        Returns:
            The hit to show, once, when the first one is found: the next one below the origin, else the last above.
        """
        search = self.search
        if search is None:
            return None
        until_s = time.perf_counter() + BUDGET_S
        while search.step() and time.perf_counter() < until_s:
            pass
        if self.current is not None:
            return None
        below = search.between(self._origin, len(self._transcript))
        return self._go(search.nearest(self._origin, 1 if below else -1))

    def move(self, step: int) -> int | None:
        """Go to the hit behind (1) or before (-1) the one shown, round the ends; None while there are no hits."""
        search, rank = self.search, self.rank
        if search is None or rank is None:
            return self._go(None if search is None else search.nearest(self._origin, step))
        return self._go((rank + step) % len(search.hits))

    def _go(self, rank: int | None) -> int | None:
        self.current = None if rank is None or self.search is None else self.search.hits[rank]
        return self.current

    def ticks(self, cells: int, flow: Layout, rows: int) -> frozenset[int]:
        """The cells of a scrollbar beside which there are hits.

        Args:
            cells: of the whole bar.
            flow: where the lines stand.
            rows: that the bar stands for.
        """
        search = self.search
        if search is None or not search.hits or rows <= cells:  # it is all there to be seen
            return frozenset()
        borders = [flow.about(cell * rows // cells) for cell in range(cells + 1)]
        return frozenset(
            cell for cell in range(cells) if search.between(borders[cell], max(borders[cell] + 1, borders[cell + 1]))
        )


class _TickedBar(ScrollBarRender):
    """Textual's scrollbar with a tick in some of its cells."""

    ticks: frozenset[int] = frozenset()
    ink: Style = Style.null()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The bar, a segment a cell."""
        for drawn in super().__rich_console__(console, options):
            if isinstance(drawn, Segments):
                for cell in self.ticks & frozenset(range(len(drawn.segments))):
                    drawn.segments[cell] = Segment(TICK, (drawn.segments[cell].style or Style.null()) + self.ink)
            yield drawn


def show_ticks(bar: ScrollBar, ticks: frozenset[int], ink: Style) -> None:
    """Draw a scrollbar with ticks from now on; does nothing when it has them."""
    shown = bar.renderer.ticks if issubclass(bar.renderer, _TickedBar) else frozenset[int]()
    if shown == ticks:
        return
    ticked = type("TickedBar", (_TickedBar,), {"ticks": ticks, "ink": ink})
    bar.renderer = ticked  # pyright: ignore[reportAttributeAccessIssue]  (Textual says that an instance may have its own)
    bar.refresh()
