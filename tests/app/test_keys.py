"""Keys of one's own in the real app: what they do, and that help, footer and palette show them."""

from pathlib import Path

from textual.command import Command as PaletteCommand
from textual.command import CommandList, CommandPalette
from textual.widgets import Input, OptionList

from mictape.commands import COMMANDS, named
from mictape.screens.help import HelpScreen, HelpText
from mictape.screens.reading import ReadingScreen
from mictape.screens.theme_picker import ThemePicker
from mictape.settings import Settings
from mictape.start import Start
from mictape.widgets.search_bar import SearchBar
from support.app_driver import handled, on_fake_sound
from support.sound_system import FakeSoundSystem
from support.stored_sessions import fill
from support.waiting import until_async
from support.widget_app import sees

VIM = Settings(keymap="vim", keys={"mark": ("f6",), "export": ("m",)})


async def test_the_vim_map_moves_and_own_keys_act(home: Path) -> None:
    async with handled(home, settings=VIM) as (app, pilot):
        view = app._main.view
        await until_async(lambda: "f6" in [key.shown for key in app._main.footer.keys])
        titles = [key.title for key in app._main.footer.keys]
        assert titles[:9] == ["pause", "device", "search", "help", "quit", "engine", "mark", "play", "export"]
        ids = [app.transcript.id_at(index) for index in range(len(app.transcript))]
        await pilot.press("g")
        assert view.cursor_id == ids[0]
        await pilot.press("j", "j", "k")
        assert view.cursor_id == ids[1]
        await pilot.press("f6")
        assert list(app.transcript.marks) == [ids[1]]
        await pilot.press("G")
        assert view.cursor_id == ids[-1]
        await pilot.press("B")
        assert view.cursor_id == ids[1]
        await pilot.press("x")
        assert app.screen is app._main, "x was given away"
        await pilot.press("n")
        assert "Nothing is searched for. Search first (/)." in [each.message for each in app._notifications]


async def test_help_shows_the_keys_in_force_and_filters_them(home: Path) -> None:
    async with handled(home, settings=VIM) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = app.screen.query_one(HelpText)
        rows = [row for rows in text.shown.values() for row in rows]
        shown = named("mark").help
        assert ("f6", shown) in [row[:2] for row in rows]
        assert any(key.startswith("j  ↓") for key, *_ in rows)
        await pilot.press(*"remove mark")
        await until_async(lambda: [len(rows) for rows in text.shown.values()] == [1])
        assert sees(app, shown[:40])
        assert not sees(app, "Privacy")
        assert sees(app, "esc clear")
        await pilot.press("escape")
        await until_async(lambda: [row for rows in text.shown.values() for row in rows] == rows)
        await pilot.press(*"name speaker")
        await until_async(lambda: sees(app, "Name who speaks"))
        await pilot.press("escape", *"zzz [b]")
        await until_async(lambda: sees(app, 'Nothing fits "zzz [b]".'))
        await pilot.press("escape")
        await until_async(lambda: not sees(app, "Nothing fits") and sees(app, "esc close"))
        await pilot.press("escape")
        assert app.screen is app._main


async def test_the_palette_has_every_command_with_its_keys_and_runs_it(home: Path) -> None:
    async with handled(home, settings=VIM) as (app, pilot):
        await pilot.press("ctrl+p")
        await until_async(lambda: isinstance(app.screen, CommandPalette))
        assert not app.screen.query_one(Input).cursor_blink, "it would draw the screen twice a second"
        app.screen.query_one(Input).value = "mark"
        await pilot.pause()
        await until_async(lambda: sees(app, "f6"))
        app.screen.query_one(Input).value = "language"
        await until_async(lambda: offered(app.screen.query_one(CommandList)) == {"engine"})
        app.screen.query_one(Input).value = "start"
        await pilot.pause()
        await until_async(lambda: sees(app, "home"))
        await pilot.press("enter")
        await until_async(lambda: app._main.view.cursor_id == app.transcript.id_at(0))


def offered(commands: CommandList) -> set[str | None]:
    """The titles of the commands in the palette."""
    return {option.hit.text for option in commands.options if isinstance(option, PaletteCommand)}


async def test_over_a_dialog_the_palette_offers_nothing_that_acts_on_the_text_behind_it(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("question_mark", "ctrl+p")
        await until_async(lambda: isinstance(app.screen, CommandPalette))
        commands = app.screen.query_one(CommandList)
        await until_async(lambda: {"pause", "theme"} <= offered(commands))
        assert offered(commands) == {command.title for command in COMMANDS if command.of == "app"} - {"palette"}
        app.screen.query_one(Input).value = "m"
        await until_async(lambda: {"fold meters"} <= offered(commands) and "pause" not in offered(commands))
        assert "mark" not in offered(commands)


async def test_every_command_has_an_action_where_it_belongs(home: Path) -> None:
    async with handled(home) as (app, _):
        main = app._main
        owners = {"view": main.view, "search": SearchBar}
        for command in COMMANDS:
            if command.of in owners:
                assert callable(getattr(owners[command.of], f"action_{command.id}", None)), command.id
        assert {"app": set(app.commands), "screen": set(main.commands)} == {
            of: {command.id for command in COMMANDS if command.of == of} for of in ("app", "screen")
        }


async def test_the_keys_that_move_in_the_text_move_in_lists_that_are_filtered(home: Path) -> None:
    async with handled(home, settings=VIM) as (app, pilot):
        await pilot.press("T")
        await until_async(lambda: isinstance(app.screen, ThemePicker))
        rows = app.screen.query_one(OptionList)
        await pilot.press("ctrl+f")
        assert (far := rows.highlighted) is not None and far > 1
        await pilot.press("ctrl+u")
        assert (rows.highlighted or 0) < far
        await pilot.press("down", "j")
        assert app.screen.query_one(Input).value == "j"
        await pilot.press("escape", "question_mark")
        await until_async(lambda: isinstance(app.screen, HelpScreen))
        box = app.screen.query_one("#box")
        await pilot.press("ctrl+d")
        assert box.scroll_offset.y > 1
        await pilot.press("ctrl+b")
        assert box.scroll_offset.y == 0


async def test_the_palette_of_a_finished_session_offers_nothing_for_a_recording(home: Path) -> None:
    fill(home, 1)
    async with on_fake_sound(home, FakeSoundSystem(), start=Start(opened="last")) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, ReadingScreen) and app.screen.line is not None)
        await pilot.press("ctrl+p")
        await until_async(lambda: isinstance(app.screen, CommandPalette))
        commands = app.screen.query_one(CommandList)
        await until_async(lambda: {"mark", "theme"} <= offered(commands))
        assert not {"pause", "device", "clear clip"} & offered(commands)
