"""Transcribes gaps while the session goes on: each is another reader of the tape."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from mictape.audio.tape import Tape
from mictape.engines.base import Answered, Engine, Lost, Request
from mictape.failure import Failure, MictapeError
from mictape.intervals import Interval
from mictape.recognition.coverage import Coverage
from mictape.recognition.follower import Follower
from mictape.recognition.live import Plan
from mictape.recognition.stretches import FollowedTrack, FollowerEvent
from mictape.session.track import Track
from mictape.session.transcript_writer import TranscriptWriter
from mictape.transcript.line import GAP
from mictape.transcript.model import Transcript
from mictape.units import RATE
from mictape.vad.client import Listening

GIVE_UP_S: Final = 5.0
"""So long a connection is waited for: the person looks on. Then the gap is shown again and can be tried again."""


class GapCompletion:
    """Turns gaps into text beside what is being said now.

    The track's own follower does not notice: for it the stretch stays a gap until an engine has answered for it.
    """

    def __init__(
        self,
        transcript: Transcript,
        writer: TranscriptWriter,
        report: Callable[[Failure], None],
        *,
        numbers: Iterator[int],
        listening: Listening | None,
    ) -> None:
        """Prepare.

        Args:
            transcript: The session's text.
            writer: Writes what engines say.
            report: Called with what stands in the way.
            numbers: Gives each connection of the session its number.
            listening: The speech detector; None: speech is estimated from the levels.
        """
        self._transcript = transcript
        self._writer = writer
        self._report = report
        self._numbers = numbers
        self._listening = listening
        self._running: dict[int, tuple[Engine, asyncio.Task[None]]] = {}
        """What completes it, by the id of the gap's line."""

    def begin(self, track: Track, id: int, engine: Engine, request: Request) -> None:
        """Complete the gap whose line has this id. While that is under way, another engine takes over.

        Raises:
            KeyError: no line has this id.
            MictapeError: it is no gap.
        """
        if self._transcript.line_of(id).kind is not GAP:
            raise MictapeError(Failure("This line is not a gap", "Move to one first", action="next_gap"))
        if (running := self._running.get(id)) is not None:
            if running[0] is engine:
                return
            running[1].cancel()  # it puts the line back before the next one begins
        task = asyncio.create_task(self._complete(track, id, engine, request), name=f"gap {id}")
        self._running[id] = engine, task

    def completes(self, id: int) -> bool:
        """Whether the gap whose line has this id is being completed."""
        return id in self._running

    async def close(self) -> None:
        """End what is running; what is not answered stays a gap."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _complete(self, track: Track, id: int, engine: Engine, request: Request) -> None:
        line = self._transcript.line_of(id)
        start, end = track.own_time(line.start), track.own_time(line.end)
        tape, coverage = _only(track.tape, (start, end))

        def write(said: FollowerEvent) -> None:
            # Covered first, so that a line is stored together with what it answers for.
            if isinstance(said.event, Answered):
                track.coverage.cover(start, min(said.event.until, end))
            self._writer.write(track, replace(said, live=False))

        self._transcript.revise(id, f"{(end - start) / RATE:.0f} s being transcribed by {engine.title}")
        try:
            followed = FollowedTrack(tape, coverage, write, self._numbers, track.speakers, self._listening)
            await Follower(followed, engine, request, Plan(give_up_s=GIVE_UP_S)).run()
        except Lost as lost:
            self._report(lost.cause)
            self._transcript.revise(id, line.text)
        except asyncio.CancelledError:
            self._transcript.revise(id, line.text)
            raise
        else:
            # The follower has added a line of its own for what it gave up.
            self._transcript.remove(id)
            self._writer.store_progress(track)
        finally:
            if self._running[id][1] is asyncio.current_task():  # else another engine has taken over
                del self._running[id]


def _only(tape: Tape, gap: Interval) -> tuple[Tape, Coverage]:
    """A tape that ends with the gap, and a coverage in which only the gap is open."""
    start, end = gap
    part = Tape(tape.folder, tape.track, tape.origin)
    part.report(end - tape.origin)
    part.end()
    coverage = Coverage(tape.origin)
    coverage.cover(tape.origin, start)
    return part, coverage
