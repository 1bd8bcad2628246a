"""Choosing what is recorded, at the start and later."""

import asyncio
from collections.abc import Callable

from mictape.audio.devices import Device
from mictape.audio.source_spec import SourceSpec
from mictape.failure import MictapeError
from mictape.recording import Recording
from mictape.recording.devices import chosen_device, present, source_for
from mictape.recording.recorded_devices import devices_of
from mictape.screens.device_picker import Choice, DevicePicker
from mictape.screens.main.page import STARTING, Commands, Page
from mictape.session.recovery import StoredSession
from mictape.settings import ChosenDevice
from mictape.widgets.device_list import key_of


class DeviceFlow:
    """Asks which device to record."""

    def __init__(self, page: Page, recording: Recording) -> None:
        self._page = page
        self._recording = recording
        self._wanted = asyncio.Event()
        """The device picker was asked for while there was no session."""
        self._opened: Callable[[], object] = lambda: None
        """Called when that picker was left."""
        self.waiting = False
        """Whether the device picker was left without a choice, before there was a session."""
        self.commands: Commands = {"choose_device": self.choose}

    def choose(self) -> None:
        """Open the device picker."""
        if self.waiting:
            self._opened = self._page.opening()
            self._wanted.set()
        elif self._recording.session is None:
            self._page.say(STARTING)
        elif not isinstance(self._page.app.screen, DevicePicker) and not self._recording.stopping:
            self._page.ask(self._change(), "Choosing a device", group="picker")

    async def _change(self) -> None:
        choice = await self._pick()
        if choice is not None:
            devices = self._recording.devices
            act = {"add": devices.add, "remove": devices.remove, "record": devices.replace}
            await act[choice.act](choice.device)
            if choice.act == "record":
                self._page.say_all(self._recording.settings.lasting("device"))

    async def first_source(self, continued: StoredSession | None) -> SourceSpec | None:
        """What to record first; None when the person leaves instead of choosing.

        Args:
            continued: The session that goes on, if one does.

        Raises:
            MictapeError: the device that was asked for on the command line is not there.
        """
        recording, device = self._recording, None
        try:
            device = await self._usual(continued)
        except MictapeError as error:
            if isinstance(recording.settings.device, str):
                raise
            self._page.say(error.failure)
        while device is None and not recording.stopping:
            choice = await self._pick()
            self._opened()
            device = choice.device if choice else None
            if device is None:
                self.waiting = True
                await _first_of(self._wanted, recording.stopped)
                self._wanted.clear()
                self.waiting = False
            else:
                with self._page.saying():
                    recording.devices.remember(device)
                    self._page.say_all(recording.settings.lasting("device"))
        return None if device is None else source_for(device, recording.settings)

    async def _usual(self, continued: StoredSession | None) -> Device | None:
        """The device of a session that goes on, else the one asked for or remembered. Raises MictapeError."""
        sound, settings = self._recording.sound, self._recording.settings
        api = continued.tracks[0].track.host_api if continued is not None else ""
        if continued is None or not api or isinstance(settings.device, str):
            return await chosen_device(sound, settings)
        there, name = await sound.list_devices(), continued.tracks[0].track.last_source
        apis = [each.host_api for each in there if each.name == name]
        return present(there, name, api if api in apis or not apis else apis[0])

    async def _pick(self) -> Choice | None:
        """Let the person choose a device."""
        tracks, remembered = self._recording.tracks, self._recording.settings.device
        return await self._page.app.push_screen_wait(
            DevicePicker(
                self._recording.sound.list_devices,
                self._recording.sound.monitor(),
                in_use=[key_of(device) for device in devices_of(tracks[:1])],
                added=devices_of(tracks[1:]),
                last_used=(remembered.name, remembered.host_api) if isinstance(remembered, ChosenDevice) else None,
                can_add=bool(tracks),
            )
        )


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
