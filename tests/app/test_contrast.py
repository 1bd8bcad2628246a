"""What is really drawn can be read: the contrast of every cell, in each shipped theme, in every state and dialog.

The minimums are those of WCAG 2.2: 4.5 for text, 3 for signs that carry meaning; 7 for text of the high-contrast theme.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from textual.color import Color
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.theme import Theme
from textual.widget import Widget
from textual.widgets import Static
from textual.widgets._toast import Toast

from mictape.failure import Advice
from mictape.library.labels import tag_session
from mictape.library.library import Library, Store
from mictape.library.records import CoverageRecord, LineRecord
from mictape.library.versions import add_version
from mictape.screens.edit_line import NameSpeaker, SplitLine
from mictape.screens.library.screen import LibraryScreen
from mictape.screens.main.screen import MainScreen
from mictape.screens.prompt import Ask
from mictape.screens.versions import VersionsScreen
from mictape.session.state import State
from mictape.session.transcript_writer import Scope
from mictape.themes import GRAPHIC_CONTRAST, TEXT_CONTRAST, contrast
from mictape.transcript.line import DIVIDER, HOLE, NOTE, SPEECH, PartialText
from mictape.transcript.query import Matcher, parse
from mictape.units import RATE
from mictape.widgets.transcript_selection import selection_of
from support.dialogs import dialogs
from support.still_app import StillApp, level, status
from support.stored_sessions import BEGAN, fill
from support.waiting import until_async
from support.widget_app import sees

NAMES = ("mictape-dark", "mictape-light", "mictape-contrast")
THEMES = pytest.mark.parametrize("theme", NAMES)

FRAMES = frozenset("╭╮╰╯│─╌▔▁▏▕▎▊▌█▄▀━╸╺╍┃▇▆▅▃▂▉▋▍ ")
"""Borders, bars and rules: what they say is beside them in words, or they are measured as zones of the meter."""


def opaque(colour: RichColor | None, otherwise: tuple[int, int, int]) -> Color:
    return Color(*(colour.get_truecolor(DEFAULT_TERMINAL_THEME) if colour is not None else otherwise))


def cells(screen: Screen[Any], within: Region) -> Iterator[tuple[int, Segment]]:
    """What is drawn within a region: the row, and segments of one style."""
    for y, strip in enumerate(screen._compositor.render_strips()):
        if within.y <= y < within.bottom:
            yield from ((y, segment) for segment in strip.crop(within.x, within.right))


def poor(drawn: Iterable[tuple[int, Segment]], text_floor: float) -> list[str]:
    """What cannot be read."""
    found: list[str] = []
    for y, (text, style, _) in drawn:
        seen = "".join(char for char in text if char not in FRAMES)
        if not seen or style is None:
            continue
        ink, ground = opaque(style.color, (255, 255, 255)), opaque(style.bgcolor, (0, 0, 0))
        assert not style.dim, f"the terminal decides how dim {text!r} is"
        reached = contrast(ink, ground)  # the same when they are exchanged
        if reached < (text_floor if any(map(str.isalnum, seen)) else GRAPHIC_CONTRAST):
            found.append(f"row {y} {text!r}: {reached:.2f}, {ink.hex} on {ground.hex}")
    return found


def minimum(theme: str) -> float:
    return 7.0 if theme == "mictape-contrast" else TEXT_CONTRAST


async def assert_readable(pilot: Pilot[Any], screen: Screen[Any], part: Widget, themes: Sequence[str]) -> None:
    """What is drawn in a part of a screen can be read, in each of these themes."""
    app, changed = pilot.app, list[Theme]()
    app.theme_changed_signal.subscribe(screen, changed.append, immediate=True)
    for theme in themes:
        if theme != app.theme:
            changed.clear()
            app.theme = theme
            await until_async(lambda: changed)
            await pilot.pause()
        assert poor(cells(screen, part.region), minimum(theme)) == [], (theme, type(screen).__name__)


async def draw(pilot: Pilot[Any], state: State = State.LISTENING, hint: Advice | None = None) -> MainScreen:
    main = pilot.app.screen_stack[0]
    assert isinstance(main, MainScreen)
    for _ in range(2):  # the first one mounts the meter
        main.show(status(state, hint), [level()], paused=state is State.PAUSED)
        await pilot.pause()
    return main


@THEMES
async def test_every_state_can_be_read(theme: str) -> None:
    async with StillApp(theme).run_test(size=(140, 30)) as pilot:
        for state in State:
            main = await draw(pilot, state, Advice("The device is gone", "Plug it in", action="choose_device"))
            assert poor(cells(main, main.region), minimum(theme)) == [], state


@THEMES
async def test_every_kind_of_line_and_everything_special_about_one_can_be_read(theme: str) -> None:
    async with StillApp(theme).run_test(size=(120, 40)) as pilot:
        main = await draw(pilot)
        view, transcript = main.view, main.transcript
        for track, speaker in enumerate("ABCDEFG", 2):
            transcript.add(track, (80 + track) * RATE, (81 + track) * RATE, f"found by {speaker}", speaker=speaker)
        for kind in (NOTE, HOLE, DIVIDER, SPEECH):
            transcript.add(1, 95 * RATE, 95 * RATE, f"found in {kind.name}", kind=kind)
        transcript.set_partial(1, PartialText(99 * RATE, "settled words and open ones", 13))
        for id in transcript.ids()[::2]:
            transcript.set_mark(id, "found in a note")
        unsure = dict.fromkeys(transcript.ids(), ((0, 5),))

        async def ask(lines: object) -> dict[int, tuple[tuple[int, int], ...]]:
            return unsure

        view.mark_unsure(ask)
        view.search(Matcher(parse("found")))
        for id in transcript.ids():
            view.go_to(id)
            view.show_playing(id)
            main.selections = {view: selection_of(id, (0, 7))}
            view.pull()
            await pilot.pause()
            assert poor(cells(main, main.region), minimum(theme)) == []
        main.selections = {}
        view.to_end()
        await pilot.pause()
        drawn = {segment.text: segment.style for _, segment in cells(main, view.region)}
        settled, open_ = drawn["settled words"], drawn[" and open ones…"]
        assert settled is not None and open_ is not None
        assert open_.italic and not settled.italic, "they differ without colour, too"
        assert open_.color != settled.color


@pytest.mark.parametrize("themes", [NAMES[::2], pytest.param(NAMES[1:2], marks=pytest.mark.proof)], ids="/".join)
async def test_dialogs_and_messages_can_be_read(home: Path, themes: Sequence[str]) -> None:
    async with StillApp(themes[0]).run_test(size=(120, 40), notifications=True) as pilot:
        main = await draw(pilot)
        line = main.transcript.line(0)
        scopes: dict[Scope, str] = {"all": "every line of Anna", "line": "this line"}
        others = (NameSpeaker("Anna", ["Anna"], scopes), SplitLine(line), Ask("Key", hint="A hint", masked=True))
        shown = [(make(), seen) for make, seen in dialogs(home).values()]
        for dialog, seen in (*shown, *((each, "") for each in others)):
            await pilot.app.push_screen(dialog)
            await until_async(lambda seen=seen: sees(pilot.app, seen))
            box = dialog.query("#box, #frame").first(Widget)
            await assert_readable(pilot, dialog, box, themes)
            await pilot.app.pop_screen()
        pilot.app.action_command_palette()
        await until_async(lambda: sees(pilot.app, "Choose the speech engine"))
        palette = pilot.app.screen
        await assert_readable(pilot, palette, palette.query_one("#--container"), themes)
        await pilot.app.pop_screen()
        for severity in ("information", "warning", "error"):
            main.notify(f"one {severity}", severity=severity)
        await until_async(lambda: len(main.query(Toast)) == 3)
        await pilot.pause()
        for message in main.query(Toast):
            await assert_readable(pilot, main, message, themes)


@pytest.mark.parametrize("theme", [pytest.param(NAMES[0], marks=pytest.mark.proof), *NAMES[1:]])
async def test_the_library_and_versions_can_be_read(theme: str, home: Path) -> None:
    ids = fill(home, gap=True)
    with Store(home / "library.db", home / "sessions") as store:
        tag_session(store, ids[1], add=["work"])
        store.set_mark(ids[1], 2, "ask Anna")
        for gaps in ((), (CoverageRecord(0, RATE, "gap", "offline"),)):
            add_version(store, ids[2], [LineRecord(0, 1, 0, RATE, "Good day.")], {1: gaps}, engine="x", title="X")
        shown = store.session(ids[2])
        store.resume_session(ids[0]).release()  # it was cut off
    async with StillApp(theme).run_test(size=(120, 40)) as pilot, await Library.open(home / "library.db") as library:
        screen = LibraryScreen(library, now=lambda: BEGAN)
        await pilot.app.push_screen(screen)
        screen.show_recording(status())
        for typed, seen in (("", "3 sessions"), ("budget", "found")):
            await pilot.press(*typed)
            await until_async(lambda: seen in str(screen.query_one("#note", Static).render()))  # noqa: B023 (waited for)
            for _ in range(3):
                await pilot.pause()
                assert poor(cells(screen, screen.region), minimum(theme)) == [], typed
                await pilot.press("down")
        await pilot.app.pop_screen()
        dialog = VersionsScreen(library, shown, lambda: "transcribing, 45 %")
        await pilot.app.push_screen(dialog)
        await until_async(lambda: "differ" in str(dialog.query_one("#title", Static).render()))
        for _ in range(3):
            await pilot.pause()
            assert poor(cells(dialog, dialog.query_one("#box").region), minimum(theme)) == []
            await pilot.press("up")
