"""Drawing rows of a widget straight to the terminal, for what changes many times a second.

Textual's own way costs 4 ms of CPU for a single row: three messages, a timer, and rendering every widget that the rows
cross. Sixty changes in four seconds, as a level meter has during speech, were most of what the app cost.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from rich.control import Control
from textual.app import App
from textual.driver import Driver
from textual.geometry import Region
from textual.widget import Widget

MOST: Final = 4
"""More rows than these are Textual's: it draws them together with what else has changed."""


class _Place(NamedTuple):
    """Where a widget can be drawn now."""

    driver: Driver
    content: Region
    """Its content, on the screen."""
    top: int
    """Rows of padding above it."""


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
    written: list[str] = []
    for y in rows:
        strip = widget.render_line(y)
        for each in app.get_line_filters():
            strip = strip.apply_filter(each, widget.background_colors[1])
        written += (_move_to(place.content.x, place.content.y + y), strip.render(app.console))
    written.append(_move_to(*widget.screen.outer_size.clamp_offset(app.cursor_position)))
    place.driver.write("".join(written))
    # Textual keeps rows as it has drawn them: it is to render these again when it next draws them.
    stale = (Region(0, place.top + y, widget.size.width, 1) for y in rows)
    widget._styles_cache.set_dirty(*stale)  # pyright: ignore[reportPrivateUsage]  (there is no public way)


def _place(widget: Widget, rows: Sequence[int]) -> _Place | None:
    """Where to draw these rows; None where something lies before them, or a test draws."""
    app = cast("App[object]", widget.app)
    # There is no public way to ask for any of these.
    driver, held = app._driver, app._batch_count  # pyright: ignore[reportPrivateUsage]
    if driver is None or driver.is_headless or held or not widget.is_attached:
        return None
    screen = widget.screen
    compositor = screen._compositor  # pyright: ignore[reportPrivateUsage]
    if screen is not app.screen or widget not in compositor.visible_widgets:
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
    return _Place(driver, content, widget.gutter.top)


def _move_to(x: int, y: int) -> str:
    return Control.move_to(x, y).segment.text
