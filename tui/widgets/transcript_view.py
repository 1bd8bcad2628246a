"""The transcript on the screen: follows the newest words, or stays on the row that is being read."""

from dataclasses import dataclass
from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tui.transcript.layout import Layout
from tui.transcript.model import SPEECH, Change, Line, PartialText, Transcript
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
    index: int
    """Of the line; -1 for a partial."""
    row: int
    """Which of its rows."""


@dataclass(slots=True)
class _Anchor:
    """The first row of the screen, in terms that survive whatever happens above it."""

    id: int | None
    """The line; None when it is in the partials, behind all lines."""
    index: int
    """Where the line stands, or stood when it was removed; the number of lines for the partials."""
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
        self._flow = Layout(transcript, 1)
        self._painter = Painter(self._mix_inks)
        self._seen = -1
        """Version of the transcript that is on the screen."""
        self._height = 0
        self._following = True
        self._new_count = 0
        self._anchor = _Anchor(None, 0, 0)
        self._cursor: int | None = None
        self._unfinished: list[_Unfinished] = []
        self._rows: list[_Row] = []
        self._drawn: list[Strip] = []
        self._selected: tuple[_Point, _Point] | None = None
        self._placing = False
        """While it scrolls by itself."""

    @property
    def following(self) -> bool:
        """Whether the end is on the screen and will stay there."""
        return self._following

    @property
    def new_count(self) -> int:
        """Lines that came in below since it stopped following."""
        return self._new_count

    @property
    def cursor_id(self) -> int | None:
        """The line that commands act on: the newest final one while following; None without lines."""
        return self._cursor

    @property
    def wraps(self) -> int:
        """Lines wrapped so far to know their height: what the work of `pull` is counted in."""
        return self._flow.wraps

    def pull(self) -> None:
        """Bring the screen up to date with the transcript; does nothing when nothing changed."""
        if not self._height:
            return
        if self._transcript.version != self._seen:
            self._take_changes()
            self._place()
        elif self._flow.refine():
            self._place()

    def to_end(self) -> None:
        """Go to the end and follow it."""
        self._take_changes()
        self._follow()
        self._place()

    def to_start(self) -> None:
        """Go to the first line and stay there."""
        self._take_changes()
        if len(self._transcript):
            self._cursor = self._transcript.id_at(0)
        self._scroll_rows(-self._total)

    def action_to_end(self) -> None:
        """`to_end`, as a key."""
        self.to_end()

    def action_to_start(self) -> None:
        """`to_start`, as a key."""
        self.to_start()

    def action_page(self, direction: int) -> None:
        """Scroll by a screen less one row, down (1) or up (-1)."""
        self._take_changes()
        self._scroll_rows(direction * max(1, self._height - 1))

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
        if pill and event.y == self._height - 1 and event.x >= self._painter.page.width - len(pill) - 2:
            self.to_end()

    @property
    def _total(self) -> int:
        """Rows of everything."""
        return self._flow.rows + sum(unfinished.height for unfinished in self._unfinished)

    @property
    def _fits_screen(self) -> bool:
        """Whether the rows were placed for the size that the view has now."""
        size = self.scrollable_content_region.size
        return size == Size(self._painter.page.width, self._height)

    @property
    def _pill(self) -> str:
        if self._following:
            return ""
        return f"{self._new_count:,} new · End to follow" if self._new_count else "End to follow"

    def _take_changes(self) -> None:
        """Follow the transcript and the size of the view, without moving anything yet."""
        transcript, flow = self._transcript, self._flow
        lines = flow.lines
        changes = flow.sync()
        if changes is None:
            self._count_new(len(transcript) - lines)
        for change in changes or ():
            self._shift_anchor(change)
        anchor = self._anchor
        if anchor.id is not None and anchor.id in transcript:
            anchor.index = transcript.index_of(anchor.id)
        anchor.index = min(anchor.index, len(transcript))
        self._seen = transcript.version
        self._fit_page()
        self._unfinished = [self._unfinished_of(track, partial) for track, partial in transcript.partials.items()]
        if self._following or self._cursor not in transcript:
            self._cursor = self._newest()

    def _shift_anchor(self, change: Change) -> None:
        """Keep the anchor's index right while lines come and go."""
        anchor = self._anchor
        in_partials = anchor.id is None
        if change.what == "added" and (
            change.index < anchor.index or (change.index == anchor.index and not in_partials)
        ):
            anchor.index += 1
        elif change.what == "added":
            self._count_new(1)
            if in_partials and change.index == anchor.index:
                # The unfinished text that was read has become this line.
                anchor.id = change.id
        elif change.what == "removed" and change.index < anchor.index:
            anchor.index -= 1

    def _count_new(self, lines: int) -> None:
        if not self._following:
            self._new_count += max(0, lines)

    def _fit_page(self) -> None:
        """Take the view's size and what the gutter needs."""
        transcript = self._transcript
        size = self.scrollable_content_region.size
        latest = transcript.start(-1) if len(transcript) else 0
        page = Page.fit(size.width, latest, transcript.speakers)
        self._height = size.height
        if page != self._painter.page:
            self._painter.use(page)
            self._flow.resize(page.text)

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

    def _top(self) -> int:
        """The row that is first on the screen, or will be."""
        last_top = max(0, self._total - self._height)
        if self._following:
            return last_top
        anchor, flow = self._anchor, self._flow
        top = flow.top_of(anchor.index)
        if anchor.index < flow.lines:
            return min(top + min(anchor.row, flow.top_of(anchor.index + 1) - top - 1), last_top)
        return min(top + anchor.row, last_top)

    def _follow(self) -> None:
        self._following = True
        self._new_count = 0
        self._cursor = self._newest()

    def _stay(self, row: int) -> None:
        """Stop following: this row is the first on the screen from now on."""
        if self._following:
            self._following = False
            self._new_count = 0
        flow = self._flow
        if row < flow.rows:
            index, below = flow.locate(row)
            self._anchor = _Anchor(self._transcript.id_at(index), index, below)
        else:
            self._anchor = _Anchor(None, flow.lines, row - flow.rows)

    def _scroll_rows(self, moved: int) -> None:
        """Scroll as the person wants; reaching the end follows. Changes were taken before."""
        top = self._top()
        last_top = max(0, self._total - self._height)
        target = max(0, min(top + moved, last_top))
        if moved > 0 and target == last_top:
            self._follow()
        elif target != top:
            self._stay(target)
        self._place()

    def _move_cursor(self, step: int) -> None:
        self._take_changes()
        transcript, flow = self._transcript, self._flow
        if self._cursor is None:
            return
        index = transcript.index_of(self._cursor) + step
        shown = [row.index for row in self._rows if row.index >= 0]
        if shown and not shown[0] - 1 <= index <= shown[-1] + 1:
            index = shown[0] if step > 0 else shown[-1]
        index = max(0, index)
        if index >= len(transcript) - 1 and step > 0:
            self.to_end()
            return
        self._cursor = transcript.id_at(index)
        top, first = self._top(), flow.top_of(index)
        behind = flow.top_of(index + 1)
        self._stay(min(first, max(top, behind - self._height)))
        self._place()

    def _place(self) -> None:
        """Put the rows where they belong on the screen and draw those that are not what they were."""
        if not self._height or not self._painter.page.width:
            return
        flow, transcript = self._flow, self._transcript
        reach = 2 * self._height
        flow.expose(len(transcript) if self._following else self._anchor.index, reach, reach)
        top = self._top()
        self._placing = True
        self.virtual_size = Size(self._painter.page.width, self._total)
        if round(self.scroll_y) != top:
            self.scroll_to(y=top, animate=False)
        self._placing = False
        self._rows = self._rows_from(top)
        self._draw()

    def _rows_from(self, top: int) -> list[_Row]:
        """What the rows of the screen show, as far as there is text."""
        flow, transcript = self._flow, self._transcript
        rows: list[_Row] = []
        skip = top - flow.rows
        if skip < 0:
            index, skip = flow.locate(top)
            while len(rows) < self._height and index < len(transcript):
                line = transcript.line(index)
                height = len(self._painter.line(line, cursor=line.id == self._cursor, span=None))
                rows.extend(_Row(line, index, row) for row in range(skip, height))
                index += 1
                skip = 0
        for unfinished in self._unfinished:
            height = unfinished.height
            rows.extend(_Row(unfinished, -1, row) for row in range(skip, height))
            skip = max(0, skip - height)
        return rows[: self._height]

    def _draw(self) -> None:
        """Refresh the rows whose strip is another one."""
        selection = self.text_selection
        self._selected = None if selection is None else self._points(selection)
        strips = [self._strip(y) for y in range(self._height)]
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
                    strip = painter.line(row.what, cursor=cursor, span=self._span(row.index))[row.row]
                case _Unfinished(partial, speaker):
                    strip = painter.partial(partial, speaker)[row.row]
        pill = self._pill
        return painter.labelled(strip, pill) if pill and y == self._height - 1 else strip

    def _span(self, index: int) -> tuple[int, int] | None:
        """The characters of a line that are selected."""
        if self._selected is None:
            return None
        (first, left), (last, right) = self._selected
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
