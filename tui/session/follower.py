"""Decides which stretch of a track's tape goes to which connection, and what happens when one is lost."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tui.audio.messages import RATE
from tui.audio.tape import Tape
from tui.engines.base import Answered, Connection, Engine, Heard, Lost, Received, Request
from tui.engines.base import Final as FinalTurn
from tui.failure import Failure
from tui.session.coverage import Coverage, Gap, Interval, Intervals
from tui.session.gate import SpeechGate
from tui.session.link import Link, Unanswered
from tui.session.retry import Limiter, delay_s
from tui.session.state import EngineState

TRIES: Final = 2
"""A stretch that ends this many connections in a row, with nothing answered in between, is not tried again."""
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
BEFORE_SPEECH: Final = RATE
"""Sound before speech that a reopened connection hears, so that the first word is whole."""
LOOK_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine said, in session time, and on which of the follower's connections."""

    connection: int
    """Counted from 0; turns are counted anew on each."""
    heard: Heard | Gap
    """A `Gap` when the follower gave a stretch up."""
    live: bool = True
    """Whether it belongs to what is being said now, and not to something filled in behind it."""


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


class Follower:
    """Follows one tape until it has ended and nothing is open any more.

    Work is stretches of tape, each owned by one link at a time; what is open and owned by nobody is taken up next.
    Only what was not answered is ever sent again. A session that was killed, a gap to be completed and a
    change-over are followed by the same loop.
    """

    def __init__(
        self,
        tape: Tape,
        coverage: Coverage,
        engine: Engine,
        ask: Request,
        hear: Callable[[Told], None],
        *,
        plan: Plan | None = None,
    ) -> None:
        """Prepare to follow `tape` with `engine`; `hear` is called with everything heard, in session time."""
        self.state: EngineState = self._before(engine)
        self.failure: Failure | None = None
        """Why the state is `offline` or `stopped`."""
        self.received = coverage.reached(tape.origin + tape.samples)
        """The engine has taken the samples before this, session time."""
        self.connected_s = 0.0
        """Seconds that billed connections were open, the closed ones."""
        self._tape = tape
        self._coverage = coverage
        self._engine = engine
        self._ask = ask
        self._hear = hear
        self._plan = plan or Plan()
        self._gate = SpeechGate(self.received) if _needs_gate(engine) else None
        self._limiters: dict[str, Limiter] = {}
        self._connections = -1
        self._links: dict[int, Link] = {}
        """The links that own a stretch now, by connection."""
        self._spare: tuple[Connection, float] | None = None
        """The next connection, open before the present one reaches its limit."""
        self._claims: list[tuple[int, int | None]] = []
        """Stretches that a connection is being opened for."""
        self._running: set[asyncio.Task[Lost | None]] = set()
        self._live: Link | None = None
        self._tries: tuple[int, int] = (-1, 0)
        """Where connections ended in a row, and how many."""
        self._failures = 0
        self._down_since_s: float | None = None
        self._changed = asyncio.Event()
        self._idle_from: int | None = None

    @staticmethod
    def _before(engine: Engine) -> EngineState:
        return "loading" if engine.capabilities.offline else "connecting"

    @property
    def behind(self) -> int:
        """Samples on the tape that the engine has not taken yet."""
        end = self._end
        if self._live is None:
            return max(0, end - self.received)
        waiting = sum(stop - start for start, stop in self._open_work() if stop <= self._live.start)
        filling = sum((link.end or end) - link.answered for link in self._links.values() if link is not self._live)
        return max(0, end - max(self.received, self._live.start)) + waiting + filling

    @property
    def cost_usd(self) -> float | None:
        """What the connections have cost so far by the public price; None when there is none."""
        price = self._engine.capabilities.usd_per_hour
        if price is None:
            return None
        clock = asyncio.get_running_loop().time
        running = sum(clock() - link.opened_s for link in self._links.values())
        return price * (self.connected_s + running) / 3600

    def endpoint(self) -> None:
        """A pause begins where the tape is now: end the utterance there."""
        if self._live is not None:
            self._live.endpoint(self._end)

    async def run(self) -> None:
        """Follow to the end. Raises `Lost` when trying again is of no use, or after `Plan.give_up_s`."""
        watching = asyncio.create_task(self._listen_for_speech())
        filling = asyncio.create_task(self._fill())
        leading = asyncio.create_task(self._lead())
        try:
            done, _ = await asyncio.wait([leading, filling], return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            tasks = (watching, filling, leading, *self._running)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._spare is not None:
                await self._spare[0].close()

    # What is to be done.

    @property
    def _end(self) -> int:
        return self._tape.origin + self._tape.samples

    @property
    def _splits(self) -> bool:
        """Whether live and back-fill are two things: a live source, and an engine that cannot catch up."""
        return self._plan.live and self._engine.capabilities.fastest_pace is not None

    def _open_work(self) -> list[Interval]:
        """What is open and owned by nobody, in order."""
        end = self._end
        taken = Intervals((start, end if stop is None else stop) for start, stop in self._claims)
        for link in self._links.values():
            taken.add(link.start, end if link.end is None else link.end)
        return [piece for start, stop in self._coverage.open(end) for piece in taken.missing(start, stop)]

    async def _next_to_lead(self) -> tuple[int, int | None] | None:
        """The next stretch for the leading connection; None when there is none and there will be none."""
        while True:
            await self._wait_for_speech()
            work, end = self._open_work(), self._end
            splits = self._splits and not self._tape.ended
            if splits:
                work = work[-1:] if work and work[-1][1] == end else []
            if work:
                start, stop = work[0]
                if splits and end - start > FAR_BEHIND:
                    return max(start, self._border(end - BORDER_REACH, end)), None
                return start, None if stop == end else stop
            if self._tape.ended and not self._links:
                return None
            await self._news(self._tape.samples)

    async def _next_to_fill(self) -> Interval | None:
        """The next stretch behind the leading connection; None when there will be none."""
        while True:
            before = self._live.start if self._live is not None else 0
            work = [piece for piece in self._open_work() if piece[1] <= before]
            if work:
                return work[0]
            if self._tape.ended and self._live is None:
                return None
            await self._news(self._tape.samples + FAR_BEHIND)

    async def _news(self, samples: int | None) -> None:
        """Wait until who owns what has changed, or the tape is longer than `samples` or has ended."""
        self._changed.clear()
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._changed.wait())]
        if not self._tape.ended and samples is not None:
            waits.append(asyncio.create_task(self._tape.wait(samples)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _border(self, start: int, end: int) -> int:
        """The quietest moment in `[start, end)`."""
        return end if self._gate is None else self._gate.quietest(max(start, self._tape.origin), end)

    # The leading connection.

    async def _lead(self) -> None:
        while (stretch := await self._next_to_lead()) is not None:
            try:
                number, link = await self._open(self._engine, *stretch)
            except Lost as lost:
                await self._recover(lost)
                continue
            self._live = link
            self._changed.set()
            running = asyncio.create_task(self._carry(number, link))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
            await self._until_over(link, running)
            self._live = None
            if running.done() and (lost := running.result()) is not None:
                await self._recover(lost)

    async def _until_over(self, link: Link, running: "asyncio.Task[Lost | None]") -> None:
        """Wait until a link has ended, or until another one has to take over; then it is cut."""
        longest_s = self._engine.capabilities.longest_s
        while not running.done():
            await asyncio.wait([running], timeout=LOOK_S if self._gate is not None else None)
            age_s = asyncio.get_running_loop().time() - link.opened_s
            cut: int | None = None
            if self._splits and not self._tape.ended and link.end is None and self._end - link.sent > FAR_BEHIND:
                cut = link.sent
            elif longest_s is not None and age_s >= longest_s - AHEAD_OF_LIMIT_S:
                await self._make_ready()
                cut = self._change_over(link, last_moment=age_s >= longest_s - LAST_MOMENT_S)
            elif self._is_idle(link):
                cut = self._idle_from = link.sent
            if cut is not None and not running.done():
                link.cut(cut)
                return

    async def _make_ready(self) -> None:
        """Have the next connection open before it takes over; at the last moment it has to go without."""
        if self._spare is None:
            with contextlib.suppress(Lost):
                self._spare = await self._connect(self._engine)

    def _change_over(self, link: Link, *, last_moment: bool) -> int | None:
        """Where the next connection takes over, if this is the moment."""
        assert self._gate is not None
        if self._gate.silent_for() >= SILENCE and self._spare is not None:
            return link.sent
        return self._border(link.sent, link.sent + BORDER_REACH) if last_moment else None

    def _is_idle(self, link: Link) -> bool:
        idle_s = self._plan.idle_s
        if idle_s is None or self._gate is None or not self._engine.capabilities.billed or link.end is not None:
            return False
        return min(self._gate.silent_for(), self._gate.position - link.start) >= idle_s * RATE

    async def _wait_for_speech(self) -> None:
        """After a connection was closed because nobody spoke: wait until somebody does."""
        while self._idle_from is not None and self._gate is not None:
            speech = [start for start, end in self._gate.speech if end > self._idle_from]
            if speech or self._tape.ended:
                until = max(self._idle_from, speech[0] - BEFORE_SPEECH) if speech else self._gate.position
                self._coverage.cover(self._idle_from, min(until, self._end))
                self.received = max(self.received, min(until, self._end))
                self._idle_from = None
                return
            self.received = max(self.received, self._gate.position)
            await self._tape.wait(self._tape.samples)

    async def _listen_for_speech(self) -> None:
        """One more reader of the tape: our own speech gate, at its own pace."""
        gate = self._gate
        while gate is not None:
            at = gate.position + gate.pending - self._tape.origin
            count = min(RATE, await self._tape.wait(at) - at)
            if count > 0:
                gate.feed(self._tape.read(at, count))
            elif self._tape.ended:
                return
            await asyncio.sleep(0)

    # What it left behind.

    async def _fill(self) -> None:
        if not self._splits:
            return
        while (piece := await self._next_to_fill()) is not None:
            engine = self._plan.fill
            if engine is None:
                self._give_up(*piece, "the engine could not keep up")
                continue
            try:
                number, link = await self._open(engine, *piece)
            except Lost as lost:
                await asyncio.sleep(delay_s(2 if lost.retry else 10, after_s=lost.after))
                continue
            if (lost_again := await self._carry(number, link)) is not None:
                await asyncio.sleep(delay_s(2, after_s=lost_again.after))

    # One connection.

    async def _open(self, engine: Engine, start: int, end: int | None) -> tuple[int, Link]:
        """Connect, and own a stretch from then on. Raises `Lost`."""
        if engine is self._engine and engine.capabilities.offline and self.state != "offline":
            self.state = "loading"  # what is offline stays that until it answers
        claim = (start, end)
        self._claims.append(claim)
        try:
            connection, opened_s = await self._connect(engine)
        finally:
            self._claims.remove(claim)
        self._connections += 1
        number, live = self._connections, engine is self._engine
        link = Link(
            self._tape,
            connection,
            engine.capabilities,
            start=start,
            end=end,
            hear=lambda heard: self._on_heard(number, heard),
            gate=self._gate,
            opened_s=opened_s,
        )
        self._links[number] = link
        if live:
            self._down_since_s = None
            self.state, self.failure = "answering", None
        return number, link

    async def _connect(self, engine: Engine) -> tuple[Connection, float]:
        """A connection, within the vendor's number of them: the one that is open already, or a new one.

        With it, when it was opened, by the loop's clock.
        """
        if engine is self._engine and self._spare is not None:
            spare, self._spare = self._spare, None
            return spare
        limiter = self._limiters.setdefault(engine.name, Limiter(engine.capabilities.connections_per_minute))
        await limiter.attempt()
        connection = await engine.connect(self._ask)
        return connection, asyncio.get_running_loop().time()

    async def _carry(self, number: int, link: Link) -> Lost | None:
        """Run a link to its end; why it was lost, or None. It owns nothing afterwards."""
        lost: Lost | None = None
        try:
            await link.run()
            # Unanswered by a living connection that was finished properly: nothing is to be recognised there.
            self._on_heard(number, Answered(link.sent))
        except Lost as error:
            lost = error
            self._count_try(number, link, error)
        finally:
            del self._links[number]
            self.connected_s += asyncio.get_running_loop().time() - link.opened_s
            self._changed.set()
        return lost

    def _on_heard(self, number: int, heard: Heard) -> None:
        link = self._links[number]
        leading = link is self._live
        if leading:
            self._failures = 0
        match heard:
            case Received(until):
                self.received = max(self.received, until) if leading else self.received
                return
            case Answered(until):
                self._coverage.cover(link.start, until)
                self.received = max(self.received, until) if leading else self.received
            case _:
                pass
        self._hear(Told(number, heard, leading))

    # When one is lost.

    async def _recover(self, lost: Lost) -> None:
        """Say why, and wait; or stop, where another attempt is of no use."""
        self.failure = lost.cause
        if not lost.retry:
            self.state = "stopped"
            raise lost
        self.state = "offline"
        self._failures += 1
        now_s = asyncio.get_running_loop().time()
        self._down_since_s = now_s if self._down_since_s is None else self._down_since_s
        if self._plan.give_up_s is not None and now_s - self._down_since_s >= self._plan.give_up_s:
            self.state = "stopped"
            raise lost
        wait_s = delay_s(self._failures, after_s=lost.after)
        if self._plan.give_up_s is not None:  # the last attempt is made when the time is up, and not long before
            wait_s = max(lost.after, min(wait_s, self._plan.give_up_s - (now_s - self._down_since_s)))
        await asyncio.sleep(wait_s)

    def _count_try(self, number: int, link: Link, lost: Lost) -> None:
        """See to it that no stretch is tried for ever, so that what follows it is still heard."""
        unanswered = max(link.answered, link.start)
        at, tries = self._tries
        tries = tries + 1 if at == unanswered else 1
        self._tries = (unanswered, tries)
        if tries < TRIES or unanswered >= link.sent:
            return
        self._tries = (-1, 0)
        if isinstance(lost, Unanswered):
            # Two living connections had nothing to say about it: there are no words in it.
            self._coverage.cover(unanswered, link.sent)
        elif not self._took_unfinished(number, link, unanswered):
            self._give_up(unanswered, link.sent, lost.cause.what)

    def _took_unfinished(self, number: int, link: Link, unanswered: int) -> bool:
        """Take a turn that no connection lived to finish as far as it was heard; whether that was any further.

        All but its last word, which may have been cut: a connection that breaks every ten seconds still gives the
        words of somebody who speaks for a minute without a pause.
        """
        heard = link.unfinished
        words = list(heard.words or ())[:-1] if heard is not None else []
        end = words[-1].end if words else None
        if heard is None or end is None or end <= unanswered:
            return False
        text = " ".join(word.text for word in words)
        self._on_heard(number, FinalTurn(heard.turn, text, tuple(words), words[0].start, end))
        self._on_heard(number, Answered(end))
        return True

    def _give_up(self, start: int, end: int, why: str) -> None:
        self._coverage.give_up(start, end, why)
        self._hear(Told(self._connections, Gap(start, end, why), live=False))


def _needs_gate(engine: Engine) -> bool:
    """Whether it matters to this engine where somebody speaks.

    Not to one on this machine that takes everything at once; but its pace or its longest connection may be limited
    there, too: then silence is left out and waited for.
    """
    able = engine.capabilities
    return not able.offline or able.fastest_pace is not None or able.longest_s is not None
