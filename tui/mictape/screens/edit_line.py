"""One line opened: its text, who speaks, and a word that the engine is to expect."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from mictape.screens.modal import Question
from mictape.transcript.model import Line
from mictape.units import clock


@dataclass(frozen=True, slots=True)
class LineEdit:
    """What the person changed; None: left as it is."""

    text: str | None = None
    speaker: str | None = None
    """A name for the line's speaker, in every line of theirs."""
    key_term: str | None = None
    """A word that the engine is to expect."""


class EditLine(Question[LineEdit | None]):
    """Edits a line. The result is what changed, or None when it was left."""

    CSS_PATH = "prompt.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
        # Before the input, which has no use for it.
        Binding("ctrl+r", "restore", "restore", priority=True),
    ]

    _text = getters.query_one("#text", Input)
    _speaker = getters.query_one("#speaker", Input)
    _key_term = getters.query_one("#key_term", Input)

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        """Three fields, and the engine's own text where it differs."""
        line = self._line
        with Vertical(id="box") as box:
            box.border_title = f"Line at {clock(line.start)}"
            box.border_subtitle = "enter: save · ↑↓: fields · esc: cancel"
            yield from _field("text", "text", line.text)
            yield from _field("speaker", "speaker", line.speaker or "", "a name, for every line of this speaker")
            yield from _field("key_term", "key term", "", "a word or name to boost from now on")
            if line.original is not None:
                yield Static(f"original: {line.original}\nctrl+r restores it", id="note", markup=False)

    def on_mount(self) -> None:
        """The text comes first."""
        self._text.focus()

    def action_restore(self) -> None:
        """Put the engine's own text back; Enter saves it."""
        if self._line.original is not None:
            self._text.value = self._line.original

    def action_leave(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        event.stop()
        text, speaker, term = (field.value.strip() for field in (self._text, self._speaker, self._key_term))
        self.dismiss(
            LineEdit(
                text if text and text != self._line.text else None,
                speaker if speaker and speaker != self._line.speaker else None,
                term or None,
            )
        )


def _field(id: str, name: str, value: str, placeholder: str = "") -> Iterator[Horizontal]:
    """A name and a line to type into."""
    yield Horizontal(
        Static(name, classes="name"),
        Input(value, id=id, placeholder=placeholder, compact=True, select_on_focus=False),
    )
