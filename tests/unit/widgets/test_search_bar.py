"""Searching on the main screen: typing, walking, going back; the clock's `show` called by the test."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, Static

import mictape
from mictape.commands import bindings
from mictape.screens.main.screen import MainScreen
from mictape.session.state import State, Status
from mictape.terminal_app import TerminalApp
from mictape.themes import load_themes, shipped_folder, theme_variables
from mictape.transcript.model import Transcript
from mictape.widgets.search_bar import SearchBar
from mictape.widgets.transcript_search import TICK
from support.waiting import until_async

SECOND = 16_000
STATUS = Status(State.LISTENING, device="Yeti", engine="local", position=0)


class Main(TerminalApp):
    """The main screen and nothing behind it."""

    CSS_PATH = Path(mictape.__file__).with_name("app.tcss")
    BINDINGS = bindings()

    def __init__(self, transcript: Transcript) -> None:
        super().__init__()
        for each in load_themes(shipped_folder()).themes:
            self.register_theme(each)
        self.theme = "mictape-dark"
        self.main = MainScreen(transcript)

    def get_default_screen(self) -> MainScreen:
        return self.main

    async def closed(self) -> None:
        """Nothing is recorded."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theme_variables(self.current_theme)


def talk(count: int, every: int) -> Transcript:
    """Lines, one of `every` of which is about the kettle."""
    transcript = Transcript()
    for number in range(count):
        text = f"the Kettle whistles, kettle {number}" if number % every == 0 else f"nothing of interest {number}"
        transcript.add(1, number * SECOND, (number + 1) * SECOND, text)
    return transcript


@asynccontextmanager
async def shown(transcript: Transcript) -> AsyncGenerator[tuple[MainScreen, Pilot[None]]]:
    app = Main(transcript)
    async with app.run_test(size=(80, 24)) as pilot:

        async def drawn() -> bool:
            await tick(app.main, pilot)
            return any("▸" in row for row in rows(app.main))

        await until_async(drawn)  # the view gets its height when everything around it is there
        yield app.main, pilot


async def tick(main: MainScreen, pilot: Pilot[None]) -> None:
    """Let the clock look until the search is through, and the screen be drawn."""
    await pilot.pause()
    main.show(STATUS)
    while main.view.walk.counting:
        main.show(STATUS)
    main.show(STATUS)
    await pilot.pause()


async def press(main: MainScreen, pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await tick(main, pilot)


def count(main: MainScreen) -> str:
    return str(main.query_one("#count", Static).render())


def rows(main: MainScreen) -> list[str]:
    return [main.view.render_line(y).text.rstrip() for y in range(main.view.size.height)]


async def test_typing_finds_from_the_first_character_and_esc_goes_back() -> None:
    transcript = talk(300, 100)
    async with shown(transcript) as (main, pilot):
        before = rows(main)
        await press(main, pilot, "slash", "k")
        assert count(main) == "3 of 3"
        assert any("kettle 200" in row for row in rows(main))
        assert not main.view.following
        await press(main, pilot, *"ettle 1")
        assert count(main) == "1 of 1"
        assert any("kettle 100" in row for row in rows(main))
        transcript.add(1, 300 * SECOND, 301 * SECOND, "one more")
        await press(main, pilot, "escape")
        assert main.view.following
        assert [row[2:] for row in rows(main)[:-1]] == [row[2:] for row in before[1:]]
        assert rows(main)[-1].endswith("▸00:05:00  one more")
        assert not main.query_one(SearchBar).display
        assert main.focused is main.view


async def test_esc_goes_back_to_the_row_that_was_read_though_lines_came_in_above() -> None:
    transcript = talk(300, 100)
    async with shown(transcript) as (main, pilot):
        await press(main, pilot, "pageup", "pageup")
        before = rows(main)
        await press(main, pilot, "slash", *"kettle 0")
        assert main.view.cursor_id == 0
        for number in range(50):
            transcript.add(1, number, number, "late")
        await press(main, pilot, "escape")
        # The cursor was above them: a command first takes it to where one reads.
        assert [row[2:] for row in rows(main)] == [row[2:] for row in before]


async def test_enter_stays_and_n_walks_round() -> None:
    async with shown(talk(300, 100)) as (main, pilot):
        await press(main, pilot, "slash", *"kettle", "enter")
        assert main.focused is main.view
        assert count(main) == "3 of 3"
        seen: list[int | None] = []
        for key in ("n", "n", "N", "N"):
            await press(main, pilot, key)
            seen.append(main.view.cursor_id)
        assert seen == [0, 100, 0, 200]
        await press(main, pilot, "escape")
        assert main.view.cursor_id == 200
        assert not main.query_one(SearchBar).display
        await press(main, pilot, "slash", "up", "up")
        assert main.view.cursor_id == 0
        assert main.query_one(Input).value == "kettle"
        await press(main, pilot, "escape", "slash", *"299")
        assert main.query_one(Input).value == "299", "what was typed before gives way"


async def test_new_lines_are_searched_without_moving_the_view() -> None:
    transcript = talk(300, 100)
    async with shown(transcript) as (main, pilot):
        await press(main, pilot, "slash", *"kettle", "enter", "n", "n")
        before = rows(main)
        transcript.add(1, 10 * SECOND, 10 * SECOND, "kettle, late and above")
        transcript.add(1, 400 * SECOND, 400 * SECOND, "kettle, new and below")
        transcript.revise(150, "kettle, revised")
        await tick(main, pilot)
        assert count(main) == "3 of 6"
        assert rows(main)[:-1] == before[:-1]  # the last row says that something is new


async def test_hits_are_underlined_and_the_current_ones_reversed() -> None:
    async with shown(talk(6, 2)) as (main, pilot):
        await press(main, pilot, "slash", *"kettle")

        def styles(y: int) -> list[tuple[str, bool | None, bool | None]]:
            return [
                (part.text, part.style.underline, part.style.reverse)
                for part in main.view.render_line(y)
                if part.style is not None and part.text.lower() == "kettle"
            ]

        assert styles(0) == [("Kettle", None, True), ("kettle", None, True)]
        assert styles(2) == [("Kettle", True, None), ("kettle", True, None)]


async def test_the_scrollbar_has_ticks_where_the_hits_are() -> None:
    async with shown(talk(2000, 1000)) as (main, pilot):
        await press(main, pilot, "slash", *"kettle")
        height = main.view.size.height

        def ticked() -> list[int]:
            bar = main.view.vertical_scrollbar
            strips = bar.render_lines(bar.size.region)
            return [y for y, strip in enumerate(strips) if TICK in strip.text]

        assert ticked() == [0, height // 2]
        await press(main, pilot, "escape")
        assert ticked() == []


async def test_what_cannot_be_searched_for_is_said_in_the_bar() -> None:
    async with shown(talk(10, 5)) as (main, pilot):
        await press(main, pilot, "slash", "f2", *"k(")
        assert "character 3" in str(main.query_one("#problem", Static).render())
        await press(main, pilot, "f2")
        assert count(main) == "nothing found"
        await press(main, pilot, "f2", "backspace", ".")
        assert count(main) == "1 of 2"


async def test_a_click_on_a_toggle_presses_its_key() -> None:
    async with shown(talk(10, 5)) as (main, pilot):
        await press(main, pilot, "slash", *"ettle", "enter")
        toggles = main.query_one("#toggles", Static)
        assert not main.query_one("SearchBar Input").has_focus
        await pilot.click(toggles, offset=(15, 0))
        await until_async(lambda: "F3●word" in str(toggles.render()))
        main.show(STATUS)
        assert count(main) == "nothing found"
        await pilot.click(toggles, offset=(15, 0))
        await until_async(lambda: "F3○word" in str(toggles.render()))


async def test_where_nothing_is_found_one_is_where_one_was() -> None:
    async with shown(talk(300, 100)) as (main, pilot):
        before = rows(main)
        await press(main, pilot, "slash", *"kettle 0")
        assert rows(main) != before
        await press(main, pilot, "x")
        assert count(main) == "nothing found"
        assert main.view.following
        await press(main, pilot, "backspace")
        assert main.view.cursor_id == 0


async def test_toggles_and_filters() -> None:
    transcript = talk(10, 5)
    transcript.set_mark(5, "")
    transcript.add(1, 11 * SECOND, 12 * SECOND, "kéttles")
    async with shown(transcript) as (main, pilot):
        await press(main, pilot, "slash", *"kettle")
        assert len(main.view.walk.hits) == 3
        await press(main, pilot, "f4")
        assert len(main.view.walk.hits) == 2
        await press(main, pilot, "f4", "f3")
        assert len(main.view.walk.hits) == 2
        await press(main, pilot, *" marked")
        assert list(main.view.walk.hits) == [5]
