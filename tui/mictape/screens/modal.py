"""What every screen has that asks the person something and then goes."""

from typing import TypeVar

from textual.await_remove import AwaitRemove
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Question(ModalScreen[Answer]):
    """A modal screen whose workers end with the answer.

    Textual takes a screen's widgets away before it cancels the screen's workers; a worker that wakes up in between
    finds no widget, and its error ends the app.
    """

    def remove(self) -> AwaitRemove:
        """Take the screen away, however it was left; no worker of it goes on after this."""
        self.workers.cancel_node(self)  # pyright: ignore[reportUnknownMemberType]  (Textual gives no type arguments)
        return super().remove()
