"""Hints that name a key, and press it when they are clicked on."""

import re
from typing import Any, Final, cast

from textual.app import App
from textual.content import Content
from textual.events import Click, Key
from textual.style import Style
from textual.widget import Widget

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
    if ctrl := re.fullmatch(r"\^(\w)", name):
        key = f"ctrl+{ctrl[1]}"
    elif re.fullmatch(r"F\d+", name):
        key = name.lower()
    else:
        key = _KEYS.get(name.lower(), name if len(name) == 1 and name.isalnum() else "")
    return content.stylize(Style.from_meta({_PRESSES: key}), start, end) if key else content


def press_hint(widget: Widget, event: Click) -> None:
    """Press the key whose hint was clicked on within a widget, if it was one."""
    key = event.style.meta.get(_PRESSES)
    if key is not None:
        event.stop()
        pressed = Key(key, "+" if key == "plus" else key if len(key) == 1 else None)
        app = cast("App[Any]", widget.app)  # pyright: ignore[reportUnknownMemberType]  (Textual gives no type arguments)
        pressed.set_sender(app)  # from a screen it would not rise to it
        app.post_message(pressed)
