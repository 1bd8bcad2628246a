"""A line opened: its text, its speaker, a word to expect; and what the engine said restored."""

from pathlib import Path

from support.app_driver import handled, texts
from support.waiting import until_async


async def test_what_the_engine_said_can_be_restored(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("home", "enter", *"?!", "enter")
        await until_async(lambda: texts(app)[0] == "w1?!")
        await pilot.press("enter", "ctrl+r", "enter")
        await until_async(lambda: texts(app)[0] == "w1")
        assert app.transcript.line(0).original is None


async def test_escape_changes_nothing(home: Path) -> None:
    async with handled(home) as (app, pilot):
        version = app.transcript.version
        await pilot.press("enter", *"?!", "escape")
        await until_async(lambda: app.screen is app._main)
        assert app.transcript.version == version


async def test_a_speaker_is_named_and_a_word_is_expected_from_now_on(home: Path) -> None:
    async with handled(home) as (app, pilot):
        assert app.session is not None
        await pilot.press("home", "enter", "down", *"Anna", "down", *"Tellson", "enter")
        await until_async(lambda: app.transcript.line(0).speaker == "Anna")
        await until_async(lambda: app.session and app.session._request.key_terms == ("Tellson",))
        assert app.transcript.line(1).speaker is None, "a line without a speaker has one of its own"
