"""One sitting: its tracks, their text, and how both are kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from tui.audio.messages import RATE, Ended, Hole, Paused, Progress
from tui.audio.source import DeviceSource, FileSource, Source, SourceChanged, SourceSpec
from tui.audio.source import Event as SourceEvent
from tui.audio.tape import Tape, count_samples
from tui.engines.base import Answered, Engine, Lost, Notice, Partial, Request, Speakers
from tui.engines.base import Final as FinalTurn
from tui.failure import Failure, MictapeError
from tui.session.coverage import Coverage, Gap
from tui.session.follower import Follower, Plan, Told
from tui.session.recovery import Remains, intervals_of
from tui.session.track import Track
from tui.transcript.kept import KeptLine, Word
from tui.transcript.library import Library, SessionFolder
from tui.transcript.model import Kind, Line, PartialText, Transcript

RETRY_S: Final = 1.0
"""How long a line that could not be kept waits before it is tried again."""

STOPPED: Final = "the session was stopped first"


@dataclass(frozen=True, slots=True)
class LineAdded:
    """A final line stands in the transcript."""

    line: KeptLine


@dataclass(frozen=True, slots=True)
class LineRevised:
    """The engine has a better text for a line that was final already."""

    line: KeptLine


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """A file or standard input has been read to its end."""

    track: int
    warning: str
    """A sentence when it was not whole; else empty."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong; the session goes on."""

    failure: Failure


Event = LineAdded | LineRevised | SourceEnded | Trouble
"""What a session reports. How loud and how far it is, is asked of its tracks instead."""


class Session:
    """Joins sound, engine and text for as long as one sitting lasts.

    `capture` and `follow` are coroutines that whoever owns the session runs side by side, two a track. `stop`
    ends the sound; the followers then end when all is answered; `close` settles what is left and lets go.
    `events` is one iterator of all that happened. Belongs to the event loop it was made in.
    """

    def __init__(
        self,
        folder: SessionFolder,
        library: Library,
        engine: Engine,
        ask: Request,
        *,
        log: Path,
        transcript: Transcript | None = None,
        plan: Plan | None = None,
    ) -> None:
        self.folder = folder
        self.engine = engine
        self.transcript = Transcript() if transcript is None else transcript
        self.tracks: list[Track] = []
        self.paused = False
        self.stopped = False
        self._library = library
        self._ask = ask
        self._plan = plan or Plan()
        self._log = log
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._writes: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._turns: dict[tuple[int, int], dict[int, int]] = {}
        """For each track and connection the line of each of its turns."""
        self._followers: dict[int, asyncio.Task[None]] = {}
        self._keeper = asyncio.create_task(self._keep(), name="keeper")

    @classmethod
    async def begin(
        cls,
        library: Library,
        engine: Engine,
        ask: Request,
        *,
        log: Path,
        transcript: Transcript | None = None,
        plan: Plan | None = None,
    ) -> "Session":
        """Begin a new session. Raises MictapeError when it cannot be kept."""
        folder = await library.create_session(settings={"engine": engine.name})
        return cls(folder, library, engine, ask, log=log, transcript=transcript, plan=plan)

    @classmethod
    async def go_on(
        cls,
        library: Library,
        remains: Remains,
        spec: SourceSpec,
        engine: Engine,
        ask: Request,
        *,
        log: Path,
        transcript: Transcript,
        plan: Plan | None = None,
    ) -> "Session":
        """Take up a session that was cut off: its lines are there, and what has no text yet is work.

        Its first track goes on with the source `spec`; the time in between is a pause. Raises MictapeError.
        """
        folder = await library.resume_session(remains.session.id)
        session = cls(folder, library, engine, ask, log=log, transcript=transcript, plan=plan)
        for line in remains.lines:
            transcript.add(
                line.track, line.start, line.end, line.text, kind=line.kind, speaker=line.speaker, id=line.id
            )
        for left in remains.tracks:
            track = session._put_track(left.track.number, spec, left.track.origin, left.coverage)
            for start, end in left.coverage.holes:
                session._show_hole(track, start, end, "lost before the session was cut off")
        return session

    @classmethod
    async def complete(
        cls, library: Library, remains: Remains, engine: Engine, ask: Request, *, log: Path, plan: Plan | None = None
    ) -> "Session":
        """Take up a session to complete it: nothing is recorded, and every gap of it is work again.

        Its tapes have ended, so `follow` ends when all of them is answered for. Raises MictapeError.
        """
        for left in remains.tracks:
            left.coverage.reopen()
        nothing = FileSource(Path())
        session = await cls.go_on(library, remains, nothing, engine, ask, log=log, transcript=Transcript(), plan=plan)
        for track in session.tracks:
            track.tape.end()
        return session

    def add_track(self, spec: SourceSpec) -> Track:
        """Add a track that is about to record; its sound is written and read once `capture` runs."""
        track = self._put_track(len(self.tracks) + 1, spec, 0, Coverage())
        self._write(partial(self._library.add_track, self.folder.session, track.kept()))
        return track

    def _put_track(self, number: int, spec: SourceSpec, origin: int, coverage: Coverage) -> Track:
        tape = Tape(self.folder.path, number, origin)
        tape.report(count_samples(self.folder.path, number))
        track = Track(number, spec, self._source(number, spec, tape), tape, coverage)
        self.tracks.append(track)
        return track

    def _source(self, number: int, spec: SourceSpec, tape: Tape) -> Source:
        return Source(spec, self.folder.path, number, tape, log=self._log)

    # What runs side by side.

    async def capture(self, track: Track) -> None:
        """Record a track until its source ends. Raises MictapeError when it cannot be opened."""
        track.capturing = True
        try:
            await self._open(track, track.source)
            source = None
            while source is not track.source:  # another device may be chosen meanwhile; it is open already then
                source = track.source
                async for event in source:
                    self._on_source(track, event)
        finally:
            track.capturing = False
            await track.source.close()

    async def follow(self, track: Track) -> None:
        """Turn a track's tape into text until the tape has ended and all of it is settled.

        Returns early when the engine cannot go on for good; its follower's state says so. A change of engine goes on
        with what is not answered yet.
        """
        track.following = True
        try:
            engine = None
            while engine is not self.engine:
                engine = self.engine
                await self._follow_with(track, engine)
        finally:
            track.following = False

    async def _follow_with(self, track: Track, engine: Engine) -> None:
        hear = partial(self._on_told, track)
        plan = replace(self._plan, live=isinstance(track.spec, DeviceSource))
        track.follower = Follower(track.tape, track.coverage, engine, self._ask, hear, plan=plan)
        running = self._followers[track.number] = asyncio.create_task(track.follower.run())
        try:
            await asyncio.shield(running)
        except Lost:
            pass  # the follower's state and failure say so for as long as it is true
        except asyncio.CancelledError:
            if engine is self.engine or not running.cancelled():  # it is not the engine that was changed
                running.cancel()
                await asyncio.wait([running])
                raise

    async def events(self) -> AsyncIterator[Event]:
        """What happens, until the session is closed."""
        while (event := await self._events.get()) is not None:
            yield event

    # What the person does.

    def pause(self) -> None:
        """Write nothing until `resume`; what was said before is still answered for."""
        self.paused = True
        for track in self.tracks:
            track.source.pause()

    def resume(self) -> None:
        """Write again."""
        self.paused = False
        for track in self.tracks:
            track.source.resume()

    async def choose(self, track: Track, spec: SourceSpec) -> None:
        """Go on with another source on the same tape.

        The new one is open before the old one is closed. Raises MictapeError when it cannot be opened; the old
        one then goes on as if nothing had been asked. While the track is not captured, the next `capture` opens
        the new source.
        """
        source = self._source(track.number, spec, track.tape)
        if not track.capturing:
            track.change_source(spec, source)
            return
        await source.open()
        old = track.source
        track.change_source(spec, source)
        await old.close()
        self._begin_writing(track, source)
        line = self._add(track, track.end, track.end, f"microphone: {track.name}", kind=Kind.DIVIDER)
        self._keep_line(track, self._kept(line))

    async def use(self, engine: Engine, plan: Plan | None = None) -> None:
        """Go on with another engine: tape, clock and text stay, and what was not answered goes to the new one."""
        old, self.engine = self._plan.fill, engine
        self._plan = plan or self._plan
        self._turns.clear()
        for track in self.tracks:
            self.transcript.set_partial(track.number, None)
            line = self._add(track, track.end, track.end, f"engine: {engine.title}", kind=Kind.DIVIDER)
            self._keep_line(track, self._kept(line))
            if (running := self._followers.get(track.number)) is not None:
                running.cancel()
                await asyncio.wait([running])
        await self._let_go(old)

    async def stop(self) -> None:
        """End the sound. The followers end by themselves when they have answered for all of it."""
        self.stopped = True
        for track in self.tracks:
            await track.source.close()
            track.tape.end()

    async def close(self) -> None:
        """Settle what is left: what no engine has answered for is a gap. Nothing runs any more after this."""
        for track in self.tracks:
            track.coverage.give_up(track.tape.origin, track.end, STOPPED)
            self._keep_coverage(track)
        self._write(partial(self._library.close_session, self.folder.session))
        self._writes.put_nowait(None)
        self.stopped = True
        await self._keeper
        self._events.put_nowait(None)
        await self._let_go(self._plan.fill, ended=True)
        self.folder.release()

    async def _let_go(self, fill: Engine | None, *, ended: bool = False) -> None:
        """End an engine that only filled in; the leading one belongs to whoever made it."""
        if fill is not None and fill is not self.engine and (ended or fill is not self._plan.fill):
            await fill.close()

    # What the source says.

    async def _open(self, track: Track, source: Source) -> None:
        track.source_state = "opening"
        try:
            await source.open()
        except MictapeError as error:
            track.source_state, track.failure = "lost", error.failure
            raise
        self._begin_writing(track, source)

    def _begin_writing(self, track: Track, source: Source) -> None:
        track.source_state, track.failure = "open", None
        if self.paused:
            source.pause()
        source.go()

    def _on_source(self, track: Track, event: SourceEvent) -> None:
        match event:
            case Progress():
                track.feed(event)
            case Hole(start, end, why):
                self._on_hole(track, start + track.tape.origin, end + track.tape.origin, why)
            case Paused():
                if track.follower is not None:
                    track.follower.endpoint()
            case SourceChanged(state, failure):
                track.source_state, track.failure = state, failure
                if failure is not None:
                    self._tell(Trouble(failure))
            case Ended(_, why, warning):
                track.source_state = "ended"
                if why == "exhausted":
                    track.tape.end()
                    self._tell(SourceEnded(track.number, warning))

    def _on_hole(self, track: Track, start: int, end: int, why: str) -> None:
        track.coverage.hole(start, end)
        track.lost += end - start
        self._show_hole(track, start, end, why)
        self._keep_coverage(track)

    def _show_hole(self, track: Track, start: int, end: int, why: str) -> None:
        self._add(track, start, end, f"{(end - start) / RATE:.1f} s lost: {why}", kind=Kind.HOLE)

    # What the engine says.

    def _on_told(self, track: Track, told: Told) -> None:
        match told.heard:
            case Partial() if told.live:
                self._on_partial(track, told.heard)
            case FinalTurn():
                self._on_final(track, told, told.heard)
            case Gap(start, end, why):
                self._add(track, start, end, f"{(end - start) / RATE:.0f} s not transcribed: {why}", kind=Kind.GAP)
                self._keep_coverage(track)
            case Speakers(turns):
                self._on_speakers(track, told.connection, turns)
            case Notice(text):
                self._tell(Trouble(Failure(text)))
            case Answered() if self.transcript.partials.get(track.number) is not None and track.tape.ended:
                # All is said; a partial that never became final came to nothing.
                if track.coverage.reached(track.end) == track.end:
                    self.transcript.set_partial(track.number, None)
            case _:
                pass

    def _on_partial(self, track: Track, heard: Partial) -> None:
        track.time_words(heard.words)
        start = track.coverage.reached(track.end) if heard.start is None else heard.start
        text = PartialText(start, heard.text, heard.stable) if heard.text else None
        self.transcript.set_partial(track.number, text)

    def _on_final(self, track: Track, told: Told, heard: FinalTurn) -> None:
        if told.live:
            track.time_words(heard.words)
            self.transcript.set_partial(track.number, None)
        connection = told.connection
        turns = self._turns.setdefault((track.number, connection), {})
        if (id := turns.get(heard.turn)) is not None:
            self.transcript.revise(id, heard.text, start=heard.start, end=heard.end, speaker=heard.speaker)
            kept = self._kept(self.transcript.line(self.transcript.index_of(id)), heard, connection)
            self._keep_line(track, kept, revised=True)
            self._tell(LineRevised(kept))
        elif heard.text:
            # Without times of its own a line gets the stretch it answers for.
            start = track.coverage.reached(track.end) if heard.start is None else heard.start
            end = max(start, track.follower.received if track.follower else start) if heard.end is None else heard.end
            line = self._add(track, start, end, heard.text, kind=Kind.SPEECH, speaker=heard.speaker)
            turns[heard.turn] = line.id
            kept = self._kept(line, heard, connection)
            self._keep_line(track, kept)
            self._tell(LineAdded(kept))

    def _on_speakers(self, track: Track, connection: int, turns: Mapping[int, str]) -> None:
        """Who spoke in lines already final, revised. Turns that gave no line have nobody to name."""
        ids = self._turns.get((track.number, connection), {})
        for turn, speaker in turns.items():
            if (id := ids.get(turn)) is not None:
                self.transcript.revise(id, speaker=speaker)
                self._write(partial(self._library.set_speaker, self.folder.session, id, speaker))

    def _add(self, track: Track, start: int, end: int, text: str, *, kind: Kind, speaker: str | None = None) -> Line:
        id = self.transcript.add(track.number, start, end, text, kind=kind, speaker=speaker)
        return self.transcript.line(self.transcript.index_of(id))

    # What is kept.

    def _kept(self, line: Line, heard: FinalTurn | None = None, connection: int | None = None) -> KeptLine:
        """A line as the library keeps it."""
        words = (heard.words if heard else None) or ()
        return KeptLine(
            id=line.id,
            track=line.track,
            start=line.start,
            end=line.end,
            text=line.text,
            kind=line.kind,
            speaker=line.speaker,
            language=heard.language if heard else None,
            engine=self.engine.name if heard else None,
            connection=connection,
            turn=heard.turn if heard else None,
            words=tuple(Word(w.text, w.start, w.end, w.confidence, w.speaker) for w in words) or None,
        )

    def _keep_line(self, track: Track, kept: KeptLine, *, revised: bool = False) -> None:
        write = self._library.revise_line if revised else self._library.add_line
        self._write(partial(write, self.folder.session, kept))
        self._keep_coverage(track)

    def _keep_coverage(self, track: Track) -> None:
        session, number = self.folder.session, track.number
        # Taken down now, so that it never claims more than the lines written before it.
        self._write(partial(self._library.set_coverage, session, number, intervals_of(track.coverage)))
        length = partial(self._library.update_track, session, number, samples=track.tape.samples, lost=track.lost)
        self._write(length)

    async def _keep(self) -> None:
        """Write to the library what there is to write, in order, until the session is closed."""
        while (write := await self._writes.get()) is not None:
            await self._written(write)

    def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        self._writes.put_nowait(write)

    async def _written(self, write: Callable[[], Awaitable[None]]) -> None:
        told = False
        while True:
            try:
                await write()
            except MictapeError as error:
                if not told:
                    self._tell(Trouble(error.failure))
                told = True
                if self.stopped:
                    return
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _tell(self, event: Event) -> None:
        self._events.put_nowait(event)
