"""Rows that are drawn past Textual: the terminal shows what Textual would have drawn, and nothing is drawn over."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from rich.segment import Segment
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from mictape.widgets.direct_rows import draw_rows, written_at_once
from support.drawn_app import COLUMNS, ROWS, DrawnApp
from support.waiting import until_async


class Counter(Widget):
    """Three rows that show a number."""

    DEFAULT_CSS = """
    Counter { height: 3; padding: 0 2; color: $primary; background: $surface; scrollbar-size-vertical: 1; }
    Counter.scrolls { overflow-y: scroll; }
    """

    number = 0

    def render_line(self, y: int) -> Strip:
        return Strip.blank(0).adjust_cell_length(0) if y > 2 else _row(f"row {y} number {self.number}", self)

    def count(self, *rows: int) -> None:
        self.number += 1
        draw_rows(self, rows)


def _row(text: str, widget: Widget) -> Strip:
    """A text, and its last character once more in the last column."""
    text = text.ljust(widget.scrollable_content_region.width - 1) + text[-1]
    return Strip([Segment(text, widget.rich_style)])


class Dialog(ModalScreen[None]):
    """Covers the middle of what is below it."""

    CSS = """
    Dialog { align: center top; }
    Dialog Static { width: 30; height: 3; background: $primary; }
    Dialog.opaque { background: $background; }
    Dialog.aside { align: right top; }
    Dialog.aside Static { margin-right: 7; }
    """

    def compose(self) -> ComposeResult:
        yield Static("the dialog")


@asynccontextmanager
async def running(app: DrawnApp) -> AsyncGenerator[None]:
    """The app, drawn, until the block ends."""
    run = asyncio.create_task(app.run_async(size=(COLUMNS, ROWS)))
    try:
        await until_async(lambda: "number 0" in app.terminal.display[0], what="the first frame")
        yield
    finally:
        app.exit()
        await run


async def drawn_by_textual(app: DrawnApp) -> list[list[object]]:
    """The cells after Textual has drawn everything again."""
    before = app.updates
    app.refresh(layout=True)
    await until_async(lambda: app.updates > before, what="Textual's frame")
    return [list(row) for row in app.cells]


@pytest.mark.parametrize("classes", ["", "scrolls"])
async def test_a_row_is_on_the_terminal_at_once_and_as_textual_draws_it(classes: str) -> None:
    counter = Counter(classes=classes)
    app = DrawnApp(counter, Static("below"))
    async with running(app):
        updates = app.updates
        counter.count(0, 2)
        shown = app.terminal.display[:4]
        assert [row.split()[:5] for row in shown] == [
            ["row", "0", "number", "1", "1"],
            ["row", "1", "number", "0", "0"],  # it was not asked for
            ["row", "2", "number", "1", "1"],
            ["below"],
        ]
        assert app.updates == updates
        cells = app.cells
        counter.number = 0
        counter.count(1)
        assert app.cells[0] == cells[0]
        mine = app.cells
        assert await drawn_by_textual(app) == mine


async def test_rows_of_several_widgets_are_one_write_and_the_cursor_is_where_it_was() -> None:
    counters = Counter(), Counter()
    app = DrawnApp(*counters)
    async with running(app):
        cursor, writes = (app.terminal.cursor.x, app.terminal.cursor.y), app.writes
        with pytest.raises(ValueError, match="a fault"), written_at_once():
            for counter in counters:
                with written_at_once():
                    counter.count(0, 2)
            raise ValueError("a fault")
        assert app.writes == writes + 1
        shown = [row.split() for row in app.terminal.display[:6]]
        assert [number for *_, number, _ in shown] == ["1", "0", "1", "1", "0", "1"]
        assert (app.terminal.cursor.x, app.terminal.cursor.y) == cursor
        for counter in counters:
            counter.number = 0
            counter.count(1)
        assert app.writes == writes + 3
        mine = app.cells
        assert await drawn_by_textual(app) == mine


@pytest.mark.parametrize("theme", ["mictape-dark", "ansi-dark"])
async def test_a_row_below_dialogs_is_drawn_at_once_around_them_and_as_dim_as_textual_draws_it(theme: str) -> None:
    counter = Counter()
    app = DrawnApp(counter)
    app.theme = theme
    async with running(app):
        for dialog in (Dialog(), Dialog(classes="aside")):
            app.call_later(app.push_screen, dialog)
            await until_async(lambda dialog=dialog: app.screen is dialog and not dialog._layout_required)
            before = await drawn_by_textual(app)
            updates = app.updates
            counter.count(0)
            assert f"number {counter.number}" in app.terminal.display[0]
            assert f"number {counter.number}" not in app.terminal.display[1], "it was not asked for"
            assert "the dialog" in app.terminal.display[0]
            counter.count(0, 1, 2)
            assert app.updates == updates
            mine = app.cells
            assert mine != before
            assert await drawn_by_textual(app) == mine


async def test_below_a_screen_that_covers_everything_nothing_is_drawn_until_it_has_gone() -> None:
    counter = Counter()
    app = DrawnApp(counter)
    async with running(app):
        app.call_later(app.push_screen, Dialog(classes="opaque"))
        await until_async(lambda: "the dialog" in app.terminal.display[0], what="the dialog")
        await drawn_by_textual(app)
        updates, cells = app.updates, app.cells
        counter.count(0)
        assert (app.updates, app.cells) == (updates, cells)
        app.call_later(app.pop_screen)
        await until_async(lambda: "number 1" in app.terminal.display[0], what="the row")


async def test_what_lies_in_front_is_not_drawn_over() -> None:
    counter, front = Counter(), Static("in front")
    front.styles.layer, front.styles.offset, front.styles.width = "_toastrack", (30, 1), 10
    app = DrawnApp(counter, front)
    async with running(app):
        await until_async(lambda: "in front" in "".join(app.terminal.display), what="the widget in front")
        row = next(y for y, text in enumerate(app.terminal.display) if "in front" in text)
        counter.count(row)
        assert "number 1" in app.terminal.display[row]
        assert "in front" in app.terminal.display[row]
        mine = app.cells
        assert await drawn_by_textual(app) == mine


@pytest.mark.parametrize("rows", [(), (0, 1, 2)])
async def test_a_widget_that_is_not_on_the_screen_is_left_to_textual(rows: tuple[int, ...]) -> None:
    counter = Counter()
    app = DrawnApp(counter)
    async with running(app):
        counter.display = False
        await until_async(lambda: "number" not in app.terminal.display[0], what="the widget's end")
        counter.count(*rows)
        assert "number" not in "".join(app.terminal.display)
        counter.display = True
        await until_async(lambda: "number 1" in app.terminal.display[0], what="the widget")


async def test_below_a_dialog_that_is_not_laid_out_yet_rows_are_left_to_textual() -> None:
    app = DrawnApp(counter := Counter())
    async with running(app):

        def ask() -> None:
            app.push_screen(Dialog())
            counter.count(0, 1, 2)

        app.call_later(ask)
        await until_async(lambda: "the dialog" in app.terminal.display[0], what="the dialog")
        await until_async(lambda: "number 1" in app.terminal.display[1], what="the number below it")
