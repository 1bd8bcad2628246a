"""Carries one stretch of tape over one connection: at its pace, watched, and finished properly."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from mictape.audio.tape import Tape
from mictape.engines.base import (
    Answered,
    Capabilities,
    Changes,
    Connection,
    EngineEvent,
    FinalTurn,
    Lost,
    Received,
)
from mictape.failure import ExitCode, Failure
from mictape.recognition.ownership import CONTEXT, Timeline, in_session_time, owned
from mictape.recognition.resample import Resampler
from mictape.recognition.speech_activity import LEAST_SPEECH, SpeechActivity
from mictape.recognition.turns import Turns
from mictape.recognition.utterances import Utterances
from mictape.units import RATE, SAMPLE_BYTES

BLOCK_MS: Final = 100
"""What is sent at a time when the engine allows it: short enough to be live, long enough to be cheap."""
BURST_MS: Final = 400
"""What is sent at a time, at most, of sound that is on the tape already, to an engine that takes it at any pace."""
KEEP_ALIVE_S: Final = 4.0
"""Seconds without sound after which a keep-alive is sent (Deepgram wants one every 3 to 5 s)."""
UNANSWERED_S: Final = 12.0
"""Seconds of speech without an answer after which the server counts as dead; checked every second."""
LOOK_S: Final = 1.0
ACTIVITY_S: Final = 10.0
"""How long our own look at the tape is waited for, when an engine was quicker than it."""
LATE: Final = RATE * 3 // 10
"""A connection that is this late leaves silence out to catch up."""
PAUSE: Final = RATE * 6 // 10
"""Of a pause this much is always sent."""


class Unanswered(Lost):
    """The connection lives, speech was sent, and nothing is said about it."""

    def __init__(self) -> None:
        super().__init__(
            Failure(
                "The engine does not answer any more", "Nothing to do: another connection is tried", ExitCode.ENGINE
            )
        )


class NoText(Lost):
    """An utterance that is certainly speech was answered with nothing."""

    def __init__(self, until: int, speech: int) -> None:
        """Say so of the samples before `until`, in session time, of which so many are `speech`."""
        what = f"The engine wrote nothing for {speech / RATE:.0f} s of speech"
        super().__init__(Failure(what, "Try another engine", ExitCode.ENGINE))
        self.until = until


@dataclass(frozen=True, slots=True)
class Ready:
    """A connection that is open and carries nothing yet."""

    connection: Connection
    opened_s: float
    """Since when, by the loop's clock."""


@dataclass(frozen=True, slots=True)
class SendingRules:
    """How an engine wants to be sent sound; lengths in samples of the tape."""

    block: int
    """What is sent at a time, at least while more may come."""
    burst: int
    """What is sent at a time, at most."""
    shortest: int
    """The shortest block that it takes; a shorter one is filled up with silence."""
    context: int
    """How much is sent before and behind the stretch."""
    pace: float | None
    """Seconds of sound per second; None: as fast as it takes them."""
    keep_alive: Literal["none", "message", "silence"]
    """What is sent while there is no sound."""
    unanswered_s: float
    """For how long speech may be without an answer."""

    @classmethod
    def of(cls, able: Capabilities) -> "SendingRules":
        """Those that follow from what an engine can do."""
        shortest_ms, longest_ms = able.block_ms
        block_ms = min(max(BLOCK_MS, shortest_ms), longest_ms)
        bursts = able.fastest_pace is None and able.endpointing != "follower"  # whose ends are found block by block
        return cls(
            block=block_ms * RATE // 1000,
            burst=(min(max(BURST_MS, block_ms), longest_ms) if bursts else block_ms) * RATE // 1000,
            shortest=shortest_ms * RATE // 1000,
            context=CONTEXT if able.word_times else 0,
            pace=able.fastest_pace,
            keep_alive=able.keep_alive,
            unanswered_s=max(UNANSWERED_S, able.patience_s),
        )


class Link:
    """One stretch, `[start, end)` in the track's own time, on its way to one connection.

    Every event is reported in the track's own time, and only what belongs to the stretch. `end` None means that the
    stretch is the live one: it ends where the tape ends, or where it is cut.
    """

    def __init__(
        self,
        tape: Tape,
        ready: Ready,
        capabilities: Capabilities,
        *,
        start: int,
        end: int | None,
        report: Callable[[EngineEvent], None],
        name: Callable[[EngineEvent], EngineEvent] = lambda event: event,
        activity: SpeechActivity | None = None,
        leave_out: Callable[[int, int], None] | None = None,
        careful_until: int = 0,
    ) -> None:
        """Prepare to carry `[start, end)`.

        Args:
            tape: Where the sound is.
            ready: The connection it goes to; it is closed at the end.
            capabilities: What that connection wants.
            start: Where the stretch begins.
            end: Where it ends; None: the live stretch.
            report: Called with the events that belong to the stretch.
            name: Puts names in the place of speaker labels; is given the events of the context, too.
            activity: Where there may be speech: to detect a dead server, and to leave silence out.
            leave_out: Called with silence that is not sent, session time; None: everything is sent.
            careful_until: What is before this is sent in small blocks only: something in it may have ended a
                connection, and what was before that is to be answered.
        """
        self.start = start
        self.end = end
        self.answered = start
        """The engine has answered for the samples before this."""
        self.turns = Turns(start)
        """Those that the engine has written."""
        self._opened_s = ready.opened_s
        self._tape = tape
        self._connection = ready.connection
        self._report = report
        self._name = name
        self._activity = activity
        self._leave_out = leave_out
        self._careful_until = careful_until
        self._wrote = False
        """Whether there is text since the engine last answered."""
        self._rules = rules = SendingRules.of(capabilities)
        self._beyond = rules.context
        """How much is sent behind the end, if it is on the tape."""
        self._patient_until_s = 0.0
        """Until when that is waited for."""
        self._resampler = None if capabilities.rate == RATE else Resampler(capabilities.rate)
        self._endpoint: int | None = None
        self._utterances = Utterances(start) if capabilities.endpointing == "follower" else None
        self._next = max(tape.origin, start - rules.context)
        self._timeline = Timeline(self._next)
        self._handed = 0
        """Samples handed to the connection, put-in silence included."""
        self._began_s: float | None = None
        self._sent_s = self._received_s = _now()
        """When something was last sent, and when something last came back."""

    @property
    def sent(self) -> int:
        """What of the stretch was handed to the connection: the samples before this."""
        return max(self.start, self._next if self.end is None else min(self._next, self.end))

    @property
    def open_s(self) -> float:
        """For how long the connection has been open."""
        return _now() - self._opened_s

    @property
    def sent_s(self) -> float:
        """How much sound the connection was given, seconds; what was put in is sound, too."""
        return self._handed / RATE

    def endpoint(self, at: int) -> None:
        """End the utterance at `at`, where the recording was paused."""
        self._endpoint = at
        self._tape.nudge()

    async def update(self, changes: Changes) -> None:
        """Change what can be changed on the living connection; one that is lost shows it elsewhere."""
        with suppress(Lost):
            await self._connection.update(changes)

    def cut(self, at: int, *, overlap: int = 0) -> None:
        """End the stretch at `at`: what follows belongs to another connection.

        With word times the connection is sent `overlap` samples of that, too, though they are not on the tape yet.
        """
        self.end = max(at, self.start)
        if overlap and self._rules.context:
            self._beyond = overlap
            self._patient_until_s = _now() + overlap / RATE
            asyncio.get_running_loop().call_at(self._patient_until_s, self._tape.nudge)
        self._tape.nudge()

    async def run(self) -> None:
        """Carry the stretch to its end. Raises `Lost` when the connection ends first."""
        try:
            async with asyncio.TaskGroup() as group:
                receiving = group.create_task(self._receive())
                group.create_task(self._send_all())
                watching = group.create_task(self._watch())
                await receiving
                watching.cancel()
        except BaseExceptionGroup as group:
            # What broke the connection shows in both directions; one is enough to say it.
            raise group.exceptions[0] from None
        finally:
            await self._connection.close()

    # Sending.

    async def _send_all(self) -> None:
        while not self._over():
            if self._endpoint is not None and self._next >= self._endpoint:
                self._endpoint = None
                self._sent_s = _now()
                await self._connection.endpoint()
            elif silence := self._to_leave_out():
                self._timeline.skip(self._handed, silence)
                if self._leave_out is not None:
                    self._leave_out(self._next, self._next + silence)
                self._next += silence
            elif count := self._ready():
                pcm = await self._tape.fetch(self._next - self._tape.origin, count)
                self._next += count  # handed over from here on, even if it ends the connection
                await self._hand_over(pcm + bytes(SAMPLE_BYTES * max(0, self._rules.shortest - count)))
                if self._utterances is not None and self._utterances.over_after(pcm):
                    await self._connection.endpoint()
            else:
                await self._wait_for(self._next - self._tape.origin + self._want(self._rules.block) - 1)
        if self.end is None:
            self.end = self._next
        if self._resampler is not None:
            await self._send(self._resampler.flush())
        await self._connection.finish()

    async def _hand_over(self, pcm: bytes) -> None:
        samples = len(pcm) // SAMPLE_BYTES
        if self._began_s is None:
            self._began_s = _now()
        if self._rules.pace is not None:
            # An allowance since the first sample, so that a short stall is caught up on this connection.
            early_s = self._handed / RATE / self._rules.pace - (_now() - self._began_s)
            if early_s > 0:
                await asyncio.sleep(early_s)
        self._handed += samples
        self._sent_s = _now()
        await self._send(pcm if self._resampler is None else self._resampler.feed(pcm))
        await asyncio.sleep(0)  # a socket with room takes block after block, and no other task would run

    async def _send(self, pcm: bytes) -> None:
        if pcm:
            await self._connection.send(pcm)

    async def _wait_for(self, beyond: int) -> None:
        """Wait for the tape to grow, saying meanwhile that more will come."""
        if self._rules.keep_alive == "none" or self._began_s is None:
            await self._tape.wait(beyond)
            return
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                await self._tape.wait(beyond)
        except TimeoutError:
            if self._rules.keep_alive == "message":
                await self._connection.keep_alive()
            else:
                silence = int(KEEP_ALIVE_S * RATE)
                for _ in range(0, silence, self._rules.block):
                    self._timeline.insert(self._handed, self._rules.block)
                    await self._hand_over(bytes(SAMPLE_BYTES * self._rules.block))

    def _to_leave_out(self) -> int:
        """Silence that need not be sent, because a connection that may go no faster than real time is late.

        It is silence by the levels and by the detector. What is left of a pause is still long enough to end a turn.
        """
        if self._leave_out is None:
            return 0
        late = self._tape.origin + self._tape.samples - self._next
        if self._rules.pace is None or self._activity is None or self._began_s is None or late < LATE:
            return 0
        border = min([self._activity.position, *(at for at in (self.end, self._endpoint) if at is not None)])
        pieces = self._activity.sound.missing(self._next, border)
        silent = pieces[0][1] - self._next if pieces and pieces[0][0] == self._next else 0
        return max(0, silent - PAUSE)

    def _stop(self) -> int | None:
        """Where sending ends: a second behind the stretch's end, when that helps the engine."""
        return None if self.end is None else self.end + self._beyond

    def _over(self) -> bool:
        stop = self._stop()
        if stop is not None and self._next >= stop:
            return True
        if self._has_more():
            return False
        return self._tape.ended or (self.end is not None and self._next >= self.end and not self._patient)

    @property
    def _patient(self) -> bool:
        """Whether sound after the end is waited for: by default, context that is not on the tape yet is not."""
        return _now() < self._patient_until_s

    def _has_more(self) -> bool:
        return self._next - self._tape.origin < self._tape.samples

    def _want(self, most: int) -> int:
        """The size of the next block, if the tape holds it: up to the end or the endpoint, and no more than `most`."""
        borders = [border for border in (self._stop(), self._endpoint) if border is not None and border > self._next]
        return min([most, *(border - self._next for border in borders)])

    def _ready(self) -> int:
        """How many samples can be sent now; 0 while the block is not on the tape yet."""
        held = self._tape.samples - (self._next - self._tape.origin)
        if held >= self._want(self._rules.block):
            return self._want(min(held, self._rules.burst) if self._next >= self._careful_until else self._rules.block)
        return max(0, held) if self._tape.ended or (self.end is not None and not self._patient) else 0

    # Receiving.

    async def _receive(self) -> None:
        async for raw in self._connection:
            self._received_s = _now()
            event = self._name(in_session_time(raw, self._timeline))
            if isinstance(event, Answered | Received):
                # Padding and context are no part of the stretch.
                until = min(max(event.until, self.start), self.sent)
                event = type(event)(until)
                if isinstance(event, Answered):
                    await self._look_for_missing_text(until)
                    self.answered = max(self.answered, until)
            if isinstance(event, FinalTurn):
                self._wrote = self._wrote or bool(event.text)
                self.turns.count(event, self.sent)
            mine = owned(event, self.start, self.end)
            if mine is not None:
                self.turns.take(mine)
                self._report(mine)

    async def _look_for_missing_text(self, until: int) -> None:
        """Raise `NoText` where an engine whose utterances we end has nothing to say of what is certainly speech.

        A model that is stuck answers so for minutes (vllm-project/vllm#47614), and it would go unnoticed.
        """
        wrote, self._wrote = self._wrote, False
        if wrote or self._activity is None or self._utterances is None or until <= self.answered:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(ACTIVITY_S):
                await self._activity.reached(until)
        speech = self._activity.surely_speaks(self.answered, until)
        if speech > LEAST_SPEECH:
            raise NoText(until, speech)

    async def _watch(self) -> None:
        """Find a server that lives and says nothing about speech that was sent to it.

        One that has spoken since has no more to say until more comes: a word may go on, a turn has not ended.
        """
        since_s: float | None = None
        while self._activity is not None:
            await asyncio.sleep(LOOK_S)
            unanswered = self._activity.speaks(self.answered, min(self.sent, self._activity.position))
            if unanswered < LEAST_SPEECH or self._received_s >= self._sent_s:
                since_s = None
            elif since_s is None:
                since_s = _now()
            elif _now() - max(since_s, self._received_s) > self._rules.unanswered_s:
                raise Unanswered


def _now() -> float:
    return asyncio.get_running_loop().time()
