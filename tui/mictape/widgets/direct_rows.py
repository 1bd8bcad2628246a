"""Drawing rows of a widget straight to the terminal, for what changes many times a second.

Textual's own way costs 4 ms of CPU for a single row: three messages, a timer, and rendering every widget that the rows
cross. Sixty changes in four seconds, as a level meter has during speech, were most of what the app cost.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple, cast

from rich.control import Control
from textual.app import App
from textual.driver import Driver
from textual.geometry import Region
from textual.widget import Widget

MOST: Final = 4
"""More rows than these are Textual's: it draws them together with what else has changed."""


_held: ContextVar[dict[App[object], list[str]] | None] = ContextVar("held", default=None)
"""What `written_at_once` writes at its end."""


class _Place(NamedTuple):
    """Where a widget can be drawn now."""

    content: Region
    """Its content, on the screen."""
    top: int
    """Rows of padding above it."""


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

    At once if all of the widget can be seen, else with Textual's next update. For widgets without opacity and tint.
    """
    if not rows:
        return
    place = _place(widget, rows) if len(rows) <= MOST else None
    if place is None:
        widget.refresh(*(Region(0, y, widget.content_size.width, 1) for y in rows))
        return
    app = cast("App[object]", widget.app)
    filters = app.get_line_filters()
    background = widget.background_colors[1] if filters else None
    written: list[str] = []
    for y in rows:
        strip = widget.render_line(y)
        if background is not None:
            for each in filters:
                strip = strip.apply_filter(each, background)
        written += (_move_to(place.content.x, place.content.y + y), strip.render(app.console))
    if (held := _held.get()) is not None:
        held.setdefault(app, []).extend(written)
    else:
        _write(app, written)
    # Textual keeps rows as it has drawn them: it is to render these again when it next draws them.
    stale = (Region(0, place.top + y, widget.size.width, 1) for y in rows)
    widget._styles_cache.set_dirty(*stale)  # pyright: ignore[reportPrivateUsage]  (there is no public way)


def _place(widget: Widget, rows: Sequence[int]) -> _Place | None:
    """Where to draw these rows; None where something lies before them, or a test draws."""
    app = cast("App[object]", widget.app)
    driver, held = _driver(app), app._batch_count  # pyright: ignore[reportPrivateUsage]  (there is no public way)
    if driver is None or driver.is_headless or held or not widget.is_attached:
        return None
    # No public way either. A widget that can be seen here is on this screen.
    compositor = app.screen._compositor  # pyright: ignore[reportPrivateUsage]
    if widget not in compositor.visible_widgets:
        return None
    region, clip = compositor.visible_widgets[widget]
    content = region.shrink(widget.gutter).shrink((0, widget.scrollbar_size_vertical, 0, 0))
    for y in rows:
        row = Region(content.x, content.y + y, content.width, 1)
        if not (content.contains_region(row) and clip.contains_region(row)):
            return None
        for other, shown, _ in compositor.layers_visible[row.y]:
            if other is widget:
                break
            if shown.overlaps(row):
                return None
    return _Place(content, widget.gutter.top)


def _write(app: App[object], rows: list[str]) -> None:
    """Write rows, and put the cursor back."""
    if (driver := _driver(app)) is not None:
        cursor = app.screen.outer_size.clamp_offset(app.cursor_position)
        driver.write("".join((*rows, _move_to(*cursor))))


def _driver(app: App[object]) -> Driver | None:
    return app._driver  # pyright: ignore[reportPrivateUsage]  (there is no public way to ask whether there is one)


def _move_to(x: int, y: int) -> str:
    return Control.move_to(x, y).segment.text
