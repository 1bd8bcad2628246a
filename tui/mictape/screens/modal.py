"""What every screen has that asks the person something and then goes."""

from collections.abc import Sequence
from typing import Any, TypeVar

from textual.await_remove import AwaitRemove
from textual.events import Key
from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkType

Answer = TypeVar("Answer")


class Layered(Screen[Answer]):
    """A screen whose changes are seen through all the dialogs above it, and that is not left while text is selected.

    Textual draws the dialog on top again where a screen below it changes. It draws the dialogs in between only when
    they change themselves, so that behind two of them everything would stand still.
    """

    def key_escape(self, event: Key) -> None:
        """Drop what is selected, and do nothing else: Textual would go on to what the key is bound to."""
        if self.selections:
            self.clear_selection()
            event.stop()

    def _compositor_refresh(self) -> None:
        changed = tuple(self._compositor._dirty_regions)  # pyright: ignore[reportPrivateUsage]  (no public name)
        stack: Sequence[Screen[Any]] = self.app.screen_stack  # pyright: ignore[reportUnknownMemberType]  (no type arguments)
        if changed and self in stack:
            for dialog in stack[stack.index(self) + 1 : -1]:
                dialog._set_dirty(*changed)
        super()._compositor_refresh()


class Question(Layered[Answer], ModalScreen[Answer]):
    """A modal screen whose workers end with the answer.

    Textual takes a screen's widgets away before it cancels the screen's workers, and may mount a screen that is being
    taken away: a worker that runs then finds no widget.
    """

    _leaving = False

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
