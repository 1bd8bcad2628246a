"""The leading connection: what is being said now; changed over before its limit, closed while nobody speaks."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final, Literal

from mictape.engines.base import Engine, Lost
from mictape.failure import Failure
from mictape.recognition.link import Link
from mictape.recognition.retry import delay_s
from mictape.recognition.stretches import Owner, Ready, Work
from mictape.units import RATE

EngineState = Literal["loading", "connecting", "offline", "answering", "stopped"]
"""How it stands with the recogniser; silent while nobody speaks is answering."""


FAR_BEHIND: Final = 5 * RATE
"""Live goes on at the end of the tape when it is further behind than this and may not catch up."""
BORDER_REACH: Final = RATE
"""A border is looked for in the last second."""
AHEAD_OF_LIMIT_S: Final = 30.0
"""So long before a connection's limit a silence is waited for, to go over to the next one."""
LAST_MOMENT_S: Final = 5.0
"""And so long before it, the quietest moment has to do."""
SILENCE: Final = RATE * 3 // 10
"""Silence that nobody speaks across, for a change-over."""
BOTH_HEAR: Final = 2 * RATE
"""Where speakers are told apart, the old connection hears so much of the new one's stretch: who is who."""
BEFORE_SPEECH: Final = RATE
"""Sound before speech that a reopened connection hears, so that the first word is whole."""
LOOK_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """How a tape is to be followed."""

    live: bool = False
    """Whether its source cannot wait: then the end of the tape goes first when the engine cannot keep up."""
    fill: Engine | None = None
    """Who fills in what the live connection left behind; None: nobody, it becomes a gap."""
    idle_s: float | None = None
    """After so many seconds without speech a billed engine's connection is closed until somebody speaks."""
    give_up_s: float | None = None
    """Raise the cause after this many seconds without a connection; None: never."""

    def splits(self, engine: Engine) -> bool:
        """Whether live and back-fill are two things: a live source, and an engine that cannot catch up."""
        return self.live and engine.capabilities.fastest_pace is not None


class Leading:
    """Keeps one connection at the front of the work, one after the other, as long as there is any."""

    def __init__(self, work: Work, engine: Engine, plan: Plan) -> None:
        """Prepare; nothing is connected."""
        self.state: EngineState = "loading" if engine.capabilities.loads else "connecting"
        self.failure: Failure | None = None
        """Why the state is `offline` or `stopped`."""
        self._work = work
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
        """Lead to the end. Raises `Lost` when trying again is of no use, or after `Plan.give_up_s`."""
        try:
            while (stretch := await self._next()) is not None:
                lost = await self._lead(*stretch)
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
            work, end = self._work.open(), self._work.end
            splits = self._plan.splits(self._engine) and not self._work.tape.ended
            if splits:
                work = work[-1:] if work and work[-1][1] == end else []
            if work:
                start, stop = work[0]
                if splits and end - start > FAR_BEHIND:
                    return max(start, self._work.border(end - BORDER_REACH, end)), None
                return start, None if stop == end else stop
            if self._work.tape.ended and not self._work.owned:
                return None
            await self._work.news(self._work.tape.samples)

    async def _lead(self, start: int, end: int | None) -> Lost | None:
        """Carry a stretch until it ends or another connection takes over; why it was lost, or None."""
        if self._engine.capabilities.loads:
            self.state = "loading"
        ready, self._spare = self._spare, None
        try:
            owner = await self._work.take(self._engine, start, end, ready)
        except Lost as lost:
            return lost
        self._down_since_s = None
        self.state, self.failure = "answering", None
        self._work.leading = owner
        running = asyncio.create_task(self._work.carry(owner))
        self._ending.add(running)
        running.add_done_callback(self._ending.discard)
        try:
            await self._until_over(owner, running)
        finally:
            self._work.leading = None
        lost = running.result() if running.done() else None
        if owner.link.heard or lost is None:
            self._failures = 0
        return lost

    # When another one has to take over.

    async def _until_over(self, owner: Owner, running: "asyncio.Task[Lost | None]") -> None:
        """Wait until a link has ended, or until another one has to take over; then it is cut."""
        link, longest_s = owner.link, self._engine.capabilities.longest_s
        splits = self._plan.splits(self._engine)
        while not running.done():
            await asyncio.wait([running], timeout=LOOK_S if self._work.gate is not None else None)
            age_s = link.open_s
            cut: int | None = None
            both = 0
            far = splits and not self._work.tape.ended and self._work.end - link.sent > FAR_BEHIND
            if far and link.end is None:
                cut = link.sent
            elif longest_s is not None and age_s >= longest_s - AHEAD_OF_LIMIT_S:
                await self._make_ready()
                cut = self._change_over(link, last_moment=age_s >= longest_s - LAST_MOMENT_S)
                both = BOTH_HEAR if self._engine.capabilities.speakers else 0
            elif self._is_idle(link):
                cut = self._idle_from = link.sent
            if cut is not None and not running.done():
                link.cut(cut, both_hear=both)
                return

    async def _make_ready(self) -> None:
        """Have the next connection open before it takes over; at the last moment it has to go without."""
        if self._spare is None:
            with contextlib.suppress(Lost):
                self._spare = await self._work.connect(self._engine)

    def _change_over(self, link: Link, *, last_moment: bool) -> int | None:
        """Where the next connection takes over, if this is the moment."""
        assert self._work.gate is not None
        if self._work.gate.silent_for() >= SILENCE and self._spare is not None:
            return link.sent
        return self._work.border(link.sent, link.sent + BORDER_REACH) if last_moment else None

    def _is_idle(self, link: Link) -> bool:
        idle_s, gate = self._plan.idle_s, self._work.gate
        if idle_s is None or gate is None or not self._engine.capabilities.billed or link.end is not None:
            return False
        return min(gate.silent_for(), gate.position - link.start) >= idle_s * RATE

    async def _wait_for_speech(self) -> None:
        """After a connection was closed because nobody spoke: wait until somebody does."""
        gate, work = self._work.gate, self._work
        while self._idle_from is not None and gate is not None:
            speech = [start for start, end in gate.speech if end > self._idle_from]
            if speech or work.tape.ended:
                until = max(self._idle_from, speech[0] - BEFORE_SPEECH) if speech else gate.position
                work.coverage.cover(self._idle_from, min(until, work.end))
                work.received = max(work.received, min(until, work.end))
                self._idle_from = None
                return
            work.received = max(work.received, gate.position)
            await work.news(work.tape.samples)

    # When one is lost.

    def stop(self, lost: Lost) -> None:
        """There is no other attempt; the state and the failure say so."""
        self.state, self.failure = "stopped", lost.cause

    async def _recover(self, lost: Lost) -> None:
        """Say why, and wait; or stop, where another attempt is of no use."""
        self._work.tell(lost)
        if not lost.retry:
            self.stop(lost)
            raise lost
        self.failure = lost.cause
        self.state = "offline"
        self._failures += 1
        now_s = asyncio.get_running_loop().time()
        self._down_since_s = now_s if self._down_since_s is None else self._down_since_s
        down_s, give_up_s = now_s - self._down_since_s, self._plan.give_up_s
        if give_up_s is not None and down_s >= give_up_s:
            self.stop(lost)
            raise lost
        wait_s = delay_s(self._failures, after_s=lost.after)
        if give_up_s is not None:  # the last attempt is made when the time is up, and not long before
            wait_s = max(lost.after, min(wait_s, give_up_s - down_s))
        await asyncio.sleep(wait_s)
