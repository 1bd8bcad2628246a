"""Drawing rows of a widget straight to the terminal, for what changes many times a second.

Textual's own way costs 4 ms of CPU for a single row: three messages, a timer, and rendering every widget that the rows
cross. Sixty changes in four seconds, as a level meter has during speech, were most of what the app cost. Below a dialog
it draws the whole screen again, which costs 20 ms.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, cast

from rich.control import Control
from textual._compositor import Compositor
from textual.app import App
from textual.driver import Driver
from textual.geometry import Region
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from mictape.widgets.inks import Inked

MOST: Final = 4
"""More rows than these are Textual's: it draws them together with what else has changed."""


_held: ContextVar[dict[App[object], list[str]] | None] = ContextVar("held", default=None)
"""What `written_at_once` writes at its end."""


class _Place(NamedTuple):
    """Where a widget can be drawn now."""

    content: Region
    """Its content, on the screen."""
    clip: Region
    """What of the screen its container gives it."""
    screen: Screen[Any]
    above: Sequence[Screen[Any]]
    """The dialogs above its screen, the one on top last."""

    def spans(self, widget: Widget, y: int) -> list[tuple[int, int]]:
        """The columns of the screen in which a row of the content can be seen: from one to before another."""
        row = Region(self.content.x, self.content.y + y, self.content.width, 1).intersection(self.clip)
        covered = any(screen.styles.background.a == 1 for screen in self.above)
        seen = row and not covered and self.content.contains_point((row.x, row.y))
        free = [(row.x, row.right)] if seen else []
        for screen in (self.screen, *self.above):
            for other, shown, _ in _compositor(screen).layers_visible[row.y] if free else ():
                if other in {widget, screen}:
                    break
                cuts = [(left, min(right, shown.x), max(left, shown.right), right) for left, right in free]
                free = [(left, right) for cut in cuts for left, right in (cut[:2], cut[2:]) if left < right]
        return free


@contextmanager
def written_at_once() -> Generator[None]:
    """Write all rows that are drawn within the block in one piece: each write wakes the thread that writes."""
    if _held.get() is not None:
        yield
        return
    token = _held.set(held := {})
    try:
        yield
    finally:
        _held.reset(token)
        for app, written in held.items():
            _write(app, written)


def draw_rows(widget: Widget, rows: Sequence[int]) -> None:
    """Draw rows of a widget's content whose `render_line` gives something else now.

    At once where the widget is on the screen, also below dialogs, else with Textual's next update. For widgets without
    opacity and tint.
    """
    if not rows:
        return
    place = _place(widget) if len(rows) <= MOST else None
    if place is None:
        widget.refresh(*(Region(0, y, widget.content_size.width, 1) for y in rows))
        return
    app = cast("App[object]", widget.app)
    x, top = place.content.offset
    written: list[str] = []
    for y in rows:
        if spans := place.spans(widget, y):
            strip = _filtered(widget.render_line(y), widget)
            for screen in place.above:
                tinted = BackgroundScreen.process_segments(strip, screen.styles.background)
                strip = _filtered(Strip(tinted), screen)
            for left, right in spans:
                written += (_move_to(left, top + y), strip.crop(left - x, right - x).render(app.console))
    if (held := _held.get()) is not None:
        held.setdefault(app, []).extend(written)
    else:
        _write(app, written)
    # Textual keeps rows as it has drawn them: it is to render these again when it next draws them.
    stale = [Region(0, y, widget.size.width, 1) for y in rows]
    widget._styles_cache.set_dirty(*(row.translate((0, widget.gutter.top)) for row in stale))  # pyright: ignore[reportPrivateUsage]  (there is no public way)
    for screen in place.above:
        screen._set_dirty(*(row.translate((x, top)) for row in stale))  # pyright: ignore[reportPrivateUsage]


def _filtered(strip: Strip, widget: Widget) -> Strip:
    """A strip as Textual's filters would have it, without colours for example."""
    for each in cast("App[object]", widget.app).get_line_filters():
        behind = widget.behind if isinstance(widget, Inked) else widget.background_colors[1]
        strip = strip.apply_filter(each, behind)
    return strip


def _place(widget: Widget) -> _Place | None:
    """Where to draw a widget; None where it cannot be seen now, or a test draws."""
    app = cast("App[Any]", widget.app)
    driver, held = _driver(app), app._batch_count  # pyright: ignore[reportPrivateUsage]  (there is no public way)
    if driver is None or driver.is_headless or held or not widget.is_attached:
        return None
    below = cast("list[Screen[Any]]", app._background_screens)  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
    seen, screen = [*below, app.screen], widget.screen
    if screen not in seen or (shown := _compositor(screen).visible_widgets.get(widget)) is None:
        return None
    above = seen[seen.index(screen) + 1 :]
    if any(_compositor(each).size != app.size for each in above):
        return None  # one is not laid out yet: what it covers is not known
    region, clip = shown
    content = region.shrink(widget.gutter)
    return _Place(content, clip, screen, above)


def _compositor(screen: Screen[Any]) -> Compositor:
    return screen._compositor  # pyright: ignore[reportPrivateUsage]  (there is no public way to ask what can be seen)


def _write(app: App[object], rows: list[str]) -> None:
    """Write rows, and put the cursor back."""
    if (driver := _driver(app)) is not None:
        cursor = app.screen.outer_size.clamp_offset(app.cursor_position)
        driver.write("".join((*rows, _move_to(*cursor))))


def _driver(app: App[object]) -> Driver | None:
    return app._driver  # pyright: ignore[reportPrivateUsage]  (there is no public way to ask whether there is one)


def _move_to(x: int, y: int) -> str:
    return Control.move_to(x, y).segment.text
