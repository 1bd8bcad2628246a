"""Decides which stretch of a track's tape goes to which connection, and what happens when one is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tui.audio.tape import Tape
from tui.engines.base import Answered, Engine, Heard, Lost, Received, Request
from tui.failure import Failure
from tui.session.coverage import Coverage, Gap
from tui.session.link import Link
from tui.session.retry import delay_s
from tui.session.state import EngineState

TRIES: Final = 2
"""A stretch that ends this many connections in a row, with nothing answered in between, becomes a gap."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine said, in session time, and on which of the follower's connections."""

    connection: int
    """Counted from 0; turns are counted anew on each."""
    heard: Heard | Gap
    """A `Gap` when the follower gave a stretch up."""


class Follower:
    """Follows one tape with one engine until the tape has ended and nothing is open any more.

    Only what was not answered is ever sent; after a loss a new connection goes on from there. The work is read
    from `coverage`, so a session that was killed and a gap to be completed are followed by the same loop.
    """

    def __init__(
        self,
        tape: Tape,
        coverage: Coverage,
        engine: Engine,
        ask: Request,
        hear: Callable[[Told], None],
        *,
        give_up_s: float | None = None,
    ) -> None:
        """Prepare to follow.

        Args:
            tape: What is followed.
            coverage: What of it is settled; kept up to date.
            engine: Who recognises.
            ask: What is asked of the engine on each connection.
            hear: Called with everything heard, in session time.
            give_up_s: Raise the cause after this many seconds without a connection; None: never.
        """
        self.state: EngineState = "loading" if engine.capabilities.offline else "connecting"
        self.failure: Failure | None = None
        """Why the state is `offline` or `stopped`."""
        self.received = coverage.reached(tape.origin + tape.samples)
        """The engine has taken the samples before this, session time."""
        self._tape = tape
        self._coverage = coverage
        self._engine = engine
        self._ask = ask
        self._hear = hear
        self._give_up_s = give_up_s
        self._connections = -1
        self._link: Link | None = None
        self._tries = 0
        self._failures = 0
        self._down_since: float | None = None

    @property
    def behind(self) -> int:
        """Samples on the tape that the engine has not taken yet."""
        return max(0, self._tape.origin + self._tape.samples - self.received)

    def endpoint(self) -> None:
        """A pause begins where the tape is now: end the utterance there."""
        if self._link is not None:
            self._link.endpoint(self._tape.origin + self._tape.samples)

    async def run(self) -> None:
        """Follow to the end. Raises `Lost` when trying again is of no use, or after `give_up_s`."""
        while (stretch := await self._work()) is not None:
            reached = stretch[0]
            try:
                await self._carry(*stretch)
            except Lost as lost:
                await self._recover(lost, reached)
            else:
                self._tries = 0

    async def _work(self) -> tuple[int, int | None] | None:
        """The next stretch: the first open one. None when the tape has ended and nothing is open."""
        while True:
            end = self._tape.origin + self._tape.samples
            work = self._coverage.open(end)
            if work:
                start, stop = work[0]
                live = len(work) == 1 and stop == end
                return start, None if live else stop
            if self._tape.ended:
                return None
            await self._tape.wait(self._tape.samples)

    async def _carry(self, start: int, end: int | None) -> None:
        self._link = None
        if self._engine.capabilities.offline:
            self.state = "loading"
        connection = await self._engine.connect(self._ask)
        self._connections += 1
        self._failures = 0
        self._down_since = None
        self.received = start
        self.state, self.failure = "answering", None
        link = self._link = Link(
            self._tape, connection, self._engine.capabilities, start=start, end=end, hear=self._on_heard
        )
        await link.run()
        # Unanswered by a living connection that was finished properly: nothing is to be recognised there.
        self._on_heard(Answered(link.sent))
        self._link = None

    def _on_heard(self, heard: Heard) -> None:
        self._failures = 0
        match heard:
            case Received(until):
                self.received = max(self.received, until)
                return
            case Answered(until) if self._link is not None:
                # The last block may have been padded to the engine's shortest; the padding is no tape.
                self._coverage.cover(self._link.start, min(until, self._link.sent))
                self.received = max(self.received, min(until, self._link.sent))
            case _:
                pass
        self._hear(Told(self._connections, heard))

    async def _recover(self, lost: Lost, start: int) -> None:
        """Say why, wait, and see to it that nothing is tried for ever."""
        self.failure = lost.cause
        if not lost.retry:
            self.state = "stopped"
            raise lost
        self.state = "offline"
        self._failures += 1
        self._count_try(lost, start)
        now = asyncio.get_running_loop().time()
        self._down_since = now if self._down_since is None else self._down_since
        if self._give_up_s is not None and now - self._down_since >= self._give_up_s:
            self.state = "stopped"
            raise lost
        await asyncio.sleep(delay_s(self._failures, after_s=lost.after))

    def _count_try(self, lost: Lost, start: int) -> None:
        """Give a stretch up that ends one connection after the other, so that what follows is still heard."""
        link, self._link = self._link, None
        if link is None:
            return
        unanswered = self._coverage.reached(link.sent)
        self._tries = self._tries + 1 if unanswered == start else 1
        if self._tries < TRIES or unanswered >= link.sent:
            return
        self._tries = 0
        self._coverage.give_up(unanswered, link.sent, lost.cause.what)
        self._hear(Told(self._connections, Gap(unanswered, link.sent, lost.cause.what)))
