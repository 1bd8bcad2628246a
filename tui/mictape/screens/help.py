"""Help: the keys, where things are kept, and what leaves the machine."""

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.keys import format_key
from textual.widgets import Static

from mictape.commands import COMMANDS, Command
from mictape.screens.modal import Question


class HelpScreen(Question[None]):
    """Everything a person can look up without leaving the screen.

    `kept` says where things are kept: what, and the path. `engine` is the engine's title and `offline`
    whether no sound leaves the machine with it. All of it is shown as it is, never read as markup.
    """

    CSS_PATH = "help.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "close"),
    ]

    def __init__(self, *, kept: Mapping[str, str], engine: str, offline: bool, version: str = "") -> None:
        super().__init__()
        self._kept = kept
        self._engine = engine
        self._offline = offline
        self._version = version

    def compose(self) -> ComposeResult:
        """One scrolling box: keys, places, privacy."""
        with VerticalScroll(id="box") as box:
            box.border_title = f"Mictape {self._version}".rstrip()
            box.border_subtitle = "esc to close"
            yield Static("Keys", classes="heading")
            yield from _rows((_keys_of(command), command.help) for command in COMMANDS)
            yield from _rows([("mouse", "Drag to select text; hold Shift to let the terminal select instead.")])
            yield Static("Where things are kept", classes="heading")
            yield from _rows(self._kept.items())
            yield Static("Privacy", classes="heading")
            yield Static(self._privacy(), id="privacy", markup=False)

    def _privacy(self) -> str:
        """What leaves the machine with this engine."""
        if self._offline:
            return f"{self._engine}: recognition runs on this machine. Nothing leaves it."
        return f"{self._engine}: the sound is sent to this service. Recordings and text stay on this machine."


def _keys_of(command: Command) -> str:
    """A command's keys, written as on the keyboard."""
    return "  ".join(format_key(key) for key in command.key.split(","))


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[Horizontal]:
    """Two columns; the second one wraps under itself."""
    for name, what in rows:
        yield Horizontal(
            Static(name, classes="name", markup=False), Static(what, classes="what", markup=False), classes="row"
        )
