"""A field for one line of text that has as many rows as the text needs.

Not imported before a dialog needs it: Textual's text area is heavy.
"""

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea


class LineField(TextArea):
    """Text without line breaks, wrapped. Enter submits it; at its first and last row, up and down leave it."""

    DEFAULT_CSS = """
    LineField {
        height: auto;
        max-height: 10;
        width: 1fr;
        padding: 0;
        border: none;
        background: $panel;
        color: $foreground;
        & .text-area--cursor-line { background: transparent; }
        &:focus { border: none; }
        &:focus .text-area--cursor-line { background: transparent; }
    }
    """

    @dataclass
    class Submitted(Message):
        """Enter was pressed."""

        text: str
        place: int
        """Character before which the cursor stands."""

    def __init__(self, text: str, place: int | None = None, *, read_only: bool = False, id: str | None = None) -> None:
        """Prepare.

        Args:
            text: What stands in it; line breaks become spaces.
            place: Character before which the cursor begins; None: behind the last one.
            read_only: Whether only the cursor is moved.
            id: Of the widget.
        """
        super().__init__(" ".join(text.splitlines()), read_only=read_only, compact=True, soft_wrap=True, id=id)
        self.cursor_blink = False
        self._start = len(self.text) if place is None else min(place, len(self.text))

    def on_mount(self) -> None:
        """The cursor begins where it was asked for."""
        self.place = self._start

    @property
    def place(self) -> int:
        """Character before which the cursor stands."""
        return self.cursor_location[1]

    @place.setter
    def place(self, place: int) -> None:
        self.move_cursor((0, place))

    def put(self, text: str) -> None:
        """Show another text, with the cursor behind it."""
        self.load_text(" ".join(text.splitlines()))
        self.place = len(self.text)

    def action_delete_to_start_of_line(self) -> None:
        """Delete from the cursor to the start of the text, which is one line however many rows it has."""
        self._delete_via_keyboard(self.selection.end, self.document.start)

    async def action_delete_to_end_of_line_or_delete_line(self) -> None:
        """Delete from the cursor to the end of the text."""
        self._delete_via_keyboard(self.selection.end, self.document.end)

    def on_key(self, event: events.Key) -> None:
        """Enter submits; up and down leave the field where it has no other row."""
        if event.key == "enter":
            self.post_message(self.Submitted(self.text, self.place))
        elif event.key == "up" and self.navigator.is_first_wrapped_line(self.cursor_location):
            self.screen.focus_previous()
        elif event.key == "down" and self.navigator.is_last_wrapped_line(self.cursor_location):
            self.screen.focus_next()
        else:
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted becomes part of the line."""
        event.stop()
        event.prevent_default()
        if not self.read_only:
            self.replace(" ".join(event.text.splitlines()), *self.selection)
