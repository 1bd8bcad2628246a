"""One recording from its first sample to its last line: what it needs, what runs for it, and how it ends."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from msgspec.structs import replace

from mictape.audio.devices import Device
from mictape.audio.ports import PlayerPort, SoundPort, SoundSystem
from mictape.audio.source import UNKEPT
from mictape.audio.source_spec import SourceSpec
from mictape.engines.base import Engine
from mictape.engines.readiness import in_thread
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library import imported, sound_storage, trash
from mictape.library.library import Library, Store
from mictape.library.records import VersionRecord
from mictape.paths import Places
from mictape.recording.again import Again
from mictape.recording.beside import Transcriptions
from mictape.recording.engines import Engines
from mictape.recording.packing import pack_ended, pack_when_idle
from mictape.recording.playback import KnownPlayer
from mictape.recording.readings import Readings
from mictape.recording.recorded_devices import RecordedDevices
from mictape.recording.saved import Saved
from mictape.recording.track_tasks import TrackTasks
from mictape.session.recovery import StoredSession, load_session
from mictape.session.session import Session
from mictape.session.state import Status, worst_of
from mictape.session.track import Track
from mictape.settings import KeepAudio, Settings
from mictape.transcript.model import Transcript
from mictape.units import RATE
from mictape.vad.client import Listening

UNREACHABLE: Final = ("offline", "stopped")
"""States of an engine that will hardly answer while the end of a recording is waited for."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What ends a recording, and how long its end may take."""

    unattended: bool = False
    """Whether it ends by itself: with its sound or its engine, or when a source fails. Else only `stop` ends it."""
    give_up_s: float | None = None
    """How long to go on without a connection to the engine; None: for as long as it takes."""
    drain_s: float | None = None
    """How long the end waits for the engine to answer for the rest; None: for as long as it takes."""
    offline_drain_s: float | None = None
    """The same for an engine that cannot be reached when the end begins."""


class Recording:
    """A session and all that it needs: makes them, runs them, closes each of them once.

    Use it as `async with`: then `begin` or `complete`, then `run`. Belongs to the event loop it was entered in.
    """

    def __init__(
        self,
        where: Places,
        settings: Settings,
        policy: Policy | None = None,
        *,
        make_engine: Callable[[str], Engine] | None = None,
        sound: SoundPort | None = None,
        transcript: Transcript | None = None,
    ) -> None:
        """Make the engine; nothing is started.

        Args:
            where: Where sessions, choices and the log are kept.
            settings: The values in force.
            policy: What ends it.
            make_engine: Makes the engine of a name; None: with its settings and its key.
            sound: Makes sources and players, and lists devices; None: those of this machine.
            transcript: Takes the text; None: a new one.

        Raises:
            MictapeError: There is no such engine, a setting does not fit, or the keyring cannot be read.
        """
        self.where = where
        self.sound = sound or SoundSystem(where.log)
        self.transcript = transcript if transcript is not None else Transcript()  # an empty one is false
        self.failure: Failure | None = None
        """Why an unattended recording ended early, or what failed unexpectedly."""
        self._policy = policy or Policy()
        self._running = TrackTasks(self._on_failure)
        self.tasks = self._running.tasks
        """What runs for the recording, and whatever a view adds; all of it ends with the recording."""
        self.engines = Engines(where, settings, self._running, make_engine, give_up_s=self._policy.give_up_s)
        """The engine in use, and how another is used instead."""
        self.devices = RecordedDevices(self._running, settings, self.sound, where.state_file)
        """What is recorded, and how something else is."""
        self._library: Library | None = None
        self._stored: Library | None = None
        """The library on disk, opened where this session is not kept in it."""
        self._again: Again | None = None
        """Set when a finished session is transcribed again."""
        self.saved: Saved | None = None
        """What was kept, once the recording has ended; None when nothing was."""
        self._listening = Listening(where.log)
        self.readings = Readings(self.engines, self.sound, self._listening, where.log)
        """Finished sessions that are open to be read beside what is recorded."""
        self.beside = Transcriptions(
            where.log, self.sound, self._listening, self.readings, send_all=settings.send == "all"
        )
        """Finished sessions that are transcribed again beside it."""
        self._continued: StoredSession | None = None
        self._also: Sequence[Device] | None = None
        self.stopped = asyncio.Event()
        """Set once the end has been asked for."""
        self._leaving = asyncio.Event()
        """Set when the rest of the text is not waited for."""
        self._hurried = asyncio.Event()
        """Set when nothing is: neither the text nor the sound."""

    async def __aenter__(self) -> Self:
        """Open the library. Raises MictapeError."""
        kept = (self.where.library, self.where.sessions) if self.settings.keep else (None, None)
        try:
            self._library = await Library.open(*kept)
            await self._library.run(imported.discard_cut_off)
        except BaseException:
            await self.engines.close()
            raise
        if self._keeps("flac"):
            self.tasks.start(pack_when_idle(self.where.sessions, self.where.log), "Packing finished sessions")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all that was made."""
        try:
            await self._end()
        finally:
            await self.beside.close()
            await self.engines.close()
            await self._listening.close()
            if self._library is not None:
                try:
                    await self.readings.close_all()
                    await self._tidy_up()
                finally:
                    if self._again is not None:
                        await self._again.close()
                    await self._library.close()
                    if self._stored is not None:
                        await self._stored.close()

    async def _tidy_up(self) -> None:
        """Put the session away if nothing happened in it, and empty the trash of what is old. Raises MictapeError."""
        if self.session is not None and self._again is None:
            id = self.session.folder.session
            became = await self.library.run(trash.put_away_if_empty, id)
            if became != "removed" and self.settings.keep:
                in_trash = became == "trash"
                kept = await self.library.run(partial(Store.session, trash=True) if in_trash else Store.session, id)
                newest = not in_trash and (await self.library.run(Store.session, "last")).id == id
                self.saved = Saved(kept, newest=newest, in_trash=in_trash)
        await self.library.run(trash.expire, self.settings.trash_days)

    # What there is.

    @property
    def library(self) -> Library:
        """The library, from entering to leaving."""
        assert self._library is not None
        return self._library

    async def stored(self) -> Library:
        """The library of finished sessions, whether or not this one is kept in it. Raises MictapeError."""
        if self.settings.keep:
            return self.library
        if self._stored is None:
            self._stored = await Library.open(self.where.library, self.where.sessions)
        return self._stored

    @property
    def session(self) -> Session | None:
        """The session, once it has begun."""
        return self._running.session

    @property
    def settings(self) -> Settings:
        """The values in force."""
        return self.engines.settings

    @property
    def tracks(self) -> Sequence[Track]:
        """The session's tracks, the first one first; empty before it begins."""
        return self._running.tracks

    @property
    def stopping(self) -> bool:
        """Whether the end has begun."""
        return self.stopped.is_set()

    @property
    def unreachable(self) -> bool:
        """Whether an engine of some track cannot be reached, so that leaving does not wait long for it."""
        return any(track.follower is not None and track.follower.state in UNREACHABLE for track in self.tracks)

    @property
    def behind_s(self) -> float:
        """Seconds of sound that no engine has answered for yet, of the track that is furthest behind."""
        return max((track.end - track.coverage.reached(track.end) for track in self.tracks), default=0) / RATE

    def status(self) -> Status | None:
        """What is true now, for the state line; None before the session has a track."""
        session = self.session
        if session is None or not self.tracks:
            return None
        tracks = [track.status(self.engines.in_use.title, paused=session.sound.paused) for track in self.tracks]
        return replace(worst_of(tracks), title=session.title, kept=self.settings.keep)

    def player(self) -> PlayerPort:
        """A player whose sound is not transcribed where the computer's sound is recorded."""
        return KnownPlayer(self.sound.player(), self._own_playback)

    def _own_playback(self) -> AbstractContextManager[None]:
        session = self.session
        return nullcontext() if session is None or session.closed else session.own_playback.playing()

    # How it begins.

    async def begin(
        self,
        *specs: SourceSpec,
        continued: StoredSession | None = None,
        also: Sequence[Device] | None = None,
    ) -> Session:
        """Begin a session with these sources, or go on with one that was cut off.

        Args:
            specs: What its first tracks record from its beginning; one that goes on has only one.
            continued: The session to go on with; its other devices are recorded again, too.
            also: Devices to record beside it; None: those of the settings.

        Raises:
            MictapeError: it cannot be kept.
        """
        self._continued, self._also = continued, also
        start = (
            partial(Session.begin, self.library)
            if continued is None
            else partial(Session.go_on, self.library, continued, specs[0])
        )
        session = await self._open(start)
        if continued is None:
            for spec in specs:
                self.devices.name(session.sound.add_track(spec))
        return session

    async def complete(self, which: str) -> Session:
        """Take up a finished session to transcribe what has no text yet. Raises MictapeError."""
        self._also = ()
        remains = await load_session(self.library, which)
        return await self._open(partial(Session.complete, self.library, remains))

    async def transcribe_again(self, which: str) -> Session:
        """Take up a finished session to transcribe all of it once more; then `run`, then `keep_version`.

        Raises MictapeError.
        """
        self._also = ()
        self._again = await Again.begin(self.library, which)
        return await self._open(partial(Session.complete, self._again.copy, self._again.stored))

    async def keep_version(self) -> VersionRecord:
        """Add what `transcribe_again` has brought as a new version of the text. Raises MictapeError."""
        assert self._again is not None, "transcribe_again comes first"
        return await self._again.keep(self.engines.in_use, self.tracks)

    async def _open(self, start: "Callable[..., Coroutine[Any, Any, Session]]") -> Session:
        session = await start(
            self.engines.in_use,
            self.engines.request,
            log=self.where.log,
            sound=self.sound,
            transcript=self.transcript,
            plan=self.engines.plan(),
            listening=self._listening,
        )
        self._running.session = session
        self.engines.users.append(session)
        return session

    # How it runs and ends.

    async def run(self, view: Coroutine[Any, Any, None]) -> None:
        """Record until the end, and finish the text.

        Args:
            view: Shows the session's events until they end. When it fails the recording ends at once.

        Raises:
            Exception: what `view` raised, once all is closed.
        """
        session = self.session
        assert session is not None, "begin comes first"
        showing = asyncio.create_task(view, name="view")
        showing.add_done_callback(lambda _: self._leave())
        try:
            for track in session.tracks:
                self._running.start(track)
            before = self._continued.added if self._continued is not None else []
            self.tasks.start(self.devices.add_wanted(self._also, before, self._on_failure), "Adding a device")
            await self._until_over()
            unkept = next((track.failure for track in self.tracks if track.source_state in UNKEPT.values()), None)
            await session.stop()
            await self._drain()
            self.failure = self.failure or unkept
        finally:
            await self._end()
            await asyncio.wait([showing])
        showing.result()

    def stop(self) -> None:
        """End the sound and finish the text; asked twice, leave at once."""
        if self.stopped.is_set():
            self.leave()
        self.stopped.set()

    def leave(self) -> None:
        """End the sound and wait for nothing: the rest of the text becomes a gap, the sound is packed later."""
        self._hurried.set()
        self._leave()

    def _leave(self) -> None:
        self._leaving.set()
        self.stopped.set()

    async def _until_over(self) -> None:
        """Wait for `stop`; unattended also for the end of all sources or all engines."""
        waits = [asyncio.create_task(self.stopped.wait())]
        if self._policy.unattended:
            waits += [asyncio.create_task(self._running.captured()), asyncio.create_task(self._running.followed())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _drain(self) -> None:
        """Wait until the engine has answered for everything, as long as the policy says or until `leave`."""
        finished = asyncio.create_task(self._running.followed())
        leaving = asyncio.create_task(self._leaving.wait())
        limits = [self._policy.drain_s, self._policy.offline_drain_s if self.unreachable else None]
        limit_s = min((limit_s for limit_s in limits if limit_s is not None), default=None)
        await asyncio.wait([finished, leaving], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in (finished, leaving):
            wait.cancel()

    async def _end(self) -> None:
        """End what runs and close the session; nothing happens the second time."""
        self._leave()
        await self.tasks.cancel()
        session = self.session
        if session is not None and not session.closed:
            await session.stop()
            try:
                await session.close()
            except MictapeError as error:  # text that is missing matters more than why the recording ended
                self.failure = error.failure
            else:
                await self._keep_sound(session)
            if self._policy.unattended:  # else the screen has shown it
                self.failure = self.failure or self.engines.failure

    def _keeps(self, how: KeepAudio) -> bool:
        return self.settings.keep and self.settings.keep_audio == how

    async def _keep_sound(self, session: Session) -> None:
        """Pack the sound of the session, or remove it if all of it has its text, as `keep_audio` says."""
        if self._keeps("flac") and not self._hurried.is_set():  # else at the next start
            packing = asyncio.create_task(pack_ended(session.folder.path, self.where.log))
            hurried = asyncio.create_task(self._hurried.wait())
            await asyncio.wait([packing, hurried], return_when=asyncio.FIRST_COMPLETED)
            for task in (packing, hurried):
                task.cancel()
            await asyncio.gather(packing, hurried, return_exceptions=True)
        wanted = self._keeps("none") and self._again is None
        if wanted and not any(track.coverage.gaps for track in session.tracks):
            try:
                await in_thread(partial(sound_storage.remove, session.folder.path))
            except MictapeError as error:
                self.failure = self.failure or error.failure

    def _on_failure(self, failure: Failure) -> None:
        """Something that runs for the recording has failed: show it; unattended, end."""
        if failure.code is ExitCode.UNEXPECTED or self._policy.unattended:
            self.failure = self.failure or failure
        if self._policy.unattended:
            self.leave()
        elif self.session is not None:
            self.session.report(failure)

    def toggle_pause(self) -> None:
        """Pause or resume."""
        session = self.session
        if session is not None and not self.stopping:
            (session.sound.resume if session.sound.paused else session.sound.pause)()
