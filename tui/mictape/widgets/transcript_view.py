"""The transcript on the screen: follows the newest words, or stays on the row that is being read."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual import events
from textual.binding import BindingType
from textual.geometry import Offset, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from mictape.commands import bindings
from mictape.transcript.line import Line
from mictape.transcript.model import Transcript
from mictape.transcript.viewport import Place
from mictape.widgets.direct_rows import draw_rows
from mictape.widgets.inks import Inked
from mictape.widgets.survives import SurvivesErrors
from mictape.widgets.transcript_inks import inks_of
from mictape.widgets.transcript_low_confidence import Ask, UnsureWords
from mictape.widgets.transcript_rows import Rows
from mictape.widgets.transcript_search import Walk, show_ticks
from mictape.widgets.transcript_selection import selected_span, selected_text, selection_of, word_at
from mictape.widgets.transcript_strips import Look

if TYPE_CHECKING:  # loaded when something is searched for
    from mictape.transcript.query import Matcher

_TURN_S: Final = 0.002
"""Between two turns of a search, which takes `transcript_search.BUDGET_S` each."""


class TranscriptView(  # pyright: ignore[reportIncompatibleMethodOverride]  (Textual's own ScrollView differs from Widget)
    SurvivesErrors, ScrollView, Inked, can_focus=True, inherit_bindings=False
):
    """Shows a transcript of any length and what is being said at its end.

    The app calls `pull` from its clock; nothing else reads the transcript. Each call does a bounded amount of
    work. While it follows, the end is on the screen; after any upward scroll it stays on its row, whatever
    comes in below or above, and says how much is new; reaching the end follows again.
    """

    ALLOW_SELECT = True

    DEFAULT_CSS = """
    TranscriptView {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("view")

    def __init__(
        self,
        transcript: Transcript,
        *,
        grows: bool = True,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._transcript = transcript
        self._grows = grows
        """Whether text is still coming, so that following the end is offered."""
        self._rows = Rows(transcript, partial(inks_of, self))
        self._port = self._rows.port
        self._unsure = UnsureWords(transcript)
        self._learning = False
        """Whether unsure words are being asked for."""
        self._seen = -1
        """Version of the transcript that is on the screen."""
        self.walk = Walk(transcript)
        """The search and how far one has come in it."""
        self._left: tuple[Place, int | None] | None = None
        """Where one was reading when the search began, and the cursor."""
        self._searching_on = False
        """Whether a turn of the search is to come."""
        self._cursor: int | None = None
        self._playing: int | None = None
        self._drawn: list[Strip] = []
        self._placing = False
        """While it scrolls by itself."""
        self._begins = 0
        """The row of the screen that is its first one."""

    @property
    def transcript(self) -> Transcript:
        """What it shows."""
        return self._transcript

    @property
    def following(self) -> bool:
        """Whether the end is on the screen and will stay there."""
        return self._port.following

    @property
    def new_count(self) -> int:
        """Lines that came in below since it stopped following."""
        return self._port.new_count

    @property
    def cursor_id(self) -> int | None:
        """The line that commands act on: the newest final one while following; None without lines."""
        return self._cursor

    @property
    def first_id(self) -> int | None:
        """The line on the first row of the screen; None when there is none or it is a partial."""
        return self._rows.first_id

    @property
    def rows(self) -> int:
        """The rows of all text."""
        return self._port.rows

    @property
    def on_wall(self) -> bool:
        """Whether lines have the time of the wall clock beside them, where that is known."""
        return self._rows.wall is not None

    def time_of(self, line: Line) -> str:
        """When a line begins, as it is shown."""
        return self._rows.time_of(line.kind, line.start)

    def show_wall_clock(self, wall: Callable[[int], float | None] | None) -> None:
        """Have wall-clock times beside the lines.

        Args:
            wall: gives seconds since 1970 UTC for a session time in samples, at once, or None where that is not known:
                such a line keeps its tape time, which has no `@`. Without it every line has its tape time.
        """
        self._rows.wall = wall
        self._take_changes()
        self._place()

    @property
    def paragraphs(self) -> bool:
        """Whether lines of one voice are shown as paragraphs."""
        return self._port.flow.paragraphs

    def show_paragraphs(self, on: bool) -> None:
        """Show the lines of one voice as running text, with its name once and blank rows between; or line by line."""
        self._take_changes()
        self._port.flow.paragraphs = on
        self._take_changes()
        self._place()

    def mark_unsure(self, ask: Ask) -> None:
        """Have words marked that an engine was unsure of; `ask` is asked about lines when they are shown."""
        self._unsure.ask = ask
        self._place()

    @property
    def playing_id(self) -> int | None:
        """The line that is shown as played."""
        return self._playing

    def show_playing(self, id: int | None) -> None:
        """Show which line is played; None: none is."""
        self._playing = id
        self._draw()

    @property
    def wraps(self) -> int:
        """Lines wrapped so far to know their height: what the work of `pull` is counted in."""
        return self._port.flow.wraps

    def pull(self) -> None:
        """Bring the screen up to date with the transcript; does nothing when nothing changed."""
        if not self._port.height:
            return
        self._search_on()
        if self._transcript.version != self._seen:
            self._take_changes()
            self._place()
        elif self._port.flow.refine():
            self._place()
        self._show_ticks()

    def search(self, matcher: "Matcher | None") -> None:
        """Search for something else, from where one was reading when the search began; None ends the search.

        `pull` searches on, goes to the first hit when it is found, and looks at new lines as they come.
        """
        self._take_changes()
        if self._left is None:
            self._left = (self._port.place(), self._cursor)
        place, self._cursor = self._left
        self._port.come_back(place)
        self.walk.look_for(matcher, self._port.top_index(place))
        self._search_on()
        self._take_changes()
        self._place()

    def search_from_cursor(self, matcher: "Matcher") -> None:
        """Search for something, where the line under the cursor was found already."""
        self._take_changes()
        self._left = (self._port.place(), self._cursor)
        self.walk.look_for(matcher, 0 if self._cursor is None else self._transcript.index_of(self._cursor))
        self.walk.current = self._cursor
        self._search_on()
        self._place()

    def move_to_hit(self, step: int) -> None:
        """Go to the next hit (1) or the one before (-1), round the ends."""
        self._take_changes()
        if (hit := self.walk.move(step)) is not None:
            self.go_to(hit)

    def end_search(self, *, stay: bool) -> None:
        """Forget the search; stay where one is, or go back to where one was."""
        self._take_changes()
        left, self._left = self._left, None
        self.walk.look_for(None, 0)
        if left is not None and not stay:
            place, self._cursor = left
            self._port.come_back(place)
        self._place()
        self._show_ticks()

    def go_to(self, id: int) -> None:
        """Put the cursor on a line and have it on the screen. Raises KeyError when no line has this id."""
        self._take_changes()
        self._port.reveal(self._transcript.index_of(id))
        self._cursor = id
        self._place()

    def bring_cursor(self) -> None:
        """Have the cursor on a line that is on the screen: on the nearest one where it was scrolled away from."""
        self._take_changes()
        shown = self._shown
        if self.following or self._cursor is None or not shown:
            return
        index = self._transcript.index_of(self._cursor)
        if not shown[0] <= index <= shown[-1]:
            self._cursor = self._transcript.id_at(shown[0] if index < shown[0] else shown[-1])
            self._draw()

    def to_end(self) -> None:
        """Go to the end and follow it."""
        self._take_changes()
        self._port.follow()
        self._cursor = self._rows.newest()
        self._place()

    def to_start(self) -> None:
        """Go to the first line and stay there."""
        self._take_changes()
        self._port.stay(0)
        self._cursor = self._transcript.id_at(0) if len(self._transcript) else None
        self._place()

    def action_follow(self) -> None:
        """`to_end`, as a key."""
        self.screen.clear_selection()
        self.to_end()

    def action_to_start(self) -> None:
        """`to_start`, as a key."""
        self.screen.clear_selection()
        self.to_start()

    def action_page_up(self) -> None:
        """Scroll up by a screen less one row; at the top, go to the first line."""
        if self._port.top:
            self._scroll_by(-max(1, self._port.height - 1))
        else:
            self.to_start()

    def action_page_down(self) -> None:
        """Scroll down by a screen less one row."""
        self._scroll_by(max(1, self._port.height - 1))

    def action_half_page_up(self) -> None:
        """Scroll up by half a screen."""
        self._scroll_by(-max(1, self._port.height // 2))

    def action_half_page_down(self) -> None:
        """Scroll down by half a screen."""
        self._scroll_by(max(1, self._port.height // 2))

    def _scroll_by(self, rows: int) -> None:
        """Scroll by a key, which takes the cursor along; the wheel leaves it where it is."""
        self._take_changes()
        self._scroll_rows(rows)
        self.bring_cursor()

    def action_cursor_up(self) -> None:
        """Move the cursor to the line above; nothing is selected any more."""
        self.screen.clear_selection()
        self._move_cursor(-1)

    def action_cursor_down(self) -> None:
        """Move the cursor to the line below; from the last one, or to what is being said, follow. Select nothing."""
        self.screen.clear_selection()
        self._move_cursor(1)

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Textual styles it again, which costs 2 ms: no style depends on the focus."""

    def render_line(self, y: int) -> Strip:
        """A row of the screen; blank below the text."""
        return self._rows.strip(y, self._look, self._pill)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text, a row for each line or paragraph; what is seen is what is copied."""
        text = selected_text(self._transcript, selection, self._port.flow.continues)
        return None if text is None else (text, "\n")

    def in_sight(self, selection: Selection) -> Selection:
        """A selection with the ends of the screen where Textual gives it none: where a drag leaves the view."""
        shown = [id for id in self._rows.ids if id in self._transcript]
        start, end = selection
        if shown and start is None:
            start = Offset(0, shown[0])
        if shown and end is None:
            end = Offset(2 * len(self._transcript.text_of(shown[-1])), shown[-1])  # signs for controls are no longer
        return Selection(start, end)

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw the rows again whose selection changed."""
        self._draw()

    def restyle(self) -> None:
        """Forget everything that was drawn in other colours."""
        self._rows.painter.restyle()
        self._drawn = []

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Distinguish a scroll of the person from one of ours, and from Textual's while the size changes."""
        super().watch_scroll_y(old_value, new_value)
        moved = round(new_value) - round(old_value)
        if moved and not self._placing and self._fits_screen:
            self._take_changes()
            self._scroll_rows(moved)

    def on_resize(self) -> None:
        """Wrap to the new width; the row that is being read stays, also where something above takes or leaves rows."""
        self._take_changes()
        moved, self._begins = self.region.y - self._begins, self.region.y
        if moved and not self.following and self._rows.ids:
            top = self._port.top + moved
            if moved > 0 and self._cursor in self._rows.ids:
                first, _ = self._port.flow.extent(self._transcript.index_of(self._cursor))
                top = min(top, max(first, self._port.top))
            self._port.stay(max(0, top))
        self._place()

    def on_click(self, event: events.Click) -> None:
        """A click or the end of a drag moves the cursor, a double click selects the word and a triple click the line.

        On the label in the last row it goes to the end.
        """
        event.prevent_default()  # Textual would select everything
        pill = self._pill
        if pill and event.y == self._port.height - 1 and event.x >= self._rows.size.width - len(pill) - 2:
            self.to_end()
            return
        _, place = self.screen.get_widget_and_offset_at(event.screen_x, event.screen_y)
        if place is None or place.y not in self._transcript:
            return
        if event.chain == 1:  # or the end of a drag
            self._put_cursor(place.y)
            return
        text = self._transcript.text_of(place.y)
        span = word_at(text, place.x) if event.chain == 2 else (0, len(text))  # noqa: PLR2004
        if span is not None:
            self.screen.selections = {self: selection_of(place.y, span)}

    def _put_cursor(self, id: int) -> None:
        """Put the cursor on a line that is on the screen; on the newest one it goes on following."""
        if not (self.following and id == self._rows.newest()):
            self._take_changes()
            self._cursor = id
            self._show_line(self._transcript.index_of(id))

    @property
    def _fits_screen(self) -> bool:
        """Whether the rows were placed for the size that the view has now."""
        return self.scrollable_content_region.size == self._rows.size

    @property
    def _pill(self) -> str:
        if self._port.following or self._port.shows_all or not self._grows:
            return ""
        return f"{self._port.new_count:,} new · End to follow" if self._port.new_count else "End to follow"

    def _take_changes(self) -> None:
        """Follow the transcript and the size of the view, without moving anything yet."""
        self._rows.take_changes(self.scrollable_content_region.size)
        self._unsure.sync()
        self._seen = self._transcript.version
        if self._port.following or self._cursor not in self._transcript:
            self._cursor = self._rows.newest()

    def _scroll_rows(self, moved: int) -> None:
        """Scroll as the person wants. Changes were taken before."""
        self._port.scroll(moved)
        if self._port.following:
            self._cursor = self._rows.newest()
        self._place()

    @property
    def _shown(self) -> list[int]:
        """The places of the lines that are on the screen, from top to bottom."""
        return [self._transcript.index_of(id) for id in self._rows.ids if id in self._transcript]

    def _move_cursor(self, step: int) -> None:
        self._take_changes()
        transcript = self._transcript
        if self._cursor is None:
            return
        index = transcript.index_of(self._cursor) + step
        shown = self._shown
        if shown and not shown[0] - 1 <= index <= shown[-1] + 1:
            index = shown[0] if step > 0 else shown[-1]
        index, end = max(0, index), len(transcript) - (not transcript.partials)
        if step > 0 and index >= end:
            self.to_end()
            return
        self._cursor = transcript.id_at(index)
        self._show_line(index)

    def _show_line(self, index: int) -> None:
        """Have a line on the screen with as little scrolling as possible, and stay there."""
        port = self._port
        first, behind = port.flow.extent(index)
        port.stay(min(first, max(port.top, behind - max(1, port.height - 1))))
        self._place()

    def _place(self) -> None:
        """Put the rows where they belong on the screen and draw those that are not what they were."""
        port, size = self._port, self._rows.size
        if not size:
            return
        port.settle()
        top = port.top
        self._placing = True
        virtual = Size(size.width, port.rows + max(0, top - port.last_top))
        if virtual != self.virtual_size:
            # Setting it as usual would have the whole screen laid out again, though the view stays as large as it is.
            self.set_reactive(cast("Reactive[Size]", TranscriptView.virtual_size), virtual)
            self._scroll_update(virtual)
        if round(self.scroll_y) != top:
            self.scroll_to(y=top, animate=False)
        self._placing = False
        self._rows.lay()
        self._draw()
        self._learn()

    def _learn(self) -> None:
        """Ask for the unsure words of the lines on the screen, if some are not known and not asked for already."""
        if not self._learning and self._unsure.missing(self._rows.ids):
            self._learning = True
            self.run_worker(self._learn_all(), group="unsure", exit_on_error=False)

    async def _learn_all(self) -> None:
        """Ask until all is known of what is on the screen by then."""
        try:
            while lines := self._unsure.missing(self._rows.ids):
                await self._unsure.learn(lines, lambda: self._rows.ids)
                self._draw()
        finally:
            self._learning = False

    def _draw(self) -> None:
        """Refresh the rows whose strip is another one; none once the view has been taken away."""
        if not self.is_attached:
            return
        pill = self._pill
        strips = [self._rows.strip(y, self._look, pill) for y in range(self._port.height)]
        if len(strips) != len(self._drawn):
            self.refresh()
        else:
            both = zip(self._drawn, strips, strict=True)
            draw_rows(self, [y for y, (old, new) in enumerate(both) if old is not new])
        self._drawn = strips

    def _search_on(self) -> None:
        """Search for a few milliseconds, and again as soon as other work has had its turn."""
        if (hit := self.walk.step()) is not None:
            self.go_to(hit)
        if self.walk.counting and not self._searching_on:
            self._searching_on = True
            self.set_timer(_TURN_S, self._next_turn)

    def _next_turn(self) -> None:
        self._searching_on = False
        self._search_on()

    def _look(self, id: int) -> Look:
        """What is special about a line now."""
        span = selected_span(self._transcript, self.text_selection, id)
        unsure = self._unsure.spans(id)
        transcript = self._transcript
        line = transcript.line_of(id) if id in transcript else None
        voice = transcript.voices.place(line.track, line.speaker) if line is not None else 0
        current = id == self.walk.current
        return Look(id == self._cursor, id == self._playing, span, self.walk.matcher, current, unsure, voice)

    def _show_ticks(self) -> None:
        """Where there are hits, beside the text."""
        ticks = self.walk.ticks(self._port.height, self._port.flow, self._port.rows)
        show_ticks(self.vertical_scrollbar, ticks, self._rows.painter.inks.tick)
