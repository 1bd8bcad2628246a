"""Carries one stretch of tape over one connection: sends it in blocks, listens, finishes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tui.audio.messages import RATE
from tui.audio.tape import Tape
from tui.engines.base import Answered, Capabilities, Connection, Heard, Partial, Received, Word
from tui.engines.base import Final as FinalTurn

BLOCK_MS: Final = 100
"""What is sent at a time when the engine allows it: short enough to be live, long enough to be cheap."""

SAMPLE_BYTES: Final = 2


class Link:
    """One stretch, `[start, end)` in session time, on its way to one connection.

    Everything heard is passed on in session time. `end` None means the stretch is the live one: it ends where
    the tape ends.
    """

    def __init__(
        self,
        tape: Tape,
        connection: Connection,
        capabilities: Capabilities,
        *,
        start: int,
        end: int | None,
        hear: Callable[[Heard], None],
    ) -> None:
        self.start = start
        self.end = end
        self.sent = start
        """Samples before this were handed to the connection, session time."""
        self._tape = tape
        self._connection = connection
        self._hear = hear
        shortest_ms, longest_ms = capabilities.block_ms
        self._block = min(max(BLOCK_MS, shortest_ms), longest_ms) * RATE // 1000
        self._shortest = shortest_ms * RATE // 1000
        self._endpoint: int | None = None

    def endpoint(self, at: int) -> None:
        """End the utterance at `at`: a pause lies there, and nobody speaks across a pause."""
        self._endpoint = at
        self._tape.nudge()

    async def run(self) -> None:
        """Carry the stretch to its end. Raises `Lost` when the connection ends first."""
        try:
            async with asyncio.TaskGroup() as both:
                listening = both.create_task(self._listen())
                both.create_task(self._speak())
                await listening
        except BaseExceptionGroup as group:
            # What broke the connection shows in both directions; one is enough to say it.
            raise group.exceptions[0] from None
        finally:
            await self._connection.close()

    async def _speak(self) -> None:
        while not self._over():
            if self._endpoint is not None and self.sent >= self._endpoint:
                self._endpoint = None
                await self._connection.endpoint()
            elif count := self._ready():
                pcm = self._tape.read(self._position, count)
                self.sent += count  # handed over from here on, even if it ends the connection
                await self._connection.send(pcm + bytes(SAMPLE_BYTES * max(0, self._shortest - count)))
            else:
                await self._tape.wait(self._position + self._want() - 1)
        self.end = self.sent
        await self._connection.finish()

    @property
    def _position(self) -> int:
        """Where on the tape the next sample to send is."""
        return self.sent - self._tape.origin

    def _over(self) -> bool:
        if self.end is not None and self.sent >= self.end:
            return True
        return self._tape.ended and self._position >= self._tape.samples

    def _want(self) -> int:
        """The size of the next block, if the tape holds it: up to the end or the endpoint."""
        borders = [border for border in (self.end, self._endpoint) if border is not None and border > self.sent]
        return min([self._block, *(border - self.sent for border in borders)])

    def _ready(self) -> int:
        """How many samples can be sent now; 0 while the block is not on the tape yet."""
        held = self._tape.samples - self._position
        want = self._want()
        return want if held >= want else max(0, held) if self._tape.ended else 0

    async def _listen(self) -> None:
        async for heard in self._connection:
            self._hear(_shift(heard, self.start))


def _shift(heard: Heard, by: int) -> Heard:
    """The same in session time: a connection counts from its own first sample."""
    match heard:
        case Received(until) | Answered(until):
            return replace(heard, until=until + by)
        case Partial():
            return replace(heard, start=_later(heard.start, by), words=_words(heard.words, by))
        case FinalTurn():
            return replace(
                heard, start=_later(heard.start, by), end=_later(heard.end, by), words=_words(heard.words, by)
            )
        case _:
            return heard


def _later(at: int | None, by: int) -> int | None:
    return None if at is None else at + by


def _words(words: tuple[Word, ...] | None, by: int) -> tuple[Word, ...] | None:
    if words is None:
        return None
    return tuple(replace(word, start=_later(word.start, by), end=_later(word.end, by)) for word in words)
