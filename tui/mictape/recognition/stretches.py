"""What of a tape is still to be heard, who owns which stretch of it, and what was heard of it so far."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from mictape.audio.tape import Tape
from mictape.engines.base import (
    Answered,
    Changes,
    Connection,
    Engine,
    EngineEvent,
    FinalTurn,
    Lost,
    Received,
    Request,
    Speakers,
)
from mictape.failure import ExitCode, unexpected
from mictape.intervals import Interval, Intervals
from mictape.recognition.coverage import Coverage, Gap
from mictape.recognition.link import Link, Unanswered
from mictape.recognition.retry import Limiter
from mictape.recognition.speakers import Labels, Voices
from mictape.recognition.speech_activity import SpeechGate

TRIES: Final = 2
"""A stretch that ends this many connections in a row, with nothing answered in between, is not tried again."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine said, in session time, and on which of the follower's connections."""

    connection: int
    """Counted from 0; turns are counted anew on each."""
    heard: EngineEvent | Gap | Lost
    """A `Gap` when the follower gave a stretch up, `Lost` when the leading engine cannot be reached any more."""
    engine: str = ""
    """The name of the engine that said it; empty for what the follower says itself."""
    live: bool = True
    """Whether it belongs to what is being said now, and not to something filled in behind it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A connection that is open and carries nothing yet."""

    connection: Connection
    opened_s: float
    """Since when, by the loop's clock."""


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """Who owns a stretch: a link to one connection of one engine."""

    number: int
    """The connection's, as in `Told`."""
    engine: Engine
    link: Link


class Work:
    """The stretches of one tape, each owned by one connection at a time.

    What is open and owned by nobody is taken up next.
    Whoever takes one up (`take`) carries it to its end (`carry`); everything heard on the way is told from here.
    """

    def __init__(
        self,
        tape: Tape,
        coverage: Coverage,
        request: Request,
        hear: Callable[[Told], None],
        *,
        gate: SpeechGate | None,
        voices: Voices,
        first: int = 0,
    ) -> None:
        """Begin with what `coverage` leaves open; `hear` is called with everything heard."""
        self.tape = tape
        self.coverage = coverage
        self.gate = gate
        self.leading: Owner | None = None
        """Who owns what is being said now."""
        self.received = coverage.reached(tape.origin + tape.samples)
        """The leading engine has taken the samples before this, session time."""
        self._request = request
        self._hear = hear
        self._voices = voices
        self._limiters: dict[str, Limiter] = {}
        self._opened = first
        self._owners: dict[int, Owner] = {}
        """Who owns a stretch now, by connection."""
        self._claims: list[tuple[int, int | None]] = []
        """Stretches that a connection is being opened for."""
        self._seconds: dict[str, float] = {}
        """For each engine how long its connections were open, the closed ones."""
        self._tries: tuple[int, int, bool] = (-1, 0, True)
        """Where connections ended in a row, how many, and whether all of them lived and had heard nothing."""
        self._changed = asyncio.Event()

    # What there is.

    @property
    def end(self) -> int:
        """Session time at the end of the tape."""
        return self.tape.origin + self.tape.samples

    @property
    def owned(self) -> bool:
        """Whether anybody carries anything."""
        return bool(self._owners)

    @property
    def behind(self) -> int:
        """Samples on the tape that no engine has taken yet."""
        if self.leading is None:
            return max(0, self.end - self.received)
        live = self.leading.link
        waiting = sum(stop - start for start, stop in self.open() if stop <= live.start)
        filling = sum(
            (owner.link.end or self.end) - owner.link.answered
            for owner in self._owners.values()
            if owner is not self.leading
        )
        return max(0, self.end - max(self.received, live.start)) + waiting + filling

    def seconds_of(self, engine: Engine) -> float:
        """For how long connections of an engine have been open, all of them together."""
        running = sum(owner.link.open_s for owner in self._owners.values() if owner.engine is engine)
        return self._seconds.get(engine.name, 0.0) + running

    def open(self) -> list[Interval]:
        """What is open and owned by nobody, in order."""
        end = self.end
        taken = Intervals((start, end if stop is None else stop) for start, stop in self._claims)
        for owner in self._owners.values():
            taken.add(owner.link.start, end if owner.link.end is None else owner.link.end)
        return [piece for start, stop in self.coverage.open(end) for piece in taken.missing(start, stop)]

    def border(self, start: int, end: int) -> int:
        """The quietest moment in `[start, end)`."""
        return end if self.gate is None else self.gate.quietest(max(start, self.tape.origin), end)

    def looked(self) -> None:
        """The gate has looked at more of the tape."""
        self._changed.set()

    async def news(self, samples: int) -> None:
        """Wait until who owns what has changed, the gate has looked, or the tape is longer than `samples` or ended."""
        self._changed.clear()
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._changed.wait())]
        if not self.tape.ended:
            waits.append(asyncio.create_task(self.tape.wait(samples)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    # One connection.

    async def connect(self, engine: Engine) -> Ready:
        """Open a connection, within the vendor's number of them. Raises `Lost`."""
        limiter = self._limiters.setdefault(engine.name, Limiter(engine.capabilities.connections_per_minute))
        await limiter.attempt()
        connection = await engine.connect(self._request)
        return Ready(connection, asyncio.get_running_loop().time())

    async def expect(self, request: Request) -> None:
        """Ask for other key terms from now on, on the connections that live and on those to come."""
        self._request = request
        for owner in list(self._owners.values()):
            await owner.link.update(Changes(key_terms=request.key_terms))

    async def take(self, engine: Engine, start: int, end: int | None, ready: Ready | None = None) -> Owner:
        """Own a stretch from now on, on a connection that is ready or else on a new one. Raises `Lost`."""
        claim = (start, end)
        self._claims.append(claim)
        try:
            ready = ready or await self.connect(engine)
        finally:
            self._claims.remove(claim)
        number, self._opened = self._opened, self._opened + 1
        labels = self._voices.join(number)
        link = Link(
            self.tape,
            ready.connection,
            engine.capabilities,
            start=start,
            end=end,
            hear=partial(self._on_heard, number),
            name=partial(self._named, labels),
            gate=self.gate,
            opened_s=ready.opened_s,
        )
        owner = self._owners[number] = Owner(number, engine, link)
        self._changed.set()
        return owner

    async def carry(self, owner: Owner) -> Lost | None:
        """Run a link to its end; why it was lost, or None. It owns nothing afterwards."""
        lost: Lost | None = None
        try:
            await owner.link.run()
            # Unanswered by a living connection that was finished properly: nothing is to be recognised there.
            self._on_heard(owner.number, Answered(owner.link.sent))
        except Lost as error:
            lost = error
            self._keep_standing(owner)
            self._count_try(owner, error)
        except asyncio.CancelledError:
            self._keep_standing(owner)
            raise
        except Exception as error:
            # Seen here, because nothing waits any more for a link that was cut.
            lost = Lost(unexpected(error, owner.engine.title, code=ExitCode.ENGINE), retry=False)
            self._keep_standing(owner)
        finally:
            del self._owners[owner.number]
            name = owner.engine.name
            self._seconds[name] = self._seconds.get(name, 0.0) + owner.link.open_s
            self._changed.set()
        return lost

    def _keep_standing(self, owner: Owner) -> None:
        """Count text as an answer, where none has come yet: to hear it once more would be to say it twice."""
        for start, end in owner.link.standing:
            self.coverage.cover(start, end)
        if owner is self.leading:
            self.received = max(self.received, owner.link.told)

    def _named(self, labels: Labels, heard: EngineEvent) -> EngineEvent:
        named = labels.named(heard)
        for connection, turns in self._voices.revised():
            self._hear(Told(connection, Speakers(turns), live=False))
        return named

    def _on_heard(self, number: int, heard: EngineEvent) -> None:
        owner = self._owners[number]
        leads = owner is self.leading
        match heard:
            case Received(until):
                self.received = max(self.received, until) if leads else self.received
                return
            case Answered(until):
                self.coverage.cover(owner.link.start, until)
                self.received = max(self.received, until) if leads else self.received
            case _:
                pass
        self._hear(Told(number, heard, owner.engine.name, leads))

    # What nobody can hear.

    def give_up(self, start: int, end: int, why: str) -> None:
        """What is open of a stretch is a gap from now on."""
        self.coverage.give_up(start, end, why)
        self.tell(Gap(start, end, why))

    def tell(self, what: Gap | Lost) -> None:
        """Say what no engine says of itself."""
        self._hear(Told(self._opened - 1, what, live=False))

    def _count_try(self, owner: Owner, lost: Lost) -> None:
        """See to it that no stretch is tried for ever, so that what follows it is still heard."""
        link = owner.link
        unanswered = max(link.answered, link.told)
        at, tries, silent = self._tries if self._tries[0] == unanswered else (unanswered, 0, True)
        silent = silent and isinstance(lost, Unanswered) and link.unfinished is None
        self._tries = (at, tries + 1, silent)
        if tries + 1 < TRIES or unanswered >= link.sent:
            return
        self._tries = (-1, 0, True)
        if silent:
            # Living connections had nothing to say about it: there are no words in it.
            self.coverage.cover(unanswered, link.sent)
        elif not self._took_unfinished(owner, unanswered):
            self.give_up(unanswered, link.sent, lost.cause.what)

    def _took_unfinished(self, owner: Owner, unanswered: int) -> bool:
        """Take a turn that no connection lived to finish as far as it was heard; whether that was any further.

        All but its last word, which may have been cut: a connection that breaks every ten seconds still gives the
        words of somebody who speaks for a minute without a pause.
        """
        heard = owner.link.unfinished
        words = list(heard.words or ())[:-1] if heard is not None else []
        end = words[-1].end if words else None
        if heard is None or end is None or end <= unanswered:
            return False
        text = " ".join(word.text for word in words)
        self._on_heard(owner.number, FinalTurn(heard.turn, text, tuple(words), words[0].start, end))
        self._on_heard(owner.number, Answered(end))
        return True
