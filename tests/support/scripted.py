"""An engine that hears exactly what is on the tape, and fails as it is set to: for the follower's tests.

A word is 100 ms of one sample value that says which word it is, and 100 ms of silence. So a test can say which words
have to be in the transcript, and the engine what it hears, however the tape was cut on its way.
"""

import asyncio
import struct
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mictape.engines.base import (
    Answered,
    Capabilities,
    Changes,
    Connection,
    EngineEvent,
    FinalTurn,
    Lost,
    Notice,
    Partial,
    Received,
    Request,
    Speakers,
    Word,
)
from mictape.failure import Failure
from mictape.units import RATE

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


def runs(values: npt.ArrayLike) -> Iterator[tuple[int, int]]:
    """Each value in turn, and how often it comes there."""
    found = np.asarray(values)
    edges = [0, *(np.flatnonzero(found[1:] != found[:-1]) + 1).tolist(), len(found)]
    return ((int(found[start]), end - start) for start, end in pairwise(edges) if start < end)


def stretches(pcm: bytes) -> Iterator[tuple[int, int]]:
    """Each value in turn, and for how many samples."""
    return runs(np.frombuffer(pcm, "<i2"))


def words_in(sound: "array[int]") -> str:
    """The words that sound there, at any rate; what a resampler leaves of a word's edges is no word."""
    values = np.rint((np.asarray(sound) - LOUD) / STEP).astype(int)
    return " ".join(f"w{value}" for value, length in runs(values) if value > 0 and length >= SOUND // 2)


@dataclass
class ScriptedEngine:
    """Answers turns of `turn_words` words; may be set to fail."""

    capabilities: Capabilities = field(default_factory=lambda: Capabilities(offline=True))
    name: str = "scripted"
    title: str = "scripted"
    turn_words: int = 1
    refusals: int = 0
    """How many connections are refused before one is opened."""
    refused_until_s: float = 0.0
    """Until when every connection is refused."""
    asks_to_wait_s: float = 0.0
    """How long to wait before the next attempt it asks when it refuses one."""
    in_reach: bool = True
    """Whether it is the engine that refuses, and not the network."""
    breaks: list[int] = field(default_factory=list[int])
    """For each connection in turn, after how many samples it breaks; none: it does not."""
    greeting: str = ""
    """What every connection has the person know at its beginning."""
    poison: int = -1
    """A word that kills every connection that hears it."""
    revises_speakers: bool = False
    """Says at the end that everything was said by A."""
    blank: int = 0
    """So many connections answer everything with nothing, the first ones."""
    mute: bool = False
    """Takes everything and says nothing."""
    loads_s: float = 0.0
    """So long it takes to connect."""
    ready: asyncio.Event | None = None
    """Connecting waits for it."""
    slow_s: float = 0.0
    """So long a connection takes for each block: a throttled line."""
    late_s: float = 0.0
    """So long after it was said everything arrives."""
    doubles: bool = False
    """Every turn that is final comes twice, and every answer."""
    shuffles: bool = False
    """Turns come in pairs, the later one of both first, as those that are transcribed side by side do."""
    voices: int = 0
    """So many people speak, word n by person n modulo it; each connection labels them again as they come up."""
    fatal: bool = False
    attempts_s: list[float] = field(default_factory=list[float])
    opened: int = 0
    living: "list[ScriptedConnection]" = field(default_factory=lambda: list[ScriptedConnection]())  # noqa: PLW0108 (the class comes below)
    overlaps: int = 0
    """How often a connection was opened while another one was open."""
    ages_s: list[float] = field(default_factory=list[float])
    """How long each connection that was closed had been open."""
    sent: list[list[int]] = field(default_factory=list[list[int]])
    """The words each connection was sent."""
    blocks: list[int] = field(default_factory=list[int])
    """How many samples each connection was sent at a time."""
    labelled: list[dict[str, int]] = field(default_factory=list[dict[str, int]])
    """For each connection what its labels stand for."""
    endpoints: int = 0
    kept_alive: int = 0
    too_fast: int = 0
    """How often a block came earlier than the pace allows."""

    @property
    def most_in_a_minute(self) -> int:
        """The most attempts to connect in any 60 s."""
        return max((sum(0 <= other - at < 59.999 for other in self.attempts_s) for at in self.attempts_s), default=0)

    async def check(self, request: Request) -> Failure | None:
        return None

    async def connect(self, request: Request) -> Connection:
        now = asyncio.get_running_loop().time()
        self.attempts_s.append(now)
        if self.fatal:
            raise Lost(GONE, retry=False)
        if self.refusals or now < self.refused_until_s:
            self.refusals = max(0, self.refusals - 1)
            raise Lost(GONE, after=self.asks_to_wait_s, reached=self.in_reach)
        await asyncio.sleep(self.loads_s)
        if self.ready is not None:
            await self.ready.wait()
        self.opened += 1
        self.overlaps += bool(self.living)
        self.living.append(ScriptedConnection(self, self.breaks.pop(0) if self.breaks else None))
        return self.living[-1]

    def break_open(self) -> None:
        """Every connection that is open breaks with its next block."""
        for connection in self.living:
            connection.breaks_after = 0

    async def close(self) -> None:
        pass


class ScriptedConnection:
    """One connection of it."""

    def __init__(self, engine: ScriptedEngine, breaks_after: int | None) -> None:
        self._engine = engine
        self.breaks_after = breaks_after
        self._got = 0
        self._run: tuple[int, int] | None = None
        """The word that sounds now, and where it began."""
        self._turn = 0
        self._words: list[Word] = []
        self._said: asyncio.Queue[tuple[float, EngineEvent | Lost | None]] = asyncio.Queue()
        """When it arrives, and what."""
        self._held: list[EngineEvent] = []
        """A turn that waits for the one behind it."""
        self._labels: dict[str, int] = {}
        """For each label the person it stands for."""
        engine.labelled.append(self._labels)
        self._blank = engine.opened <= engine.blank
        self._began_s: float | None = None
        self._opened_s = asyncio.get_running_loop().time()
        engine.sent.append([])
        if engine.greeting:
            self._say(Notice(engine.greeting))

    async def send(self, pcm: bytes) -> None:
        samples = array("h", pcm)
        self._engine.blocks.append(len(samples))
        self._check_pace(len(samples))
        await asyncio.sleep(self._engine.slow_s)
        if self.breaks_after is not None and len(samples) >= self.breaks_after:
            self._break()
        self.breaks_after = None if self.breaks_after is None else self.breaks_after - len(samples)
        if not self._engine.mute:
            self._say(Received(self._got + len(samples)))
            at = self._got
            for value, length in stretches(pcm):
                self._take(value, at)
                at += length
        self._got += len(samples)

    def _check_pace(self, samples: int) -> None:
        now = asyncio.get_running_loop().time()
        self._began_s = now if self._began_s is None else self._began_s
        pace = self._engine.capabilities.fastest_pace
        allowed = samples + (0 if pace is None else pace * (now - self._began_s) * RATE)
        if pace is not None and self._got + samples > allowed + 1:
            self._engine.too_fast += 1

    def _take(self, value: int, at: int) -> None:
        """Samples of one value begin."""
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
        self._words.append(Word(f"w{number}", start, end, speaker=self._label(number)))
        if len(self._words) >= self._engine.turn_words:
            self._end_turn()
        elif not self._blank:
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
        final = FinalTurn(self._turn, self._text, self._times, start, end, speaker=self._words[0].speaker)
        if self._blank:
            self._words = []
            self._say(Answered(end))
            return
        self._held.append(final)
        self._turn += 1
        self._words = []
        if not self._engine.shuffles or len(self._held) > 1:
            self._say_held(end)

    def _say_held(self, end: int) -> None:
        held, self._held = [*reversed(self._held), Answered(end)], []
        for event in held * 2 if self._engine.doubles else held:
            self._say(event)

    def _label(self, word: int) -> str | None:
        if not self._engine.voices:
            return None
        person = word % self._engine.voices
        if person not in self._labels.values():
            self._labels[chr(ord("A") + len(self._labels))] = person
        return next(label for label, each in self._labels.items() if each == person)

    def _say(self, event: EngineEvent | Lost | None) -> None:
        self._said.put_nowait((asyncio.get_running_loop().time() + self._engine.late_s, event))

    def _break(self) -> None:
        self._say(Lost(GONE))
        raise Lost(GONE)

    async def endpoint(self) -> None:
        self._engine.endpoints += 1
        self._flush()

    def _flush(self) -> None:
        if self._run is not None:
            self._word(*self._run, self._got)
            self._run = None
        self._end_turn()
        if self._held:
            self._say_held(self._got)

    async def update(self, changes: Changes) -> None:
        pass

    async def keep_alive(self) -> None:
        self._engine.kept_alive += 1

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        while True:
            at_s, event = await self._said.get()
            await asyncio.sleep(at_s - asyncio.get_running_loop().time())
            if event is None:
                return
            if isinstance(event, Lost):
                raise event
            yield event

    async def finish(self) -> None:
        if not self._engine.mute:
            self._flush()
        if self._engine.revises_speakers:
            self._say(Speakers(dict.fromkeys(range(self._turn), "A")))
        self._say(None)

    async def close(self) -> None:
        if self in self._engine.living:
            self._engine.living.remove(self)
            self._engine.ages_s.append(asyncio.get_running_loop().time() - self._opened_s)
