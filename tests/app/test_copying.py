"""What is selected with the mouse is copied."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from textual.events import MouseScrollUp
from textual.geometry import Offset
from textual.selection import Selection
from textual.widgets import Input

from mictape.screens.edit_line import EditLine
from mictape.screens.export import ExportScreen
from mictape.screens.prompt import Ask
from mictape.screens.theme_picker import ThemePicker
from mictape.transcript.line import Kind
from mictape.units import RATE
from support.app_driver import handled, messages, recording_of, texts
from support.waiting import until_async


@pytest.mark.parametrize("key", ["ctrl+c", "y"])
async def test_words_that_were_dragged_over_are_copied(home: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr("os.environ", {"PATH": "/nonexistent", "MICTAPE_HOME": str(home)})
    async with handled(home) as (app, pilot):
        view = app._main.view

        async def dragged() -> bool:  # again, when what is above the text has grown meanwhile
            await pilot.mouse_down(view, offset=(13, 0))
            await pilot.hover(view, offset=(12, 2))
            await pilot.mouse_up(view, offset=(12, 2))
            await pilot.pause()
            return "\n" in (app.screen.get_selected_text() or "")

        await until_async(dragged)
        selected = app.screen.get_selected_text()
        await pilot.press(key)
        await until_async(lambda: app.clipboard)
        assert app.clipboard.rstrip("\n") == selected
        assert app._main.line is not None and app._main.line.text == "w3", "the drag takes the cursor with it"
        await until_async(lambda: bool(app.screen.selections) == (key == "y"))
        await pilot.press("up")
        assert not app.screen.selections, "who moves on has done with it"


async def test_what_was_not_said_is_left_out_or_in_brackets_where_several_lines_are_copied(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {"PATH": "/nonexistent", "MICTAPE_HOME": str(home)})
    async with handled(home) as (app, pilot):
        await pilot.press("t", *"why", "enter")
        await until_async(lambda: "why" in texts(app))
        end = app.transcript.line_of(app.transcript.id_at(-1)).end
        divider = app.transcript.add(1, end, end, "paused for 3 s", kind=Kind.DIVIDER)
        app.transcript.add(1, end, end, "more", kind=Kind.SPEECH)
        await pilot.press("ctrl+a", "y")
        await until_async(lambda: app.clipboard)
        *said, note, more = app.clipboard.split("\n")
        assert said and all(text.startswith("w") for text in said)
        assert (note, more) == ("[note: why]", "more")
        app._main.view.go_to(divider)
        await pilot.press("home", "end", "up", "y")
        await until_async(lambda: app.clipboard == "paused for 3 s")
        noon = datetime(2026, 3, 1, 12).timestamp()
        app._main.view.show_wall_clock(lambda at: noon + 60 * (at >= end))
        app._main.view.pull()
        await pilot.press("Y")
        await until_async(lambda: app.clipboard == "@12:00:00  [paused for 3 s]")
        assert app._main.view.time_of(app.transcript.line_of(divider)) == "@12:00:00"


async def test_a_drag_from_or_to_a_message_or_past_the_text_selects_nothing_out_of_sight(home: Path) -> None:
    async with handled(home, lines=60, words=[1, 2, 3] * 20, notifications=True) as (app, pilot):
        view = app._main.view
        app._main.notify("It lies over the text.", timeout=600)

        def message() -> Offset:
            region = app.screen.query("Toast").first().region
            return Offset(region.x + 3, region.y)

        def row(y: int) -> Callable[[], Offset]:
            return lambda: Offset(13, view.region.y + y)

        async def selected(*places: Callable[[], Offset]) -> list[int]:
            """The rows of the text that are selected after a drag; -1 for a line out of sight."""
            app.screen.clear_selection()
            await pilot.mouse_down(offset=places[0]())
            for place in places[1:]:
                await pilot.hover(offset=place())
            await pilot.mouse_up(offset=places[-1]())
            await pilot.pause()
            return [view._rows.ids.index(id) if id in view._rows.ids else -1 for id in app._main.selected]

        await until_async(lambda: app.screen.query("Toast") and message().y == view.region.y)
        for places, rows in (
            ((message, row(3)), []),
            ((row(4), row(2), message), [2, 3, 4]),
            ((row(4), lambda: Offset(13, 0)), [0, 1, 2, 3, 4]),
            ((row(9), lambda: Offset(13, view.region.bottom)), range(9, view.region.height)),
        ):

            async def dragged(places: Sequence[Callable[[], Offset]] = places, rows: Sequence[int] = rows) -> bool:
                return await selected(*places) == list(rows)

            await until_async(dragged)  # again, when what is above the text has grown meanwhile


async def test_a_drag_past_the_last_row_selects_to_that_row_and_nothing_that_comes_later(home: Path) -> None:
    async with handled(home, lines=60, words=[1, 2, 3] * 20) as (app, pilot):
        view = app._main.view
        await pilot.press("home")
        await until_async(lambda: view.first_id == app.transcript.id_at(0))

        async def dragged() -> bool:
            app.screen.clear_selection()
            await pilot.mouse_down(offset=(13, view.region.y + 4))
            await pilot.hover(offset=(13, view.region.bottom))
            await pilot.mouse_up(offset=(13, view.region.bottom))
            await pilot.pause()
            return len(app._main.selected) > 1

        await until_async(dragged)
        first, *_, last = app._main.selected
        assert first == app.transcript.id_at(4)
        assert last in view._rows.ids, "Textual scrolls on while it is dragged there"
        end = app.transcript.line_of(app.transcript.id_at(-1)).end
        app.transcript.add(1, end, end + RATE, "said later")
        assert app._main.selected[-1] == last


async def test_a_drag_that_began_below_the_text_of_a_dialog_copies_nothing_and_leaves_it_open(home: Path) -> None:
    async with handled(home, notifications=True) as (app, pilot):
        await pilot.press("x")
        await until_async(lambda: app.screen.query("#note"))
        note = app.screen.query_one("#note")
        app.screen.selections = {note: Selection(Offset(0, 1), Offset(5, 1))}
        await pilot.press("ctrl+c")
        await until_async(lambda: "Nothing is selected." in messages(app))
        assert isinstance(app.screen, ExportScreen)
        assert not recording_of(app).stopping


async def test_ctrl_c_copies_from_a_field_or_closes_its_dialog_and_mictape_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {"PATH": "/nonexistent", "MICTAPE_HOME": str(home)})
    async with handled(home) as (app, pilot):
        for opens, kind in (("enter", EditLine), ("t", Ask), ("T", ThemePicker)):
            await pilot.press("home", opens)
            await until_async(lambda kind=kind: isinstance(app.screen, kind))
            await pilot.press(*"word", "end", "shift+left", "shift+left", "ctrl+c")
            await until_async(lambda: app.clipboard == "rd")
            assert isinstance(app.screen, kind)
            app.copy_to_clipboard("")
            await pilot.press("left", "ctrl+c")
            await until_async(lambda: app.screen is app._main)
            assert not recording_of(app).stopping
            assert app.clipboard == ""
        assert texts(app)[0] == "w1"
        app.push_screen(Ask("Key", masked=True))
        await until_async(lambda: isinstance(app.screen, Ask) and isinstance(app.focused, Input))
        await pilot.press(*"word", "shift+left", "ctrl+c", "left")
        assert isinstance(app.screen, Ask)
        assert app.clipboard == "", "a key is not copied"


async def test_a_key_acts_on_a_line_of_the_screen_where_the_cursor_was_scrolled_away_from(home: Path) -> None:
    async with handled(home, lines=60, words=[1, 2, 3] * 20) as (app, pilot):
        view = app._main.view
        view.post_message(MouseScrollUp(view, 5, 5, 0, -1, 0, False, False, False))
        await until_async(lambda: not view.following)
        view.scroll_to(y=0, animate=False)
        await until_async(lambda: view.first_id == app.transcript.id_at(0))
        await pilot.press("m")
        await until_async(lambda: app.transcript.marks)
        [marked] = app.transcript.marks
        assert marked in view._rows.ids and view.first_id == app.transcript.id_at(0)
        assert marked == view.cursor_id
