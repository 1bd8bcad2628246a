"""Messages that go by themselves: short, below each other, over no dialog and not over the last line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen
from textual.widgets._toast import Toast

from mictape.app import MictapeApp
from mictape.screens.edit_line import EditLine
from mictape.screens.help import HelpScreen
from mictape.screens.library.screen import LibraryScreen
from mictape.screens.main.screen import MainScreen
from mictape.screens.prompt import Ask
from mictape.units import RATE
from support.app_driver import handled, recording_of
from support.layouts import counted_layouts
from support.still_app import StillApp, level, status
from support.waiting import until_async

LONG = "The library cannot be written, and this sentence goes on for so long that it needs more than one row"


def toasts(app: MictapeApp) -> list[Toast]:
    return [toast for toast in app.screen.walk_children(Toast) if toast.region.height]


async def test_the_same_message_is_shown_once_and_others_below_it(home: Path) -> None:
    async with handled(home, notifications=True) as (app, _):
        for message in ("No more gaps.", "No more gaps.", LONG):
            app._main.say(message)
        await until_async(lambda: len(toasts(app)) == 2)
        first, second = toasts(app)
        assert first.region.height == 1
        assert first.region.width < 20
        assert second.region.y >= first.region.bottom
        assert second.region.width <= 60


async def test_messages_are_below_a_short_text_and_at_the_top_of_a_long_one(home: Path) -> None:
    async with handled(home, notifications=True) as (app, _):
        view, screen = app._main.view, app._main
        for lines in (0, 100):
            for number in range(lines):
                at = (100 + number) * RATE
                app.transcript.add(1, at, at, "a line that is as wide as the screen, or nearly so " * 2)
            app.tick()
            screen.say(f"message with {lines}")
            screen.say(LONG)
            await until_async(lambda lines=lines: any(str(lines) in str(each.render()) for each in toasts(app)))
            await until_async(lambda: all(view.region.contains_region(each.region) for each in toasts(app)))
            last = view.region.y + min(view.rows, view.size.height) - 1
            assert not any(each.region.y <= last < each.region.bottom for each in toasts(app))


async def test_text_that_grows_without_messages_has_nothing_laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (app := StillApp("mictape-dark")).run_test(size=(120, 40), notifications=True) as pilot:
        screen = app.screen
        assert isinstance(screen, MainScreen)

        async def say_more() -> None:
            end = len(screen.transcript) * 100 * RATE
            screen.transcript.add(1, end, end + RATE, "a line more")
            screen.show(status(), [level()])
            await pilot.pause()

        for _ in range(2):
            await say_more()
        layouts = counted_layouts(monkeypatch)
        for _ in range(3):
            await say_more()
        assert layouts == []
        app.notify("below them", timeout=60, markup=False)
        await until_async(lambda: any(toast.region.height for toast in screen.walk_children(Toast)))
        toast = screen.query_one(Toast)
        row = toast.region.y
        assert row >= screen.view.region.y + screen.view.rows
        await say_more()
        await until_async(lambda: toast.region.y == row + 1)


def _ask(_: MictapeApp) -> Screen[Any]:
    return Ask("Go to", hint="a time")


def _edit(app: MictapeApp) -> Screen[Any]:
    return EditLine(app.transcript.line(0))


def _help(_: MictapeApp) -> Screen[Any]:
    return HelpScreen(kept={"log": "/log"}, engine="local", offline=True, version="1")


def _library(app: MictapeApp) -> Screen[Any]:
    return LibraryScreen(recording_of(app).library)


@pytest.mark.parametrize("make", [_ask, _edit, _help, _library])
async def test_messages_cover_no_dialog(home: Path, make: Callable[[MictapeApp], Screen[Any]]) -> None:
    async with handled(home, notifications=True) as (app, pilot):
        app._main.say("No more gaps.")
        await until_async(lambda: len(toasts(app)) == 1)
        screen = make(app)
        app.push_screen(screen)
        await until_async(lambda: app.screen is screen and screen.is_mounted)
        await pilot.pause()
        screen.notify("No more marks.")
        screen.notify(LONG, severity="warning")
        await until_async(lambda: len(toasts(app)) >= 2)
        await pilot.pause()
        assert not any(toast.visible for toast in app._main.walk_children(Toast)), "the dialog has them"
        others = [
            widget
            for widget in screen.query("*")
            if not widget.children and "-textual-system" not in widget.classes and not isinstance(widget, Toast)
        ]
        assert any(widget.region.area for widget in others)
        for toast in toasts(app):
            assert not [widget for widget in others if widget.region.overlaps(toast.region)]
            assert toast.region.y > app._main.status.region.y, "the clock stays in sight"
        screen.dismiss(None)
        await until_async(lambda: app.screen is app._main)
