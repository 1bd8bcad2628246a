"""Help and recovery, and the whole screen's layout, at both sizes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen

import mictape
from mictape.audio.ballistics import Reading
from mictape.audio.diagnostics import no_signal_hint
from mictape.commands import COMMANDS, bindings
from mictape.failure import Advice
from mictape.screens.help import HelpScreen
from mictape.screens.leave import LeaveScreen
from mictape.screens.main.screen import MainScreen
from mictape.screens.prompt import Ask
from mictape.screens.recover import Interrupted, RecoverScreen
from mictape.session.state import State, Status
from mictape.transcript.model import Transcript
from mictape.widgets.key_footer import KeyFooter
from mictape.widgets.key_hints import clickable
from mictape.widgets.level_meter import LevelMeter
from mictape.widgets.status_line import StatusLine
from mictape.widgets.transcript_view import TranscriptView
from support.still_app import StillApp, level, status
from support.waiting import until_async
from support.widget_app import WidgetApp

RATE = 16_000
KEPT = {"sessions": "/data/[b]sessions[/b]", "settings": "/config/config.toml"}
CUT_OFF = Interrupted(
    datetime(2026, 11, 23, 14, 5), samples=754 * RATE, lines=132, untranscribed_s=12.3, title="Budget"
)


def help_screen(*, offline: bool) -> HelpScreen:
    return HelpScreen(kept=KEPT, engine="local · moonshine tiny-en · English", offline=offline, version="0.1.0")


async def test_help_names_every_command_every_place_and_what_leaves() -> None:
    async with (app := WidgetApp()).run_test(size=(120, 160)) as pilot:
        await app.push_screen(help_screen(offline=True))
        await pilot.pause()
        for command in COMMANDS:
            assert app.sees(command.help)
        for path in KEPT.values():
            assert app.sees(path)
        assert app.sees("?  f1") and app.sees("space ")
        assert app.sees("local · moonshine tiny-en · English: recognition runs on this machine. Nothing leaves it.")


async def test_help_does_not_promise_what_the_engine_does_not_keep() -> None:
    async with (app := WidgetApp()).run_test(size=(120, 160)) as pilot:
        await app.push_screen(help_screen(offline=False))
        await pilot.pause()
        assert app.sees("audio is sent to this service")
        assert not app.sees("Nothing leaves")


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_all_of_help_can_be_reached_on_a_small_screen(size: tuple[int, int]) -> None:
    async with (app := WidgetApp()).run_test(size=size) as pilot:
        await app.push_screen(help_screen(offline=True))
        await pilot.pause()
        assert app.sees("Recording") and not app.sees("Privacy")
        await pilot.press("end")
        box = app.screen.query_one(VerticalScroll)
        await until_async(lambda: box.is_vertical_scroll_end and app.sees("Privacy"))
        assert app.sees("esc close")


@pytest.mark.parametrize("key", ["escape", "question_mark", "f1"])
async def test_help_closes(key: str) -> None:
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        await app.push_screen(help_screen(offline=True))
        await pilot.press(key)
        await until_async(lambda: not isinstance(app.screen, HelpScreen))


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_recovery_says_what_there_is(size: tuple[int, int]) -> None:
    async with (app := WidgetApp()).run_test(size=size) as pilot:
        await app.push_screen(RecoverScreen(CUT_OFF))
        await pilot.pause()
        for words in (
            "A session was cut off",
            '"Budget", Monday, 23 November 2026, 14:05',
            "00:12:34 recorded, 132 lines.",
            "12 s of it",
            "(Enter)",
        ):
            assert app.sees(words), "\n".join(app.rows)


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_recovery_says_which_tracks_go_on(size: tuple[int, int]) -> None:
    async with (app := WidgetApp()).run_test(size=size) as pilot:
        await app.push_screen(RecoverScreen(CUT_OFF))
        await pilot.pause()
        assert not app.sees("Continued,"), "one track needs no word"
        await app.push_screen(RecoverScreen(replace(CUT_OFF, tracks=("You", "Anna"))))
        await pilot.pause()
        for words in ("Continued, it records You and Anna again.", "(Enter)", "(n)"):
            assert app.sees(words), "\n".join(app.rows)


@pytest.mark.parametrize(
    ("keys", "choice"),
    [
        (("enter",), "continue"),
        (("c",), "continue"),
        (("n",), "new"),
        (("down", "enter"), "new"),
        (("escape",), "new"),
    ],
)
async def test_recovery_gives_the_choice(keys: tuple[str, ...], choice: str) -> None:
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        chosen: list[str | None] = []
        await app.push_screen(RecoverScreen(CUT_OFF), chosen.append)
        await pilot.pause()
        await pilot.press(*keys)
        await until_async(lambda: chosen)
        assert chosen == [choice]


class WholeScreenApp(WidgetApp):
    """The layout of the real screen."""

    CSS_PATH = Path(mictape.__file__).parent / "app.tcss"
    BINDINGS = bindings()


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20)])
async def test_the_text_has_the_room_and_nothing_overlaps(size: tuple[int, int]) -> None:
    line, meter, text, footer = StatusLine(), LevelMeter(), TranscriptView(Transcript()), KeyFooter()
    async with WholeScreenApp(line, Vertical(meter, id="meters"), text, footer).run_test(size=size) as pilot:
        line.show(
            Status(State.PAUSED, "Blue Yeti", "local", 0, hint=Advice("Nothing is recorded", "Resume", action="pause"))
        )
        meter.pull(Reading(), 0)
        await pilot.pause()
        assert [widget.region.y for widget in (line, meter, text, footer)] == [0, 3, 6, size[1] - 1]
        assert text.region.bottom == footer.region.y
        assert {widget.region.width for widget in (line, meter, text, footer)} == {size[0]}


async def test_a_short_terminal_gives_the_text_the_scale_of_the_meter() -> None:
    line, meter, text = StatusLine(), LevelMeter(), TranscriptView(Transcript())
    async with (app := WholeScreenApp(line, Vertical(meter, id="meters"), text)).run_test(size=(60, 12)) as pilot:
        app.screen.add_class("-short")
        await pilot.pause()
        assert [widget.region.y for widget in (line, meter, text)] == [0, 1, 2]
        assert text.region.bottom == 12


@pytest.mark.parametrize(
    ("size", "footer"),
    [
        ((60, 20), "space pause d device / search ? help q quit e engine m mark"),
        ((80, 24), "space pause d device / search ? help q quit e engine m mark p play x export"),
    ],
)
async def test_a_narrow_footer_still_shows_what_a_newcomer_needs(size: tuple[int, int], footer: str) -> None:
    async with (app := WholeScreenApp()).run_test(size=size) as pilot:
        await app.push_screen(MainScreen(Transcript()))
        await pilot.pause()
        await until_async(lambda: "pause" in app.rows[-1])
        assert app.rows[-1].strip() == footer, "and no part of a key that does not fit"


async def test_a_notice_of_two_rows_takes_the_air_of_the_meter_and_moves_no_text() -> None:
    async with StillApp("mictape-dark").run_test(size=(80, 24)) as pilot:
        main = pilot.app.screen
        assert isinstance(main, MainScreen)
        begins: list[int] = []
        for hint in (None, Advice("Wait"), no_signal_hint("linux"), None):
            main.show(status(State.NO_SIGNAL, hint), [level()])
            await pilot.pause()
            begins.append(main.view.region.y)
        assert len(set(begins)) == 1
        main.show(status(State.NO_SIGNAL, no_signal_hint("linux")), [level()])
        await pilot.pause()
        assert main.status.size.height == 3


@pytest.mark.parametrize(
    ("dialog", "hint", "answer"),
    [
        (lambda: LeaveScreen("01:02:03", ["q"]), "stop and quit", True),
        (lambda: LeaveScreen("01:02:03", ["q"]), "Esc  go on", False),
        (lambda: LeaveScreen("01:02:03", ["q"], export_keys=["x"]), "x  export", "export"),
        (lambda: Ask("Title", value="Budget"), "enter: accept", "Budget"),
        (lambda: Ask("Title", value="Budget"), "esc: cancel", None),
    ],
)
async def test_a_click_on_a_hint_does_what_its_key_does(
    dialog: Callable[[], Screen[Any]], hint: str, answer: object
) -> None:
    answers: list[object] = []
    app = WidgetApp()
    async with app.run_test(size=(100, 24)) as pilot:
        await app.push_screen(dialog(), answers.append)
        await until_async(lambda: app.sees(hint))
        row = next(y for y, text in enumerate(app.rows) if hint in text)
        await pilot.click(offset=(app.rows[row].index(hint) + len(hint) - 2, row))
        await until_async(lambda: answers == [answer])


def test_hints_press_their_keys_and_other_words_none() -> None:
    hints = clickable("enter: save · empty: remove · ↑↓: fields · ^x cancel  + add  pgdn more  F2 word")
    pressed = {span.style.meta["mictape.presses"]: hints.plain[span.start : span.end] for span in hints.spans}  # type: ignore[union-attr]
    assert pressed == {
        "enter": "enter: save",
        "ctrl+x": "^x cancel",
        "plus": "+ add",
        "pagedown": "pgdn more",
        "f2": "F2 word",
    }
