"""Asks before a recording that has gone on for a while is ended."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.keys import format_key
from textual.widgets import Static

from mictape.screens.modal import Question
from mictape.widgets.key_hints import pressing

FINISHED: Final = "The text is finished before Mictape quits."


Answer = bool | Literal["export"]
"""Whether to stop recording and quit, or that the text is to be exported before."""


class LeaveScreen(Question[Answer | None]):
    """Whether to stop recording and quit. The result is None when the app is left otherwise."""

    quits = True
    CSS_PATH = "recover.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "answer(True)", "stop"),
        Binding("escape,n", "answer(False)", "go on recording"),
    ]

    def __init__(
        self, length: str, keys: Sequence[str], what_comes: str = FINISHED, export_keys: Sequence[str] = ()
    ) -> None:
        """Prepare.

        Args:
            length: how much was recorded, as it is shown.
            keys: those that quit, as Textual names them.
            what_comes: of it when Mictape quits.
            export_keys: those that export the text, where that is offered.
        """
        super().__init__()
        self._found = f"{length} recorded. {what_comes}"
        self._answers: Mapping[Answer, Sequence[str]] = {True: keys, "export": export_keys}

    def compose(self) -> ComposeResult:
        """The question, and the answers."""
        with Vertical(id="box") as box:
            box.border_title = "Stop recording?"
            yield Static(self._found, id="found", markup=False)
            ways = {"Enter": "stop and quit", **self._export_way(), "Esc": "go on recording"}
            hints = [pressing(key, Content(f"{key}  {what}")) for key, what in ways.items()]
            yield Static(Content("     ").join(hints), id="ways")

    def _export_way(self) -> Mapping[str, str]:
        return {format_key(key): "export" for key in self._answers["export"][:1]}

    def on_mount(self) -> None:
        """The key that asked is the answer, too."""
        for answer, keys in self._answers.items():
            for key in keys:
                self._bindings.bind(key, f"answer({answer!r})", show=False)

    def action_answer(self, answer: Answer) -> None:
        """Take one of them."""
        self.dismiss(answer)
