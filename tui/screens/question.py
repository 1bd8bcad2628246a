"""What every screen has that asks the person something and then goes."""

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Question(ModalScreen[Answer]):
    """A modal screen whose workers end with the answer.

    Textual takes a screen's widgets away before it cancels the screen's workers; a worker that wakes up in between
    finds no widget, and its error ends the app.
    """

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Leave with the answer; no worker of this screen goes on after this."""
        going = super().dismiss(result)
        self.workers.cancel_node(self)
        return going
