"""What is typed faster than the screen follows reaches what it was typed for."""

from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.widgets import Input

from mictape.app import MictapeApp
from mictape.screens.export import ExportScreen
from mictape.screens.library.screen import LibraryScreen
from mictape.screens.prompt import Ask
from mictape.start import Start
from support.app_driver import handled, messages, on_fake_sound
from support.sound_system import FakeSoundSystem
from support.stored_sessions import fill
from support.waiting import until_async


def typed(app: MictapeApp) -> str:
    """What stands in the field that has the focus."""
    return app.focused.value if isinstance(app.focused, Input) else ""


def burst(app: MictapeApp, *keys: str) -> None:
    """All of these keys at once, as a terminal gives them that was read late."""
    for key in keys:
        name = key if len(key) > 1 or key.isalnum() else _character_to_key(key)
        app.post_message(Key(name, key if len(key) == 1 else None))


@pytest.mark.parametrize(("key", "dialog"), [("x", ExportScreen), ("t", Ask), ("g", Ask), ("i", Ask)])
async def test_what_is_typed_right_behind_a_dialogs_key_is_in_its_field(
    home: Path, key: str, dialog: type[Any]
) -> None:
    async with handled(home) as (app, _):
        burst(app, key, "ctrl+u", *"~/mq")
        await until_async(lambda: isinstance(app.screen, dialog))
        await until_async(lambda: typed(app) == "~/mq")
        assert not app.transcript.marks
        burst(app, "escape", "m")
        await until_async(lambda: app.transcript.marks)
        assert app.screen is app._main


async def test_what_is_typed_right_behind_the_key_of_the_search_is_searched(home: Path) -> None:
    async with handled(home) as (app, _):
        burst(app, *"/w3mq")
        await until_async(lambda: typed(app) == "w3mq")
        burst(app, "escape", "m")
        await until_async(lambda: app.transcript.marks)


async def test_what_is_typed_while_the_library_is_opened_is_searched_there(home: Path) -> None:
    fill(home)
    async with on_fake_sound(home, FakeSoundSystem(), start=Start(library=True)) as (app, _):
        burst(app, *"budget")
        await until_async(lambda: isinstance(app.screen, LibraryScreen))
        await until_async(lambda: typed(app) == "budget")
        assert messages(app) == []


async def test_keys_do_not_wait_for_ever_for_what_hangs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mictape.typed_ahead.LONGEST_S", 0.1)
    async with handled(home) as (app, _):
        app.typed_ahead.opening()
        burst(app, "m")
        await until_async(lambda: app.transcript.marks)
