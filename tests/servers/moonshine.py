"""AssemblyAI's protocol v3 with a real recogniser behind it: Moonshine hears what arrives and says what it hears.

    async with moonshine(log) as recogniser:
        assemblyai = V3Server(recogniser)
        async with serve(assemblyai, admit=assemblyai.admit) as server:
            ...  # send speech to server.url with KEY

Moonshine has no word times, and v3 has: a line's characters are spread over what is loud in it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import numpy as np

from mictape.engines.base import Answered, Connection, FinalTurn, Partial, Received, Request, Word
from mictape.engines.local.engine import LocalEngine, LocalOptions
from mictape.units import RATE
from servers.assemblyai import Said, V3Session

PER_MS: Final = RATE // 1000
STEP: Final = 20 * PER_MS
"""Loudness is known on a grid of 20 ms."""
BELOW_SPEECH_DB: Final = 15.0
"""What is so much softer than the loud parts of the same speech is a pause."""
SILENCE_DB: Final = -96.0

LONG_TURN: Final = 4 * RATE
"""A turn so long ends at the next pause, as v3's do; Moonshine alone lets some grow to ten seconds and more."""
PAUSE: Final = RATE * 3 // 10
BEAT_MS: Final = 5000


class Loudness:
    """How loud the sound of a connection is, and with it where in a line its words may be."""

    def __init__(self) -> None:
        self._levels_db: list[float] = []
        self._rest = b""

    def feed(self, pcm: bytes) -> None:
        """Take in what follows."""
        data = self._rest + pcm
        whole = len(data) // (2 * STEP) * 2 * STEP
        self._rest = data[whole:]
        steps = np.frombuffer(data[:whole], "<i2").astype(np.float64).reshape(-1, STEP) / 32768
        squares = np.maximum((steps**2).mean(axis=1), 10 ** (SILENCE_DB / 10))
        self._levels_db += (10 * np.log10(squares)).tolist()

    def quiet_for(self, since: int) -> int:
        """Samples of a pause up to now, judged by how loud it was since `since`."""
        loud = self._loud(since, len(self._levels_db) * STEP)
        return len(self._levels_db) * STEP - (loud[-1] + STEP if loud else since)

    def words(self, text: str, start: int, end: int) -> list[Said]:
        """The words of a line, `[start, end)` in samples, each with the time its characters take of what is loud."""
        steps = self._loud(start, end) or list(range(start, max(end, start + 1), STEP))
        words = text.split()
        characters = sum(map(len, words))
        said: list[Said] = []
        done = 0
        for word in words:
            first = done * len(steps) // characters
            done += len(word)
            last = max(first, -(-done * len(steps) // characters) - 1)
            said.append(Said(word, steps[first] // PER_MS, (steps[last] + STEP) // PER_MS))
        return said

    def _loud(self, start: int, end: int) -> list[int]:
        """Where the steps of `[start, end)` begin that are no pause."""
        levels_db = self._levels_db[start // STEP : -(-end // STEP)]
        if not levels_db:
            return []
        least_db = float(np.percentile(levels_db, 90)) - BELOW_SPEECH_DB
        return [(start // STEP + at) * STEP for at, level_db in enumerate(levels_db) if level_db > least_db]


def _said(word: Word) -> Said:
    """A word with the times that the engine gives it."""
    assert word.start is not None
    assert word.end is not None
    return Said(word.text, word.start // PER_MS, word.end // PER_MS)


class Ear:
    """One session: sound goes to a connection of the local engine, what that hears comes back as turns."""

    def __init__(self, session: V3Session, connection: Connection) -> None:
        self._session = session
        self._connection = connection
        self._loudness = Loudness()
        self._received = 0
        self._since: int | None = None
        """Where the turn that is open began."""
        self._silent_ms = 0
        self._beat_ms = BEAT_MS

    async def run(self, cut_ms: float | None) -> None:
        """Hear until the client terminates; or vanish after so much sound."""
        receiving = asyncio.create_task(self._receive())
        try:
            while not self._session.terminating:
                match await self._session.receive():
                    case bytes() as pcm:
                        await self._take(pcm)
                    case {"type": "ForceEndpoint"}:
                        await self._connection.endpoint()
                    case _:
                        pass
                if cut_ms is not None and self._session.audio_ms >= cut_ms:
                    self._session.peer.drop()
                    return
            await self._connection.finish()
            await receiving
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            await self._connection.close()

    async def _take(self, pcm: bytes) -> None:
        self._loudness.feed(pcm)
        await self._connection.send(pcm)
        end = int(self._session.audio_ms) * PER_MS
        if self._since is not None and end - self._since > LONG_TURN and self._loudness.quiet_for(self._since) > PAUSE:
            self._since = None
            await self._connection.endpoint()

    async def _receive(self) -> None:
        async for event in self._connection:
            match event:
                case Received(until):
                    self._received = until
                    await self._beat()
                case Partial(turn, text, start=int() as start):
                    self._since = start if text else None
                    await self._session.turn(turn, self._loudness.words(text, start, self._received))
                case FinalTurn(turn, text, words=(*timed,)):
                    self._since = None
                    words = [_said(word) for word in timed]
                    self._silent_ms = words[-1].end
                    await self._session.turn(turn, words, end=True, text=text)
                case Answered(until) if self._since is None:
                    await self._send_silence(until // PER_MS)
                case _:
                    pass

    async def _send_silence(self, until_ms: int) -> None:
        if self._session.parameters.get("acknowledge_silence") and until_ms - self._silent_ms >= 1000:
            await self._session.say("Silence", start_ms=self._silent_ms, end_ms=until_ms)
            self._silent_ms = until_ms

    async def _beat(self) -> None:
        now = self._received // PER_MS
        if self._session.parameters.get("session_heartbeat") and now >= self._beat_ms:
            beat = {"total_audio_received_ms": now, "total_duration_ms": now, "realtime_factor": 1.0}
            await self._session.say("Heartbeat", **beat, max_speech_probability=0.9)
            self._beat_ms += BEAT_MS


class Recogniser:
    """A script for `V3Server` that hears."""

    def __init__(self, engine: LocalEngine) -> None:
        self.cut_ms: float | None = None
        """Every connection is reset after so much sound."""
        self._engine = engine

    async def __call__(self, session: V3Session) -> None:
        await Ear(session, await self._engine.connect(Request())).run(self.cut_ms)


@asynccontextmanager
async def moonshine(log: Path) -> AsyncGenerator[Recogniser]:
    """A recogniser whose model is loaded, or about to be; its processes end with the block."""
    # A service says a turn once: no second pass.
    engine = LocalEngine(LocalOptions(second_pass="off"), log)
    await engine.preload()
    try:
        yield Recogniser(engine)
    finally:
        await engine.close()
