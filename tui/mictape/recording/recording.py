"""One recording from its first sample to its last line: what it needs, what runs for it, and how it ends."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from mictape.audio.devices import Device
from mictape.audio.ports import PlayerPort, SoundPort, SoundSystem
from mictape.audio.source import UNKEPT
from mictape.audio.source_spec import DeviceSource, SourceSpec
from mictape.credentials import engine_with_key, log_in
from mictape.engines.base import Engine, Lost, Request
from mictape.engines.readiness import in_thread
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library import imported, sound_storage, trash
from mictape.library.library import Library, Store
from mictape.library.records import SessionRecord, VersionRecord
from mictape.paths import Places
from mictape.recognition.live import Plan
from mictape.recording.again import Again
from mictape.recording.beside import Report, Transcriptions
from mictape.recording.devices import devices_named, present, source_for
from mictape.recording.engines import EngineChoice, Engines
from mictape.recording.packing import pack_when_idle
from mictape.recording.playback import KnownPlayer
from mictape.recording.saved import Saved
from mictape.session.recovery import StoredSession, close_as_is, load_session
from mictape.session.session import Session
from mictape.session.state import Status, worst_of
from mictape.session.track import Track
from mictape.settings import ChosenDevice, Settings, remember
from mictape.tasks import Tasks
from mictape.transcript.model import Transcript
from mictape.units import RATE
from mictape.vad.client import Listening

LOCAL: Final = "local"
"""The engine that runs models on this machine."""

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
        self.settings = settings
        self.sound = sound or SoundSystem(where.log)
        self.transcript = transcript if transcript is not None else Transcript()  # an empty one is false
        self.failure: Failure | None = None
        """Why an unattended recording ended early, or what failed unexpectedly."""
        self._policy = policy or Policy()
        self._make_engine = make_engine or self._engine_with_key
        self._engines = Engines(self._make_engine)
        self._engine = self._engines.get(settings.engine)
        self._library: Library | None = None
        self._session: Session | None = None
        self._again: Again | None = None
        """Set when a finished session is transcribed again."""
        self._readings: list[Session] = []
        """Finished sessions that are open to be read."""
        self.saved: Saved | None = None
        """What was kept, once the recording has ended; None when nothing was."""
        self._listening = Listening(where.log)
        self.beside = Transcriptions(where.log, self.sound, self._listening, send_all=settings.send == "all")
        """Finished sessions that are transcribed again beside what is recorded."""
        self.tasks = Tasks(self._on_failure)
        """What runs for the recording, and whatever a view adds; all of it ends with the recording."""
        self._captures: set[asyncio.Task[None]] = set()
        self._follows: set[asyncio.Task[None]] = set()
        self._continued: StoredSession | None = None
        self._also: Sequence[Device] | None = None
        self.stopped = asyncio.Event()
        """Set once the end has been asked for."""
        self._leaving = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Open the library. Raises MictapeError."""
        kept = (self.where.library, self.where.sessions) if self.settings.keep else (None, None)
        try:
            self._library = await Library.open(*kept)
            await self._library.run(imported.discard_cut_off)
        except BaseException:
            await self._engines.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all that was made."""
        try:
            await self._end()
        finally:
            await self.beside.close()
            await self._engines.close()
            await self._listening.close()
            if self._library is not None:
                try:
                    for session in self._readings[:]:
                        await self.close_reading(session)
                    await self._tidy_up()
                finally:
                    if self._again is not None:
                        await self._again.close()
                    await self._library.close()

    async def _tidy_up(self) -> None:
        """Discard the session if nothing happened in it, and empty the trash of what is old. Raises MictapeError."""
        if self._session is not None and self._again is None:
            id = self._session.folder.session
            if not await self.library.run(trash.discard_if_empty, id) and self.settings.keep:
                kept = await self.library.run(Store.session, id)
                self.saved = Saved(kept, newest=(await self.library.run(Store.session, "last")).id == id)
        await self.library.run(trash.expire, self.settings.trash_days)

    # What there is.

    @property
    def library(self) -> Library:
        """The library, from entering to leaving."""
        assert self._library is not None
        return self._library

    @property
    def session(self) -> Session | None:
        """The session, once it has begun."""
        return self._session

    @property
    def engine(self) -> Engine:
        """The engine that leads."""
        return self._engine

    @property
    def tracks(self) -> Sequence[Track]:
        """The session's tracks, the first one first; empty before it begins."""
        return self._session.tracks if self._session is not None else ()

    @property
    def stopping(self) -> bool:
        """Whether the end has begun."""
        return self.stopped.is_set()

    @property
    def behind_s(self) -> float:
        """Seconds of sound that no engine has answered for yet, of the track that is furthest behind."""
        return max((track.end - track.coverage.reached(track.end) for track in self.tracks), default=0) / RATE

    def status(self) -> Status | None:
        """What is true now, for the state line; None before the session has a track."""
        if self._session is None or not self.tracks:
            return None
        session = self._session
        tracks = [track.status(self._engine.title, paused=session.paused) for track in self.tracks]
        return replace(worst_of(tracks), title=session.title)

    def player(self) -> PlayerPort:
        """A player whose sound is not transcribed where the computer's sound is recorded."""
        return KnownPlayer(self.sound.player(), self._own_playback)

    def _own_playback(self) -> AbstractContextManager[None]:
        session = self._session
        return nullcontext() if session is None or session.closed else session.own_playback.playing()

    # How it begins.

    async def interrupted(self) -> StoredSession | None:
        """The newest session that was cut off and has sound; all others that were cut off are closed as they are.

        Raises MictapeError when the library cannot be read or written.
        """
        newest: StoredSession | None = None
        for unfinished in await self.library.run(Store.unfinished):
            remains = await load_session(self.library, unfinished.id)
            if newest is None and remains.samples and remains.tracks:
                newest = remains
            else:
                await close_as_is(self.library, remains)
        return newest

    async def put_away(self, remains: StoredSession) -> None:
        """Close a session that was cut off as it is. Raises MictapeError."""
        await close_as_is(self.library, remains)

    async def check(self) -> None:
        """Raise MictapeError when the engine cannot work here."""
        if (failure := await self._engine.check(self._request)) is not None:
            raise MictapeError(failure)

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
        self._session = session = await self._open(start)
        if continued is None:
            for spec in specs:
                self._name(session.add_track(spec))
        return session

    async def to_continue(self, which: str) -> StoredSession:
        """A session of the library to go on with.

        Raises:
            MictapeError: (`ExitCode.USAGE`) there is none of that name, or its sound was removed.
        """
        stored = await load_session(self.library, which)
        if stored.session.samples and not stored.samples:
            what = f"The sound of session {stored.session.id} was removed, so it cannot be continued"
            raise MictapeError(Failure(what, "Start a new session", ExitCode.USAGE))
        return stored

    async def read(self, which: str) -> Session:
        """Open a finished session beside what is recorded; `close_reading` closes it.

        Raises MictapeError, also when it is recorded or open already.
        """
        stored = await load_session(self.library, which)
        session = await Session.read(
            self.library,
            stored,
            self._engine,
            self._request,
            log=self.where.log,
            sound=self.sound,
            listening=self._listening,
        )
        self._readings.append(session)
        return session

    async def close_reading(self, session: Session) -> None:
        """Close a session that was open to be read. Raises MictapeError when something could not be stored."""
        self._readings.remove(session)
        await session.close()

    async def complete(self, which: str) -> Session:
        """Take up a finished session to transcribe what has no text yet. Raises MictapeError."""
        self._also = ()
        remains = await load_session(self.library, which)
        self._session = await self._open(partial(Session.complete, self.library, remains))
        return self._session

    async def transcribe_again(self, which: str) -> Session:
        """Take up a finished session to transcribe all of it once more; then `run`, then `keep_version`.

        Raises MictapeError.
        """
        self._also = ()
        self._again = await Again.begin(self.library, which)
        self._session = await self._open(partial(Session.complete, self._again.copy, self._again.stored))
        return self._session

    def transcribe_beside(self, session: SessionRecord, choice: EngineChoice, report: Report) -> None:
        """Transcribe a finished session again beside what is recorded; `report` gets the version or a failure."""
        request = replace(self._request, language=choice.language or self.settings.language)
        self.beside.start(self.library, session, partial(self._engine_of, choice), request, report)

    def _engine_with_key(self, name: str) -> Engine:
        return engine_with_key(name, self.settings, self.where.log)

    def _engine_of(self, choice: EngineChoice) -> Engine:
        """An engine of its own, for its caller to close. May take long, and raise MictapeError."""
        if not choice.model:
            return self._make_engine(choice.name)
        return engine_with_key(LOCAL, self._with_model(choice.model, choice.language), self.where.log)

    async def keep_version(self) -> VersionRecord:
        """Add what `transcribe_again` has brought as a new version of the text. Raises MictapeError."""
        assert self._again is not None, "transcribe_again comes first"
        return await self._again.keep(self._engine, self.tracks)

    async def _open(self, start: "Callable[..., Coroutine[Any, Any, Session]]") -> Session:
        return await start(
            self._engine,
            self._request,
            log=self.where.log,
            sound=self.sound,
            transcript=self.transcript,
            plan=self._plan(),
            listening=self._listening,
        )

    @property
    def _request(self) -> Request:
        """What every connection is asked for."""
        return Request(self.settings.language, self.settings.key_terms)

    def _plan(self) -> Plan:
        """How tapes are followed: what fills in behind the engine, and when a billed connection rests."""
        fill = {"same": lambda: self._engine, "local": lambda: self._engines.get("local")}.get(self.settings.backfill)
        idle_s = self.settings.idle_close_min * 60.0 if self.settings.idle_close_min else None
        give_up_s = self._policy.give_up_s
        send_all = self.settings.send == "all"
        return Plan(fill=fill() if fill else None, idle_s=idle_s, send_all=send_all, give_up_s=give_up_s)

    # How it runs and ends.

    async def run(self, view: Coroutine[Any, Any, None]) -> None:
        """Record until the end, and finish the text.

        Args:
            view: Shows the session's events until they end. When it fails the recording ends at once.

        Raises:
            Exception: what `view` raised, once all is closed.
        """
        session = self._session
        assert session is not None, "begin comes first"
        showing = asyncio.create_task(view, name="view")
        showing.add_done_callback(lambda _: self.leave())
        try:
            for track in session.tracks:
                self._start(track)
            self.tasks.start(self._add_wanted(), "Adding a device")
            if self.settings.keep and self.settings.keep_audio == "flac":
                self.tasks.start(pack_when_idle(self.where.sessions, self.where.log), "Packing finished sessions")
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
            self._leaving.set()
        self.stopped.set()

    def leave(self) -> None:
        """End the sound and do not wait for the rest of the text: it becomes a gap."""
        self._leaving.set()
        self.stopped.set()

    async def _until_over(self) -> None:
        """Wait for `stop`; unattended also for the end of all sources or all engines."""
        waits = [asyncio.create_task(self.stopped.wait())]
        if self._policy.unattended:
            waits += [asyncio.create_task(_all_done(each)) for each in (self._captures, self._follows)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _drain(self) -> None:
        """Wait until the engine has answered for everything, as long as the policy says or until `leave`."""
        finished = asyncio.create_task(_all_done(self._follows))
        leaving = asyncio.create_task(self._leaving.wait())
        states = {track.follower.state for track in self.tracks if track.follower is not None}
        limits = [self._policy.drain_s, self._policy.offline_drain_s if states & {*UNREACHABLE} else None]
        limit_s = min((limit_s for limit_s in limits if limit_s is not None), default=None)
        await asyncio.wait([finished, leaving], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in (finished, leaving):
            wait.cancel()

    async def _end(self) -> None:
        """End what runs and close the session; nothing happens the second time."""
        self.leave()
        await self.tasks.cancel()
        if self._session is not None and not self._session.closed:
            await self._session.stop()
            try:
                await self._session.close()
            except MictapeError as error:  # text that is missing matters more than why the recording ended
                self.failure = error.failure
            else:
                await self._keep_no_sound()
            if self._policy.unattended:  # else the screen has shown it
                self.failure = self.failure or self.engine_failure

    async def _keep_no_sound(self) -> None:
        """Remove the sound of the session, if that is wanted and all of it has its text."""
        wanted = self.settings.keep and self.settings.keep_audio == "none" and self._again is None
        if self._session is not None and wanted and not any(track.coverage.gaps for track in self.tracks):
            try:
                await in_thread(partial(sound_storage.remove, self._session.folder.path))
            except MictapeError as error:
                self.failure = self.failure or error.failure

    def _start(self, track: Track) -> None:
        self._follow(track)
        self._capture(track)

    def _capture(self, track: Track) -> None:
        session = self._session
        assert session is not None
        task = self.tasks.start(session.capture(track), f"Recording {track.device}", code=ExitCode.SOUND)
        self._captures.add(task)

    def _follow(self, track: Track) -> None:
        session = self._session
        assert session is not None
        task = self.tasks.start(session.follow(track), "The recognition", code=ExitCode.ENGINE)
        self._follows.add(task)

    def _on_failure(self, failure: Failure) -> None:
        """Something that runs for the recording has failed: show it; unattended, end."""
        if failure.code is ExitCode.UNEXPECTED or self._policy.unattended:
            self.failure = self.failure or failure
        if self._policy.unattended:
            self.leave()
        elif self._session is not None:
            self._session.report(failure)

    # What can be changed meanwhile.

    def toggle_pause(self) -> None:
        """Pause or resume."""
        if self._session is not None and not self.stopping:
            (self._session.resume if self._session.paused else self._session.pause)()

    async def add(self, device: Device) -> None:
        """Record another device on a track of its own. Raises MictapeError when it cannot be opened."""
        if self._session is not None:
            track = await self._session.join(source_for(device, self.settings, added=True))
            self._name(track)
            self._start(track)

    def _name(self, track: Track) -> None:
        """Give a new track the name that the settings have for it."""
        if self._session is not None and track.number <= len(self.settings.names):
            self._session.writer.rename_track(track, self.settings.names[track.number - 1])

    async def remove(self, device: Device) -> None:
        """Stop recording an added device; its track stays. Raises MictapeError."""
        for track in self.tracks[1:]:
            if self._session is not None and same_device(device, devices_of([track])):
                await self._session.end_track(track)

    async def replace(self, device: Device) -> None:
        """Record another device on the first track. Raises MictapeError when it cannot be opened."""
        if self._session is None or not self.tracks:
            return
        track = self.tracks[0]
        if not same_device(device, devices_of([track])) or track.source_state != "open":
            await self._session.choose(track, source_for(device, self.settings))
            self.remember_device(device)
            if not track.capturing:
                self._capture(track)

    def remember_device(self, device: Device) -> None:
        """Start with this device next time. Raises MictapeError when that cannot be written."""
        remember(self.where.state_file, device=ChosenDevice(device.name, device.host_api))

    @property
    def engine_failure(self) -> Failure | None:
        """Why the engine has stopped for good; None when it has not."""
        return next(filter(None, map(_engine_failure, self.tracks)), None)

    async def log_in(self, engine: str, key: str) -> Lost | None:
        """Take a key for an engine, which is made again with it; the rest is that of `credentials.log_in`."""
        untried = await log_in(engine, key, self.settings, self.where.log)
        self._engines.renew(engine)
        return untried

    async def use_engine(self, name: str) -> None:
        """Go on with another engine, or with one that has stopped, and start with it next time.

        Raises MictapeError when it cannot be made.
        """
        if name == self._engine.name and self.engine_failure is None:
            return
        await self._go_on_with(await in_thread(partial(self._engines.get, name)))
        remember(self.where.state_file, engine=name)

    async def _go_on_with(self, engine: Engine) -> None:
        self._engine = engine
        plan = self._plan()
        if self._session is not None:
            await self._session.use(engine, plan, language=self.settings.language)
        for session in self._readings:
            await session.use(engine, language=self.settings.language)
        for track in self.tracks:
            if not track.following:
                self._follow(track)
        await self._engines.close(except_for=[engine, plan.fill])

    async def use_model(self, name: str, language: str | None = None) -> None:
        """Go on with the local engine and another model of it, and start with it next time.

        Args:
            name: The model; empty: the best installed one for the language.
            language: What is spoken from now on, and next time; None: what was spoken before.

        Raises:
            MictapeError: it cannot work, or cannot be remembered.
        """
        self.settings = self._with_model(name, language)
        engine = await in_thread(partial(engine_with_key, LOCAL, self.settings, self.where.log))
        if (failure := await engine.check(self._request)) is not None:
            raise MictapeError(failure)
        self._engines.put(LOCAL, engine)
        await self._go_on_with(engine)
        remember(self.where.state_file, engine=LOCAL, language=language, model=name)

    def _with_model(self, name: str, language: str | None) -> Settings:
        """The settings with a model of the local engine, and a language unless it is None."""
        local = {**self.settings.engines.get(LOCAL, {}), "model": name}
        engines = {**self.settings.engines, LOCAL: local}
        return replace(self.settings, language=language or self.settings.language, engines=engines)

    async def _add_wanted(self) -> None:
        """Add the devices that were asked for and those of the session that goes on."""
        wanted = list(await devices_named(self.sound, self.settings.also) if self._also is None else self._also)
        added = self._continued.added if self._continued is not None else []
        there = await self.sound.list_devices() if added else []
        for track in added:
            try:
                device = present(there, track.source, track.host_api)
            except MictapeError as error:
                self._on_failure(error.failure)
            else:
                wanted += [] if device in wanted else [device]
        for device in wanted:
            try:
                await self.add(device)
            except MictapeError as error:
                self._on_failure(error.failure)


def devices_of(tracks: Iterable[Track]) -> list[Device]:
    """What is recorded now on these tracks, without files and ended tracks."""
    specs = [track.spec for track in tracks if not track.tape.ended]
    return [spec.device for spec in specs if isinstance(spec, DeviceSource)]


def same_device(device: Device, devices: Iterable[Device]) -> bool:
    """Whether one of these is the device, by what it is remembered by."""
    return (device.name, device.host_api) in {(each.name, each.host_api) for each in devices}


def _engine_failure(track: Track) -> Failure | None:
    """Why the track's engine has stopped for good; None when it has not."""
    follower = track.follower
    return follower.failure if follower is not None and follower.state == "stopped" else None


async def _all_done(tasks: set[asyncio.Task[None]]) -> None:
    """Wait until all of them have ended, those that are added meanwhile, too."""
    while running := [task for task in tasks if not task.done()]:
        await asyncio.wait(running)
