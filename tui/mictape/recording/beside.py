"""Finished sessions that are transcribed again while the app goes on, one after the other."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mictape.audio.ports import SoundPort
from mictape.engines.base import Engine, Request
from mictape.engines.readiness import in_thread
from mictape.failure import Failure, MictapeError
from mictape.library.library import Library
from mictape.library.records import SessionRecord, VersionRecord
from mictape.library.titles import name_of
from mictape.recognition.live import Plan
from mictape.recording.again import Again
from mictape.recording.readings import Readings
from mictape.session.events import Trouble
from mictape.session.session import Session
from mictape.session.track import Track
from mictape.tasks import supervised
from mictape.vad.client import Listening

Report = Callable[[VersionRecord | Failure], None]
"""Gets the version that was made, or what went wrong."""

GIVE_UP_S: Final = 30.0
"""As long as `sessions transcribe` waits for a connection."""


@dataclass
class Transcription:
    """One session that is transcribed again, or waits for its turn."""

    session: SessionRecord
    engine: str = ""
    """What people call the engine; empty while it waits."""
    tracks: Sequence[Track] = ()
    task: "asyncio.Task[None]" = field(init=False)

    @property
    def done(self) -> float:
        """How much of the sound is answered for, 0 to 1."""
        samples = sum(track.tape.samples for track in self.tracks)
        reached = sum(track.coverage.reached(track.end) - track.tape.origin for track in self.tracks)
        return reached / samples if samples else 0.0

    def __str__(self) -> str:
        """How far it is: `transcribing, 45 %`."""
        return f"transcribing, {self.done:.0%}".replace("%", " %") if self.engine else "waits to be transcribed"


class Transcriptions:
    """Makes new versions of texts. One session at a time is transcribed; the others wait."""

    def __init__(
        self, log: Path, sound: SoundPort, listening: Listening, readings: Readings, *, send_all: bool = False
    ) -> None:
        """Prepare.

        Args:
            log: The file that child processes append to.
            sound: What a session records and plays with.
            listening: The speech detector.
            readings: The sessions that are read meanwhile.
            send_all: Whether silence is sent to engines, too.
        """
        self._plan = Plan(send_all=send_all, give_up_s=GIVE_UP_S)
        self._log = log
        self._sound = sound
        self._listening = listening
        self._readings = readings
        self._turn = asyncio.Lock()
        self._running: dict[str, Transcription] = {}
        self.given_up: list[str] = []
        """The names of the sessions that were not finished when it was closed."""

    def of(self, session: str) -> Transcription | None:
        """What is done with this session, by its id; None when nothing is."""
        return self._running.get(session)

    def __str__(self) -> str:
        """What is done now: `"Budget": transcribing, 45 %`; empty: nothing."""
        return "   ".join(f'"{name_of(each.session)}": {each}' for each in self._running.values())

    def start(
        self,
        library: Library,
        session: SessionRecord,
        make: Callable[[], Engine],
        request: Request,
        report: Report,
    ) -> None:
        """Transcribe a session again; does nothing while that is under way.

        Args:
            library: Where it is.
            session: The session; it may be open to be read.
            make: Makes an engine, which is closed afterwards; it may take long and raise MictapeError.
            request: What is asked of the engine.
            report: Gets what became of it, unless it was cancelled.
        """
        if session.id not in self._running:
            running = self._running[session.id] = Transcription(session)
            work = self._run(library, running, make, request, report)
            running.task = asyncio.create_task(supervised(work, "Transcribing again", report), name="again")

    async def cancel(self, session: str) -> None:
        """Stop transcribing a session; its text stays as it was."""
        if (running := self._running.get(session)) is not None:
            running.task.cancel()
            await asyncio.wait([running.task])
            self._running.pop(session, None)  # it may not have begun

    async def close(self) -> None:
        """Cancel all of them."""
        self.given_up += [name_of(each.session) for each in self._running.values()]
        for session in list(self._running):
            await self.cancel(session)

    async def _run(
        self, library: Library, running: Transcription, make: Callable[[], Engine], request: Request, report: Report
    ) -> None:
        try:
            async with self._turn:
                engine = await in_thread(make)
                try:
                    version = await self._transcribe(library, running, engine, request, report)
                finally:
                    await engine.close()
        finally:
            self._running.pop(running.session.id, None)
        report(version)

    async def _transcribe(
        self, library: Library, running: Transcription, engine: Engine, request: Request, report: Report
    ) -> VersionRecord:
        if (failure := await engine.check(request)) is not None:
            raise MictapeError(failure)
        again = await Again.begin(library, running.session.id)
        try:
            session = await Session.complete(
                again.copy,
                again.stored,
                engine,
                request,
                log=self._log,
                sound=self._sound,
                listening=self._listening,
                plan=self._plan,
            )
            running.engine, running.tracks = engine.title, session.tracks
            await _follow(session, report)
            async with self._readings.closed(running.session.id):
                return await again.keep(engine, session.tracks)
        finally:
            await again.close()


async def _follow(session: Session, report: Report) -> None:
    """Follow all tracks of a session to their ends and close it. Raises MictapeError when its engine cannot go on."""
    reporting = asyncio.create_task(_report_troubles(session, report), name="again: events")
    try:
        await asyncio.gather(*(session.follow(track) for track in session.tracks))
        await session.stop()
    finally:
        await session.close()
        await asyncio.wait([reporting])
    stopped = (track.follower for track in session.tracks if track.follower and track.follower.state == "stopped")
    for follower in stopped:
        if follower.failure is not None:
            raise MictapeError(follower.failure)


async def _report_troubles(session: Session, report: Report) -> None:
    async for event in session.events():
        if isinstance(event, Trouble):
            report(event.failure)
