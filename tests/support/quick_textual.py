"""Textual at less cost in tests: what each app works out again is worked out once, and what nobody sees is drawn late.

Two thirds of the CPU of a headless app are Textual's. Its private functions are replaced for that, all of them here.
"""

from typing import Any, Final
from weakref import WeakSet

import pytest
from rich.console import RenderableType
from textual._compositor import Compositor
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.screen import Screen
from textual.strip import Strip

UNDRAWN_S: Final = 0.5


def textual_at_less_cost(patch: pytest.MonkeyPatch) -> None:
    """Replace what costs most, until `patch` is undone."""
    _parse_once(patch)
    _draw_later(patch)


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
