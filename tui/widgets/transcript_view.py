"""The transcript on the screen: follows the newest words, or stays on the row that is being read."""

from dataclasses import dataclass
from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tui.transcript.model import SPEECH, Line, PartialText, Transcript
from tui.transcript.viewport import Viewport
from tui.transcript.wrapping import visible
from tui.widgets.transcript_strips import Inks, Page, Painter

_LOOK_BACK: Final = 64
"""Lines that are looked through, from the end, for the newest speech or a track's speaker."""

_ENDLESS: Final = 1 << 60
"""A character behind the end of every line."""

_Point = tuple[int, int]
"""A place in the text: index of the line, character."""


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """A track's partial, as it is shown."""

    partial: PartialText
    speaker: str | None
    height: int


@dataclass(frozen=True, slots=True)
class _Row:
    """What a row of the screen shows."""

    what: Line | _Unfinished
    row: int
    """Which of its rows."""


class TranscriptView(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows a transcript of any length and what is being said at its end.

    The app calls `pull` from its clock; nothing else reads the transcript. Each call does a bounded amount of
    work. While it follows, the end is on the screen; after any upward scroll it stays on its row, whatever
    comes in below or above, and says how much is new; reaching the end follows again.
    """

    ALLOW_SELECT = True

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "transcript--time",
        "transcript--mark",
        "transcript--speaker",
        "transcript--partial",
        "transcript--stable",
        "transcript--gap",
        "transcript--cursor",
        "transcript--pill",
    }

    DEFAULT_CSS = """
    TranscriptView {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        & > .transcript--time { color: $transcript-time; }
        & > .transcript--mark { color: $transcript-mark; }
        & > .transcript--speaker { text-style: bold; }
        & > .transcript--partial { color: $transcript-partial; text-style: italic; }
        & > .transcript--gap { color: $transcript-gap; }
        & > .transcript--cursor { background: $transcript-cursor; }
        & > .transcript--pill { color: $background; background: $transcript-pill; text-style: bold; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", "Line up", show=False),
        Binding("down", "cursor_down", "Line down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "to_start", "To the start", show=False),
        Binding("end", "to_end", "To the end", show=False),
    ]

    def __init__(
        self, transcript: Transcript, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._transcript = transcript
        self._port = Viewport(transcript, 1)
        self._painter = Painter(self._mix_inks)
        self._seen = -1
        """Version of the transcript that is on the screen."""
        self._cursor: int | None = None
        self._unfinished: list[_Unfinished] = []
        self._rows: list[_Row] = []
        self._drawn: list[Strip] = []
        self._placing = False
        """While it scrolls by itself."""

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
        what = self._rows[0].what if self._rows else None
        return what.id if isinstance(what, Line) else None

    @property
    def wraps(self) -> int:
        """Lines wrapped so far to know their height: what the work of `pull` is counted in."""
        return self._port.flow.wraps

    def pull(self) -> None:
        """Bring the screen up to date with the transcript; does nothing when nothing changed."""
        if not self._port.height:
            return
        if self._transcript.version != self._seen:
            self._take_changes()
            self._place()
        elif self._port.flow.refine():
            self._place()

    def to_end(self) -> None:
        """Go to the end and follow it."""
        self._take_changes()
        self._port.follow()
        self._cursor = self._newest()
        self._place()

    def to_start(self) -> None:
        """Go to the first line and stay there."""
        self._take_changes()
        self._port.stay(0)
        self._cursor = self._transcript.id_at(0) if len(self._transcript) else None
        self._place()

    def action_to_end(self) -> None:
        """`to_end`, as a key."""
        self.to_end()

    def action_to_start(self) -> None:
        """`to_start`, as a key."""
        self.to_start()

    def action_page(self, direction: int) -> None:
        """Scroll by a screen less one row, down (1) or up (-1)."""
        self._take_changes()
        self._scroll_rows(direction * max(1, self._port.height - 1))

    def action_cursor_up(self) -> None:
        """Move the cursor to the line above."""
        self._move_cursor(-1)

    def action_cursor_down(self) -> None:
        """Move the cursor to the line below; from the last one, follow."""
        self._move_cursor(1)

    def render_line(self, y: int) -> Strip:
        """A row of the screen; blank below the text."""
        return self._strip(y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text, a line each; what is seen is what is copied."""
        points = self._points(selection)
        if points is None:
            return None
        (first, left), (last, right) = points
        texts = [visible(self._transcript.text(index)) for index in range(first, last + 1)]
        texts[-1] = texts[-1][: max(0, right)]
        texts[0] = texts[0][max(0, left) :]
        return "\n".join(texts), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw the rows anew whose selection changed."""
        self._draw()

    def notify_style_update(self) -> None:
        """Forget everything that was drawn in other colours."""
        super().notify_style_update()
        self._painter.restyle()
        self._drawn = []

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell a scroll of the person from one of ours, and from Textual's while the size changes."""
        super().watch_scroll_y(old_value, new_value)
        moved = round(new_value) - round(old_value)
        if moved and not self._placing and self._fits_screen:
            self._take_changes()
            self._scroll_rows(moved)

    def on_resize(self) -> None:
        """Wrap to the new width; the row that is being read stays."""
        self._take_changes()
        self._place()

    def on_click(self, event: events.Click) -> None:
        """A click on the pill goes to the end."""
        pill = self._pill
        if pill and event.y == self._port.height - 1 and event.x >= self._painter.page.width - len(pill) - 2:
            self.to_end()

    @property
    def _fits_screen(self) -> bool:
        """Whether the rows were placed for the size that the view has now."""
        size = self.scrollable_content_region.size
        return size == Size(self._painter.page.width, self._port.height)

    @property
    def _pill(self) -> str:
        if self._port.following:
            return ""
        return f"{self._port.new_count:,} new · End to follow" if self._port.new_count else "End to follow"

    def _take_changes(self) -> None:
        """Follow the transcript and the size of the view, without moving anything yet."""
        transcript = self._transcript
        self._port.sync()
        self._seen = transcript.version
        self._fit_page()
        self._unfinished = [self._unfinished_of(track, partial) for track, partial in transcript.partials.items()]
        self._port.tail = sum(unfinished.height for unfinished in self._unfinished)
        if self._port.following or self._cursor not in transcript:
            self._cursor = self._newest()

    def _fit_page(self) -> None:
        """Take the view's size and what the gutter needs."""
        transcript = self._transcript
        size = self.scrollable_content_region.size
        latest = transcript.start(-1) if len(transcript) else 0
        page = Page.fit(size.width, latest, transcript.speakers)
        self._port.height = size.height
        if page != self._painter.page:
            self._painter.use(page)
            self._port.flow.resize(page.text)

    def _newest(self) -> int | None:
        """The newest final line: of speech, if there is one among the last."""
        transcript = self._transcript
        count = len(transcript)
        for index in range(count - 1, max(-1, count - 1 - _LOOK_BACK), -1):
            if transcript.line(index).kind == SPEECH:
                return transcript.id_at(index)
        return transcript.id_at(-1) if count else None

    def _unfinished_of(self, track: int, partial: PartialText) -> _Unfinished:
        speaker = self._speaker_of(track)
        return _Unfinished(partial, speaker, len(self._painter.partial(partial, speaker)))

    def _speaker_of(self, track: int) -> str | None:
        """Who spoke last on a track."""
        if not self._painter.page.speaker:
            return None
        transcript = self._transcript
        count = len(transcript)
        lines = (transcript.line(index) for index in range(count - 1, max(-1, count - 1 - _LOOK_BACK), -1))
        return next((line.speaker for line in lines if line.track == track and line.kind == SPEECH), None)

    def _scroll_rows(self, moved: int) -> None:
        """Scroll as the person wants. Changes were taken before."""
        self._port.scroll(moved)
        if self._port.following:
            self._cursor = self._newest()
        self._place()

    def _move_cursor(self, step: int) -> None:
        self._take_changes()
        transcript, flow = self._transcript, self._port.flow
        if self._cursor is None:
            return
        index = transcript.index_of(self._cursor) + step
        lines = [row.what.id for row in self._rows if isinstance(row.what, Line) and row.what.id in transcript]
        shown = [transcript.index_of(id) for id in lines]
        if shown and not shown[0] - 1 <= index <= shown[-1] + 1:
            index = shown[0] if step > 0 else shown[-1]
        index = max(0, index)
        if index >= len(transcript) - 1 and step > 0:
            self.to_end()
            return
        self._cursor = transcript.id_at(index)
        top, first = self._port.top, flow.top_of(index)
        behind = flow.top_of(index + 1)
        self._port.stay(min(first, max(top, behind - self._port.height)))
        self._place()

    def _place(self) -> None:
        """Put the rows where they belong on the screen and draw those that are not what they were."""
        if not self._port.height or not self._painter.page.width:
            return
        port = self._port
        port.settle()
        top = port.top
        self._placing = True
        self.virtual_size = Size(self._painter.page.width, port.rows)
        if round(self.scroll_y) != top:
            self.scroll_to(y=top, animate=False)
        self._placing = False
        self._rows = self._rows_from(top)
        self._draw()

    def _rows_from(self, top: int) -> list[_Row]:
        """What the rows of the screen show, as far as there is text."""
        flow, transcript = self._port.flow, self._transcript
        rows: list[_Row] = []
        skip = top - flow.rows
        if skip < 0:
            index, skip = flow.locate(top)
            while len(rows) < self._port.height and index < len(transcript):
                line = transcript.line(index)
                height = len(self._painter.line(line, cursor=line.id == self._cursor, span=None))
                rows.extend(_Row(line, row) for row in range(skip, height))
                index += 1
                skip = 0
        for unfinished in self._unfinished:
            height = unfinished.height
            rows.extend(_Row(unfinished, row) for row in range(skip, height))
            skip = max(0, skip - height)
        return rows[: self._port.height]

    def _draw(self) -> None:
        """Refresh the rows whose strip is another one."""
        strips = [self._strip(y) for y in range(self._port.height)]
        if len(strips) != len(self._drawn):
            self.refresh()
        else:
            both = zip(self._drawn, strips, strict=True)
            for y in [y for y, (old, new) in enumerate(both) if old is not new]:
                self.refresh(Region(0, y, self._painter.page.width, 1))
        self._drawn = strips

    def _strip(self, y: int) -> Strip:
        """A row of the screen, the same object as long as it shows the same."""
        painter = self._painter
        if y >= len(self._rows):
            strip = painter.blank()
        else:
            row = self._rows[y]
            match row.what:
                case Line():
                    cursor = row.what.id == self._cursor
                    strip = painter.line(row.what, cursor=cursor, span=self._span(row.what.id))[row.row]
                case _Unfinished(partial, speaker):
                    strip = painter.partial(partial, speaker)[row.row]
        pill = self._pill
        return painter.labelled(strip, pill) if pill and y == self._port.height - 1 else strip

    def _span(self, id: int) -> tuple[int, int] | None:
        """The characters of a line that are selected."""
        selection = self.text_selection
        points = None if selection is None or id not in self._transcript else self._points(selection)
        if points is None:
            return None
        (first, left), (last, right) = points
        index = self._transcript.index_of(id)
        if not first <= index <= last:
            return None
        return (left if index == first else 0, right if index == last else _ENDLESS)

    def _points(self, selection: Selection) -> tuple[_Point, _Point] | None:
        """Where a selection begins and ends; None when one of its lines is gone.

        Its offsets carry line ids. Textual orders them as if they were rows, and puts the end one behind the
        character under the pointer; lines that came in late have higher ids than those below them.
        """
        transcript = self._transcript
        ends = [offset for offset in selection if offset is not None]
        if not len(transcript) or any(offset.y not in transcript for offset in ends):
            return None
        start, end = [None if offset is None else (transcript.index_of(offset.y), offset.x) for offset in selection]
        if start is not None and end is not None and start > end:
            start, end = (end[0], end[1] - 1), (start[0], start[1] + 1)
        return start or (0, 0), end or (len(transcript) - 1, _ENDLESS)

    def _mix_inks(self) -> Inks:
        """The styles as the theme has them now."""
        part = self.get_component_rich_style
        return Inks(
            text=self.rich_style,
            time=part("transcript--time"),
            mark=part("transcript--mark"),
            speaker=part("transcript--speaker"),
            partial=part("transcript--partial"),
            stable=part("transcript--stable"),
            gap=part("transcript--gap"),
            cursor=part("transcript--cursor"),
            selection=self.screen.get_component_rich_style("screen--selection"),
            pill=part("transcript--pill"),
        )
