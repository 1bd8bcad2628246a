"""The live connection: what is being said now; replaced before its limit, closed during long silence."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final, Literal

from mictape.engines.base import Engine, Lost
from mictape.failure import Failure
from mictape.recognition.link import Link, Ready
from mictape.recognition.retry import CAP_S, delay_s
from mictape.recognition.speech_activity import LEAST_SPEECH
from mictape.recognition.stretches import Owner, StretchQueue
from mictape.units import RATE

EngineState = Literal["loading", "connecting", "offline", "answering", "stopped"]
"""The state of the engine; one that is silent because there is no speech is answering."""

FAR_BEHIND: Final = 5 * RATE
"""Live goes on at the end of the tape when it is further behind than this and may not catch up."""
BORDER_REACH: Final = RATE
"""A border is looked for in the last second."""
AHEAD_OF_LIMIT_S: Final = 30.0
"""Seconds before a connection's limit from which the next silence is used to change over."""
LAST_MOMENT_S: Final = 5.0
"""Seconds before the limit at which any quiet moment is accepted."""
SILENCE: Final = RATE * 3 // 10
"""Silence long enough for a change-over."""
OVERLAP: Final = 2 * RATE
"""Of the new stretch the old connection is sent this much, too, where speakers are distinguished: to match them."""
BEFORE_SPEECH: Final = RATE
"""Sound before speech that a reopened connection is sent, so that the first word is complete."""
LOOK_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """How to follow a tape."""

    live: bool = False
    """Whether its source cannot wait: then the end of the tape goes first when the engine cannot keep up."""
    fill: Engine | None = None
    """Fills in what the live connection left behind; None: that becomes a gap."""
    idle_s: float | None = None
    """Seconds without speech after which a billed engine's connection is closed until speech returns."""
    send_all: bool = False
    """Whether silence is sent, too, and connections stay open in it."""
    give_up_s: float | None = None
    """Raise the cause after this many seconds without a connection that answers; None: never."""

    def splits(self, engine: Engine) -> bool:
        """Whether live and back-fill are two things: a live source, and an engine that cannot catch up."""
        return self.live and engine.capabilities.fastest_pace is not None


class Live:
    """Keeps one connection on the live stretch, one after the other, until the tape has ended."""

    def __init__(self, queue: StretchQueue, engine: Engine, plan: Plan) -> None:
        """Prepare; nothing is connected."""
        self.state: EngineState = "loading" if engine.capabilities.loads else "connecting"
        self.failure: Failure | None = None
        """Why the state is `offline` or `stopped`."""
        self._queue = queue
        self._engine = engine
        self._plan = plan
        self._spare: Ready | None = None
        """The next connection, open before the present one reaches its limit."""
        self._ending: set[asyncio.Task[Lost | None]] = set()
        """Links under way; one that was cut goes on to its end beside the next one."""
        self._idle_from: int | None = None
        self._failures = 0
        self._down_since_s: float | None = None

    async def run(self) -> None:
        """Run to the end. Raises `Lost` when trying again is of no use, or after `Plan.give_up_s`."""
        try:
            while (stretch := await self._next()) is not None:
                lost = await self._carry(*stretch)
                if lost is not None:
                    await self._recover(lost)
        finally:
            for task in self._ending:
                task.cancel()
            await asyncio.gather(*self._ending, return_exceptions=True)
            if self._spare is not None:
                await self._spare.connection.close()

    async def _next(self) -> tuple[int, int | None] | None:
        """The next stretch; None when there is none and there will be none."""
        while True:
            await self._wait_for_speech()
            pieces, end = self._queue.open(), self._queue.end
            splits = self._plan.splits(self._engine) and not self._queue.tape.ended
            if splits:
                pieces = pieces[-1:] if pieces and pieces[-1][1] == end else []
            if pieces:
                start, stop = pieces[0]
                if splits and end - start > FAR_BEHIND:
                    return max(start, self._queue.border(end - BORDER_REACH, end)), None
                return start, None if stop == end else stop
            if self._queue.tape.ended and not self._queue.owned:
                return None
            await self._queue.wait_for_change(self._queue.tape.samples)

    async def _carry(self, start: int, end: int | None) -> Lost | None:
        """Carry a stretch until it ends or another connection takes over; why it was lost, or None."""
        if self._engine.capabilities.loads:
            self.state = "loading"
        ready, self._spare = self._spare, None
        try:
            owner = await self._queue.take(self._engine, start, end, ready, live=True)
        except Lost as lost:
            return lost
        self.state, self.failure = "answering", None
        running = asyncio.create_task(self._queue.carry(owner))
        self._ending.add(running)
        running.add_done_callback(self._ending.discard)
        try:
            await self._until_over(owner, running)
        finally:
            self._queue.release_live()
        lost = running.result() if running.done() else None
        if lost is None or self._was_of_use(owner.link):
            self._failures, self._down_since_s = 0, None
        return lost

    def _was_of_use(self, link: Link) -> bool:
        """Whether a connection that was lost had answered for anything, or had only silence to answer for.

        A server that accepts every connection and drops it is as good as one that refuses them.
        """
        sent = link.start, link.sent
        if link.sent > link.start and self._queue.coverage.covered.missing(*sent) != [sent]:
            return True
        activity = self._queue.activity
        silent = activity is not None and activity.speaks(link.start, min(link.sent, activity.position)) < LEAST_SPEECH
        return silent and link.open_s >= CAP_S

    # When another one has to take over.

    async def _until_over(self, owner: Owner, running: "asyncio.Task[Lost | None]") -> None:
        """Wait until a link has ended, or until another one has to take over; then it is cut."""
        link, longest_s = owner.link, self._engine.capabilities.longest_s
        splits = self._plan.splits(self._engine)
        while not running.done():
            await asyncio.wait([running], timeout=LOOK_S if self._queue.activity is not None else None)
            age_s = link.open_s
            cut: int | None = None
            overlap = 0
            far = splits and not self._queue.tape.ended and self._queue.end - link.sent > FAR_BEHIND
            if far and link.end is None:
                cut = link.sent
            elif longest_s is not None and age_s >= longest_s - AHEAD_OF_LIMIT_S:
                await self._make_ready()
                cut = self._change_over(link, last_moment=age_s >= longest_s - LAST_MOMENT_S)
                overlap = OVERLAP if self._engine.capabilities.speakers else 0
            elif self._is_idle(link):
                cut = self._idle_from = link.sent
            if cut is not None and not running.done():
                link.cut(cut, overlap=overlap)
                return

    async def _make_ready(self) -> None:
        """Have the next connection open before it takes over; at the last moment it has to go without."""
        if self._spare is None:
            with contextlib.suppress(Lost):
                self._spare = await self._queue.connect(self._engine)

    def _change_over(self, link: Link, *, last_moment: bool) -> int | None:
        """Where the next connection takes over, if this is the moment."""
        assert self._queue.activity is not None
        if self._queue.activity.silent_for() >= SILENCE and self._spare is not None:
            return link.sent
        return self._queue.border(link.sent, link.sent + BORDER_REACH) if last_moment else None

    def _is_idle(self, link: Link) -> bool:
        idle_s, activity = self._plan.idle_s, self._queue.activity
        if idle_s is None or activity is None or self._plan.send_all or link.end is not None:
            return False
        if not self._engine.capabilities.billed:
            return False
        return min(activity.quiet_for(), activity.position - link.start) >= idle_s * RATE

    async def _wait_for_speech(self) -> None:
        """After a connection was closed for silence: wait for speech."""
        activity, queue = self._queue.activity, self._queue
        while self._idle_from is not None and activity is not None:
            speech = [start for start, end in activity.sound if end > self._idle_from]
            if speech or queue.tape.ended:
                until = max(self._idle_from, speech[0] - BEFORE_SPEECH) if speech else activity.position
                queue.skip_silence(self._idle_from, until)
                self._idle_from = None
                return
            queue.advance(activity.position)
            await queue.wait_for_change(queue.tape.samples)

    # When one is lost.

    def stop(self, lost: Lost) -> None:
        """There is no other attempt; the state and the failure say so."""
        self.state, self.failure = "stopped", lost.cause

    async def _recover(self, lost: Lost) -> None:
        """Say why, and wait; or stop, where another attempt is of no use."""
        self._queue.report(lost)
        if not lost.retry:
            self.stop(lost)
            raise lost
        self.failure = lost.cause
        self.state = "offline"
        self._failures += 1
        now_s = asyncio.get_running_loop().time()
        self._down_since_s = now_s if self._down_since_s is None else self._down_since_s
        wait_s = delay_s(self._failures, after_s=lost.after)
        if self._plan.give_up_s is not None:
            until_s = self._down_since_s + self._plan.give_up_s
            attempts = self._queue.limiter(self._engine).left(until_s)
            if until_s <= now_s + lost.after or attempts < 1:
                self.stop(lost)
                raise lost
            # The last attempt is made when the time is up, and not long before.
            wait_s = until_s - now_s if attempts == 1 else min(wait_s, until_s - now_s)
        await asyncio.sleep(wait_s)
