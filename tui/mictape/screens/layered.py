"""What every screen has: changes that are seen through dialogs, and what Escape does."""

from collections.abc import Sequence
from typing import Any, TypeVar

from textual.events import Key
from textual.screen import Screen

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
