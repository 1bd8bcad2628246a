"""The command palette: every command by name, with its keys; the usual ones first."""

from collections.abc import Iterable
from functools import partial
from typing import Final, Protocol, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.widgets import LoadingIndicator

from mictape.commands import COMMANDS, Command, KeyMap, shown_keys
from mictape.plain_text import fits
from mictape.screens.main.transcript_screen import TranscriptScreen

ORDER = sorted(
    (command for command in COMMANDS if command.of != "search"), key=lambda each: each.footer or len(COMMANDS)
)
"""The commands as they are offered: as in the footer, then the others. Those of the search bar need it to be open."""


BY_HELP: Final = 1e-3
"""The score of a command whose explanation fits, below that of each name that does."""


SHORTEST: Final = 3
"""Fewer letters stand in nearly every explanation."""


def _explains(command: Command, query: str) -> bool:
    """Whether the explanation of a command has all words that are typed."""
    return len(query.strip()) >= SHORTEST and fits(command.help, query)


class _Runner(Protocol):
    """What the palette needs of the app."""

    keymap: KeyMap

    def run_command(self, command: Command) -> None:
        """Carry out a command."""
        ...


class CommandProvider(Provider):
    """Offers the table of commands."""

    @property
    def _runner(self) -> _Runner:
        return cast("_Runner", self.app)

    def _offered(self) -> Iterable[Command]:
        """All but the palette itself; over a dialog or the library none that acts on the text behind it."""
        with_text = isinstance(self.screen, TranscriptScreen)
        return (
            each
            for each in ORDER
            if each.id != "command_palette" and (with_text or each.of == "app") and self._can_run(each)
        )

    def _can_run(self, command: Command) -> bool:
        """Whether it is of use here: in a finished session nothing is paused."""
        return command.of != "app" or bool(self.app.check_action("command", (command.id,)))

    async def discover(self) -> Hits:
        """All of them, while nothing is typed."""
        for command in self._offered():
            run = partial(self._runner.run_command, command)
            yield DiscoveryHit(self._shown(command, Content(command.title)), run, command.title, command.help)

    async def search(self, query: str) -> Hits:
        """Those whose name fits, and behind them those whose explanation has what is typed."""
        matcher = self.matcher(query)
        for command in self._offered():
            score = matcher.match(command.title) or _explains(command, query) * BY_HELP
            if score > 0:
                title = matcher.highlight(command.title)
                run = partial(self._runner.run_command, command)
                yield Hit(score, self._shown(command, title), run, command.title, command.help)

    def _shown(self, command: Command, title: Content) -> Content:
        """The name with the keys beside it."""
        return Content.assemble(title, "  ", (shown_keys(command, self._runner.keymap), "dim"))


class Palette(CommandPalette):
    """Textual's, without what goes on in it while nothing moves."""

    def on_mount(self) -> None:
        """Its sign for a search that takes long is asked for 16 times a second, also where it does not show."""
        self.query_one(LoadingIndicator).auto_refresh = None
