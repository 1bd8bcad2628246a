"""An engine that hears exactly what is on the tape, and fails as it is told: for the follower's tests.

A word is 100 ms of one sample value that says which word it is, and 100 ms of silence. So a test can say which words
have to be in the transcript, and the engine what it hears, however the tape was cut on its way.
"""

import asyncio
import struct
from array import array
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from tui.audio.messages import RATE
from tui.engines.base import (
    Answered,
    Capabilities,
    Changes,
    Connection,
    Final,
    Heard,
    Lost,
    Partial,
    Received,
    Request,
    Speakers,
    Word,
)
from tui.failure import Failure

SOUND = 1_600
"""Samples of a word's sound."""
SLOT = 2 * SOUND
"""Samples of a word and the silence behind it."""
LOUD, STEP = 4_000, 100
"""Word n is the value LOUD + n * STEP, about -18 dBFS."""

GONE = Failure("The scripted engine went away")


def spoken(words: Sequence[int]) -> bytes:
    """Sound in which these words are said; 0 is as much silence."""
    silence = bytes(2 * SOUND)
    return b"".join((struct.pack("<h", LOUD + word * STEP) * SOUND if word else silence) + silence for word in words)


@dataclass
class ScriptedEngine:
    """Answers turns of `turn_words` words; may be told to fail."""

    capabilities: Capabilities = field(default_factory=lambda: Capabilities(offline=True))
    name: str = "scripted"
    title: str = "scripted"
    turn_words: int = 1
    refusals: int = 0
    """How many connections are refused before one is opened."""
    refused_until_s: float = 0.0
    """Until when every connection is refused."""
    breaks: list[int] = field(default_factory=list[int])
    """For each connection in turn, after how many samples it breaks; none: it does not."""
    poison: int = -1
    """A word that kills every connection that hears it."""
    revises_speakers: bool = False
    """Says at the end that everything was said by A."""
    mute: bool = False
    """Takes everything and says nothing."""
    fatal: bool = False
    attempts_s: list[float] = field(default_factory=list[float])
    opened: int = 0
    open_now: int = 0
    overlaps: int = 0
    """How often a connection was opened while another one was open."""
    ages_s: list[float] = field(default_factory=list[float])
    """How long each connection that was closed had been open."""
    sent: list[list[int]] = field(default_factory=list[list[int]])
    """The words each connection heard."""
    endpoints: int = 0
    kept_alive: int = 0
    too_fast: int = 0
    """How often a block came earlier than the pace allows."""

    async def check(self, ask: Request) -> Failure | None:
        return None

    async def connect(self, ask: Request) -> Connection:
        now = asyncio.get_running_loop().time()
        self.attempts_s.append(now)
        if self.fatal:
            raise Lost(GONE, retry=False)
        if self.refusals or now < self.refused_until_s:
            self.refusals = max(0, self.refusals - 1)
            raise Lost(GONE)
        self.opened += 1
        self.overlaps += self.open_now > 0
        self.open_now += 1
        return ScriptedConnection(self, self.breaks.pop(0) if self.breaks else None)

    async def close(self) -> None:
        pass


class ScriptedConnection:
    """One connection of it."""

    def __init__(self, engine: ScriptedEngine, breaks_after: int | None) -> None:
        self._engine = engine
        self._left = breaks_after
        self._got = 0
        self._run: tuple[int, int] | None = None
        """The word that sounds now, and where it began."""
        self._turn = 0
        self._words: list[Word] = []
        self._heard: asyncio.Queue[Heard | Lost | None] = asyncio.Queue()
        self._began_s: float | None = None
        self._opened_s: float | None = asyncio.get_running_loop().time()
        engine.sent.append([])

    async def send(self, pcm: bytes) -> None:
        samples = array("h", pcm)
        self._check_pace(len(samples))
        if self._left is not None and len(samples) >= self._left:
            self._break()
        self._left = None if self._left is None else self._left - len(samples)
        if not self._engine.mute:
            self._say(Received(self._got + len(samples)))
            for at in range(0, len(samples)):
                self._take(samples[at], self._got + at)
        self._got += len(samples)
        await asyncio.sleep(0)

    def _check_pace(self, samples: int) -> None:
        now = asyncio.get_running_loop().time()
        self._began_s = now if self._began_s is None else self._began_s
        pace = self._engine.capabilities.fastest_pace
        allowed = samples + (0 if pace is None else pace * (now - self._began_s) * RATE)
        if pace is not None and self._got + samples > allowed + 1:
            self._engine.too_fast += 1

    def _take(self, value: int, at: int) -> None:
        if self._run is not None and value != self._run[0]:
            self._word(*self._run, at)
            self._run = None
        if value and self._run is None:
            self._run = (value, at)

    def _word(self, value: int, start: int, end: int) -> None:
        number = (value - LOUD) // STEP
        self._engine.sent[-1].append(number)
        if number == self._engine.poison:
            self._break()
        self._words.append(Word(f"w{number}", start, end))
        if len(self._words) >= self._engine.turn_words:
            self._end_turn()
        else:
            self._say(Partial(self._turn, self._text, self._times, start=self._words[0].start))

    @property
    def _text(self) -> str:
        return " ".join(word.text for word in self._words)

    @property
    def _times(self) -> tuple[Word, ...] | None:
        return tuple(self._words) if self._engine.capabilities.word_times else None

    def _end_turn(self) -> None:
        if not self._words:
            return
        start, end = self._words[0].start, self._words[-1].end
        assert end is not None
        self._say(Final(self._turn, self._text, self._times, start, end))
        self._say(Answered(end))
        self._turn += 1
        self._words = []

    def _say(self, heard: Heard) -> None:
        self._heard.put_nowait(heard)

    def _break(self) -> None:
        self._heard.put_nowait(Lost(GONE))
        raise Lost(GONE)

    async def endpoint(self) -> None:
        self._engine.endpoints += 1
        self._flush()

    def _flush(self) -> None:
        if self._run is not None:
            self._word(*self._run, self._got)
            self._run = None
        self._end_turn()

    async def update(self, changes: Changes) -> None:
        pass

    async def keep_alive(self) -> None:
        self._engine.kept_alive += 1

    async def __aiter__(self) -> AsyncIterator[Heard]:
        while (heard := await self._heard.get()) is not None:
            if isinstance(heard, Lost):
                raise heard
            yield heard

    async def finish(self) -> None:
        if not self._engine.mute:
            self._flush()
        if self._engine.revises_speakers:
            self._say(Speakers(dict.fromkeys(range(self._turn), "A")))
        self._heard.put_nowait(None)

    async def close(self) -> None:
        if self._opened_s is not None:
            self._engine.open_now -= 1
            self._engine.ages_s.append(asyncio.get_running_loop().time() - self._opened_s)
            self._opened_s = None
