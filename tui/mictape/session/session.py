"""One session: its tracks, and what runs side by side for them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final, Required, TypedDict, Unpack

from msgspec import structs

from mictape.audio.ports import SoundPort, SoundSystem
from mictape.audio.source_spec import DeviceSource, FileSource, SourceSpec
from mictape.audio.tape import TapeError
from mictape.engines.base import Engine, Lost, Request
from mictape.failure import Failure
from mictape.library.export import Document, Style
from mictape.library.labels import rename_session
from mictape.library.library import Library, SessionFolder, Store
from mictape.library.records import LineRecord, SessionRecord
from mictape.recognition.follower import Follower
from mictape.recognition.live import Plan
from mictape.recognition.stretches import FollowedTrack
from mictape.session.documents import read_document, shown_document
from mictape.session.events import Event, Trouble
from mictape.session.gap_completion import GapCompletion
from mictape.session.own_playback import OwnPlayback
from mictape.session.recovery import StoredSession
from mictape.session.sound import SessionSound
from mictape.session.track import Track
from mictape.session.track_clock import FIRST, TapeClock
from mictape.session.transcript_writer import TranscriptWriter
from mictape.transcript.model import Transcript
from mictape.units import Span
from mictape.vad.client import Listening

_LOOK_S: Final = 0.2
"""While the library is waited for, it is looked so often whether it can be written."""
STOPPED: Final = "the session was stopped first"


class Parts(TypedDict, total=False):
    """What every session can be given, however it is opened."""

    log: Required[Path]
    sound: SoundPort | None
    """Makes sources and players; None: those of this machine."""
    transcript: Transcript | None
    """Shows its text; None: one of its own."""
    plan: Plan | None
    listening: Listening | None
    """Detects speech; None: it is estimated from the levels."""


class Session:
    """Joins sound, engine and text while one session is recorded.

    `sound.capture` and `follow` are coroutines that the session's owner runs side by side, two a track. `stop` ends the
    sound; the followers then end when everything is answered; `close` settles what is left and releases the session.
    `events` is one iterator of everything that happened. Belongs to the event loop it was made in.
    """

    def __init__(
        self,
        folder: SessionFolder,
        record: SessionRecord,
        library: Library,
        engine: Engine,
        request: Request,
        *,
        connections: int = 0,
        **parts: Unpack[Parts],
    ) -> None:
        """Use `begin`, `go_on`, `complete` or `read`. `connections` have been made before, `record` is as it is now."""
        transcript, listening = parts.get("transcript"), parts.get("listening")
        self.folder = folder
        self.engine = engine
        self.transcript = Transcript() if transcript is None else transcript
        self.tracks: list[Track] = []
        self.closed = False
        self._record = record
        """What the library said of it last."""
        self.reading = False
        """Whether it was finished before and nothing is recorded in it."""
        self._samples_before: list[int] = []
        """Lengths of the tapes when it was opened."""
        self._request = request
        self._plan = parts.get("plan") or Plan()
        self._listening = listening
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._followers: dict[int, asyncio.Task[None]] = {}
        self._numbers = count(connections)
        """Numbers the connections of the session."""
        self._writes = library.writes(folder.session, self.report)
        self.writer = TranscriptWriter(self.transcript, self._writes, self.tracks, self._emit)
        """Everything that changes the text."""
        sound = parts.get("sound") or SoundSystem(parts["log"])
        self.sound = SessionSound(
            folder.path,
            self.tracks,
            sound=sound,
            transcript=self.transcript,
            writer=self.writer,
            report=self._emit,
        )
        """Everything that records."""
        self.own_playback = OwnPlayback(self.tracks, self.writer)
        self._completion = GapCompletion(
            self.transcript, self.writer, self.report, numbers=self._numbers, listening=listening
        )
        self._check_request()

    @classmethod
    async def begin(
        cls,
        library: Library,
        engine: Engine,
        request: Request,
        **parts: Unpack[Parts],
    ) -> "Session":
        """Begin a new session. Raises MictapeError when it cannot be kept."""
        folder = await library.run(Store.create_session, settings={"engine": engine.name, "engine_title": engine.title})
        record = await library.run(Store.session, folder.session)
        return cls(folder, record, library, engine, request, **parts)

    @classmethod
    async def go_on(
        cls,
        library: Library,
        stored: StoredSession,
        spec: SourceSpec | None,
        engine: Engine,
        request: Request,
        *,
        shared: bool = False,
        **parts: Unpack[Parts],
    ) -> "Session":
        """Go on with a session that was interrupted: its lines are there, and what has no text yet is open.

        Its first track goes on with the source `spec`; the time in between is a pause. The others have ended, and go on
        when their devices are joined again by the caller; without `spec` the first one has ended, too. `shared`: as
        `SessionFolder` takes it. Raises MictapeError.
        """
        folder = await library.run(Store.resume_session, stored.session.id, shared=shared)
        session = cls(folder, stored.session, library, engine, request, connections=stored.connections, **parts)
        session._show(stored, spec)
        return session

    @classmethod
    async def complete(
        cls,
        library: Library,
        stored: StoredSession,
        engine: Engine,
        request: Request,
        **parts: Unpack[Parts],
    ) -> "Session":
        """Open a session to complete it: nothing is recorded, and every gap of it is open again.

        Its tapes have ended, so `follow` ends when all of them is answered for. Raises MictapeError.
        """
        for left in stored.tracks:
            left.coverage.reopen()
        return await cls.go_on(library, stored, None, engine, request, shared=True, **parts)

    @classmethod
    async def read(
        cls,
        library: Library,
        stored: StoredSession,
        engine: Engine,
        request: Request,
        **parts: Unpack[Parts],
    ) -> "Session":
        """Open a finished session to read and edit it: nothing is recorded, and what has no text yet is a gap.

        Opening and closing it write nothing. Raises MictapeError, also when it is recorded or open already.
        """
        folder = await library.run(Store.hold_session, stored.session.id, shared=True)
        session = cls(folder, stored.session, library, engine, request, connections=stored.connections, **parts)
        session.reading = True
        session._show(stored, None)
        for track, left in zip(session.tracks, stored.tracks, strict=True):
            for gap in left.gaps:
                track.coverage.give_up(gap.start, gap.end, gap.why)
            track.coverage.give_up(track.tape.origin, track.end, STOPPED)
            session.writer.show_gaps(track)
        return session

    def _show(self, stored: StoredSession, spec: SourceSpec | None) -> None:
        """Take up all of a stored session; its first track goes on with `spec`, if there is one."""
        stored.show_in(self.transcript)
        for left in stored.tracks:
            track = self.sound.take_up(left, spec)
            track.speakers.reserve(line.speaker for line in stored.lines if line.speaker is not None)
            self._samples_before.append(track.tape.samples)
        self.writer.show_track_names()

    # What runs side by side.

    async def follow(self, track: Track) -> None:
        """Turn a track's tape into text until the tape has ended and all of it is settled.

        Returns early when the engine cannot go on for good; its follower's state says so. A change of engine goes on
        with what is not answered yet.
        """
        track.following = True
        try:
            engine = tape = None
            while engine is not self.engine or tape is not track.tape:  # another tape: it is recorded again
                engine, tape = self.engine, track.tape
                await self._follow_with(track, engine)
        finally:
            track.following = False

    async def _follow_with(self, track: Track, engine: Engine) -> None:
        plan = replace(self._plan, live=isinstance(track.spec, DeviceSource))
        followed = FollowedTrack(
            track.tape,
            track.coverage,
            partial(self.writer.write, track),
            self._numbers,
            track.speakers,
            self._listening,
        )
        track.follower = Follower(followed, engine, self._request, plan)
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

    def report(self, failure: Failure) -> None:
        """Say among the events that something went wrong; the session goes on."""
        self._emit(Trouble(failure))

    # What the person does.

    async def use(self, engine: Engine, plan: Plan | None = None, *, language: str | None = None) -> None:
        """Go on with another engine: tape, clock and text stay, and what was not answered goes to the new one.

        With a `language`, that one is asked for from now on. A session that is read only completes its gaps with it.

        The engines before are not used after this; closing them is up to the caller.
        """
        self.engine = engine
        self._plan = plan or self._plan
        self._request = replace(self._request, language=language or self._request.language)
        if not self.reading:
            self.writer.add_divider(self.tracks[0], f"engine: {engine.title}")
        self._check_request()
        for track in self.tracks:
            if (running := self._followers.get(track.number)) is not None:
                running.cancel()
                await asyncio.wait([running])
            self.writer.leave_partial(track)

    @property
    def key_terms(self) -> tuple[str, ...]:
        """The words that the engine is to expect."""
        return self._request.key_terms

    async def set_key_terms(self, terms: tuple[str, ...]) -> None:
        """Have the engine expect these words, on the connections that live and on those to come."""
        if terms != self.key_terms:
            self._request = replace(self._request, key_terms=terms)
            self._check_key_terms()
            for track in self.tracks:
                if track.follower is not None:
                    await track.follower.change_request(self._request)

    def _check_request(self) -> None:
        """Report what of the request does not reach the engine."""
        can, language = self.engine.capabilities, self._request.language
        if language is not None and not can.takes_language and not can.languages:
            what = f"{self.engine.title} takes no language: its model decides which one it recognises"
            self.report(Failure(what, f"Serve a model for {language}, or choose another engine"))
        self._check_key_terms()

    def _check_key_terms(self) -> None:
        """Report key terms that do not reach the engine."""
        if self._request.key_terms and not self.engine.capabilities.takes_key_terms:
            what = f"{self.engine.title} takes no key terms; it will not favour them"
            self.report(Failure(what, "Choose another engine to use them"))

    def complete_gap(self, id: int) -> None:
        """Have the engine of now turn a gap's sound into text, beside what goes on.

        Raises KeyError when no line has this id, and MictapeError when it is no gap.
        """
        self._completion.begin(self.writer.track_of(id), id, self.engine, self._request)

    def completes(self, id: int) -> bool:
        """Whether the gap whose line has this id is being turned into text."""
        return self._completion.completes(id)

    async def rename(self, title: str) -> None:
        """Give it a title; an empty one takes the person's away. Raises MictapeError when it is too long."""
        await self._writes.run(rename_session, title)
        await self.reread_title()

    async def reread_title(self) -> None:
        """Take the title that the library has now: it may be given there. Raises MictapeError."""
        self._record = await self._writes.run(Store.session)

    @property
    def title(self) -> str:
        """Given by the person; empty without one."""
        return self._record.given_title

    @property
    def file(self) -> str:
        """The name, without its ending, of the file that it was read from; empty where it was none."""
        specs = (track.spec for track in self.tracks)
        return next((spec.path.stem for spec in specs if isinstance(spec, FileSource)), "")

    @property
    def started(self) -> datetime:
        """When it began, local time."""
        return self._record.started

    async def unsure(self, lines: Sequence[int]) -> Mapping[int, tuple[Span, ...]]:
        """Where in the texts of lines, by id, the words stand that the engine was unsure of. Raises MictapeError."""
        return await self._writes.run(Store.unsure, lines)

    @property
    def unwritten(self) -> Failure | None:
        """Why the library cannot take what was said and done last; it is tried again."""
        return self._writes.unwritten

    async def removed_lines(self) -> list[LineRecord]:
        """The lines that were removed from this version of the text, the last one last. Raises MictapeError."""
        return await self._writes.run(Store.removed_lines)

    async def word_start(self, line: int, at: int) -> int | None:
        """Session time of the word at character `at` of a line; None where it is not known. Raises MictapeError."""
        return await self._writes.run(Store.word_start, line, at)

    def utc_of(self) -> Callable[[int], float | None]:
        """Gives the moment of a session time, seconds since 1970 UTC; None where the tape's anchors do not say."""
        tape = TapeClock(self.folder.path, FIRST)

        def moment(at: int) -> float | None:
            try:
                return tape.now().utc(at)
            except TapeError:
                return None

        return moment

    async def document(self, style: Style, lines: Collection[int] | None = None) -> Document:
        """The text so far, or these lines of it, by id, as an export takes it.

        While something cannot be written to the library, it is what is shown: without the times of words.

        Raises MictapeError.
        """
        reading = asyncio.ensure_future(self._writes.run(read_document, self.folder.path, style, lines))
        while self.unwritten is None:
            done, _ = await asyncio.wait([reading], timeout=_LOOK_S)
            if done:
                return reading.result()
        reading.cancel()
        shown = map(self.transcript.line_of, self.transcript.ids())
        tracks = [track.record() for track in self.tracks]
        record = structs.replace(self._record, title=self.title, samples=max(track.end for track in self.tracks))
        return shown_document(record, self.folder.path, tracks, shown, style, lines=lines)

    async def stop(self) -> None:
        """End the sound. The followers end by themselves when all of it is answered for."""
        self._writes.stop_retrying()
        await self.sound.stop()

    async def close(self) -> None:
        """Settle what is left: what no engine has answered for is a gap. Nothing runs any more after this.

        Raises:
            MictapeError: (`ExitCode.SOUND`) something could not be stored. All is released even so; the session is
                left open, as after a kill, so that it can be recovered.
        """
        self.sound.stopped = self.closed = True
        await self._completion.close()
        if not self.reading:
            for track in self.tracks:
                self.writer.give_up(track, STOPPED)
        recorded = [track.tape.samples for track in self.tracks] != self._samples_before
        try:
            await self._writes.close(None if self.reading else partial(Store.close_session, recorded=recorded))
        finally:
            self._events.put_nowait(None)
            self.folder.release()

    def _emit(self, event: Event) -> None:
        self._events.put_nowait(event)
