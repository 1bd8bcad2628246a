"""What the app needs of sound, as protocols: the real ones start processes, those of tests do not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from mictape.audio.device_monitor import DeviceMonitor
from mictape.audio.devices import Device, list_devices
from mictape.audio.messages import Ended, Opened
from mictape.audio.monitor_messages import MonitorEvent
from mictape.audio.player import Player
from mictape.audio.source import Event, Source
from mictape.audio.source_spec import SourceSpec
from mictape.audio.tape import Tape


class SourcePort(Protocol):
    """One track's source; see `mictape.audio.source.Source`."""

    async def open(self) -> Opened:
        """Get ready; nothing is written yet. Raises MictapeError."""
        ...

    def go(self) -> None:
        """Begin to write."""
        ...

    def pause(self) -> None:
        """Write nothing from here on."""
        ...

    def resume(self) -> None:
        """Write again."""
        ...

    async def close(self) -> Ended:
        """End it."""
        ...

    def __aiter__(self) -> AsyncIterator[Event]:
        """What happens, up to and with `Ended`."""
        ...


class PlayerPort(Protocol):
    """Plays from a tape; see `mictape.audio.player.Player`."""

    @property
    def playing(self) -> bool:
        """Whether something is played."""
        ...

    async def play(self, folder: Path, track: int, start: int, end: int) -> None:
        """Play samples `[start, end)`; returns when it is over or stopped. Raises MictapeError."""
        ...

    def stop(self) -> None:
        """Stop at once."""
        ...


class DeviceMonitorPort(Protocol):
    """Watches the devices while a picker is open; see `mictape.audio.device_monitor.DeviceMonitor`."""

    def __aiter__(self) -> AsyncIterator[MonitorEvent]:
        """What changes."""
        ...

    def look(self, device: Device) -> None:
        """Measure this device, where only one at a time can be."""
        ...

    def unmute(self, device: Device) -> None:
        """Switch a device's mute off."""
        ...


class SoundPort(Protocol):
    """The devices, and what records and plays."""

    async def list_devices(self) -> list[Device]:
        """What can be recorded now. Raises MictapeError."""
        ...

    def source(self, spec: SourceSpec, folder: Path, track: int, tape: Tape) -> SourcePort:
        """A source of a track; nothing is started."""
        ...

    def player(self) -> PlayerPort:
        """A player; nothing is started."""
        ...

    def monitor(self) -> DeviceMonitorPort:
        """A device monitor; it starts when it is iterated over."""
        ...


class SoundSystem:
    """The sound system of this machine, behind `SoundPort`."""

    def __init__(self, log: Path | None = None) -> None:
        """`log` takes what the processes print."""
        self._log = log

    async def list_devices(self) -> list[Device]:
        """What can be recorded now. Raises MictapeError."""
        return await list_devices()

    def source(self, spec: SourceSpec, folder: Path, track: int, tape: Tape) -> SourcePort:
        """A source of a track; nothing is started."""
        return Source(spec, folder, track, tape, log=self._log)

    def player(self) -> PlayerPort:
        """A player; nothing is started."""
        return Player(self._log)

    def monitor(self) -> DeviceMonitorPort:
        """A device monitor; it starts when it is iterated over."""
        return DeviceMonitor(self._log)
