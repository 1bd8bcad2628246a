"""The devices that a session records: one for its first track, and others on tracks of their own."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from mictape.audio.devices import Device, find, recorded_already
from mictape.audio.ports import SoundPort
from mictape.audio.source_spec import DeviceSource
from mictape.failure import Failure, MictapeError
from mictape.library.records import TrackRecord
from mictape.recording.devices import devices_named, present, source_for
from mictape.recording.track_tasks import TrackTasks
from mictape.session.track import Track
from mictape.settings import ChosenDevice, Settings, remember

LOOK_S: Final = 10.0
"""A device that was recorded before and is not connected is looked for so often: listing them takes a process."""


class RecordedDevices:
    """Adds, removes and replaces devices while a session is recorded. Before it has begun nothing happens."""

    def __init__(self, running: TrackTasks, settings: Settings, sound: SoundPort, state_file: Path) -> None:
        """Prepare.

        Args:
            running: The session and what runs for it.
            settings: How devices are recorded, and what their tracks are called.
            sound: Lists devices.
            state_file: Remembers the device of the first track.
        """
        self._running = running
        self._settings = settings
        self._sound = sound
        self._state_file = state_file

    async def add(self, device: Device) -> None:
        """Record another device, on its track if it had one. Raises MictapeError when that is done, or cannot be."""
        if self._running.session is not None:
            if same_device(device, devices_of(self._running.tracks)):
                raise MictapeError(recorded_already(device))
            before = len(self._running.tracks)
            track = await self._running.session.sound.join(source_for(device, self._settings, added=True))
            if track.number > before:  # else it goes on on its track, which has its name
                self.name(track)
            self._running.start(track)

    async def remove(self, device: Device) -> None:
        """Stop recording an added device; its track stays. Raises MictapeError."""
        for track in self._running.tracks[1:]:
            if self._running.session is not None and same_device(device, devices_of([track])):
                await self._running.session.sound.end_track(track)

    async def replace(self, device: Device) -> None:
        """Record another device on the first track. Raises MictapeError when it cannot be opened."""
        if self._running.session is None or not self._running.tracks:
            return
        track = self._running.tracks[0]
        if not same_device(device, devices_of([track])) or track.source_state != "open":
            await self._running.session.sound.choose(track, source_for(device, self._settings))
            self.remember(device)
            if not track.capturing:
                self._running.capture(track)

    def remember(self, device: Device) -> None:
        """Start with this device next time. Raises MictapeError when that cannot be written."""
        remember(self._state_file, device=ChosenDevice(device.name, device.host_api))

    def name(self, track: Track) -> None:
        """Give a new track the name that the settings have for it."""
        if self._running.session is not None and track.number <= len(self._settings.names):
            self._running.session.writer.rename_track(track, self._settings.names[track.number - 1])

    async def add_wanted(
        self, also: Sequence[Device] | None, before: Iterable[TrackRecord], report: Callable[[Failure], None]
    ) -> None:
        """Add devices at the beginning; those that the session had and that are not connected, once they are.

        Args:
            also: What was asked for; None: what the settings name.
            before: The added tracks of the session that goes on.
            report: Gets why one of them cannot be added.

        Raises:
            MictapeError: one that the settings name is not there.
        """
        wanted = list(await devices_named(self._sound, self._settings.also) if also is None else also)
        missing = list(before)
        there = await self._sound.list_devices() if missing else []
        for track in missing[:]:
            try:
                device = present(there, track.source, track.host_api)
            except MictapeError as error:
                report(error.failure)
            else:
                missing.remove(track)
                wanted += [] if device in wanted else [device]
        await self._add_all(wanted, report)
        while missing:
            await asyncio.sleep(LOOK_S)
            with suppress(MictapeError):  # nothing is connected now
                there = await self._sound.list_devices()
            found = {track.number: find(there, track.source, track.host_api) for track in missing}
            missing = [track for track in missing if found[track.number] is None]
            recorded = devices_of(self._running.tracks)  # the person may have added it
            await self._add_all([each for each in found.values() if each and not same_device(each, recorded)], report)

    async def _add_all(self, devices: Iterable[Device], report: Callable[[Failure], None]) -> None:
        for device in devices:
            try:
                await self.add(device)
            except MictapeError as error:
                report(error.failure)


def devices_of(tracks: Iterable[Track]) -> list[Device]:
    """What is recorded now on these tracks, without files and ended tracks."""
    specs = [track.spec for track in tracks if not track.tape.ended]
    return [spec.device for spec in specs if isinstance(spec, DeviceSource)]


def same_device(device: Device, devices: Iterable[Device]) -> bool:
    """Whether one of these is the device, by what it is remembered by."""
    return (device.name, device.host_api) in {(each.name, each.host_api) for each in devices}
