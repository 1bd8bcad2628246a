"""An engine that says what a script says of the samples it gets: for the follower's tests.

The tape it follows is a script too: its sample values tell where words begin, so the engine "hears" exactly what
is on the tape, and a test can say which words have to be in the transcript.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from tui.engines.base import Answered, Capabilities, Changes, Connection, Final, Heard, Lost, Partial, Received, Request
from tui.failure import Failure

WORD = 1_600
"""Samples of one word: its number (1, 2, …) as every sample's value; 0 is silence."""

GONE = Failure("The scripted engine went away")


def spoken(words: list[int]) -> bytes:
    """A tape on which these words are said, each 100 ms long; 0 is 100 ms of silence."""
    return b"".join(struct.pack("<h", word) * WORD for word in words)


@dataclass
class ScriptedEngine:
    """Answers each word of 100 ms with a final of its number; may be told to fail."""

    capabilities: Capabilities = field(default_factory=lambda: Capabilities(offline=True))
    name: str = "scripted"
    title: str = "scripted"
    refusals: int = 0
    """How many connections are refused before one is opened."""
    breaks: list[int] = field(default_factory=list[int])
    """For each connection in turn, after how many samples it breaks; none: it does not."""
    poison: int = -1
    """A word that kills every connection that hears it."""
    fatal: bool = False
    opened: int = 0
    sent: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])
    """What each connection was sent, as words."""
    endpoints: int = 0

    async def check(self, ask: Request) -> Failure | None:
        return None

    async def connect(self, ask: Request) -> Connection:
        if self.fatal:
            raise Lost(GONE, retry=False)
        if self.refusals:
            self.refusals -= 1
            raise Lost(GONE)
        self.opened += 1
        return ScriptedConnection(self, self.breaks.pop(0) if self.breaks else None)

    async def close(self) -> None:
        pass


class ScriptedConnection:
    """One connection of it."""

    def __init__(self, engine: ScriptedEngine, breaks_after: int | None) -> None:
        self._engine = engine
        self._left = breaks_after
        self._got = 0
        self._turn = 0
        self._rest = b""
        self._heard: asyncio.Queue[Heard | Lost | None] = asyncio.Queue()
        self._words: list[int] = []
        engine.sent.append(())

    async def send(self, pcm: bytes) -> None:
        samples = len(pcm) // 2
        if self._left is not None:
            if samples >= self._left:
                self._break()
            self._left -= samples
        self._rest += pcm
        self._got += samples
        self._heard.put_nowait(Received(self._got))
        while len(self._rest) >= 2 * WORD:
            self._word(struct.unpack_from("<h", self._rest)[0])
            self._rest = self._rest[2 * WORD :]
        await asyncio.sleep(0)

    def _word(self, word: int) -> None:
        self._words.append(word)
        self._engine.sent[-1] = tuple(self._words)
        if word == self._engine.poison:
            self._break()
        end = len(self._words) * WORD
        if word:
            self._heard.put_nowait(Partial(self._turn, f"w{word}?", start=end - WORD))
            self._heard.put_nowait(Final(self._turn, f"w{word}", start=end - WORD, end=end))
            self._turn += 1
        self._heard.put_nowait(Answered(end))

    def _break(self) -> None:
        self._heard.put_nowait(Lost(GONE))
        raise Lost(GONE)

    async def endpoint(self) -> None:
        self._engine.endpoints += 1

    async def update(self, changes: Changes) -> None:
        pass

    async def keep_alive(self) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator[Heard]:
        while (heard := await self._heard.get()) is not None:
            if isinstance(heard, Lost):
                raise heard
            yield heard

    async def finish(self) -> None:
        self._heard.put_nowait(None)

    async def close(self) -> None:
        pass


Hear = Callable[[Heard], None]
