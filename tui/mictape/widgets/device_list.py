"""The devices to choose from: microphones first, then computer sound."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from rich.cells import cell_len
from textual import on
from textual.content import Content
from textual.events import Resize
from textual.message import Message
from textual.widgets.option_list import Option

from mictape.audio.ballistics import Meter
from mictape.audio.devices import Device
from mictape.audio.messages import LevelCell
from mictape.plain_text import fits
from mictape.widgets.options import Options

DeviceKey = tuple[str, str]
"""Name and host API: how a device is remembered."""

_HEADINGS: Final = {"microphone": "Microphones", "computer sound": "Computer sound"}
_NAME_CELLS: Final = 34
"""The column of names is at most this wide, and gives way to the marks of a narrow list."""
_LEAST_NAME_CELLS: Final = 14
_METER_CELLS: Final = 8
_LOWEST_DB: Final = -60.0
"""The left end of a device's meter; the right end is full scale. Speech near a microphone fills half of it."""
_STEPS_A_LEVEL: Final = 2
"""The probe reports a level every 40 ms, two steps of the meters' grid."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_NO_METER: Final = " " * (_METER_CELLS + 2)
_GAP: Final = "  "
_CHANNELS: Final = {1: "mono", 2: "stereo"}


def key_of(device: Device) -> DeviceKey:
    """What a device is remembered by."""
    return device.name, device.host_api


def matching(devices: Iterable[Device], typed: str) -> list[Device]:
    """The devices that have every typed word, in any case, in name, host API or kind."""
    return [device for device in devices if fits(f"{device.name} {device.host_api} {device.kind}", typed)]


def in_groups(
    devices: Iterable[Device], in_use: Collection[DeviceKey], last_used: DeviceKey | None
) -> list[tuple[str, list[Device]]]:
    """Kind and devices, microphones first; in each group those in use, the last used, the default lead."""

    def rank(device: Device) -> tuple[bool, bool, bool]:
        key = key_of(device)
        return key not in in_use, key != last_used, not device.default

    every = sorted(devices, key=rank)
    groups = ((kind, [device for device in every if device.kind == kind]) for kind in _HEADINGS)
    return [(kind, members) for kind, members in groups if members]


def marks(
    device: Device, in_use: Collection[DeviceKey], last_used: DeviceKey | None, gone: Collection[DeviceKey] = ()
) -> list[str]:
    """What is special about a device, in words."""
    key = key_of(device)
    special = {
        "in use": key in in_use,
        "last used": key == last_used and key not in in_use,
        "gone": key in gone,
        "default": device.default and key not in gone,
        "muted": device.muted,
    }
    return [word for word, holds in special.items() if holds]


def details(device: Device) -> str:
    """What a device delivers: `48 kHz · stereo · PulseAudio`."""
    channels = _CHANNELS.get(device.channels, f"{device.channels} channels")
    return f"{device.rate / 1000:g} kHz · {channels} · {device.host_api}"


def bar(level_db: float, cells: int = _METER_CELLS) -> str:
    """A level in dBFS as a bar of so many cells, in steps of an eighth; anything above silence shows at least one."""
    share = 0.0 if level_db == -inf else min(max(1 - level_db / _LOWEST_DB, 0.0), 1.0)
    eighths = max(round(share * cells * 8), int(level_db > -inf))
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8])[:cells].ljust(cells)


class DeviceList(Options):
    """Devices in groups, each with its level where it is known. Names are data: they are never read as markup."""

    @dataclass
    class DeviceChosen(Message):
        """A device was chosen, with Enter or the mouse."""

        device: Device

    def __init__(
        self,
        *,
        in_use: Collection[DeviceKey] = (),
        last_used: DeviceKey | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id, markup=False, compact=True)
        self._in_use = in_use
        self._last_used = last_used
        self.gone: Collection[DeviceKey] = ()
        """Those that are listed although they are not there; set before `show`."""
        self._shown: Sequence[Device] = ()
        self._width = 0
        self._column = _NAME_CELLS
        self._devices: dict[str, Device] = {}
        self._meters: dict[str, Meter] = {}
        self._bars: dict[str, str] = {}
        """What is drawn of each level that is known, by device."""

    def on_resize(self, event: Resize) -> None:
        """Another width has another column of names."""
        super().on_resize(event)
        if event.size.width != self._width:
            self._width = event.size.width
            self.show(self._shown)

    def show(self, devices: Sequence[Device]) -> None:
        """List these, with the cursor on the device it was on, else on the first."""
        before = self.device
        self._shown = devices
        self._devices = {}
        self._column = self._name_cells(devices)
        options: list[Option | None] = []
        for kind, members in in_groups(devices, self._in_use, self._last_used):
            if options:
                options.append(Option("", disabled=True))
            options.append(Option(Content.styled(_HEADINGS[kind], "bold"), disabled=True))
            for device in members:
                self._devices[device.id] = device
                options.append(Option(self._row(device), id=device.id))
        self.set_options(options)
        if before is not None and before.id in self._devices:
            self.highlighted = self.get_option_index(before.id)
        elif self._devices:
            self.highlighted = self.get_option_index(next(iter(self._devices)))

    def go_to(self, name: str) -> None:
        """Put the cursor on the device of this name, in any case, if it is listed."""
        meant = (id for id, device in self._devices.items() if device.name.casefold() == name.strip().casefold())
        if (id := next(meant, None)) is not None:
            self.highlighted = self.get_option_index(id)

    def show_peaks(self, peaks: Mapping[str, float]) -> None:
        """Move the meters by the largest samples since the last call, full scale = 1.0, by device.

        The meter of a device that is not among them falls. Only rows whose bar changes are drawn again.
        """
        for name in peaks.keys() | self._meters.keys():
            meter = self._meters.setdefault(name, Meter())
            meter.feed(LevelCell(_STEPS_A_LEVEL, peaks.get(name, 0.0), 0.0, 0))
            drawn = bar(meter.reading.peak_db)
            if drawn != self._bars.get(name) and name in self._devices:
                self._bars[name] = drawn
                self.replace_option_prompt(name, self._row(self._devices[name]))

    @property
    def device(self) -> Device | None:
        """The device under the cursor."""
        option = self.highlighted_option
        return None if option is None or option.id is None else self._devices.get(option.id)

    def _name_cells(self, devices: Iterable[Device]) -> int:
        """How wide the column of names is: as the widest, as long as meter and marks have their room."""
        widest = max((cell_len(device.name) for device in devices), default=0)
        marked = max((cell_len(self._words(device)) for device in devices), default=0)
        room = self._width - len("● ") - len(_GAP) - len(_NO_METER) - len(_GAP) - marked - len("…")
        return min(widest, _NAME_CELLS, max(room, _LEAST_NAME_CELLS))

    def _words(self, device: Device) -> str:
        return " · ".join(marks(device, self._in_use, self._last_used, self.gone))

    def _row(self, device: Device) -> Content:
        """Name, level, marks, details; a narrow list cuts the details first."""
        name = Content(device.name).truncate(self._column, ellipsis=True, pad=True)
        words = self._words(device)
        drawn = self._bars.get(device.id)
        level = _NO_METER if drawn is None else Content.assemble("▕", (drawn, "$success"), "▏")
        special = Content.assemble(_GAP, (words, "$accent")) if words else Content("")
        sign = "● " if key_of(device) in self._in_use else "  "
        return Content.assemble(sign, name, _GAP, level, special, _GAP, (details(device), "$transcript-time"))

    @on(Options.OptionSelected)
    def _choose(self, event: Options.OptionSelected) -> None:
        event.stop()
        if self.device is not None:
            self.post_message(self.DeviceChosen(self.device))
