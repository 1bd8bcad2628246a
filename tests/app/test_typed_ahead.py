"""What is typed faster than the screen follows reaches what it was typed for."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.widgets import Input

from mictape.app import MictapeApp
from mictape.commands import OPENING
from mictape.library import versions
from mictape.library.library import Store
from mictape.library.records import CoverageRecord, LineRecord, VersionRecord
from mictape.screens.device_picker import DevicePicker
from mictape.screens.export import ExportScreen
from mictape.screens.library.screen import LibraryScreen
from mictape.screens.prompt import Ask
from mictape.screens.reading import ReadingScreen
from mictape.screens.versions import VersionsScreen
from mictape.start import Start
from mictape.typed_ahead import PAUSE_S
from mictape.units import RATE
from support.app_driver import handled, messages, on_fake_sound
from support.sound_system import FakeSoundSystem
from support.stored_sessions import LENGTH, fill
from support.waiting import until_async
from support.widget_app import sees


def typed(app: MictapeApp) -> str:
    """What stands in the field that has the focus."""
    return app.focused.value if isinstance(app.focused, Input) else ""


def burst(app: MictapeApp, *keys: str, after_s: float = 0) -> None:
    """All of these keys at once, as a terminal gives them that was read late; `after_s`: as if typed so much later."""
    for key in keys:
        name = key if len(key) > 1 or key.isalnum() else _character_to_key(key)
        event = Key(name, key if len(key) == 1 else None)
        event.time += after_s
        app.post_message(event)


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


async def test_what_is_typed_while_a_session_or_another_version_is_opened_is_done_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [id] = fill(home, 1)
    listed, asked, of_session = threading.Event(), list[str](), versions.versions

    def late(store: Store, session: str) -> list[VersionRecord]:
        asked.append(session)
        assert listed.wait(20)
        return of_session(store, session)

    covered = {1: (CoverageRecord(0, LENGTH, "covered"),)}
    with Store(home / "library.db", home / "sessions") as store:
        versions.add_version(store, id, [LineRecord(0, 1, 0, RATE, "better")], covered, engine="a", title="a")
    async with on_fake_sound(home, FakeSoundSystem(), start=Start(library=True)) as (app, _):

        def shows(lines: int, marks: int) -> bool:
            text = app.screen.transcript if isinstance(app.screen, ReadingScreen) else None
            return text is not None and (len(text), len(text.marks)) == (lines, marks)

        await until_async(lambda: isinstance(app.screen, LibraryScreen) and bool(app.screen._list._count))
        burst(app, "enter", "m")
        await until_async(lambda: shows(1, 1))
        monkeypatch.setattr(versions, "versions", late)
        burst(app, "o", "up", "enter", "m")
        await until_async(lambda: isinstance(app.screen, VersionsScreen) and app.screen.query("#versions"))
        await until_async(lambda: asked)
        listed.set()
        await until_async(lambda: shows(4, 0))
        burst(app, "u", "u", "u")
        await until_async(lambda: shows(1, 0))
        burst(app, "U", "U")
        await until_async(lambda: shows(4, 1))
        assert not [each for each in messages(app) if "nothing" in each]


async def test_a_key_behind_a_deletion_in_the_library_waits_for_it(home: Path) -> None:
    fill(home)
    async with on_fake_sound(home, FakeSoundSystem(), start=Start(library=True)) as (app, _):
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and bool(app.screen._list._count))
        burst(app, "ctrl+d", "ctrl+d", "ctrl+z", "ctrl+z")
        said = '"Session number 2" is out of the trash.   3 sessions, newest first'
        await until_async(lambda: sees(app, said))
    with Store.to_read(home / "library.db") as store:
        assert store.count_sessions() == 3


async def test_keys_do_not_wait_for_ever_for_what_hangs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mictape.typed_ahead.LONGEST_S", 0.1)
    async with handled(home) as (app, _):
        app.typed_ahead.opening()
        burst(app, *"mq")
        await until_async(lambda: "What was typed after that is ignored." in messages(app))
        assert not app._exit
        burst(app, "m", after_s=PAUSE_S * 2)
        await until_async(lambda: app.transcript.marks)


async def test_keys_act_while_what_follows_from_an_answer_is_still_being_done(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with handled(home) as (app, pilot):
        done = asyncio.Event()

        async def work() -> None:
            await app._main.typed("Anything")
            await done.wait()

        app._main.ask(work(), "The question")
        await until_async(lambda: isinstance(app.focused, Input))
        monkeypatch.setattr("mictape.typed_ahead.LONGEST_S", 0.0)
        app.screen.dismiss(None)
        await until_async(lambda: app.screen is app._main)
        await pilot.press("m")
        await until_async(lambda: app.transcript.marks)
        done.set()


@asynccontextmanager
async def without_a_device(home: Path) -> AsyncGenerator[MictapeApp]:
    """The app before a device was chosen: there is neither a session nor a line."""
    async with on_fake_sound(home, FakeSoundSystem()) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("escape")
        await until_async(lambda: "d" in [key.shown for key in app._main.footer.keys] and app.screen is app._main)
        yield app


async def test_what_is_typed_behind_a_key_that_opens_no_dialog_is_ignored(home: Path) -> None:
    async with without_a_device(home) as app:
        for key in ("s", "S", "M", "enter", "x", "i", "R", "o"):
            app.clear_notifications()
            burst(app, key, *"Qd qTt", "delete", "enter", *"q")
            burst(app, *"dq", after_s=PAUSE_S / 2)
            await until_async(lambda: "What was typed after that is ignored." in messages(app))
            await until_async(lambda: not app.typed_ahead._waiting)
            assert app.screen is app._main and not app._exit, key
            burst(app, "z", after_s=PAUSE_S * 2)
            await until_async(lambda: app._main.meters_folded)
            burst(app, "z", after_s=PAUSE_S * 2)
            await until_async(lambda: not app._main.meters_folded)


async def test_keys_that_move_act_behind_a_key_that_opens_no_dialog(home: Path) -> None:
    async with handled(home) as (app, _):
        first = app.transcript.id_at(0)
        burst(app, "o", "home", *"mm")
        await until_async(lambda: app._main.view.cursor_id == first)
        assert not app.transcript.marks


async def test_the_key_of_the_device_picker_is_waited_for_without_a_session(home: Path) -> None:
    async with without_a_device(home) as app:
        burst(app, *"dheadq")
        await until_async(lambda: isinstance(app.screen, DevicePicker) and typed(app) == "headq")


@pytest.mark.proof
async def test_the_commands_that_open_a_dialog_are_named_as_such(home: Path) -> None:
    async with handled(home) as (app, pilot):
        opened = set[str]()
        commands = {**app.commands, **app._main.commands}
        others = commands.keys() - OPENING - {"stop", "copy_or_stop", "suspend_process", "search"}
        for id in (*OPENING, *others):
            before = app.screen, app.typed_ahead._opened
            commands[id]()
            if before != (app.screen, app.typed_ahead._opened):
                opened.add(id)
                await until_async(lambda: app.screen is not app._main)
                burst(app, "escape")
                await until_async(lambda: app.screen is app._main and not app._main.asks)
            await pilot.pause()
        assert opened == OPENING - {"versions"}, "what is being recorded has one version"
