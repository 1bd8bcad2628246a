"""Pictures of every screen and dialog, two sizes, a dark and a light theme. Nothing in them moves: no clock runs.

After a change that is meant to be seen: `make test ARGS="tests/app/test_snapshots.py --snapshot-update"`, and look at
the files in `__snapshots__`: they are SVG.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.widgets import Input

from mictape.engines.base import Request
from mictape.failure import Advice
from mictape.library.labels import rename_session, tag_session
from mictape.library.library import Library, Store
from mictape.library.records import SessionRecord
from mictape.library.versions import add_version
from mictape.screens.library.screen import LibraryScreen
from mictape.screens.main.screen import MainScreen
from mictape.screens.reading import ReadingScreen
from mictape.screens.versions import VersionsScreen
from mictape.session.recovery import load_session
from mictape.session.session import Session
from mictape.session.state import State
from support.dialogs import dialogs
from support.scripted import ScriptedEngine
from support.sound_system import FakePlayer, FakeSoundSystem
from support.still_app import StillApp, level, status
from support.stored_sessions import BEGAN, fill
from support.waiting import until_async
from support.widget_app import sees

KINDS = [
    pytest.param(theme, size, id=f"{size[0]}x{size[1]}-{theme}", marks=[] if usual else [pytest.mark.proof])
    for theme, size, usual in (
        ("mictape-dark", (80, 24), True),
        ("mictape-dark", (120, 40), False),
        ("mictape-light", (80, 24), False),
        ("mictape-light", (120, 40), True),
    )
]
"""`make test` looks at each size and each theme, the proof at both of each."""
EACH = pytest.mark.parametrize(("theme", "size"), KINDS)


@asynccontextmanager
async def still(theme: str, size: tuple[int, int]) -> AsyncGenerator[Pilot[Any]]:
    """The main screen, with everything on it."""
    async with StillApp(theme).run_test(size=size) as pilot:
        main = pilot.app.screen
        assert isinstance(main, MainScreen)
        for _ in range(2):  # the first one mounts the meter
            main.show(status(), [level()])
            await pilot.pause()
        yield pilot


async def picture(pilot: Pilot[Any], seen: str) -> str:
    """The picture as soon as this is on it, and it stays as it is."""
    shown: list[object] = [None]

    async def still() -> bool:
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause()
        shown.append(pilot.app.screen._compositor.render_strips())
        return shown[-1] == shown[-2] and sees(pilot.app, seen)

    await until_async(still)
    return pilot.app.export_screenshot()


@EACH
async def test_main_screen_and_dialogs(
    snapshot: SnapshotAssertion, home: Path, theme: str, size: tuple[int, int]
) -> None:
    pictures = snapshot.use_extension(SVGImageExtension)
    async with still(theme, size) as pilot:
        assert await picture(pilot, "kettle") == pictures(name="main")
        for name, (dialog, seen) in dialogs(home).items():
            await pilot.app.push_screen(dialog())
            assert await picture(pilot, seen) == pictures(name=name)
            await pilot.app.pop_screen()
        pilot.app.action_command_palette()
        assert await picture(pilot, "Choose the speech engine") == pictures(name="palette")
        await pilot.press(*"theme")
        assert await picture(pilot, "Choose a theme") == pictures(name="palette_search")


@EACH
async def test_library_and_reading(snapshot: SnapshotAssertion, home: Path, theme: str, size: tuple[int, int]) -> None:
    pictures = snapshot.use_extension(SVGImageExtension)
    ids = fill(home)
    with Store(home / "library.db", home / "sessions") as store:
        rename_session(store, ids[1], "Budget meeting")
        tag_session(store, ids[1], add=["work"])
        store.set_mark(ids[1], 2, "ask Anna")
        store.set_mark(ids[1], 3, "")
    async with still(theme, size) as pilot, await Library.open(home / "library.db", home / "sessions") as library:
        screen = LibraryScreen(library, now=lambda: datetime(2026, 11, 26, 12))
        await pilot.app.push_screen(screen)
        await picture(pilot, "3 sessions")
        await pilot.press("down")
        assert await picture(pilot, "4 lines · 2 marked") == pictures(name="library")
        await pilot.press(*"budget")
        assert await picture(pilot, "4 found") == pictures(name="search")
        await pilot.app.pop_screen()
        stored = await load_session(library, ids[1])
        session = await Session.read(library, stored, ScriptedEngine(), Request(), log=home / "log")

        def begin(page: ReadingScreen) -> None:
            page.begin(session, FakePlayer(FakeSoundSystem()), spare=home / "copied.txt")

        async def no_version(_: SessionRecord) -> None:
            return None

        page = ReadingScreen(session, stored.session, begin, no_version)
        await pilot.app.push_screen(page)
        page.show_recording(status())
        assert await picture(pilot, "Recording goes on") == pictures(name="reading")
        await session.close()
        await pilot.app.pop_screen()
        other = [replace(line, text=line.text.replace("budget", "gadget")) for line in stored.lines]
        with Store(home / "library.db", home / "sessions") as store:
            add_version(store, ids[1], other, {}, engine="local", title="local · parakeet")
            with store.writing(ids[1]):
                store.execute("UPDATE versions SET created_utc_s = ?", BEGAN.timestamp())
            record = store.session(ids[1])
        await pilot.app.push_screen(VersionsScreen(library, record, lambda: "transcribing, 45 %"))
        assert await picture(pilot, "1 word differs") == pictures(name="versions")


def test_trouble_says_what_to_do_on_a_small_screen(snap_compare: Callable[..., bool]) -> None:
    hint = Advice("Blue Yeti is gone", "Plug it in again, or choose another device", action="choose_device")

    async def show(pilot: Pilot[None]) -> None:
        main = pilot.app.screen
        assert isinstance(main, MainScreen)
        for _ in range(2):
            main.show(status(State.DEVICE_LOST, hint), [level()])
            await pilot.pause()

    assert snap_compare(StillApp("mictape-contrast"), terminal_size=(60, 20), run_before=show)
