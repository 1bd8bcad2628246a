"""How long a block of sound that is on the tape takes to be in the socket, during speech."""

import asyncio
import tempfile
import time
from bisect import bisect_left
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from bench.report import Report
from bench.service import engine_at, serving
from bench.sound import pattern
from mictape.audio.tape import Tape, TapeWriter
from mictape.engines.base import Changes, Connection, Engine, EngineEvent, Request
from mictape.failure import Failure
from mictape.recognition.coverage import Coverage
from mictape.recognition.follower import Follower
from mictape.recognition.live import Plan
from mictape.recognition.stretches import FollowedTrack, FollowerEvent
from mictape.units import RATE

LIVE_S: Final = 30.0
UNPACED_S: Final = 15.0
SLOW_S: Final = 10.0
HANDSHAKE_S: Final = 1.0
"""What opening a connection over a slow network takes."""
GROWTH: Final = RATE // 25
"""Samples by which the capture process lets a tape grow at a time: 40 ms."""
SAMPLE_BYTES: Final = 2

Moment = tuple[int, float]
"""How many samples, and when."""


@dataclass
class TimedConnection:
    """Notes when a block is in the socket."""

    inner: Connection
    sent: list[Moment]
    samples: int = 0

    async def send(self, pcm: bytes) -> None:
        """Send and note."""
        await self.inner.send(pcm)
        self.samples += len(pcm) // SAMPLE_BYTES
        self.sent.append((self.samples, time.monotonic()))

    async def endpoint(self) -> None:
        """Pass on."""
        await self.inner.endpoint()

    async def update(self, changes: Changes) -> None:
        """Pass on."""
        await self.inner.update(changes)

    async def keep_alive(self) -> None:
        """Pass on."""
        await self.inner.keep_alive()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        """Pass on."""
        async for event in self.inner:
            yield event

    async def finish(self) -> None:
        """Pass on."""
        await self.inner.finish()

    async def close(self) -> None:
        """Pass on."""
        await self.inner.close()


@dataclass
class TimedEngine:
    """An engine whose connections note what they send; the tape's samples are those of the first one."""

    inner: Engine
    handshake_s: float = 0.0
    """How much longer connecting takes."""
    sent: list[Moment] = field(default_factory=list[Moment])

    def __post_init__(self) -> None:
        self.name, self.title, self.capabilities = self.inner.name, self.inner.title, self.inner.capabilities

    async def check(self, request: Request) -> Failure | None:
        """Pass on."""
        return await self.inner.check(request)

    async def connect(self, request: Request) -> TimedConnection:
        """Connect, slowly."""
        await asyncio.sleep(self.handshake_s)
        return TimedConnection(await self.inner.connect(request), self.sent)

    async def close(self) -> None:
        """Pass on."""
        await self.inner.close()


class Microphone:
    """Writes a tape as the capture process does, from a pattern that is repeated."""

    def __init__(self, folder: Path, sound: bytes) -> None:
        self.tape = Tape(folder, 1)
        self.grew: list[Moment] = []
        """When the tape was so long."""
        self._writer = TapeWriter(folder, 1)
        self._sound = sound

    def write(self, samples: int) -> None:
        """Put the next samples on the tape."""
        size, at = SAMPLE_BYTES * samples, SAMPLE_BYTES * self._writer.samples % len(self._sound)
        repeated = self._sound * (1 + (at + size) // len(self._sound))
        self._writer.append(repeated[at : at + size])
        self.grew.append((self._writer.samples, time.monotonic()))
        self.tape.report(self._writer.samples)

    async def record(self, seconds: float) -> None:
        """Let time pass, and the tape grow by it."""
        began_s, samples = time.monotonic(), 0
        while samples < seconds * RATE:
            samples += GROWTH
            await asyncio.sleep(max(0.0, began_s + samples / RATE - time.monotonic()))
            self.write(GROWTH)

    def end(self) -> None:
        """The source ends."""
        self._writer.close()
        self.tape.end()

    def follower(self, engine: Engine, coverage: Coverage) -> Follower:
        """One that follows it as a live source is followed."""
        reported: list[FollowerEvent] = []
        track = FollowedTrack(self.tape, coverage, reported.append, count())
        return Follower(track, engine, Request(), Plan(live=True))


async def delays(url: str, seconds: float, *, paced: bool = True, handshake_s: float = 0.0) -> list[float]:
    """For each block, how long after its last sample was on the tape it was in the socket; seconds."""
    engine = TimedEngine(engine_at(url, paced=paced), handshake_s)
    with tempfile.TemporaryDirectory() as folder:
        microphone = Microphone(Path(folder), pattern())
        following = asyncio.create_task(microphone.follower(engine, Coverage()).run())
        await microphone.record(seconds)
        microphone.end()
        await following
    lengths = [samples for samples, _ in microphone.grew]
    sent = [moment for moment in engine.sent if moment[0] <= lengths[-1]]  # the last block may be padded
    return [at_s - microphone.grew[bisect_left(lengths, samples)][1] for samples, at_s in sent]


def measure(report: Report) -> None:
    """Live, paced as AssemblyAI's cloud asks for and not paced; then with a connection that took a second to open."""
    with serving(paced=True) as url:
        report.add_delays("block on tape → socket", asyncio.run(delays(url, LIVE_S)), "from its last sample on")
        unpaced = asyncio.run(delays(url, UNPACED_S, paced=False))
        report.add_delays("the same, not held back to real time", unpaced)
        late = asyncio.run(delays(url, SLOW_S, handshake_s=HANDSHAKE_S))
        note = f"seconds {SLOW_S / 2:.0f} to {SLOW_S:.0f}; the connection took {HANDSHAKE_S:g} s more to open"
        report.add_delays("the same, opened late", late[len(late) // 2 :], note)
