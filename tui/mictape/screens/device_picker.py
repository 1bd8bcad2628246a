"""The device picker: what can be recorded right now, and how loud each device is while the picker is open."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from mictape.audio.devices import Device, Listing, recorded_already
from mictape.audio.monitor_messages import Levels, MonitorEvent, Refused
from mictape.audio.ports import DeviceMonitorPort
from mictape.failure import Failure, MictapeError
from mictape.screens.modal import Question
from mictape.widgets.device_list import DeviceKey, DeviceList, key_of, matching
from mictape.widgets.key_hints import key_row


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person wants recorded."""

    device: Device
    act: Literal["record", "add", "remove"] = "record"
    """Instead of what the first track records, on one more track beside it, or no longer on that one."""


class DevicePicker(Question[Choice | None]):
    """Choose what to record. The result is the choice, or None when it was left.

    `load` lists the devices; it is called when the picker opens and when the person looks again, and may
    raise `MictapeError`. A `DeviceMonitor` keeps the list up to date and gives the levels.
    """

    CSS_PATH = "device_picker.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding("ctrl+r,f5", "look_again", "look again"),
        # Before the filter, which would take them as text or as a key of its own.
        Binding("plus", "beside", "add", priority=True),
        Binding("ctrl+u", "unmute", "unmute", priority=True),
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
        monitor: DeviceMonitorPort | None = None,
        *,
        in_use: Collection[DeviceKey] = (),
        added: Sequence[Device] = (),
        last_used: DeviceKey | None = None,
        can_add: bool = False,
    ) -> None:
        """Prepare the picker.

        Args:
            load: Lists the devices once.
            monitor: Reports what changes while the picker is open; None: nothing does.
            in_use: The device of the session's first track.
            added: Those of its other tracks; listed even while they are unplugged, so that they can be removed.
            last_used: The device that was chosen last.
            can_add: Whether a device can be recorded beside what is recorded already.
        """
        super().__init__()
        self._load = load
        self._monitor = monitor
        self._can_add = can_add
        self.quits = not can_add  # nothing is behind it
        self._added = {key_of(device): device for device in added}
        self._in_use = {*in_use, *self._added}
        self._last_used = last_used
        self._found: list[Device] = []

    def compose(self) -> ComposeResult:
        """A title, the filter, the list, a note, the keys."""
        with Vertical(id="box") as box:
            box.border_title = "Record from"
            yield Input(placeholder="type to filter", id="filter", compact=True)
            with Vertical(id="found"):
                yield DeviceList(in_use=self._in_use, last_used=self._last_used, id="devices")
                yield Static(id="note", markup=False)
            yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Look for devices at once, and go on looking."""
        self.action_look_again()
        if self._monitor is not None:
            self._keep_looking(self._monitor)

    def action_look_again(self) -> None:
        """List the devices afresh."""
        if self._found:
            self._box.border_subtitle = "looking again …"
        else:
            self._say("Looking for microphones …")
        self._look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave a key to the filter where there is nothing to do for it."""
        del parameters
        device = self._list.device if self.is_mounted else None
        if action == "beside":
            return self._can_add and device is not None
        if action == "unmute":
            return self._monitor is not None and device is not None and device.muted
        return True

    def action_beside(self) -> None:
        """Record the device under the cursor beside what is recorded already, or no longer."""
        device = self._list.device
        if device is None:
            return
        if key_of(device) in self._added:
            self.dismiss(Choice(device, "remove"))
        elif key_of(device) in self._in_use:
            self._say(str(recorded_already(device)))
        else:
            self.dismiss(Choice(device, "add"))

    def action_unmute(self) -> None:
        """Unmute the device under the cursor."""
        if self._list.device is not None and self._monitor is not None:
            self._monitor.unmute(self._list.device)

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
            self.take(Listing(tuple(await self._load())))
        except MictapeError as error:
            self.take(Listing(failure=error.failure))

    @work(group="monitor")
    async def _keep_looking(self, monitor: DeviceMonitorPort) -> None:
        async for sight in monitor:
            self.take(sight)

    def take(self, sight: MonitorEvent) -> None:
        """Show what there is to record now, how loud it is, or why something was refused."""
        match sight:
            case Levels(peaks):
                self._list.show_peaks(peaks)
            case Refused(failure):
                self._say(str(failure))
            case Listing(devices, None):
                gone = self._added.keys() - set(map(key_of, devices))
                self._found = [*devices, *(self._added[key] for key in gone)]
                self._list.gone = gone
                self._show()
            case Listing(_, failure):
                self._found = []
                self._list.show([])
                self._say(str(failure), trouble=True)

    @on(Input.Changed)
    def _on_typing(self) -> None:
        """List what fits, with the cursor on a device whose whole name was typed."""
        self._show()
        self._list.go_to(self._filter.value)

    def _show(self) -> None:
        """List what was found and fits what is typed."""
        typed = self._filter.value
        fitting = matching(self._found, typed)
        self._list.show(fitting)
        if not self._found:
            self._say("There is nothing here to record from. Plug in a microphone and look again.", trouble=True)
        elif not fitting and typed.strip() == "+":  # the key that adds, where there is nothing to add to
            self._say("Record a first device with Enter; another can be added to it then.")
        elif not fitting:
            self._say(f'None of {len(self._found)} devices fits "{typed.strip()}".')
        else:
            self._say("")

    @on(Input.Submitted)
    def _choose_current(self) -> None:
        if self._list.device is not None:
            self._choose(self._list.device)

    @on(DeviceList.DeviceChosen)
    def _choose_clicked(self, event: DeviceList.DeviceChosen) -> None:
        self._choose(event.device)

    def _choose(self, device: Device) -> None:
        if key_of(device) in self._added:
            self._say(str(Failure(f"{device.name} has a track of its own", "+ removes it; then it can be chosen")))
        else:
            self.dismiss(Choice(device))

    @on(DeviceList.OptionHighlighted)
    def _look_at(self) -> None:
        """Another device is under the cursor: measure it where only one at a time can be, and show its keys."""
        if self._monitor is not None and self._list.device is not None:
            self._monitor.look(self._list.device)
        self._show_keys()

    def _say(self, sentence: str, *, trouble: bool = False) -> None:
        """Show a sentence below the list; in trouble nothing can be typed, so that `r` looks again."""
        self._box.border_subtitle = ""
        self._note.update(Content(sentence))
        self._note.set_class(trouble, "-trouble")
        self._note.display = bool(sentence)
        self._filter.disabled = trouble
        if not trouble and not self._list.has_focus:
            self._filter.focus()
        self._show_keys()

    def _show_keys(self) -> None:
        """The keys that do something now."""
        if self._filter.disabled:
            keys = [("r", "look again")]
        else:
            device = self._list.device
            beside = "remove" if device is not None and key_of(device) in self._added else "add"
            offered = {"beside": ("+", beside), "unmute": ("^u", "unmute")}
            keys = [("enter", "record"), *(key for action, key in offered.items() if self.check_action(action, ()))]
        self._keys.update(key_row(*keys, ("esc", "cancel")))
