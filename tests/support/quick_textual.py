"""Textual at less cost in tests: what each app works out again is worked out once, and what nobody sees is drawn late.

Two thirds of the CPU of a headless app are Textual's. Its private functions are replaced for that, all of them here.
"""

from collections.abc import Awaitable, Callable, Iterator
from types import CodeType
from typing import Any, Final
from weakref import WeakSet

import pytest
from rich.console import RenderableType
from textual import _callback
from textual._compositor import Compositor
from textual.css.match import match
from textual.css.model import RuleSet, SelectorSet
from textual.css.stylesheet import Stylesheet
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.strip import Strip

UNDRAWN_S: Final = 0.5

Selectors = dict[str, tuple[SelectorSet, ...]]
Handler = tuple[type, Callable[..., Any], Selectors | None]
"""The class that has it, the function, and for `@on` what it is limited to, else None."""

_handlers: Final[dict[tuple[type, type[Message], str], list[Handler]]] = {}


def textual_at_less_cost(patch: pytest.MonkeyPatch) -> None:
    """Replace what costs most, until `patch` is undone."""
    _parse_once(patch)
    _draw_later(patch)
    _count_parameters_once(patch)
    patch.setattr(MessagePump, "_get_dispatch_methods", _handlers_of)


def forget_handlers() -> None:
    """Forget which methods handle which messages, when some may have been replaced."""
    _handlers.clear()


def _parse_once(patch: pytest.MonkeyPatch) -> None:
    """Parse a style sheet once for all apps of this process, where each would: it was a tenth of what they cost."""
    parsed: dict[tuple[object, ...], list[RuleSet]] = {}
    parse = Stylesheet._parse_rules

    def parse_once(sheet: Stylesheet, css: str, **place: Any) -> list[RuleSet]:
        key = (css, *place.values(), *sheet._variables.items())
        if key not in parsed:
            parsed[key] = parse(sheet, css, **place)
        return parsed[key]

    patch.setattr(Stylesheet, "_parse_rules", parse_once)


def _draw_later(patch: pytest.MonkeyPatch) -> None:
    """Draw what no terminal shows a moment after it has changed, or when a test looks at it, and not at each change.

    That was a quarter of what apps cost.
    """
    draw, look = Compositor.render_update, Compositor.render_strips
    waiting, due = WeakSet[Compositor](), WeakSet[Compositor]()

    def draw_later(self: Compositor, full: bool = False, **kwargs: Any) -> RenderableType | None:
        screen = self.root
        if full or self in due or not isinstance(screen, Screen) or not screen.app.is_headless:
            return draw(self, full, **kwargs)
        if self not in waiting:
            waiting.add(self)
            screen.set_timer(UNDRAWN_S, lambda: draw_now(self))
        return None  # what has changed stays noted

    def draw_now(self: Compositor) -> None:
        if self in waiting and isinstance(self.root, Screen):
            waiting.discard(self)
            due.add(self)
            self.root._compositor_refresh()
            due.discard(self)

    def look_at_it_drawn(self: Compositor, *args: Any) -> list[Strip]:
        draw_now(self)
        return look(self, *args)

    patch.setattr(Compositor, "render_update", draw_later)
    patch.setattr(Compositor, "render_strips", look_at_it_drawn)


def _count_parameters_once(patch: pytest.MonkeyPatch) -> None:
    """Count the parameters of a function once for all closures with its code: each was inspected."""
    count = _callback._count_parameters
    counts: dict[CodeType, int] = {}

    def count_once(func: Callable[..., Any]) -> int:
        code = getattr(func, "__code__", None)
        if code is None or hasattr(func, "__wrapped__") or hasattr(func, "__signature__"):
            return count(func)
        if code not in counts:
            counts[code] = count(func)
        return counts[code]

    patch.setattr(_callback, "_count_parameters", count_once)


def _handlers_of(
    self: MessagePump, method_name: str, message: Message
) -> Iterator[tuple[type, Callable[[Message], Awaitable[Any]]]]:
    """What handles a message, in Textual's order; classes are looked through once for each kind of message."""
    key = (type(self), type(message), method_name)
    if key not in _handlers:
        _handlers[key] = list(_find_handlers(*key))
    called: set[Callable[..., Any]] = set()
    looked_at: type | None = None
    for cls, method, selectors in _handlers[key]:
        if cls is not looked_at and message._no_default_action:
            return
        looked_at = cls
        if selectors is not None:
            if method in called or not _match(selectors, message):
                continue
            called.add(method)
        yield cls, method.__get__(self, cls)


def _find_handlers(kind: type, message_kind: type[Message], method_name: str) -> Iterator[Handler]:
    for cls in kind.__mro__:
        decorated = cls.__dict__.get("_decorated_handlers") or {}
        for each in message_kind.__mro__:
            for method, selectors in decorated.get(each, ()):
                yield cls, method, selectors
        named = cls.__dict__.get(f"_{method_name}") or cls.__dict__.get(method_name)
        if named is not None and not getattr(named, "_textual_on", None):
            yield cls, named, None


def _match(selectors: Selectors, message: Message) -> bool:
    """Whether a message is about the widgets that a handler is limited to."""
    if selectors and not message._sender:
        return False
    nodes = ((getattr(message, attribute), selector) for attribute, selector in selectors.items())
    return all(node is not None and match(selector, node) for node, selector in nodes)
