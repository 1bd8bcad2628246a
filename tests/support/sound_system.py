"""A sound system without sound: devices that are named by a test, microphones that hear scripted words at once."""

import asyncio
import time
import wave
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from mictape.audio.clock import Anchor
from mictape.audio.devices import Device, Listing
from mictape.audio.messages import Ended, Hole, LevelCell, Opened, Paused, Progress
from mictape.audio.monitor_messages import Levels, MonitorEvent
from mictape.audio.source import Event, SourceChanged
from mictape.audio.source_spec import DeviceSource, FileSource, SourceSpec
from mictape.audio.tape import Tape, TapeWriter
from mictape.failure import Failure, MictapeError
from support.scripted import spoken

CELL = 320
"""Samples of a step of the grid of levels."""


def device(name: str, *, default: bool = False, muted: bool = False, computer: bool = False) -> Device:
    """A device of this name."""
    kind = "computer sound" if computer else "microphone"
    return Device(f"Fake:{name}", name, "Fake", 1, 16_000, default, kind, name, muted)


@dataclass
class FakeSoundSystem:
    """Behind `mictape.audio.ports.SoundPort`; keeps what was asked of it."""

    devices: list[Device] = field(default_factory=lambda: [device("Blue Yeti", default=True), device("Headset")])
    words: Sequence[int] = (1, 2, 3)
    """What each microphone hears once it is open."""
    reads_files: bool = False
    """Whether what is in a file is heard instead, at once."""
    refused: set[str] = field(default_factory=set[str])
    """The names of devices that cannot be opened."""
    sources: "list[FakeSource]" = field(default_factory=lambda: list[FakeSource]())  # noqa: PLW0108 (the class comes below)
    played: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """Track, first and last sample of what was played."""
    monitors: "list[FakeMonitor]" = field(default_factory=lambda: list[FakeMonitor]())  # noqa: PLW0108 (likewise)

    async def list_devices(self) -> list[Device]:
        if not self.devices:
            raise MictapeError(Failure("There is nothing to record from", "Connect a microphone"))
        return list(self.devices)

    def source(self, spec: SourceSpec, folder: Path, track: int, tape: Tape) -> "FakeSource":
        self.sources.append(FakeSource(self, spec, folder, track, tape))
        return self.sources[-1]

    def player(self) -> "FakePlayer":
        return FakePlayer(self)

    def monitor(self) -> "FakeMonitor":
        self.monitors.append(FakeMonitor(self))
        return self.monitors[-1]


class FakeSource:
    """Writes a real tape, as the capture process would, in the test's own process."""

    def __init__(self, system: FakeSoundSystem, spec: SourceSpec, folder: Path, track: int, tape: Tape) -> None:
        self._system = system
        self.spec = spec
        self._tape = tape
        self._writer = TapeWriter(folder, track)
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._paused = False
        self._ended: Ended | None = None

    @property
    def name(self) -> str:
        return self.spec.device.name if isinstance(self.spec, DeviceSource) else "file"

    @property
    def _file(self) -> Path | None:
        return self.spec.path if self._system.reads_files and isinstance(self.spec, FileSource) else None

    async def open(self) -> Opened:
        if self.name in self._system.refused:
            await self.close()
            raise MictapeError(
                Failure(f"{self.name} cannot be opened", "Choose another device", action="choose_device")
            )
        self._events.put_nowait(SourceChanged("open"))
        return Opened(16_000, 1, self.name)

    def go(self) -> None:
        self._writer.begin()
        if self._file is None:
            self._writer.note(Anchor(self._writer.samples, time.monotonic(), time.time(), "start"))
            self.receive(self._system.words)
            return
        with wave.open(str(self._file)) as file:
            self.receive_sound(file.readframes(file.getnframes()))
        self._end("exhausted")

    def receive(self, words: Sequence[int]) -> None:
        """These words are said now."""
        self.receive_sound(spoken(words))

    def receive_sound(self, pcm: bytes) -> None:
        """This is recorded now: 16-bit mono PCM at 16 kHz."""
        if self._paused or self._ended is not None:
            return
        cells = tuple(_cells(pcm))
        self._writer.append(pcm)
        self._tape.report(self._writer.samples)
        self._events.put_nowait(Progress(self._writer.samples, expected=self._writer.samples, cells=cells))

    def go_away(self) -> None:
        """The device is unplugged."""
        gone = Failure(f"{self.name} is gone", "Plug it in again or choose another device", action="choose_device")
        self._events.put_nowait(SourceChanged("lost", gone))

    def come_back(self, lost: int) -> None:
        """It is there again, and so many samples were lost meanwhile."""
        hole = Hole(self._writer.samples, self._writer.samples + lost, "restart")
        self._writer.silence(lost, hole)
        self._tape.report(self._writer.samples)
        self._events.put_nowait(SourceChanged("open"))
        self._events.put_nowait(hole)

    def pause(self) -> None:
        self._paused = True
        self._events.put_nowait(Paused(self._writer.samples))

    def resume(self) -> None:
        self._paused = False

    async def close(self) -> Ended:
        return self._end("closed")

    def _end(self, why: Literal["closed", "exhausted"]) -> Ended:
        if self._ended is None:
            self._writer.close()
            self._ended = Ended(self._writer.samples, why)
            self._events.put_nowait(self._ended)
            self._events.put_nowait(None)
        return self._ended

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)


class FakePlayer:
    """Plays until it is stopped."""

    def __init__(self, system: FakeSoundSystem) -> None:
        self._system = system
        self._stopped: asyncio.Event | None = None

    @property
    def playing(self) -> bool:
        return self._stopped is not None

    async def play(self, folder: Path, track: int, start: int, end: int) -> None:
        self.stop()
        self._system.played.append((track, start, end))
        stopped = self._stopped = asyncio.Event()
        await stopped.wait()

    def stop(self) -> None:
        if self._stopped is not None:
            self._stopped.set()
            self._stopped = None


class FakeMonitor:
    """Gives the list once, and a level for each device that is looked at."""

    def __init__(self, system: FakeSoundSystem) -> None:
        self._system = system
        self._events: asyncio.Queue[MonitorEvent] = asyncio.Queue()
        self.unmuted: list[Device] = []

    async def __aiter__(self) -> AsyncIterator[MonitorEvent]:
        yield Listing(tuple(self._system.devices))
        while True:
            yield await self._events.get()

    def look(self, device: Device) -> None:
        self._events.put_nowait(Levels({device.id: 0.2}))

    def unmute(self, device: Device) -> None:
        self.unmuted.append(device)


def _cells(pcm: bytes) -> Iterator[LevelCell]:
    samples = np.frombuffer(pcm, "<i2") / 32_768
    steps = np.pad(samples, (0, -len(samples) % CELL)).reshape(-1, CELL)
    lengths = np.minimum(CELL, len(samples) - CELL * np.arange(len(steps)))
    peaks, squares = np.abs(steps).max(axis=1), (steps**2).sum(axis=1) / lengths
    return (LevelCell(1, peak, square, 0) for peak, square in zip(peaks.tolist(), squares.tolist(), strict=True))
