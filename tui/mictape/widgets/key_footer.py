"""The footer with the keys that fit."""

from typing import Final, cast

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.app import App
from textual.reactive import reactive
from textual.screen import Screen
from textual.signal import Signal
from textual.strip import Strip

from mictape.commands import COMMANDS, named
from mictape.widgets.inks import Ink, Inked, Styles

_RANKS: Final = {command.action: command.footer for command in COMMANDS}
"""Where each command's key stands in the footer."""

_INKS: Final = {
    "key": Ink("footer-key-foreground", "footer-key-background", "bold"),
    "title": Ink("footer-description-foreground", "footer-description-background"),
    "pointed key": Ink("footer-key-foreground", "block-hover-background", "bold"),
    "pointed title": Ink("footer-key-foreground", "block-hover-background"),
}
"""What a key and its title are drawn in, also below the pointer of the mouse."""


class FooterKey(Struct, frozen=True):
    """A key as the footer shows it."""

    key: str
    """As Textual names it."""
    shown: str
    """As it is written on the keyboard."""
    title: str

    @property
    def width(self) -> int:
        """In cells: the key, its title, and a space behind both."""
        return cell_len(self.shown) + cell_len(self.title) + 2


class KeyFooter(Inked):
    """Shows as many keys as there is room for, the usual ones first; a click presses one.

    One widget: Textual's own footer has one for each key and makes all of them again whenever the focus moves, which
    took a third of the CPU of opening a dialog. It also cuts the last key off.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyFooter {
        dock: bottom;
        height: 1;
        background: $footer-background;
    }
    """

    keys: reactive[tuple[FooterKey, ...]] = reactive(())
    """What the keys in force do, the usual ones first; more than there may be room for."""
    paused = reactive(default=False)
    """Whether the recording is paused: the key that pauses it resumes it then."""
    pointed = reactive(-1)
    """The number of the key below the pointer of the mouse; -1 for none."""

    def __init__(self) -> None:
        super().__init__()
        self._styles = Styles(self, _INKS)

    def on_mount(self) -> None:
        """Follow the keys in force."""
        changed = cast("Signal[Screen[None]]", self.screen.bindings_updated_signal)  # pyright: ignore[reportUnknownMemberType] (no type arguments)
        changed.subscribe(self, self._follow)

    def _follow(self, _: object) -> None:
        self.call_after_refresh(self._read_keys)

    @property
    def _app(self) -> App[None]:
        return cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType] (no type arguments)

    def watch_paused(self) -> None:
        """One of the keys has another title."""
        self._read_keys()

    def _read_keys(self) -> None:
        """Look which keys are in force; a command's first one is shown."""
        if not self.is_attached:
            return
        pause = named("pause").action
        found: dict[str, FooterKey] = {}
        for _, binding, _, _ in self.screen.active_bindings.values():
            if binding.show and binding.action not in found:
                title = "resume" if self.paused and binding.action == pause else binding.description
                found[binding.action] = FooterKey(binding.key, self._app.get_key_display(binding), title)
        # A key of the person's own is the last one of Textual's bindings, whatever it does.
        self.keys = tuple(found[action] for action in sorted(found, key=lambda action: _RANKS.get(action, 0)))

    @property
    def fitting(self) -> tuple[FooterKey, ...]:
        """The keys that there is room for."""
        room = self.size.width + 1  # the last space may be missing
        for number, key in enumerate(self.keys):
            room -= key.width
            if room < 0:
                return self.keys[:number]
        return self.keys

    def restyle(self) -> None:
        """Other colours."""
        self._styles.forget()

    def render_line(self, y: int) -> Strip:
        """All in one row."""
        segments: list[Segment] = []
        for number, key in enumerate(self.fitting):
            pointed = "pointed " if number == self.pointed else ""
            segments += [
                Segment(key.shown, self._styles[f"{pointed}key"]),
                Segment(f" {key.title}", self._styles[f"{pointed}title"]),
                Segment(" ", self._styles[""]),
            ]
        return Strip(segments[:-1]).adjust_cell_length(self.size.width, self._styles[""].background_style)

    def _key_at(self, x: int) -> int:
        """The number of the key that is shown in this column; -1 between two and behind the last."""
        start = 0
        for number, key in enumerate(self.fitting):
            if start <= x < start + key.width - 1:
                return number
            start += key.width
        return -1

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show which key a click would press."""
        self.pointed = self._key_at(event.x)
        self.styles.pointer = "default" if self.pointed < 0 else "pointer"

    def on_leave(self) -> None:
        """The mouse is elsewhere."""
        self.pointed = -1

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Press the key."""
        if (number := self._key_at(event.x)) >= 0:
            self._app.simulate_key(self.fitting[number].key)
