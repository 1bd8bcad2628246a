"""Help: the keys in force, where things are kept, and what leaves the machine."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import ClassVar, Final, TypeAlias

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.keys import format_key
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from mictape.commands import GROUPS, bind_moving, keymap_in, shown_keys
from mictape.plain_text import fits, nothing_fits
from mictape.screens.device_picker import DevicePicker
from mictape.screens.edit_line import EditLine
from mictape.screens.engine_picker import EnginePicker
from mictape.screens.library.screen import LibraryScreen
from mictape.screens.modal import Question
from mictape.widgets.key_hints import clickable

_Row: TypeAlias = tuple[str, str, str]
"""A key and what it does, or a sentence without a key; and what else it is found by."""

_KEY_CELLS: Final = 14
_GAP_CELLS: Final = 2

_MOVES: Final = {
    **{"cursor_up": "up", "cursor_down": "down", "page_up": "page_up", "page_down": "page_down"},
    **{"half_page_up": "page_up", "half_page_down": "page_down", "to_start": "home", "follow": "end"},
}
"""What the keys that move in the text do here."""

_DIALOGS: Final = {
    "In the library": LibraryScreen,
    "Choosing a device": DevicePicker,
    "Choosing an engine": EnginePicker,
    "Editing a line": EditLine,
}
"""Screens with keys of their own."""

MOUSE: Final = (
    ("drag", "Select text; hold Shift to let the terminal select instead.", ""),
    ("wheel", "Scroll the transcript.", ""),
)


class HelpText(Widget):
    """Groups of rows, each a key and what it does, which wraps under itself.

    One widget: with one for each cell, three hundred of them, help took half a second to open.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"help--heading", "help--key"}

    typed: reactive[str] = reactive("", layout=True)
    """Only rows that have all of these words are shown; a title counts for each row below it."""

    def __init__(self, groups: Mapping[str, Sequence[_Row]]) -> None:
        super().__init__()
        self._groups = groups

    @property
    def shown(self) -> dict[str, list[_Row]]:
        """The rows that have all the words, by the titles above them."""
        groups = {
            title: [row for row in rows if fits(" ".join((title, *row)), self.typed)]
            for title, rows in self._groups.items()
        }
        return {title: rows for title, rows in groups.items() if rows}

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as it wraps to."""
        return len(self._lines(width))

    def render(self) -> Content:
        """All of it, for as wide as it is."""
        return Content("\n").join(self._lines(self.content_size.width))

    def _lines(self, width: int) -> list[Content]:
        heading, name = (self.get_visual_style(f"help--{part}") for part in ("heading", "key"))
        lines: list[Content] = []
        for title, rows in self.shown.items():
            lines += [Content(""), Content.styled(title, heading)]
            for key, what, _ in rows:
                indent = _KEY_CELLS + _GAP_CELLS if key else 0
                keys = Content.styled(key, name).wrap(_KEY_CELLS) if key else []
                texts = Content(what).wrap(max(1, width - indent))
                for left, right in zip_longest(keys, texts, fillvalue=Content("")):
                    lines.append(Content.assemble(left.pad_right(max(0, indent - left.cell_length)), right))
        return lines or [Content(""), *Content(nothing_fits(self.typed)).wrap(max(1, width))]


class _Filter(Input):
    """Leaves the keys that close the screen, or that search elsewhere, to it as long as nothing is typed."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether the key is text."""
        is_text = bool(self.value) or key not in {"question_mark", "slash"}
        return is_text and super().check_consume_key(key, character)


class HelpScreen(Question[None]):
    """Everything a person can look up without leaving the screen, filtered while one types.

    `kept` says where things are kept: what, and the path. `engine` is the engine's title and `offline`
    whether no sound leaves the machine with it. All of it is shown as it is, never read as markup.
    """

    CSS_PATH = "help.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "close"),
        # Before the filter, which has a use for some of them.
        Binding("question_mark,f1", "dismiss", "close", priority=True),
        Binding("slash", "filter", show=False, priority=True),
    ]

    _box = getters.query_one("#box", VerticalScroll)
    _text = getters.query_one(HelpText)
    _filter = getters.query_one(Input)

    def __init__(self, *, kept: Mapping[str, str], engine: str, offline: bool, version: str = "") -> None:
        super().__init__()
        self._kept = kept
        self._engine = engine
        self._offline = offline
        self._version = version

    def compose(self) -> ComposeResult:
        """What is typed to filter; a scrolling box with keys by group, places, privacy."""
        keymap = keymap_in(self)
        keys = {
            title: [(shown_keys(each, keymap), each.help, each.title) for each in of] for title, of in GROUPS.items()
        }
        with Vertical(id="frame") as frame:
            frame.border_title = f"Mictape {self._version}".rstrip()
            frame.border_subtitle = _hints("close")
            yield _Filter(placeholder="type to filter", compact=True, select_on_focus=False)
            with VerticalScroll(id="box"):
                yield HelpText(
                    {
                        **keys,
                        **{title: list(keys_of_dialog(title)) for title in _DIALOGS},
                        "Mouse": MOUSE,
                        "Where files are kept": [(*each, "") for each in self._kept.items()],
                        "Privacy": [("", self._privacy(), "")],
                    }
                )

    def on_mount(self) -> None:
        """Type at once."""
        bind_moving(self, "scroll", _MOVES)
        self._box.can_focus = False
        self._filter.focus()

    def action_filter(self) -> None:
        """The key that searches elsewhere: one types at once here."""

    def action_scroll(self, where: str) -> None:
        """Scroll while the typing goes on."""
        getattr(self._box, f"scroll_{where}")(animate=False)

    def action_leave(self) -> None:
        """Empty the filter, or close."""
        if self._filter.value:
            self._filter.value = ""
        else:
            self.dismiss(None)

    @on(Input.Changed)
    def _on_typing(self, event: Input.Changed) -> None:
        """Show the rows that have all the words, and the titles above them."""
        self._text.typed = event.value
        self.query_one("#frame").border_subtitle = _hints("clear" if event.value else "close")

    def _privacy(self) -> str:
        """What leaves the machine with this engine."""
        if self._offline:
            return f"{self._engine}: recognition runs on this machine. Nothing leaves it."
        return f"{self._engine}: audio is sent to this service. Recordings and text stay on this machine."


def _hints(escape: str) -> Content:
    """The keys of this screen; `escape` is what Esc does."""
    return clickable(f"type to filter · ↑↓ scroll · esc {escape}")


def keys_of_dialog(title: str) -> Iterator[_Row]:
    """The keys of a screen that say what they do."""
    for binding in Binding.make_bindings(_DIALOGS[title].BINDINGS):
        if binding.description:
            said = binding.tooltip or binding.description
            yield format_key(binding.key), f"{said[0].upper()}{said[1:]}.", binding.description
