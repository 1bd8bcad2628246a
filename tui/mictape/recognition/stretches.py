"""The open stretches of one tape and the connection that owns each."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from mictape.audio.tape import Tape
from mictape.engines.base import (
    Answered,
    Changes,
    Engine,
    EngineEvent,
    FinalTurn,
    Lost,
    Notice,
    Received,
    Request,
    Speakers,
    Unrecognized,
)
from mictape.failure import ExitCode, unexpected
from mictape.intervals import Interval, Intervals
from mictape.recognition.coverage import Coverage, Gap
from mictape.recognition.link import Link, NoText, Ready, Unanswered
from mictape.recognition.retry import Limiter
from mictape.recognition.speakers import SpeakerLabels, SpeakerRegistry
from mictape.recognition.speech_activity import LEAST_SPEECH, SpeechActivity
from mictape.vad.client import Listening

NO_CONNECTION: Final = -1
NOT_RECOGNIZED: Final = "speech, but nothing was recognised in it"
"""Why there is a gap where an engine found speech and no words."""
TRIES: Final = 2
"""A stretch that ends this many connections in a row, with nothing answered in between, is not tried again."""


@dataclass(frozen=True, slots=True)
class FollowerEvent:
    """What an engine said, in the track's own time, and on which connection."""

    connection: int
    """Its number in the session, `NO_CONNECTION` for what the follower itself reports. Turns belong to a connection."""
    event: EngineEvent | Gap | Lost
    """A `Gap` when the follower gave a stretch up, `Lost` when the engine cannot be reached any more."""
    engine: str = ""
    """The name of the engine that said it; empty for what the follower itself reports."""
    live: bool = True
    """Whether it belongs to what is being said now; False: to a stretch that is filled in later."""


@dataclass(frozen=True, slots=True)
class FollowedTrack:
    """A track as recognition has it: its sound, what of it is answered for, and where the text goes."""

    tape: Tape
    coverage: Coverage
    """What of the tape is answered for; kept up to date."""
    report: Callable[[FollowerEvent], None]
    """Called with everything engines say, in the track's own time, before coverage goes on.

    It returns once the text is written: a line is stored with the coverage of that moment. Events in a queue would be
    stored with coverage that lines behind them in the queue have brought, and a kill would lose those for good.
    """
    numbers: Iterator[int]
    """Gives each connection of the session its number."""
    speakers: SpeakerRegistry = field(default_factory=SpeakerRegistry)
    """The speakers of the track."""
    listening: Listening | None = None
    """The speech detector; None: speech is estimated from the levels."""


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """A connection that owns a stretch, and the link that carries it there."""

    number: int
    """The connection's, as in `FollowerEvent`."""
    engine: Engine
    link: Link
    unrecognized: Intervals = field(default_factory=Intervals)
    """Speech in which the engine has recognised nothing: not covered by its answers."""

    @property
    def billed_s(self) -> float:
        """What the connection counts for the engine's price, seconds."""
        return self.link.sent_s if self.engine.capabilities.price_counts == "sound" else self.link.open_s


class StretchQueue:
    """The stretches of one tape, each owned by one connection at a time.

    What is open and has no owner is next. The caller that takes a stretch (`take`) carries it to its end (`carry`);
    everything the engine says on the way is reported from here.
    """

    def __init__(
        self,
        track: FollowedTrack,
        request: Request,
        *,
        activity: SpeechActivity | None,
        send_all: bool = False,
    ) -> None:
        """Begin with what the track's coverage leaves open.

        Args:
            track: Whose tape it is.
            request: What is asked of engines.
            activity: Where speech may be; None when that is of no use.
            send_all: Whether silence is sent, too.
        """
        self.tape = tape = track.tape
        self.coverage = coverage = track.coverage
        self.activity = activity
        self._send_all = send_all
        self.received = coverage.reached(tape.origin + tape.samples)
        """The live engine has taken the samples before this."""
        self._live: Owner | None = None
        """The owner of what is being said now."""
        self._request = request
        self._report = track.report
        self._speakers = track.speakers
        self._limiters: dict[str, Limiter] = {}
        self._numbers = track.numbers
        self._owners: dict[int, Owner] = {}
        """The owners of stretches, by connection."""
        self._claims: list[tuple[int, int | None]] = []
        """Stretches that a connection is being opened for."""
        self._seconds: dict[str, float] = {}
        """For each engine how long its connections were open, the closed ones."""
        self._notices: set[tuple[str, Notice]] = set()
        """What engines had the person know: a server that drops every connection says it each time."""
        self._sent_in_vain = 0
        """How far the connections came that ended early."""
        self._tries: tuple[int, int, bool] = (-1, 0, True)
        """Where connections ended in a row, how many, and whether all of them were alive and silent."""
        self._changed = asyncio.Event()

    # What there is.

    @property
    def end(self) -> int:
        """Session time at the end of the tape."""
        return self.tape.origin + self.tape.samples

    @property
    def owned(self) -> bool:
        """Whether any stretch has an owner."""
        return bool(self._owners)

    @property
    def has_live(self) -> bool:
        """Whether a connection carries what is being said now."""
        return self._live is not None

    @property
    def behind(self) -> int:
        """Samples on the tape that no engine has taken yet."""
        if self._live is None:
            return max(0, self.end - self.received)
        live = self._live.link
        waiting = sum(stop - start for start, stop in self.open() if stop <= live.start)
        filling = sum(
            (owner.link.end or self.end) - owner.link.answered
            for owner in self._owners.values()
            if owner is not self._live
        )
        return max(0, self.end - max(self.received, live.start)) + waiting + filling

    def billed_s(self, engine: Engine) -> float:
        """What an engine's connections count for its price, seconds, all of them together."""
        running = sum(owner.billed_s for owner in self._owners.values() if owner.engine is engine)
        return self._seconds.get(engine.name, 0.0) + running

    def open(self) -> list[Interval]:
        """What is open and has no owner, in order."""
        end = self.end
        taken = Intervals((start, end if stop is None else stop) for start, stop in self._claims)
        for owner in self._owners.values():
            taken.add(owner.link.start, end if owner.link.end is None else owner.link.end)
        return [piece for start, stop in self.coverage.open(end) for piece in taken.missing(start, stop)]

    def backlog(self) -> Interval | None:
        """The first open piece that lies before the live stretch; None when there is none now."""
        before = self._live.link.start if self._live is not None else 0
        return next((piece for piece in self.open() if piece[1] <= before), None)

    def border(self, start: int, end: int) -> int:
        """The quietest moment in `[start, end)`."""
        return end if self.activity is None else self.activity.quietest(max(start, self.tape.origin), end)

    def recheck(self) -> None:
        """Wake `wait_for_change`: speech activity is known for more of the tape."""
        self._changed.set()

    def skip_silence(self, start: int, until: int) -> None:
        """No engine is sent `[start, until)`: there is no speech in it."""
        until = min(until, self.end)
        self.coverage.cover(start, until)
        self.coverage.left_out.add(start, until)
        self.advance(until)

    def advance(self, until: int) -> None:
        """Nothing before `until` waits for the live engine any more."""
        self.received = max(self.received, until)

    def endpoint(self) -> None:
        """End the live utterance where the tape is now."""
        if self._live is not None:
            self._live.link.endpoint(self.end)

    async def wait_for_change(self, samples: int) -> None:
        """Wait until ownership or speech activity has changed, or the tape is longer than `samples` or has ended."""
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

    def limiter(self, engine: Engine) -> Limiter:
        """What keeps an engine's connections within the vendor's number of them."""
        return self._limiters.setdefault(engine.name, Limiter(engine.capabilities.connections_per_minute))

    async def connect(self, engine: Engine) -> Ready:
        """Open a connection, within the vendor's number of them. Raises `Lost`."""
        limiter = self.limiter(engine)
        attempt_s = await limiter.attempt()
        try:
            connection = await engine.connect(self._request)
        except Lost as lost:
            if not lost.reached:
                limiter.forget(attempt_s)
            raise
        return Ready(connection, asyncio.get_running_loop().time())

    async def change_request(self, request: Request) -> None:
        """Ask for other key terms from now on, on the connections that live and on those to come."""
        self._request = request
        for owner in list(self._owners.values()):
            await owner.link.update(Changes(key_terms=request.key_terms))

    async def take(
        self, engine: Engine, start: int, end: int | None, ready: Ready | None = None, *, live: bool = False
    ) -> Owner:
        """Give a stretch an owner: a connection that is ready, or else a new one. Raises `Lost`.

        With `live` it is the one that carries what is being said now, until `release_live`.
        """
        claim = (start, end)
        self._claims.append(claim)
        try:
            ready = ready or await self.connect(engine)
        finally:
            self._claims.remove(claim)
        number = next(self._numbers)
        labels = self._speakers.join(number)
        link = Link(
            self.tape,
            ready,
            engine.capabilities,
            start=start,
            end=end,
            report=partial(self._on_event, number),
            name=partial(self._named, labels),
            activity=self.activity,
            leave_out=None if self._send_all else self.coverage.left_out.add,
            careful_until=self._sent_in_vain,
        )
        owner = self._owners[number] = Owner(number, engine, link)
        if live:
            self._live = owner
        self._changed.set()
        return owner

    def release_live(self) -> None:
        """No connection carries what is being said now, until the next one is taken."""
        self._live = None

    async def carry(self, owner: Owner) -> Lost | None:
        """Run a link to its end; why it was lost, or None. It owns nothing afterwards."""
        lost: Lost | None = None
        try:
            await owner.link.run()
            # Unanswered by a living connection that was finished properly: nothing is to be recognised there.
            self._on_event(owner.number, Answered(owner.link.sent))
        except Lost as error:
            lost = error
            self._keep_text(owner)
            self._count_try(owner, error)
        except asyncio.CancelledError:
            self._keep_text(owner)
            raise
        except Exception as error:
            # Seen here, because nothing waits any more for a link that was cut.
            lost = Lost(unexpected(error, owner.engine.title, code=ExitCode.ENGINE), retry=False)
            self._keep_text(owner)
        finally:
            del self._owners[owner.number]
            name = owner.engine.name
            self._seconds[name] = self._seconds.get(name, 0.0) + owner.billed_s
            self._changed.set()
        return lost

    def _keep_text(self, owner: Owner) -> None:
        """Count text as an answer where none has come yet: recognising it once more would write it twice."""
        for start, end in owner.link.turns.with_text(owner.link.sent):
            self.coverage.cover(start, end)
        if owner is self._live:
            self.received = max(self.received, owner.link.turns.final_until)

    def _named(self, labels: SpeakerLabels, event: EngineEvent) -> EngineEvent:
        named = labels.named(event)
        for connection, turns in self._speakers.revised():
            self._report(FollowerEvent(connection, Speakers(turns), live=False))
        return named

    def _on_event(self, number: int, event: EngineEvent) -> None:
        owner = self._owners[number]
        live = owner is self._live
        match event:
            case Received(until):
                self.received = max(self.received, until) if live else self.received
                return
            case Unrecognized(start, end):
                owner.unrecognized.add(start, end)
                self.give_up(start, end, NOT_RECOGNIZED)
                return
            case Answered(until):
                for piece in owner.unrecognized.missing(owner.link.start, until):
                    self.coverage.cover(*piece)
                self.received = max(self.received, until) if live else self.received
            case Notice():
                if (said := (owner.engine.name, event)) in self._notices:
                    return
                self._notices.add(said)
            case _:
                pass
        self._report(FollowerEvent(number, event, owner.engine.name, live))

    # What is given up.

    def give_up(self, start: int, end: int, why: str) -> None:
        """What is open of a stretch is a gap from now on."""
        self.coverage.give_up(start, end, why)
        self.report(Gap(start, end, why))

    def report(self, what: Gap | Lost) -> None:
        """Report what no engine says of itself."""
        self._report(FollowerEvent(NO_CONNECTION, what, live=False))

    def _count_try(self, owner: Owner, lost: Lost) -> None:
        """Limit the tries of a stretch, so that what follows it is recognised, too."""
        link = owner.link
        self._sent_in_vain = max(self._sent_in_vain, link.sent)
        unanswered = max(link.answered, link.turns.final_until)
        at, tries, silent = self._tries if self._tries[0] == unanswered else (unanswered, 0, True)
        silent = silent and isinstance(lost, Unanswered) and link.turns.unfinished is None
        self._tries = (at, tries + 1, silent)
        if tries + 1 < TRIES or unanswered >= link.sent:
            return
        self._tries = (-1, 0, True)
        end = lost.until if isinstance(lost, NoText) else link.sent
        surely = self.activity.surely_speaks(unanswered, end) if self.activity is not None else 0
        if silent and surely <= LEAST_SPEECH:
            # Living connections had nothing to say about it: there are no words in it.
            self.coverage.cover(unanswered, end)
        elif not self._took_unfinished(owner, unanswered):
            self.give_up(unanswered, end, lost.cause.what)

    def _took_unfinished(self, owner: Owner, unanswered: int) -> bool:
        """Take what a partial has of a turn that no connection lasted to finish; whether it reaches any further.

        All but its last word, which may have been cut: a connection that breaks every ten seconds still gives the
        words of a speaker who talks for a minute without a pause.
        """
        partial = owner.link.turns.unfinished
        words = list(partial.words or ())[:-1] if partial is not None else []
        end = words[-1].end if words else None
        if partial is None or end is None or end <= unanswered:
            return False
        text = " ".join(word.text for word in words)
        self._on_event(owner.number, FinalTurn(partial.turn, text, tuple(words), words[0].start, end))
        self._on_event(owner.number, Answered(end))
        return True
