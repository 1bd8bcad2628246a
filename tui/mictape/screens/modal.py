"""What every screen has that asks the person something and then goes."""

from typing import Any

from textual.await_remove import AwaitRemove
from textual.events import Click
from textual.screen import ModalScreen
from textual.worker import Worker, WorkType

from mictape.screens.layered import Answer, Layered
from mictape.widgets.key_hints import press_hint


class Question(Layered[Answer], ModalScreen[Answer]):
    """A modal screen whose workers end with the answer.

    Textual takes a screen's widgets away before it cancels the screen's workers, and may mount a screen that is being
    taken away: a worker that runs then finds no widget.
    """

    quits = False
    """Whether the key that copies or quits quits in it, too; else it closes it."""

    _leaving = False

    def on_click(self, event: Click) -> None:
        """Do what a key does, where it is its hint that was clicked on."""
        press_hint(self, event)

    def remove(self) -> AwaitRemove:
        """Take the screen away, however it was left; no worker of it goes on or begins after this."""
        self._leaving = True
        self.workers.cancel_node(self)  # pyright: ignore[reportUnknownMemberType]  (Textual gives no type arguments)
        return super().remove()

    def run_worker(  # what is passed on has Textual's types
        self,
        work: WorkType[Any],
        *arguments: Any,  # noqa: ANN401
        start: bool = True,
        **options: Any,  # noqa: ANN401
    ) -> Worker[Any]:
        """As Textual's, which a coroutine function must be given; not started once the screen is being taken away."""
        return super().run_worker(work, *arguments, start=start and not self._leaving, **options)
