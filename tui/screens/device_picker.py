"""The device picker: what can be recorded, listed fresh each time it opens."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from tui.audio.devices import Device
from tui.failure import MictapeError
from tui.screens.question import Question
from tui.widgets.device_list import DeviceKey, DeviceList, matching


class DevicePicker(Question[Device | None]):
    """Choose what to record. The result is the device, or None when it was left.

    `load` lists the devices; it is called when the picker opens and when the person looks again, and may
    raise `MictapeError`.
    """

    CSS_PATH = "device_picker.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave"),
        Binding("ctrl+r,f5", "look_again", "look again"),
        # Reached only while nothing is typed into: after a failure, or from the list.
        Binding("r", "look_again", "look again", show=False),
        Binding("up", "move('cursor_up')", show=False),
        Binding("down", "move('cursor_down')", show=False),
        Binding("pageup", "move('page_up')", show=False),
        Binding("pagedown", "move('page_down')", show=False),
    ]

    _box = getters.query_one("#box", Vertical)
    _filter = getters.query_one("#filter", Input)
    _list = getters.query_one("#devices", DeviceList)
    _note = getters.query_one("#note", Static)
    _keys = getters.query_one("#keys", Static)

    def __init__(
        self,
        load: Callable[[], Awaitable[list[Device]]],
        *,
        in_use: DeviceKey | None = None,
        last_used: DeviceKey | None = None,
    ) -> None:
        super().__init__()
        self._load = load
        self._in_use = in_use
        self._last_used = last_used
        self._found: list[Device] = []

    def compose(self) -> ComposeResult:
        """A title, what is typed, the list, what is to be said, the keys."""
        with Vertical(id="box") as box:
            box.border_title = "Record from"
            yield Input(placeholder="type to filter", id="filter", compact=True)
            with Vertical(id="found"):
                yield DeviceList(in_use=self._in_use, last_used=self._last_used, id="devices")
                yield Static(id="note", markup=False)
            yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Look for devices at once."""
        self.action_look_again()

    def action_look_again(self) -> None:
        """List the devices afresh."""
        if self._found:
            self._box.border_subtitle = "looking again …"
        else:
            self._say("Looking for microphones …")
        self._look()

    def action_leave(self) -> None:
        """Leave without choosing."""
        self.dismiss(None)

    def action_move(self, action: str) -> None:
        """Move the list's cursor while the typing goes on."""
        moves = {
            "cursor_up": self._list.action_cursor_up,
            "cursor_down": self._list.action_cursor_down,
            "page_up": self._list.action_page_up,
            "page_down": self._list.action_page_down,
        }
        moves[action]()

    @work(exclusive=True, group="devices")
    async def _look(self) -> None:
        try:
            self._found = await self._load()
        except MictapeError as error:
            self._found = []
            self._list.show([])
            self._say(str(error.failure), trouble=True)
            return
        self._show()

    @on(Input.Changed)
    def _show(self) -> None:
        """List what was found and fits what is typed."""
        typed = self._filter.value
        fitting = matching(self._found, typed)
        self._list.show(fitting)
        if not self._found:
            self._say("There is nothing here to record from. Plug in a microphone and look again.", trouble=True)
        elif not fitting:
            self._say(f"None of {len(self._found)} devices fits “{typed.strip()}”.")
        else:
            self._say("")

    @on(Input.Submitted)
    def _choose_current(self) -> None:
        if self._list.device is not None:
            self.dismiss(self._list.device)

    @on(DeviceList.DeviceChosen)
    def _choose(self, event: DeviceList.DeviceChosen) -> None:
        self.dismiss(event.device)

    def _say(self, sentence: str, *, trouble: bool = False) -> None:
        """Show a sentence below the list; in trouble nothing can be typed, so that `r` looks again."""
        self._box.border_subtitle = ""
        self._note.update(Content(sentence))
        self._note.set_class(trouble, "-trouble")
        self._note.display = bool(sentence)
        self._filter.disabled = trouble
        if not trouble and not self._list.has_focus:
            self._filter.focus()
        keys = (("r", "look again"),) if trouble else (("↑↓", "move"), ("enter", "record"), ("^r", "look again"))
        self._keys.update(_key_row((*keys, ("esc", "leave"))))


def _key_row(keys: tuple[tuple[str, str], ...]) -> Content:
    """Keys and what they do, for the last row."""
    return Content("  ").join(Content.assemble((key, "$footer-key-foreground bold"), " ", what) for key, what in keys)
