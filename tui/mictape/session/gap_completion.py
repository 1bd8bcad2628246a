"""Gaps that are completed while the session goes on: each is a reader of the tape for itself."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mictape.audio.tape import Tape
from mictape.engines.base import Answered, Engine, Lost, Request
from mictape.failure import Failure, MictapeError
from mictape.recognition.coverage import Coverage, Gap
from mictape.recognition.follower import Follower
from mictape.recognition.live import Plan
from mictape.recognition.stretches import Told
from mictape.session.track import Track
from mictape.transcript.model import GAP, Transcript
from mictape.units import RATE
from mictape.vad.client import Listening

GIVE_UP_S: Final = 30.0
"""As long as `transcribe` waits for a connection; then the gap is a gap again and can be asked for anew."""

CONNECTIONS: Final = 1_000_000
"""Connections are counted by each follower: those of the n-th completed gap begin at n times this."""


class Completing:
    """Turns gaps into text beside what is said now.

    The track's own follower does not notice: for it the stretch stays a gap until an engine has answered for it.
    """

    def __init__(
        self,
        transcript: Transcript,
        write: Callable[[Track, Told], None],
        trouble: Callable[[Failure], None],
        listening: Listening | None,
    ) -> None:
        """Prepare; `write` is given what an engine says, and `trouble` what stands in its way."""
        self._listening = listening
        self._transcript = transcript
        self._write = write
        self._trouble = trouble
        self._running: dict[int, asyncio.Task[None]] = {}
        """By the id of the gap's line."""
        self._count = 0

    def begin(self, track: Track, id: int, engine: Engine, request: Request) -> None:
        """Complete the gap whose line has this id; does nothing while that is done already.

        Raises:
            KeyError: no line has this id.
            MictapeError: it is no gap.
        """
        line = self._transcript.line_of(id)
        if line.kind is not GAP:
            raise MictapeError(Failure("This line is no gap", "Go to one with < or >"))
        if id not in self._running:
            self._count += 1
            stretch = Gap(track.locate(line.start), track.locate(line.end), line.text)
            work = self._complete(track, id, stretch, engine, request)
            self._running[id] = asyncio.create_task(work, name=f"gap {id}")

    async def close(self) -> None:
        """End what is running; what is not answered stays a gap."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _complete(self, track: Track, id: int, gap: Gap, engine: Engine, request: Request) -> None:
        first = self._count * CONNECTIONS
        tape, coverage = _only(track.tape, gap)

        def hear(told: Told) -> None:
            self._write(track, replace(told, live=False))
            if isinstance(told.heard, Answered):
                track.coverage.cover(gap.start, min(told.heard.until, gap.end))

        self._transcript.revise(id, f"{(gap.end - gap.start) / RATE:.0f} s being transcribed by {engine.title}")
        try:
            plan = Plan(give_up_s=GIVE_UP_S)
            follower = Follower(
                tape,
                coverage,
                engine,
                request,
                hear,
                plan=plan,
                voices=track.voices,
                first=first,
                listening=self._listening,
            )
            await follower.run()
        except Lost as lost:
            self._trouble(lost.cause)
            self._transcript.revise(id, gap.why)
        except asyncio.CancelledError:
            self._transcript.revise(id, gap.why)
            raise
        else:
            # The follower has put a line of its own for what it gave up.
            self._transcript.remove(id)
        finally:
            del self._running[id]


def _only(tape: Tape, gap: Gap) -> tuple[Tape, Coverage]:
    """A tape that ends with the gap, and a coverage in which only the gap is open."""
    part = Tape(tape.folder, tape.track, tape.origin)
    part.report(gap.end - tape.origin)
    part.end()
    coverage = Coverage(tape.origin)
    coverage.cover(tape.origin, gap.start)
    return part, coverage
