"""Asks before a recording that has gone on for a while is ended."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from mictape.screens.modal import Question

FINISHED: Final = "The text is finished before Mictape quits."


class LeaveScreen(Question[bool | None]):
    """Whether to stop recording and quit. The result is None when the app is left otherwise."""

    CSS_PATH = "recover.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "answer(True)", "stop"),
        Binding("escape,n", "answer(False)", "go on recording"),
    ]

    def __init__(self, length: str, keys: Sequence[str], what_comes: str = FINISHED) -> None:
        """Prepare.

        Args:
            length: how much was recorded, as it is shown.
            keys: those that quit, as Textual names them.
            what_comes: of it when Mictape quits.
        """
        super().__init__()
        self._found = f"{length} recorded. {what_comes}"
        self._keys = keys

    def compose(self) -> ComposeResult:
        """The question, and the two answers."""
        with Vertical(id="box") as box:
            box.border_title = "Stop recording?"
            yield Static(self._found, id="found", markup=False)
            yield Static("Enter  stop and quit     Esc  go on recording", id="ways")

    def on_mount(self) -> None:
        """The key that asked is the answer, too."""
        for key in self._keys:
            self._bindings.bind(key, "answer(True)", show=False)

    def action_answer(self, stop: bool) -> None:
        """Take one of the two."""
        self.dismiss(stop)
