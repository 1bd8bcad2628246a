"""Help: the keys in force, where things are kept, and what leaves the machine."""

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Final

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.keys import format_key
from textual.widgets import Input, Static

from mictape.commands import GROUPS, keymap_in, shown_keys
from mictape.screens.device_picker import DevicePicker
from mictape.screens.edit_line import EditLine
from mictape.screens.engine_picker import EnginePicker
from mictape.screens.modal import Question

_Rows = Iterable[tuple[str, str]]

DIALOGS: Final = {"Choosing a device": DevicePicker, "Choosing an engine": EnginePicker, "Editing a line": EditLine}
"""Dialogs with keys of their own."""

MOUSE: Final = (
    ("drag", "Select text; hold Shift to let the terminal select instead."),
    ("wheel", "Scroll the transcript."),
)


class HelpScreen(Question[None]):
    """Everything a person can look up without leaving the screen; `/` filters it.

    `kept` says where things are kept: what, and the path. `engine` is the engine's title and `offline`
    whether no sound leaves the machine with it. All of it is shown as it is, never read as markup.
    """

    CSS_PATH = "help.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "close"),
        Binding("question_mark,f1,q", "dismiss", "close"),
        Binding("slash", "filter", "filter"),
    ]

    _box = getters.query_one("#box", VerticalScroll)
    _filter = getters.query_one(Input)

    def __init__(self, *, kept: Mapping[str, str], engine: str, offline: bool, version: str = "") -> None:
        super().__init__()
        self._kept = kept
        self._engine = engine
        self._offline = offline
        self._version = version

    def compose(self) -> ComposeResult:
        """One scrolling box: keys by group, places, privacy; below it what is typed to filter them."""
        keymap = keymap_in(self)
        with Vertical(id="frame") as frame:
            frame.border_title = f"Mictape {self._version}".rstrip()
            frame.border_subtitle = "/ to filter · esc to close"
            with VerticalScroll(id="box"):
                for title, commands in GROUPS.items():
                    yield _group(title, ((shown_keys(command, keymap), command.help) for command in commands))
                for title, dialog in DIALOGS.items():
                    yield _group(title, _keys_of(dialog.BINDINGS))
                yield _group("Mouse", MOUSE)
                yield _group("Where files are kept", self._kept.items())
                yield _group("Privacy", [("", self._privacy())])
            yield Input(placeholder="filter", compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """The keys scroll until a filter is typed."""
        self._filter.display = False
        self._box.focus()

    def action_filter(self) -> None:
        """Type what to look for."""
        self._filter.display = True
        self._filter.focus()

    def action_leave(self) -> None:
        """End the filter, or close."""
        if not self._filter.display:
            self.dismiss(None)
            return
        self._filter.value = ""
        self._filter.display = False
        self._box.focus()

    @on(Input.Changed)
    def _on_typing(self, event: Input.Changed) -> None:
        """Show the rows that have all the words, and the titles above them."""
        words = event.value.casefold().split()
        for group in self.query(".group").results(Vertical):
            title = group.name or ""
            rows = group.query(".row").results(Horizontal)
            shown = [_matches(words, title, row.name or "", row) for row in rows]
            group.display = any(shown)

    @on(Input.Submitted)
    def _on_submitted(self) -> None:
        """Scroll in what was found."""
        self._box.focus()

    def _privacy(self) -> str:
        """What leaves the machine with this engine."""
        if self._offline:
            return f"{self._engine}: recognition runs on this machine. Nothing leaves it."
        return f"{self._engine}: audio is sent to this service. Recordings and text stay on this machine."


def _matches(words: Iterable[str], title: str, text: str, row: Horizontal) -> bool:
    row.display = all(word in f"{title} {text}".casefold() for word in words)
    return row.display


def _keys_of(bindings: Iterable[BindingType]) -> Iterator[tuple[str, str]]:
    """The keys of a dialog that say what they do."""
    for binding in Binding.make_bindings(bindings):
        if binding.description:
            yield format_key(binding.key), f"{binding.description[0].upper()}{binding.description[1:]}."


def _group(title: str, rows: _Rows) -> Vertical:
    """A title and its rows in two columns, of which the second one wraps under itself; without a key in one column."""
    lines = [
        Horizontal(
            *([Static(key, classes="name", markup=False)] if key else []),
            Static(what, classes="what", markup=False),
            name=f"{key} {what}",
            classes="row",
        )
        for key, what in rows
    ]
    return Vertical(Static(title, classes="heading", markup=False), *lines, name=title, classes="group")
