"""The devices to choose from: microphones first, then computer sound."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from textual import on
from textual.content import Content
from textual.events import Resize
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.audio.devices import Device

DeviceKey = tuple[str, str]
"""Name and host API: how a device is remembered."""

_HEADINGS: Final = {"microphone": "Microphones", "computer sound": "Computer sound"}
_NAME_CELLS: Final = 34
"""The column of names is at most this wide, and at most half of the list."""
_CHANNELS: Final = {1: "mono", 2: "stereo"}


def key_of(device: Device) -> DeviceKey:
    """What a device is remembered by."""
    return device.name, device.host_api


def matching(devices: Iterable[Device], typed: str) -> list[Device]:
    """The devices that hold every typed word, in any case, in name, host API or kind."""
    words = typed.casefold().split()
    return [
        device
        for device in devices
        if all(word in f"{device.name} {device.host_api} {device.kind}".casefold() for word in words)
    ]


def in_groups(
    devices: Iterable[Device], in_use: DeviceKey | None, last_used: DeviceKey | None
) -> list[tuple[str, list[Device]]]:
    """Kind and devices, microphones first; in each group the one in use, the last used, the default lead."""

    def rank(device: Device) -> tuple[bool, bool, bool]:
        key = key_of(device)
        return key != in_use, key != last_used, not device.default

    every = sorted(devices, key=rank)
    groups = ((kind, [device for device in every if device.kind == kind]) for kind in _HEADINGS)
    return [(kind, members) for kind, members in groups if members]


def marks(device: Device, in_use: DeviceKey | None, last_used: DeviceKey | None) -> list[str]:
    """What is special about a device, in words."""
    key = key_of(device)
    special = {
        "in use": key == in_use,
        "last used": key == last_used != in_use,
        "default": device.default,
        "muted": device.muted,
    }
    return [word for word, holds in special.items() if holds]


def details(device: Device) -> str:
    """What a device delivers: `48 kHz · stereo · PulseAudio`."""
    channels = _CHANNELS.get(device.channels, f"{device.channels} channels")
    return f"{device.rate / 1000:g} kHz · {channels} · {device.host_api}"


class DeviceList(OptionList):
    """Devices in groups. Names are data: they are never read as markup."""

    DEFAULT_CSS = """
    DeviceList {
        border: none;
        padding: 0;
        background: transparent;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &:focus { border: none; background-tint: transparent; }
        & > .option-list--option-disabled { color: $transcript-time; text-style: none; }
        & > .option-list--option-highlighted,
        &:focus > .option-list--option-highlighted {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
        }
    }
    """

    @dataclass
    class DeviceChosen(Message):
        """A device was chosen, with Enter or the mouse."""

        device: Device

    def __init__(
        self,
        *,
        in_use: DeviceKey | None = None,
        last_used: DeviceKey | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id, markup=False, compact=True)
        self._in_use = in_use
        self._last_used = last_used
        self._shown: Sequence[Device] = ()
        self._width = 0
        self._devices: dict[str, Device] = {}

    def on_resize(self, event: Resize) -> None:
        """Another width has another column of names."""
        if event.size.width != self._width:
            self._width = event.size.width
            self.show(self._shown)

    def show(self, devices: Sequence[Device]) -> None:
        """List these, with the cursor on the device it was on, else on the first."""
        before = self.device
        self._shown = devices
        self._devices = {}
        options: list[Option | None] = []
        widest = max((cell_len(device.name) for device in devices), default=0)
        column = min(_NAME_CELLS, self._width // 2 or _NAME_CELLS, widest)
        for kind, members in in_groups(devices, self._in_use, self._last_used):
            if options:
                options.append(Option("", disabled=True))
            options.append(Option(Content.styled(_HEADINGS[kind], "bold"), disabled=True))
            for device in members:
                self._devices[device.id] = device
                options.append(Option(self._row(device, column), id=device.id))
        self.set_options(options)
        if before is not None and before.id in self._devices:
            self.highlighted = self.get_option_index(before.id)
        elif self._devices:
            self.highlighted = self.get_option_index(next(iter(self._devices)))

    @property
    def device(self) -> Device | None:
        """The device under the cursor."""
        option = self.highlighted_option
        return None if option is None or option.id is None else self._devices.get(option.id)

    def _row(self, device: Device, column: int) -> Content:
        """Name, marks, details; a narrow list cuts the details first."""
        name = Content(device.name).truncate(column, ellipsis=True, pad=True)
        words = marks(device, self._in_use, self._last_used)
        special = Content.assemble("  ", (" · ".join(words), "$accent")) if words else Content("")
        sign = "● " if "in use" in words else "  "
        return Content.assemble(sign, name, special, "  ", (details(device), "$foreground 60%"))

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self.device is not None:
            self.post_message(self.DeviceChosen(self.device))
