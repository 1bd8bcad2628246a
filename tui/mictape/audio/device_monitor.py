"""The app's side of the probe process: what can be recorded, how loud each device is, and switching a mute off.

A `DeviceMonitor` lives as long as the device picker is open. What the probe reports is optional: when it dies it is
started again, and when that does not help, there are no levels and everything else works.
"""

import asyncio
import logging
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from mictape import subprocesses
from mictape.audio.devices import Device
from mictape.audio.monitor_messages import MeasureLevel, MonitorCommand, MonitorEvent, Unmute

TRIES: Final = 3
"""A probe that ends this many times in a row without a word is not started again."""
BACK_OFF_S: Final = 0.5
"""The pause before it is started again."""

_log = logging.getLogger(__name__)
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(MonitorEvent)


class DeviceMonitor:
    """Starts the probe process when it is iterated over, and ends it with the iteration."""

    def __init__(self, log: Path | None = None) -> None:
        """Prepare; `log` takes what the probe's libraries say."""
        self._log = log
        self._process: Process | None = None
        self._looked_at: Device | None = None

    async def __aiter__(self) -> AsyncIterator[MonitorEvent]:
        """What the probe says; ends only when the probe is of no use here."""
        silent = 0
        while silent < TRIES:
            process = self._process = await self._start()
            silent += 1
            try:
                assert process.stdout is not None
                if self._looked_at is not None:
                    self.look(self._looked_at)
                async for line in process.stdout:
                    silent = 0
                    with suppress(msgspec.DecodeError):  # a line that was cut off with its process
                        yield _decoder.decode(line)
            finally:
                await _end(process)
            await asyncio.sleep(BACK_OFF_S)
        _log.warning("there are no levels in the device picker: the probe process ended %d times", TRIES)

    def look(self, device: Device) -> None:
        """Monitor this device, where only one at a time can be."""
        self._looked_at = device
        self._say(MeasureLevel(device))

    def unmute(self, device: Device) -> None:
        """Unmute a device; the next `Listing` shows it, or `Refused` says why not."""
        self._say(Unmute(device))

    def _say(self, order: MonitorCommand) -> None:
        pipe = self._process.stdin if self._process else None
        if pipe is not None and not pipe.is_closing():
            pipe.write(_encoder.encode(order) + b"\n")

    async def _start(self) -> Process:
        extra = {"JACK_NO_START_SERVER": "1"}
        return await subprocesses.start("mictape.audio.probe", stderr=self._log, extra=extra)


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
