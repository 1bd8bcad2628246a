"""The library and finished sessions in the real app, beside a recording and without one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from mictape import frame_clock
from mictape.app import MictapeApp
from mictape.engines.base import Capabilities
from mictape.engines.readiness import Readiness
from mictape.failure import ExitCode
from mictape.library import trash, versions
from mictape.library.labels import rename_session, tag_session
from mictape.library.library import Library, Store
from mictape.library.records import CoverageRecord, LineRecord
from mictape.screens.device_picker import DevicePicker
from mictape.screens.edit_line import NameSpeaker
from mictape.screens.engine_picker import EnginePicker
from mictape.screens.export import ExportScreen
from mictape.screens.help import HelpScreen
from mictape.screens.leave import LeaveScreen
from mictape.screens.library import listing
from mictape.screens.library import screen as library_screen
from mictape.screens.library.listing import SessionListing
from mictape.screens.library.screen import LibraryScreen, Shown
from mictape.screens.main.transcript_screen import TranscriptScreen
from mictape.screens.prompt import Ask
from mictape.screens.reading import ReadingScreen
from mictape.screens.versions import VersionsScreen
from mictape.settings import Settings
from mictape.start import Start
from mictape.units import RATE, clock, day_of
from support.app_driver import messages, on_fake_sound, paste, recording_of, texts
from support.scripted import ScriptedEngine
from support.sessions import held
from support.sound_system import FakeSoundSystem, device
from support.stored_sessions import BEGAN, fill
from support.waiting import until_async
from support.widget_app import sees


@asynccontextmanager
async def in_library(home: Path, **options: Any) -> AsyncGenerator[tuple[MictapeApp, Pilot[Any]]]:
    """The app as `mictape library` starts it, once the list is there; `options` as `on_fake_sound` takes them."""
    async with on_fake_sound(home, FakeSoundSystem(), start=Start(library=True), **options) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and bool(app.screen._list._count))
        yield app, pilot


def rows(app: MictapeApp) -> list[str]:
    """What the list shows."""
    assert isinstance(app.screen, LibraryScreen)
    shown = app.screen._list
    return [shown.render_line(y).text.strip() for y in range(min(shown._count, shown.size.height))]


async def test_an_error_says_of_no_recording_that_it_goes_on_where_there_is_none(home: Path) -> None:
    fill(home, 1)
    async with in_library(home) as (app, pilot):
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, ReadingScreen))
        app._handled = (app.screen, RuntimeError("planted"))
        app._fatal_error()
        await until_async(lambda: any("planted" in message for message in messages(app)))
        assert not any("recording goes on" in message for message in messages(app))


async def test_what_is_typed_is_searched_for_and_enter_opens_the_place_where_the_search_goes_on(home: Path) -> None:
    ids = fill(home)
    with Store(home / "library.db", home / "sessions") as store:
        store.edit_line(ids[2], 3, "Then we go home, it is next morning.", None)
    async with in_library(home) as (app, pilot):
        await pilot.press(*"budget")
        await until_async(lambda: sees(app, "3 found"))
        assert "The budget is next." in rows(app)[1]
        await pilot.press("down", "down", "down", "enter")
        page = await reading(app)
        assert page.session is not None and page.session.folder.session == ids[1]
        await until_async(lambda: page.line is not None and page.line.text == "The budget is next.")
        await until_async(lambda: sees(app, "1 of 1"))
        await pilot.press("escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and sees(app, "3 found"))
        await pilot.press("ctrl+u", *"next")
        await until_async(lambda: sees(app, "4 found"))
        await pilot.press("enter")  # on the heading
        page = await reading(app)
        await until_async(lambda: page.line is not None and page.line.text == "The budget is next.")
        await until_async(lambda: sees(app, "1 of 2"))
        assert page.view.walk.matcher is not None and page.view.walk.matcher.spans("What is next?") == [(8, 12)]
        await pilot.press("n")
        await until_async(lambda: page.line is not None and page.line.text.startswith("Then we"))
        assert page.view.walk.rank == 1
        await pilot.press("escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen))
        await until_async(lambda: app.screen.shown == Shown("next"))  # type: ignore[attr-defined]


async def test_a_key_behind_what_is_typed_acts_on_what_that_finds(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_screen, "PAUSE_S", 0.5)  # the keys come before the search
    ids = fill(home)
    with Store(home / "library.db", home / "sessions") as store:
        for id, title in zip(ids, ("Alpha", "Beta", "Gamma"), strict=True):
            rename_session(store, id, title)
    async with in_library(home) as (app, pilot):
        await pilot.press(*"in:alpha", "ctrl+d")
        await until_async(lambda: sees(app, '"Alpha" is in the trash; ctrl+z brings it back.'))
        await pilot.press("ctrl+u", *"in:beta", "ctrl+r")
        await until_async(lambda: isinstance(app.screen, Ask) and app.screen.query_one(Input).value == "Beta")
        await pilot.press("escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen))
        await pilot.press("ctrl+u", *"budget", "down", "down", "enter")  # the heading of Gamma, its hit, that of Beta
        page = await reading(app)
        assert page.session is not None and page.session.folder.session == ids[1]


async def test_of_many_sessions_only_those_in_view_are_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 20)
    fill(home, 70)
    async with in_library(home) as (app, pilot):
        shown = app.screen._listing  # type: ignore[attr-defined]
        assert isinstance(shown, SessionListing)
        await until_async(lambda: "…" not in rows(app))
        assert set(shown._pages) == {0}
        listed = app.screen._list  # type: ignore[attr-defined]
        await until_async(lambda: listed.show_vertical_scrollbar)
        assert len(listed.render_line(0)) < listed.size.width, "beside the scrollbar"
        await pilot.press("ctrl+end")
        await until_async(lambda: "Session number 0" in rows(app)[-1])
        await until_async(lambda: "…" not in rows(app))
        assert set(shown._pages) == {0, 2, 3}, "page 1 was never in view"
        await pilot.press("home")
        await until_async(lambda: listed.cursor == 0)
        await pilot.press("end")
        await until_async(lambda: listed.cursor == 69)


async def test_sessions_are_listed_by_day_filtered_and_sorted_and_nothing_is_recorded(home: Path) -> None:
    ids = fill(home)
    with Store(home / "library.db", home / "sessions") as store:
        tag_session(store, ids[0], add=["work"])
        rename_session(store, ids[0], "Budget meeting")
    async with in_library(home) as (app, pilot):
        await until_async(lambda: "Session number 2" in rows(app)[0])
        days = [day_of(BEGAN + timedelta(days=number), date.today()) for number in (2, 1, 0)]
        assert [row.split("  ")[0] for row in rows(app)] == days
        assert app.session is None
        await pilot.press(*"tag:work")
        await until_async(lambda: sees(app, "1 session, newest first"))
        assert "Budget meeting" in rows(app)[0] and "#work" in rows(app)[0]
        await pilot.press("escape")
        await until_async(lambda: sees(app, "3 sessions, newest first"))
        await pilot.press("down", "down", "ctrl+s")
        await until_async(lambda: sees(app, "3 sessions, oldest first"))
        await until_async(lambda: "Budget meeting" in rows(app)[0])
        assert app.screen.shown == Shown("", "oldest", 0), "the cursor stays on its session"  # type: ignore[attr-defined]
        await pilot.press("down", "enter")
        await reading(app)
        await pilot.press("escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and bool(app.screen._list._count))
        assert app.screen.shown == Shown("", "oldest", 1)  # type: ignore[attr-defined]


async def test_renaming_tagging_exporting_deleting_and_undoing(home: Path) -> None:
    ids = fill(home)
    with Store(home / "library.db", home / "sessions") as store:
        store.set_mark(ids[-1], 1, "")
    async with in_library(home) as (app, pilot):
        await pilot.press("ctrl+r")
        await until_async(lambda: not isinstance(app.screen, LibraryScreen))
        app.screen.query_one(Input).value = "Daily: a/b"
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and "Daily: a/b" in rows(app)[0])
        await pilot.press("ctrl+t")
        await until_async(lambda: not isinstance(app.screen, LibraryScreen))
        await pilot.press(*"team", "space", "number_sign", *"daily", "enter")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and "#daily #team" in rows(app)[0])
        await pilot.press("ctrl+o")
        await until_async(lambda: isinstance(app.screen, ExportScreen))
        assert app.screen.query_one(Input).value == str(Path.cwd() / "Daily a b.md")
        app.screen.query_one(Input).value = str(home / "out.srt")
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and sees(app, "Exported to"))
        assert "The budget is next." in (home / "out.srt").read_text() and "-->" in (home / "out.srt").read_text()
        await pilot.press("ctrl+o")
        await until_async(lambda: sees(app, "marks and notes  (1 line)"))
        app.screen.query_one(Input).value = str(home / "marked.txt")
        await pilot.press("down", "enter")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and (home / "marked.txt").exists())
        assert (home / "marked.txt").read_text() == "★ 00:00:05  Good morning everybody.\n"
        await pilot.press("ctrl+d")
        trashed = '"Daily: a/b" is in the trash; ctrl+z brings it back.'
        await until_async(lambda: sees(app, "2 sessions") and sees(app, trashed))
        await pilot.press("enter")
        await reading(app)
        await pilot.press("escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and sees(app, "2 sessions"))
        await pilot.press("ctrl+z")
        await until_async(lambda: sees(app, "3 sessions") and "Daily: a/b" in rows(app)[0])


async def test_the_trash_is_shown_and_searched_and_sessions_are_taken_out(home: Path) -> None:
    ids = fill(home)
    with Store(home / "library.db", home / "sessions") as store:
        for id in ids[:2]:
            trash.delete(store, id)
    async with in_library(home) as (app, pilot):
        await pilot.press(*"in:trash")
        await until_async(lambda: sees(app, "2 sessions in the trash (ctrl+z: take out, ctrl+d: remove), newest first"))
        assert "Session number 1" in rows(app)[0] and "Session number 0" in rows(app)[1]
        for key in ("enter", "ctrl+r", "ctrl+o", "ctrl+g"):
            await pilot.press(key)
            await until_async(lambda: sees(app, '"Session number 1" is in the trash. Take it out first (ctrl+z).'))
            assert isinstance(app.screen, LibraryScreen)
            app.screen._say("")
        await pilot.press("down", "ctrl+z")
        await until_async(lambda: sees(app, '"Session number 0" is out of the trash.'))
        assert "Session number 1" in rows(app)[0]
        await pilot.press(*" budget")
        await until_async(lambda: sees(app, "1 found"))
        await pilot.press("ctrl+z")
        await until_async(lambda: sees(app, "Nothing found."))
        await pilot.press("ctrl+u", *"in:trash")
        await until_async(lambda: sees(app, "Nothing like that is in the trash."))
        await pilot.press("ctrl+u")
        await until_async(lambda: sees(app, "3 sessions, newest first"))
        await pilot.press(*"in:0 budget", "down", "ctrl+d", "ctrl+u", "ctrl+z")
        await until_async(lambda: sees(app, '"Session number 0" is out of the trash.'))
        await pilot.press("ctrl+r")  # what was taken out, though another row was under the cursor
        await until_async(lambda: isinstance(app.screen, Ask))
        assert app.screen.query_one(Input).value == "Session number 0"
        await pilot.press("escape", "ctrl+u", *"in:0", "ctrl+d", "ctrl+u", *"in:trash", "ctrl+d")
        await until_async(lambda: sees(app, 'ctrl+d once more removes "Session number 0" for good, text and sound.'))
        await pilot.press("ctrl+d")
        await until_async(lambda: sees(app, '"Session number 0" is removed.'))
        assert not (home / "sessions" / ids[0]).exists()


async def test_a_finished_session_is_marked_edited_searched_and_exported(home: Path) -> None:
    [id] = fill(home, 1)
    with Store(home / "library.db", home / "sessions") as store:
        ended = store.session(id).ended_utc_s
    async with in_library(home) as (app, pilot):
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, ReadingScreen) and app.screen.line is not None)
        await pilot.press("home", "down", "m", "t")
        await until_async(lambda: isinstance(app.screen, Ask))
        await pilot.press(*"why", "enter")
        await until_async(lambda: texts_of(app._page)[2] == "why")  # behind the line that the cursor is on
        await pilot.press("slash", *"home", "enter", "enter")
        await until_async(lambda: not isinstance(app.screen, ReadingScreen))
        await pilot.press("end", *"!", "enter")
        await until_async(lambda: isinstance(app.screen, ReadingScreen))
        await until_async(lambda: app._page.transcript.text(4) == "Then we go home.!")
        await pilot.press("x")
        await until_async(lambda: not isinstance(app.screen, ReadingScreen))
        assert app.screen.query_one(Input).value == str(Path.cwd() / f"mictape-{BEGAN:%Y%m%d-%H%M}.md")
        app.screen.query_one(Input).value = str(home / "out.md")
        await pilot.press("enter")
        await until_async((home / "out.md").exists)
        await until_async(lambda: isinstance(app.screen, ReadingScreen))
        await pilot.press("escape", "escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen))
    assert "Then we go home.!" in (home / "out.md").read_text()
    with Store(home / "library.db", home / "sessions") as store:
        lines = store.lines(id)
        assert [line.mark for line in lines] == [None, "", None, None, None]
        assert lines[2].start == lines[1].start
        assert (lines[4].text, lines[4].original) == ("Then we go home.!", "Then we go home.")
        assert store.session(id).ended_utc_s == ended


async def test_the_library_says_at_once_that_the_recording_is_paused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_clock, "REST_S", 3600)  # nothing is drawn but for a reason
    fill(home, 1)
    async with on_fake_sound(home, FakeSoundSystem(words=(1,))) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1"])
        await pilot.press("space")
        await until_async(lambda: sees(app, "PAUSED"))
        await pilot.press("L")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and sees(app, "PAUSED"))


async def test_help_in_the_library_has_the_keys_of_the_library(home: Path) -> None:
    fill(home, 1)
    async with in_library(home) as (app, pilot):
        await pilot.press("f1")
        await until_async(lambda: isinstance(app.screen, HelpScreen))
        await pilot.press(*"library compare")
        await until_async(lambda: sees(app, "^n") and sees(app, "Transcribe the session again"))
        await pilot.press("escape", "escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen))


async def test_recording_goes_on_below_the_library_and_one_key_goes_back(home: Path) -> None:
    fill(home, 1)
    sound = FakeSoundSystem(words=(1,))
    async with on_fake_sound(home, sound) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1"])
        await pilot.press("L")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and sees(app, "● in progress"))
        await until_async(lambda: sees(app, "LISTENING"))
        await pilot.press(*"budget")
        await until_async(lambda: sees(app, "1 found"))
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, ReadingScreen))
        sound.sources[0].receive((2,))
        await until_async(lambda: sees(app, "Recording goes on: LISTENING"))
        await pilot.press("space")
        await pilot.press("escape")
        await until_async(lambda: app.screen is app._main and texts(app) == ["w1", "w2"])
        assert app.session is not None and not app.session.sound.paused, "Space is not for what is not in sight"
        await pilot.press("L")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and sees(app, "1 found"))
        await pilot.press(*"w1")
        await until_async(lambda: app.screen.shown.typed == "w1" and sees(app, "1 found"))  # type: ignore[attr-defined]
        await pilot.press("down", "enter")
        await until_async(lambda: app.screen is app._main and app._main.line is not None)
        await until_async(lambda: app._main.line is not None and app._main.line.text == "w1")
        assert app._main.view.walk.rank == 0 and not app._main.view.following, "what was found in the running session"


async def test_a_session_is_recorded_on_in(home: Path) -> None:
    [id] = fill(home, 1, sound=True)
    sound = FakeSoundSystem(words=(1,))
    async with on_fake_sound(home, sound, start=Start(library=True)) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and bool(app.screen._list._count))
        assert "pause" not in [key.title for key in app._main.footer.keys], "nothing is recorded yet"
        assert not app._main.meters.display
        await pilot.press("ctrl+g")
        await until_async(lambda: texts(app)[-1:] == ["w1"] or bool(messages(app)))
        await until_async(lambda: "pause" in [key.title for key in app._main.footer.keys] and app._main.meters.display)
        assert app.session is not None and app.session.folder.session == id


async def test_leaving_asks_once_more_than_a_minute_is_recorded(home: Path) -> None:
    sound = FakeSoundSystem(words=(1, *[0] * 310))
    async with on_fake_sound(home, sound) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1"])
        await pilot.press("q")
        await until_async(lambda: isinstance(app.screen, LeaveScreen))
        await pilot.press("escape")
        await until_async(lambda: app.screen is app._main)
        assert not recording_of(app).stopping
        await pilot.press("ctrl+c", "ctrl+c")
        await until_async(lambda: recording_of(app).stopping)


async def test_leaving_says_what_becomes_of_text_that_an_engine_does_not_give(home: Path) -> None:
    engine = ScriptedEngine(Capabilities(), refusals=10_000)
    sound = FakeSoundSystem(words=(1, *[0] * 310))
    async with on_fake_sound(home, sound, engine=engine) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: recording_of(app).tracks[0].follower)
        await until_async(lambda: recording_of(app).tracks[0].follower.state == "offline")  # pyright: ignore[reportOptionalMemberAccess] (waited for)
        await until_async(lambda: recording_of(app).tracks[0].end > 60 * RATE)
        await pilot.press("q")
        await until_async(lambda: isinstance(app.screen, LeaveScreen))
        assert "can be transcribed later" in str(app.screen.query_one("#found").render())
        await pilot.press("escape")


@pytest.mark.parametrize(
    ("keep", "words"),
    [(True, "what is missing can be completed later"), (False, "what is missing cannot be completed later")],
)
async def test_what_becomes_of_text_that_is_missing_is_said_as_it_is(home: Path, keep: bool, words: str) -> None:
    engine = ScriptedEngine(ready=asyncio.Event())
    sound, settings = FakeSoundSystem(words=(1,)), Settings(keep=keep)
    async with on_fake_sound(home, sound, engine=engine, settings=settings) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: recording_of(app).tracks and recording_of(app).tracks[0].end)
        await pilot.press("q")
        await until_async(lambda: sees(app, words))


async def test_what_is_not_kept_is_said_and_not_thrown_away_without_a_question(home: Path) -> None:
    sound = FakeSoundSystem(words=(1,))
    async with on_fake_sound(home, sound, settings=Settings(keep=False)) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1"])
        await until_async(lambda: sees(app, "NOT KEPT"))
        await pilot.press("q")
        await until_async(lambda: isinstance(app.screen, LeaveScreen))
        found = str(app.screen.query_one("#found").render())
        assert "None of it is kept. Export the text first if you want it (x)." in found
        await pilot.press("x")
        await until_async(lambda: isinstance(app.screen, ExportScreen))
        await pilot.press("escape")
        await until_async(lambda: isinstance(app.screen, LeaveScreen))
        file = home / "said.txt"
        await pilot.press("x", "ctrl+u")
        await paste(pilot, str(file))
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, LeaveScreen))
        assert "w1" in file.read_text()
        found = str(app.screen.query_one("#found").render())
        assert f"All of its text is in {file}. The sound is not kept." in found
        await pilot.press("escape", "m", "q")
        assert recording_of(app).tracks[0].end < 60 * RATE
        await until_async(lambda: isinstance(app.screen, LeaveScreen))
        found = str(app.screen.query_one("#found").render())
        assert f"1 line is new or changed since the export to {file}. Export again to keep it (x)." in found
        await pilot.press("enter")
        await until_async(lambda: recording_of(app).stopping)


async def test_what_cannot_be_stored_is_asked_about_before_the_app_is_left(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library.open.__func__, "__kwdefaults__", {"busy_s": 0.05})  # type: ignore[attr-defined]
    async with on_fake_sound(home, FakeSoundSystem(words=(1,))) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1"])
        session = app.session
        assert session is not None
        with held(home / "library.db"):
            await pilot.press("m")
            await until_async(lambda: session.unwritten)
            await pilot.press("q")
            await until_async(lambda: isinstance(app.screen, LeaveScreen))
            assert "lost if you quit now. The library" in str(app.screen.query_one("#found").render())
            await pilot.press("escape")
        await until_async(lambda: not session.unwritten)
        await pilot.press("q")
        await until_async(lambda: recording_of(app).stopping)
    with Store.to_read(home / "library.db") as store:
        assert store.session("last").marks == 1


@pytest.mark.parametrize("start", [None, Start(opened="last")], ids=["recording", "reading"])
async def test_what_cannot_be_stored_until_the_app_has_ended_is_named_on_the_normal_screen(
    home: Path, monkeypatch: pytest.MonkeyPatch, start: Start | None
) -> None:
    monkeypatch.setattr(Library.open.__func__, "__kwdefaults__", {"busy_s": 0.05})  # type: ignore[attr-defined]
    sound, settings = FakeSoundSystem(words=(1,)), Settings(device="Blue Yeti")
    if start is not None:
        async with on_fake_sound(home, sound, settings=settings) as (app, _):
            await until_async(lambda: texts(app) == ["w1"])
    async with on_fake_sound(home, sound, start=start, settings=settings) as (app, pilot):
        await until_async(lambda: app._page.line is not None and app._page.line.text == "w1")
        session = app._page.session
        assert session is not None
        with held(home / "library.db"):
            await pilot.press("m")
            await until_async(lambda: session.unwritten)
            app.action_stop()
            await until_async(lambda: app._exit)
    assert "(lost: 1 mark)" in str(app.farewell)
    assert app.return_code == ExitCode.SOUND


def texts_of(page: TranscriptScreen) -> list[str]:
    """What stands in a finished session, in tape order."""
    return [page.transcript.text(index) for index in range(len(page.transcript))]


async def reading(app: MictapeApp) -> ReadingScreen:
    """The finished session that is open, once its lines are there."""
    await until_async(lambda: isinstance(app.screen, ReadingScreen) and app.screen.line is not None)
    assert isinstance(app.screen, ReadingScreen)
    return app.screen


async def choose_engine(app: MictapeApp, pilot: Pilot[Any], name: str) -> None:
    """Choose an engine in the picker, once it is known that it is ready."""
    await until_async(lambda: isinstance(app.screen, EnginePicker))
    picker = app.screen
    assert isinstance(picker, EnginePicker)
    await until_async(lambda: picker._known[name].readiness is Readiness.READY)
    picker._list._go_to(name)
    await pilot.press("enter")
    await until_async(lambda: app.screen is not picker)


async def with_other_engine(app: MictapeApp, pilot: Pilot[Any]) -> None:
    """In the versions of a text: transcribe it again, with the engine under the cursor."""
    await pilot.press("a")
    await choose_engine(app, pilot, "local")


async def test_a_session_is_transcribed_again_from_reading_and_its_versions_are_compared_and_chosen(home: Path) -> None:
    [id] = fill(home, 1, said=(1, 2, 3))
    async with in_library(home) as (app, pilot):
        await pilot.press("enter")
        page = await reading(app)
        await pilot.press("end", "m", "o")
        await until_async(lambda: isinstance(app.screen, VersionsScreen) and sees(app, "There is one version."))
        assert not sees(app, "pgdn more"), "there is nothing to compare"
        await with_other_engine(app, pilot)
        await until_async(lambda: any("now has version 2" in message for message in messages(app)))
        assert '"Session number 0" now has version 2 of its text, by scripted.' in messages(app)
        page = await reading(app)
        assert texts_of(page) == ["w1", "w2", "w3"], "one stays in the session, and it shows the new text"
        await pilot.press("o")
        await until_async(lambda: sees(app, "17 words differ: [version 1] {version 2}") and sees(app, "pgdn more"))
        await until_async(lambda: sees(app, "[Good morning everybody.]") and sees(app, "{w1}"))
        await pilot.press("up", "enter")
        await until_async(lambda: app.screen is not page)
        page = await reading(app)
        assert page.transcript.text(1) == "Good morning everybody."
        assert page.transcript.line(3).mark == "", "a mark is in every version at its place"
    with Store(home / "library.db", home / "sessions") as store:
        assert [version.number for version in versions.versions(store, id)] == [1, 2]
        assert store.session(id).version == 1


async def test_undo_and_redo_go_through_all_that_was_done_in_each_version_of_a_text(home: Path) -> None:
    [id] = fill(home, 1, said=(1, 2, 3))
    with Store(home / "library.db", home / "sessions") as store:
        covered = {1: (CoverageRecord(0, 30 * RATE, "covered"),)}
        versions.add_version(store, id, [LineRecord(0, 1, 0, 4 * RATE, "better")], covered, engine="a", title="a")
        versions.choose_version(store, id, 1)

    async def page_with(text: str) -> ReadingScreen:
        await until_async(lambda: isinstance(app.screen, ReadingScreen) and text in texts_of(app.screen))
        return await reading(app)

    async with in_library(home) as (app, pilot):
        await pilot.press("enter")
        page = await reading(app)
        await pilot.press("home", "m", "o")
        await until_async(lambda: isinstance(app.screen, VersionsScreen) and sees(app, "words differ"))
        await pilot.press("down", "enter")
        page = await page_with("better")
        await pilot.press("m")  # takes the mark away, which is in this version, too
        assert not page.transcript.marks
        await pilot.press("u", "u", "u", "u")
        page = await page_with("Good morning everybody.")
        await until_async(lambda: "There is nothing to undo." in messages(app))
        assert not page.transcript.marks
        app.clear_notifications()
        await pilot.press("U", "U", "U", "U")
        page = await page_with("better")
        await until_async(lambda: "There is nothing to redo." in messages(app))
        assert not page.transcript.marks
        await pilot.press("u", "u")
        page = await page_with("Good morning everybody.")
        assert len(page.transcript.marks) == 1


async def test_a_key_of_the_recording_says_in_a_finished_session_why_it_does_nothing(home: Path) -> None:
    fill(home, 1)
    async with in_library(home) as (app, pilot):
        await pilot.press("enter")
        await reading(app)
        await pilot.press("space", "d")
        assert messages(app) == ["This session has ended; nothing is recorded. Continue it in the library (L, ^g)."]
    async with on_fake_sound(home, FakeSoundSystem(), settings=Settings(device="Blue Yeti")) as (app, pilot):
        await until_async(lambda: bool(recording_of(app).tracks))
        await pilot.press("L")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and len(rows(app)) == 2)
        await pilot.press("ctrl+d")
        await until_async(lambda: sees(app, "This session is being recorded. Stop the recording first (q)."))
        await pilot.press("down", "enter")
        await reading(app)
        await until_async(lambda: sees(app, "Recording goes on"))
        await pilot.press("space")
        assert "What is recorded is not on this screen. Go back to it first (esc)." in messages(app)
        recorded = recording_of(app).session
        assert recorded is not None
        assert not recorded.sound.paused


async def test_a_line_that_was_removed_is_brought_back_also_when_the_session_is_opened_again(home: Path) -> None:
    fill(home, 1)
    async with in_library(home) as (app, pilot):
        await pilot.press("enter")
        before = texts_of(await reading(app))
        await pilot.press("home", "down", "m", "delete")
        await until_async(lambda: isinstance(app.screen, ReadingScreen) and len(app.screen.transcript) == 3)
        await pilot.press("escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and bool(app.screen._list._count))
        await pilot.press("enter")
        page = await reading(app)
        assert texts_of(page) == [before[0], *before[2:]]
        await pilot.press("u")
        assert texts_of(page) == before
        assert page.line is not None and (page.line.text, page.line.mark) == (before[1], "")
        await pilot.press("U")
        assert page.line is not None and page.line.text == before[2], "as after the removal"
        await pilot.press("u")
        assert texts_of(page) == before
        assert "Undone: removing the line at 00:00:05. Nothing more to undo." in messages(app)


async def test_a_new_version_waits_for_what_is_typed_in_the_session(home: Path) -> None:
    [id] = fill(home, 1, said=(1, 2, 3))
    ready = asyncio.Event()
    async with in_library(home, engine=ScriptedEngine(ready=ready)) as (app, pilot):
        await pilot.press("enter")
        page = await reading(app)
        await pilot.press("o")
        await until_async(lambda: isinstance(app.screen, VersionsScreen))
        assert "pause" not in [key.title for key in page.footer.keys], "nothing is recorded"
        await with_other_engine(app, pilot)
        await until_async(lambda: app.screen is page and sees(app, "Another version of the text: transcribing, 0 %"))
        await pilot.press("home", "i")
        await until_async(lambda: app.screen is not page)
        ready.set()
        await until_async(recording_of(app).readings._turns[id].wanted.is_set)
        await pilot.press(*"Typed", "enter")
        await until_async(lambda: app.screen is not page)
        page = await reading(app)
        await until_async(lambda: texts_of(page) == ["w1", "w2", "w3"])
    with Store(home / "library.db", home / "sessions") as store:
        assert store.session(id).title == "Typed"


async def test_transcribing_again_goes_on_beside_the_library_and_can_be_cancelled(home: Path) -> None:
    [id] = fill(home, 1, said=(1, 2, 3))
    engine = ScriptedEngine(loads_s=3600)
    async with in_library(home, engine=engine) as (app, pilot):
        await pilot.press("ctrl+n")
        await until_async(lambda: isinstance(app.screen, VersionsScreen))
        await with_other_engine(app, pilot)
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and sees(app, "transcribing, 0 %"))
        await pilot.press("enter")
        await reading(app)
        await until_async(lambda: sees(app, "Another version of the text: transcribing, 0 %"))
        await pilot.press("L")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and bool(app.screen._list._count))
        await pilot.press("ctrl+n")
        await until_async(lambda: sees(app, "transcribing, 0 % (c: cancel)"))
        await pilot.press("c")
        await until_async(lambda: isinstance(app.screen, VersionsScreen) and not sees(app, "transcribing"))
        await pilot.press("escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen))
        await pilot.press("enter")
        await reading(app)
    with Store(home / "library.db", home / "sessions") as store:
        assert [version.number for version in versions.versions(store, id)] == [1]


async def test_leaving_ends_transcribing_again_and_changes_nothing(home: Path) -> None:
    [id] = fill(home, 1, said=(1, 2, 3))
    async with in_library(home, engine=ScriptedEngine(loads_s=3600)) as (app, pilot):
        await pilot.press("ctrl+n")
        await until_async(lambda: isinstance(app.screen, VersionsScreen))
        await with_other_engine(app, pilot)
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and sees(app, "transcribing, 0 %"))
    assert app.recording is not None and app.recording.beside.given_up == ["Session number 0"]
    with Store(home / "library.db", home / "sessions") as store:
        assert len(store.lines(id)) == 4 and store.session(id).state == "closed"
        store.hold_session(id).release()


async def test_a_gap_a_note_names_and_undo_in_a_finished_session(home: Path) -> None:
    [id] = fill(home, 1, said=(0, 0, 0, 0, 0, 4), gap=True)
    async with in_library(home) as (app, pilot):
        await pilot.press("enter")
        page = await reading(app)
        await pilot.press("greater_than_sign", "c")
        await until_async(lambda: "w4" in texts_of(page))
        await pilot.press("home", "down", "t")
        await until_async(lambda: not isinstance(app.screen, ReadingScreen))
        assert sees(app, f"Note at {clock(page.transcript.line(1).start)}")
        await pilot.press(*"later", "enter")
        await until_async(lambda: "later" in texts_of(page))
        assert texts_of(page).index("later") == 2
        await pilot.press("home", "s")
        await until_async(lambda: isinstance(app.screen, NameSpeaker))
        await pilot.press(*"Berta", "enter")
        await until_async(lambda: page.transcript.line(0).speaker == "Berta")
        await pilot.press("down", "s")
        await until_async(lambda: isinstance(app.screen, NameSpeaker))
        await pilot.press(*"Carl", "enter")
        await until_async(lambda: page.transcript.line(1).speaker == "Carl")
        await pilot.press("u")
        assert page.transcript.line(1).speaker is None
        await pilot.press("R")
        await until_async(lambda: not isinstance(app.screen, ReadingScreen))
        await pilot.press(*"Anna", "enter")
        await until_async(lambda: page.transcript.track_names == {1: "Anna"})
        await pilot.press("home", "m", "u")
        assert page.transcript.line(0).mark is None
        await pilot.press("u")
        await until_async(lambda: page.transcript.track_names == {})  # no empty column stays before the text
    with Store(home / "library.db", home / "sessions") as store:
        assert {"w4", "later"} <= {line.text for line in store.lines(id)}
        assert [line.speaker for line in store.lines(id)[:3]] == ["Berta", None, None]
        assert store.tracks(id)[0].name == "You" and store.session(id).gaps == 0


async def test_a_line_whose_sound_was_removed_is_not_shown_as_played(home: Path) -> None:
    fill(home, 1)
    async with in_library(home) as (app, pilot):
        await pilot.press("enter")
        page = await reading(app)
        await pilot.press("p")
        await until_async(lambda: "The sound of this line was removed." in messages(app))
        assert page.view.playing_id is None


async def test_what_stands_above_the_list_begins_where_the_list_does(home: Path) -> None:
    fill(home, 1)
    async with in_library(home) as (app, _):
        assert {app.screen.query_one(f"#{id}").region.x for id in ("search", "note", "lists", "facts")} == {1}


async def test_the_first_escape_drops_the_selection_and_the_second_leaves(home: Path) -> None:
    fill(home, 1, said=(1, 2, 3))
    async with in_library(home) as (app, pilot):
        await pilot.press("enter")
        page = await reading(app)
        await pilot.press("home", "shift+down")
        assert len(page.selected) == 2
        await pilot.press("escape")
        assert app.screen is page and not page.selections
        await pilot.press("escape")
        await until_async(lambda: isinstance(app.screen, LibraryScreen))


async def test_a_gap_is_transcribed_by_the_engine_that_is_chosen_while_reading(home: Path) -> None:
    fill(home, 1, said=(4,), gap=True)
    ready = asyncio.Event()
    first, second = ScriptedEngine(name="scripted"), ScriptedEngine(name="local", title="local", ready=ready)
    engines = {"local": second, "scripted": first}
    async with in_library(home, engines=engines, settings=Settings(engine="scripted")) as (app, pilot):
        await pilot.press("enter")
        page = await reading(app)
        await pilot.press("e")
        await choose_engine(app, pilot, "local")
        await until_async(lambda: recording_of(app).engines.in_use is second and app.screen is page)
        await pilot.press("greater_than_sign")
        await until_async(lambda: sees(app, "This gap has no text yet. Transcribe it (c)."))
        await pilot.press("c")
        await until_async(lambda: sees(app, "This gap is being transcribed."))
        ready.set()
        await until_async(lambda: "w4" in texts_of(page))
    assert (first.opened, second.opened) == (0, 1)


async def test_what_stands_in_the_way_of_a_gap_is_said_while_reading(home: Path) -> None:
    fill(home, 1, said=(4,), gap=True)
    async with in_library(home, engine=ScriptedEngine(fatal=True)) as (app, pilot):
        await pilot.press("enter")
        await reading(app)
        await pilot.press("greater_than_sign", "c")
        await until_async(lambda: any("The scripted engine went away" in message for message in messages(app)))


async def test_what_was_kept_before_can_be_read_while_nothing_is_kept(home: Path) -> None:
    fill(home, 2)
    sound = FakeSoundSystem([device("Blue Yeti")], words=(1,))
    async with on_fake_sound(home, sound, settings=Settings(device="Blue Yeti", keep=False)) as (app, pilot):
        await until_async(lambda: texts(app) == ["w1"])
        await pilot.press("L")
        await until_async(lambda: isinstance(app.screen, LibraryScreen) and app.screen._list._count == 2)
        await pilot.press(*"budget")
        await until_async(lambda: sees(app, "2 found"))
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, ReadingScreen))
