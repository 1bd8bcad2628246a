"""Choosing a theme, and theme files that are read again when they are saved."""

from pathlib import Path

import pytest

from mictape import themes
from mictape.screens.theme_picker import ThemePicker
from mictape.settings import Settings
from mictape.settings.remembered import recall
from support.app_driver import handled
from support.waiting import until_async
from support.widget_app import colours_of, sees

MINE = 'primary = "#ff0000"\nbackground = "{}"\n'


async def test_going_through_the_list_shows_each_theme_and_enter_keeps_it(home: Path) -> None:
    async with handled(home) as (app, pilot):
        before = app.theme
        await pilot.press("T")
        await until_async(lambda: isinstance(app.screen, ThemePicker))
        await pilot.pause()
        assert sees(app, f"● {before}")
        await pilot.press("down")
        await until_async(lambda: app.theme != before)
        shown = app.theme
        await pilot.press("escape")
        await until_async(lambda: app.theme == before)
        assert recall(home / "state.toml").theme is None
        await pilot.press("T")
        await until_async(lambda: isinstance(app.screen, ThemePicker))
        await pilot.press("down")
        await until_async(lambda: app.theme == shown)
        await pilot.press("enter")
        await until_async(lambda: recall(home / "state.toml").theme == shown)
        assert app.theme == shown


async def test_typing_filters_the_themes_and_enter_keeps_the_one_that_is_left(home: Path) -> None:
    async with handled(home) as (app, pilot):
        before = app.theme
        await pilot.press("T", *"nordx")
        await until_async(lambda: sees(app, 'Nothing fits "nordx".'))
        assert app.theme == before
        await pilot.press("backspace", "enter")
        await until_async(lambda: recall(home / "state.toml").theme == "nord")
        assert app.theme == "nord" and app.screen is app._main


async def test_without_the_themes_that_come_with_it_the_app_says_so_and_goes_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(themes, "shipped_folder", lambda: tmp_path / "gone")
    async with handled(home) as (app, _):
        assert app.theme == "textual-dark"
        assert any(f"there is no folder {tmp_path / 'gone'}" in each.message for each in app._notifications)


async def test_a_theme_file_that_is_saved_shows_at_once_and_a_broken_one_is_said(home: Path) -> None:
    folder = home / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(MINE.format("#102030"))
    async with handled(home, settings=Settings(theme="mine")) as (app, pilot):
        await until_async(lambda: app.screen.styles.background.hex == "#102030")
        (folder / "mine.toml").write_text(MINE.format("#203040") + "# longer\n")
        await until_async(lambda: app.screen.styles.background.hex == "#203040")
        (folder / "mine.toml").write_text(MINE.format("#203040") + '[variables]\ntranscript-time = "#0a0b0c"\n')
        await until_async(lambda: "#0a0b0c" in colours_of(app), what="a colour that no rule of a style sheet has")
        (folder / "mine.toml").write_text("primary = \n")
        await until_async(lambda: any("mine.toml" in each.message for each in app._notifications))
        await pilot.pause()
        assert app.screen.styles.background.hex == "#203040"
