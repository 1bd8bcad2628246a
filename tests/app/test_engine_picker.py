"""The engine picker: what it says of each engine while it finds out, how one chooses, what it refuses."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail
from textual.pilot import Pilot
from textual.widgets import OptionList

from mictape import credentials
from mictape.engines.readiness import EngineStatus, Readiness
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.screens.engine_picker import MODELS, EnginePicker
from mictape.screens.prompt import Ask
from mictape.settings import Settings
from support.app_driver import on_fake_sound, paste, recording_of, texts
from support.example_service import ROOT, Parrot, installed
from support.scripted import ScriptedEngine
from support.sound_system import FakeSoundSystem, device
from support.waiting import TIMEOUT_S, until_async
from support.widget_app import WidgetApp, rows_of, sees

LOCAL = EngineStatus("local", Readiness.READY, "local · moonshine", leaves="nothing leaves this machine")
CLOUD = EngineStatus(
    "cloud [b]9[/b]",
    Readiness.NEEDS_KEY,
    "cloud",
    Failure("Cloud 9 needs an API key", "Give it one with mictape login cloud", ExitCode.ENGINE),
    "sound goes to cloud.example",
    usd_per_hour=0.45,
    billed=True,
)
CELLAR = EngineStatus(
    "cellar", Readiness.UNREACHABLE, "cellar", Failure("cellar does not answer", "Start it"), "sound goes to cellar"
)
ALIEN = EngineStatus("alien", Readiness.NO_PLATFORM, "alien", Failure("It does not run on Intel Macs"))
ALL = [LOCAL, CLOUD, CELLAR, ALIEN]
NOT_ASKED = object()


class Answers:
    """Says of each engine what it is set to, when it is set to, and counts how often it is asked."""

    def __init__(self, *statuses: EngineStatus) -> None:
        self.statuses = {status.name: status for status in statuses}
        self.held = {status.name: asyncio.Event() for status in statuses}
        self.asked: list[str] = []

    def release(self, *names: str) -> None:
        for name in names or self.held:
            self.held[name].set()

    async def look(self, name: str) -> EngineStatus:
        self.asked.append(name)
        await self.held[name].wait()
        return self.statuses[name]


class Given:
    """Takes one key, and keeps all that were given."""

    def __init__(self, right: str, answers: Answers) -> None:
        self.keys: list[tuple[str, str]] = []
        self._right = right
        self._answers = answers

    async def kept(self, name: str) -> str:
        return f"It is kept in a drawer for {name}."

    async def give(self, name: str, key: str) -> None:
        self.keys.append((name, key))
        if key != self._right:
            raise MictapeError(Failure("Cloud 9 does not accept the key", "Copy it again", ExitCode.ENGINE))
        ready = replace(self._answers.statuses[name], readiness=Readiness.READY, failure=None)
        self._answers.statuses[name] = ready


class Opened:
    """An open picker and what it gave back."""

    def __init__(self, app: WidgetApp, answers: Answers, given: Given) -> None:
        self.app = app
        self.answers = answers
        self.given = given
        self.result: object = NOT_ASKED

    def sees(self, *words: str) -> bool:
        return all(self.app.sees(word) for word in words)

    @property
    def cursor(self) -> str | None:
        option = self.app.screen.query_one(OptionList).highlighted_option
        return option.id if option else None


async def opened(
    pilot: Pilot[None],
    *statuses: EngineStatus,
    known: bool = True,
    in_use: str | None = None,
    right_key: str | None = None,
) -> Opened:
    app = pilot.app
    assert isinstance(app, WidgetApp)
    answers = Answers(*statuses)
    seen = Opened(app, answers, Given(right_key or "", answers))

    def left(result: str | None) -> None:
        seen.result = result

    keys = None if right_key is None else seen.given
    picker = EnginePicker(list(answers.statuses), answers.look, in_use=in_use, keys=keys)
    await app.push_screen(picker, left)
    if known:
        answers.release()
        await until_async(lambda: not app.sees("looking …"))
    else:
        await until_async(lambda: app.sees("looking …"))
    return seen


@pytest.mark.parametrize("size", [(100, 30), (60, 20)])
async def test_each_engine_has_its_state_what_leaves_and_its_price(size: tuple[int, int]) -> None:
    async with WidgetApp().run_test(size=size) as pilot:
        seen = await opened(pilot, *ALL, in_use="local")
        assert seen.sees("Engine", "● local", "in use", "ready", "nothing leaves this machine")
        assert seen.sees("cloud [b]9[/b]", "needs a key", "sound goes to cloud.example · $0.45 an hour")
        assert seen.sees("not reachable", "not on this platform", "enter use", "esc cancel")


async def test_all_are_listed_at_once_and_each_row_fills_when_it_is_known() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, *ALL, known=False)
        assert all(seen.app.sees(one.name) for one in ALL)
        assert sorted(seen.answers.asked) == sorted(one.name for one in ALL), "side by side"
        seen.answers.release("cellar")
        await until_async(lambda: seen.sees("not reachable", "looking …"))
        rows = [next(y for y, row in enumerate(seen.app.rows) if one.name in row) for one in ALL]
        seen.answers.release()
        await until_async(lambda: not seen.sees("looking …"))
        assert rows == [next(y for y, row in enumerate(seen.app.rows) if one.name in row) for one in ALL]


async def test_enter_chooses_the_one_under_the_cursor_which_begins_at_the_one_in_use() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, CELLAR, LOCAL, in_use="local")
        assert seen.cursor == "local"
        await pilot.press("enter")
        await until_async(lambda: seen.result == "local")


async def test_one_that_is_not_reachable_may_be_chosen() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, LOCAL, CELLAR, in_use="local")
        await pilot.press("down")
        await until_async(lambda: seen.sees("cellar does not answer. Start it."))
        await pilot.press("enter")
        await until_async(lambda: seen.result == "cellar")


@pytest.mark.parametrize("status", [CLOUD, ALIEN])
async def test_one_that_cannot_be_used_says_why_and_stays(status: EngineStatus) -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, LOCAL, status, in_use="local")
        assert not seen.sees(str(status.failure))
        await pilot.press("down", "enter")
        await until_async(lambda: seen.sees(str(status.failure)))
        assert seen.app.screen.query_one("#note").has_class("-trouble")
        assert seen.result is NOT_ASKED
        await pilot.press("up", "enter")
        await until_async(lambda: seen.result == "local")


async def test_a_choice_waits_until_its_engine_is_known() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, LOCAL, CLOUD, known=False)
        await pilot.press("enter")
        await until_async(lambda: seen.sees("Waiting to know whether local is ready"))
        seen.answers.release("cloud [b]9[/b]")
        await until_async(lambda: seen.sees("needs a key"))
        assert seen.result is NOT_ASKED
        seen.answers.release("local")
        await until_async(lambda: seen.result == "local")


async def test_moving_on_takes_back_a_choice_that_waits() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, LOCAL, CELLAR, known=False)
        await pilot.press("enter")
        await until_async(lambda: seen.sees("Waiting to know"))
        await pilot.press("down")
        await until_async(lambda: not seen.sees("Waiting to know"))
        seen.answers.release()
        await until_async(lambda: seen.sees("not reachable"))
        assert seen.result is NOT_ASKED


async def test_ctrl_r_looks_again() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, LOCAL, CLOUD, in_use="local")
        seen.answers.statuses[CLOUD.name] = EngineStatus(CLOUD.name, Readiness.READY)
        await pilot.press("ctrl+r")
        await until_async(lambda: len(seen.answers.asked) == 4)
        await until_async(lambda: not seen.sees("needs a key") and not seen.sees("looking …"))
        assert seen.cursor == "local"


async def test_typing_filters_the_engines_and_tab_goes_to_the_models() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, LOCAL, CLOUD, CELLAR, in_use="local")
        await pilot.press(*"cell")
        assert seen.cursor == CELLAR.name and not seen.sees("local")
        await pilot.press("x", "enter")
        assert seen.cursor is None and seen.sees('Nothing fits "cellx".')
        assert seen.result is NOT_ASKED
        await pilot.press(*["backspace"] * 5)
        assert seen.cursor == CELLAR.name and seen.sees("cloud [b]9[/b]", "local")
        await pilot.press("tab")
        await until_async(lambda: seen.result == MODELS)


async def test_escape_leaves_while_it_still_looks() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, *ALL, known=False)
        await pilot.press("escape")
        await until_async(lambda: seen.result is None)


async def test_a_click_chooses() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, *ALL, in_use="cellar")
        row = next(y for y, text in enumerate(seen.app.rows) if "local" in text)
        await pilot.click(offset=(seen.app.rows[row].index("local"), row))
        await until_async(lambda: seen.result == "local")


async def test_it_is_right_about_real_engines(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the survey that the app uses: the example engine installed, its service on a real socket."""
    monkeypatch.syspath_prepend(str(installed()))
    monkeypatch.setenv("PARROT_API_KEY", "pk-0123456789abcdef")
    log = tmp_path_factory.mktemp("log") / "log"
    async with Parrot("pk-0123456789abcdef").serve() as server, WidgetApp().run_test(size=(100, 30)) as pilot:
        settings = Settings(engines={"parrot": {"url": server.url}})
        app = pilot.app
        assert isinstance(app, WidgetApp)
        await app.push_screen(
            EnginePicker(["local", "parrot"], lambda name: credentials.engine_status(name, settings, log))
        )
        await until_async(lambda: not app.sees("looking …"))
        assert [row.split()[1:] for row in app.rows if " ready" in row][1][:2] == ["parrot", "ready"]
        assert app.sees("sound goes to a server on this machine")
        assert server.peers == []


@pytest.mark.parametrize("gives", ["never", "an exception"])
async def test_what_goes_wrong_while_looking_is_part_of_the_answer(
    gives: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path_factory.mktemp("site")
    info = site / "odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mictape.engines]\nodd = odd_{gives[:2]}:Odd\n")
    wait = "await asyncio.Event().wait()" if gives == "never" else "raise ZeroDivisionError('oh')"
    (site / f"odd_{gives[:2]}.py").write_text(
        "import asyncio, msgspec\n"
        "class Odd:\n"
        "    class Options(msgspec.Struct): pass\n"
        "    def __init__(self, options, log): pass\n"
        f"    async def check(self, ask): {wait}\n"
        "    async def close(self): pass\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr("mictape.engines.readiness.LOOK_S", 0.1)
    known = await credentials.engine_status("odd", Settings(), site / "log")
    assert known.readiness is Readiness.UNUSABLE
    assert ("did not say" if gives == "never" else "oh") in str(known.failure)


async def test_a_keyring_that_waits_for_a_password_keeps_nobody_from_leaving() -> None:
    program = (
        "import asyncio, pathlib, threading\n"
        "from mictape.engines.readiness import status_of\n"
        "async def look():\n"
        "    asked = threading.Event()\n"
        "    key = lambda: asked.set() or forever()\n"
        "    looking = asyncio.create_task(status_of('local', {}, pathlib.Path('log'), key))\n"
        "    await asyncio.to_thread(asked.wait)\n"
        "    looking.cancel()\n"
        "def forever(): threading.Event().wait()\n"
        "asyncio.run(look())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=ROOT)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


async def test_what_is_found_out_after_the_choice_does_not_matter_any_more() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, *ALL, known=False)
        for turns in range(12):
            picker = seen.app.screen
            assert isinstance(picker, EnginePicker)
            picker.dismiss(None)
            for _ in range(turns):  # the widgets go some turns of the loop later; one of these is in between
                await asyncio.sleep(0)
            seen.answers.release()
            await pilot.pause()
            assert seen.app.is_running
            seen = await opened(pilot, *ALL, known=False)


async def test_an_engine_without_a_key_asks_for_it_and_is_used_with_one_that_is_accepted() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, LOCAL, CLOUD, in_use="local", right_key="the-right-key")
        await pilot.press("down", "enter")
        await until_async(
            lambda: seen.sees("API key for cloud", f"It is not shown. It is kept in a drawer for {CLOUD.name}.")
        )
        box = seen.app.screen.query_one("#box").region
        assert box.y > 5, "where the list is, not at the lower edge"
        assert box.bottom < 25
        await pilot.press(*"wrong-key", "enter")
        await until_async(lambda: seen.sees("Cloud 9 does not accept the key. Copy it again."))
        assert not seen.sees("wrong-key"), "a key is never on the screen"
        assert seen.result is NOT_ASKED
        await pilot.press(*["backspace"] * len("wrong-key"), *"the-right-key", "enter")
        await until_async(lambda: seen.result == CLOUD.name)
    assert seen.given.keys == [(CLOUD.name, "wrong-key"), (CLOUD.name, "the-right-key")]


async def test_a_key_that_is_not_given_changes_nothing() -> None:
    async with WidgetApp().run_test(size=(100, 30)) as pilot:
        seen = await opened(pilot, LOCAL, CLOUD, in_use="local", right_key="the-right-key")
        await pilot.press("down", "enter")
        await until_async(lambda: seen.sees("API key for cloud"))
        await pilot.press("escape")
        await until_async(lambda: not seen.sees("API key for cloud"))
        assert seen.given.keys == []
        assert seen.result is NOT_ASKED
        assert seen.cursor == CLOUD.name


async def test_without_a_keyring_a_key_is_used_until_the_end_and_the_recording_is_seen_to_go_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, sound = "pk-0123456789abcdef", FakeSoundSystem([device("Blue Yeti")], words=(1,))
    monkeypatch.syspath_prepend(str(installed()))
    monkeypatch.setattr(credentials, "_of_this_run", {})
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    engines = {"local": ScriptedEngine(), "parrot": ScriptedEngine()}
    try:
        async with Parrot(key).serve() as server:
            settings = Settings(engines={"parrot": {"url": server.url}}, device="Blue Yeti")
            async with on_fake_sound(home, sound, engines=engines, settings=settings, size=(100, 60)) as (app, pilot):
                await until_async(lambda: texts(app) == ["w1"])
                await pilot.press("e")
                await until_async(lambda: sees(app, "needs a key"))
                picker = app.screen
                await until_async(lambda: picker.query_one(OptionList).option_count > 1)
                options = picker.query_one(OptionList)
                options.highlighted = options.get_option_index("parrot")
                await pilot.press("enter")
                await until_async(lambda: isinstance(app.screen, Ask))
                shown = "\n".join(rows_of(app))
                assert "This system has no keyring to keep a key in" in shown, "said before it is typed"
                assert "PARROT_API_KEY" in shown
                assert "w7" not in shown
                sound.sources[0].receive((7,))
                await until_async(lambda: "w7" in app.export_screenshot())  # below the dialog
                await paste(pilot, key)
                await pilot.press("enter")
                await until_async(lambda: recording_of(app).engines.in_use is engines["parrot"])
        assert credentials.key_for("parrot", {}) == key
    finally:
        keyring.set_keyring(before)
