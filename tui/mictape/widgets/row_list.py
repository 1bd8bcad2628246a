"""A list that asks for a row when it draws it: ten thousand rows cost no more than those in view."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mictape.widgets.survives import SurvivesErrors

Part = tuple[str, str]
"""Text, and the end of the component class that it is drawn with: `detail` is `row-list--detail`."""

Row = Sequence[Part]


class RowList(SurvivesErrors, ScrollView, can_focus=True):
    """Rows with a cursor on one of them. Text is data: it is never read as markup."""

    ALLOW_SELECT = False

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row-list--text",
        "row-list--detail",
        "row-list--strong",
        "row-list--found",
        "row-list--live",
        "row-list--trouble",
        "row-list--cursor",
    }
    """
    | Class | Description |
    | :- | :- |
    | `row-list--text` | What a row is about. |
    | `row-list--detail` | Times and other detail. |
    | `row-list--strong` | Headings and names. |
    | `row-list--found` | What was searched for. |
    | `row-list--live` | What goes on now. |
    | `row-list--trouble` | What is wrong. |
    | `row-list--cursor` | The row under the cursor. |
    """

    DEFAULT_CSS = """
    RowList {
        background: transparent;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .row-list--text { color: $foreground; }
        & > .row-list--detail { color: $transcript-time; }
        & > .row-list--strong { color: $accent; text-style: bold; }
        & > .row-list--found { color: $foreground; text-style: bold underline; }
        & > .row-list--live { color: $success; text-style: bold; }
        & > .row-list--trouble { color: $error; }
        & > .row-list--cursor { color: $block-cursor-foreground; background: $block-cursor-background; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "turn(-1)", show=False),
        Binding("pagedown", "turn(1)", show=False),
        Binding("home", "go_to_end(False)", show=False),
        Binding("end", "go_to_end(True)", show=False),
        Binding("enter", "choose", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another row, or on other text."""

        index: int

    @dataclass
    class Chosen(Message):
        """Enter, or a click on the row under the cursor."""

        index: int

    def __init__(self, row: Callable[[int, int], Row], *, id: str | None = None) -> None:
        """Prepare.

        Args:
            row: Gives the parts of row `index` for a width in cells; called while it is drawn.
            id: Of the widget.
        """
        super().__init__(id=id)
        self._row = row
        self._count = 0
        self.cursor = 0
        """The row with the cursor; it stays on the last one when rows go."""

    @property
    def _width(self) -> int:
        """Cells of a row: the scrollbar has its own."""
        return self.scrollable_content_region.width

    def show(self, count: int, cursor: int | None = None) -> None:
        """Show so many rows.

        Args:
            count: How many there are.
            cursor: The row for the cursor; None: it stays where it is.
        """
        self._count = count
        self.virtual_size = Size(self._width, count)
        self.move_to(self.cursor if cursor is None else cursor)
        self.refresh()

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, and scroll so that it is in view."""
        self.cursor = max(0, min(index, self._count - 1))
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved(self.cursor))

    def action_move(self, step: int) -> None:
        """Move the cursor by rows."""
        self.move_to(self.cursor + step)

    def action_turn(self, step: int) -> None:
        """Move the cursor by a screen."""
        self.move_to(self.cursor + step * max(1, self.size.height - 1))

    def action_go_to_end(self, end: bool) -> None:
        """Move the cursor to the first or the last row."""
        self.move_to(self._count - 1 if end else 0)

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self._count:
            self.post_message(self.Chosen(self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; one on the row with the cursor chooses it."""
        index = event.y + self.scroll_offset.y
        if index == self.cursor:
            self.action_choose()
        elif index < self._count:
            self.move_to(index)

    def on_resize(self) -> None:
        """The row under the cursor stays in view."""
        self.show(self._count)

    def render_line(self, y: int) -> Strip:
        """A row, cut to the width."""
        width, index = self._width, y + self.scroll_offset.y
        if index >= self._count:
            return Strip.blank(width, self.rich_style)
        styles = {name: self._style(name, at_cursor=index == self.cursor) for name in self.COMPONENT_CLASSES}
        parts = self._row(index, width)
        segments = [Segment(text, styles[f"row-list--{tone}"]) for text, tone in parts]
        rest = styles["row-list--cursor"] if index == self.cursor else self.rich_style
        return Strip(segments).adjust_cell_length(width, rest)

    def _style(self, name: str, *, at_cursor: bool) -> Style:
        style = self.get_component_rich_style(name)
        if not at_cursor:
            return style
        return self.get_component_rich_style("row-list--cursor") + Style(bold=style.bold, underline=style.underline)
