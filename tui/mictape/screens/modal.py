"""What every screen has that asks the person something and then goes."""

import re
from typing import Any, Final, cast

from textual.app import App
from textual.await_remove import AwaitRemove
from textual.content import Content
from textual.events import Click, Key
from textual.screen import ModalScreen
from textual.style import Style
from textual.worker import Worker, WorkType

from mictape.screens.layered import Answer, Layered

_KEYS: Final = {"enter": "enter", "esc": "escape", "tab": "tab", "pgdn": "pagedown", "+": "plus"}
"""Keys as hints call them, and as Textual does; beside letters, and `^` for Ctrl."""

_PRESSES: Final = "mictape.presses"
"""Under this name a hint has the key that a click on it presses. Textual's own way, `@click`, changes its colours."""

_HINT: Final = re.compile(r"(?P<key>[^\s·]+) +\S.*?(?= {2,}| · |$)")


def clickable(hints: str | Content) -> Content:
    """Hints like `enter: save · esc: cancel` or `enter use  esc cancel`; a click on one presses its key."""
    content = Content(hints) if isinstance(hints, str) else hints
    for hint in _HINT.finditer(content.plain):
        content = pressing(hint["key"].rstrip(":"), content, *hint.span())
    return content


def key_row(*keys: tuple[str, str]) -> Content:
    """Keys and what they do, for the last row of a dialog; a click on one presses it."""
    parts = (Content.assemble((key, "$footer-key-foreground bold"), " ", what) for key, what in keys)
    return clickable(Content("  ").join(parts))


def pressing(name: str, content: Content, start: int = 0, end: int | None = None) -> Content:
    """Content in which a click on a part presses a key, by its name in hints; as it was where that names no key."""
    ctrl = re.fullmatch(r"\^(\w)", name)
    key = f"ctrl+{ctrl[1]}" if ctrl else _KEYS.get(name.lower(), name if len(name) == 1 and name.isalnum() else "")
    return content.stylize(Style.from_meta({_PRESSES: key}), start, end) if key else content


class Question(Layered[Answer], ModalScreen[Answer]):
    """A modal screen whose workers end with the answer.

    Textual takes a screen's widgets away before it cancels the screen's workers, and may mount a screen that is being
    taken away: a worker that runs then finds no widget.
    """

    _leaving = False

    def on_click(self, event: Click) -> None:
        """Do what a key does, where it is its hint that was clicked on."""
        key = event.style.meta.get(_PRESSES)
        if key is not None:
            event.stop()
            pressed = Key(key, "+" if key == "plus" else key if len(key) == 1 else None)
            app = cast("App[Any]", self.app)  # pyright: ignore[reportUnknownMemberType]  (Textual gives no type arguments)
            pressed.set_sender(app)  # from this screen it would not rise to it
            app.post_message(pressed)

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
