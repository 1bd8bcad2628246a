"""The app: composes the screen, owns the workers, and turns what the session says into what is shown."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Generator, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.theme import Theme
from textual.timer import Timer
from textual.worker import Worker, WorkerError

from mictape import __version__
from mictape.audio.device_monitor import Lookout
from mictape.audio.devices import Device, find, list_devices, pick
from mictape.audio.source import DeviceSource, FileSource, SourceSpec
from mictape.cli.headless import devices_for, plan_of, source_for
from mictape.commands import COMMANDS, bindings
from mictape.credentials import engine_with_key, standing_of
from mictape.engines import catalog
from mictape.engines.base import Engine, Request
from mictape.engines.readiness import Standing, in_thread
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.library import Library
from mictape.library.records import TrackRecord
from mictape.paths import Places
from mictape.recognition.live import Plan
from mictape.screens.device_picker import Choice, DevicePicker
from mictape.screens.engine_picker import EnginePicker
from mictape.screens.help import HelpScreen
from mictape.screens.main.screen import Level, MainScreen
from mictape.screens.prompt import Ask
from mictape.screens.recover import Interrupted, RecoverScreen
from mictape.session.events import SourceEnded, Trouble
from mictape.session.recovery import Remains, put_away, remains_of
from mictape.session.session import Session
from mictape.session.state import State, Status, worst_of
from mictape.session.track import Track
from mictape.settings import DEFAULT_THEME, ChosenDevice, Settings, remember
from mictape.terminal import guarded, set_up_log, to_log
from mictape.themes import load_themes, shipped_folder, theme_variables
from mictape.transcript.model import Transcript
from mictape.units import RATE
from mictape.vad.client import Listening
from mictape.widgets.device_list import key_of

FOCUSED_HZ: Final = 30
BLURRED_HZ: Final = 10
"""How often the screen looks at the session; it draws only what changed."""

OFFLINE_DRAIN_S: Final = 3.0
"""How long leaving waits for an engine that cannot be reached."""


def run_app(where: Places, settings: Settings, file: Path | None) -> int:
    """Run full-screen until the person leaves; the exit code. Raises MictapeError when it cannot start."""
    where.prepare()
    set_up_log(where.log)
    engine = engine_with_key(settings.engine, settings, where.log)
    app = MictapeApp(where, settings, engine, file)
    with guarded(where.log):
        app.run()
    if app.farewell is not None:
        print(f"mictape: {app.farewell}", file=sys.stderr)
    return app.return_code or ExitCode.DONE


class MictapeApp(App[None]):
    """Listens, shows, keeps."""

    TITLE = "Mictape"
    CSS_PATH = "app.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(),
        Binding("ctrl+c", "copy_or_stop", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False),
    ]

    def __init__(
        self, where: Places, settings: Settings, engine: Engine, file: Path | None = None, *, ticking: bool = True
    ) -> None:
        """Prepare the app.

        Args:
            where: Where things are kept.
            settings: The values in force.
            engine: Who recognises; closed when the app ends.
            file: Played as if it were live, instead of a device.
            ticking: Whether a clock calls `tick`; tests call it by hand.
        """
        super().__init__()
        self.farewell: Failure | None = None
        """What to say on the terminal once it is the person's again."""
        self._again: list[TrackRecord] = []
        """What a session that goes on recorded beside its first device."""
        self.session: Session | None = None
        self.transcript = Transcript()
        self._main = MainScreen(self.transcript)
        self._where = where
        self._settings = settings
        self._engine = engine
        self._file = file
        self._ticking = ticking
        self._clock: Timer | None = None
        self._stopping = asyncio.Event()
        self._leaving = asyncio.Event()
        self._wanted = asyncio.Event()
        """Somebody asked for the device picker while there was no session."""
        self._following: list[Worker[None]] = []
        self._asking = False
        """Whether the device picker was left without a choice."""
        self._code: int = ExitCode.DONE

    # The screen.

    def get_default_screen(self) -> Screen[None]:
        """State, level, text, keys."""
        return self._main

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Mictape's own colours for every theme."""
        return theme_variables(self.current_theme)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: the table of commands."""
        for command in COMMANDS:
            owner = self if command.of == "app" else self._main
            yield SystemCommand(command.title, command.help, getattr(owner, f"action_{command.id}"))

    def on_mount(self) -> None:
        """Colours, clock, signals, and the session."""
        self._set_up_themes()
        self._run_clock(FOCUSED_HZ)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):  # Windows has no such signals
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self._on_signal, number)
        self.run_worker(self._sit(), group="session", description="the session", exit_on_error=False)

    def _set_up_themes(self) -> None:
        loaded = load_themes(shipped_folder(), self._where.themes)
        for theme in loaded.themes:
            self.register_theme(theme)
        for problem in loaded.problems:
            self._say(problem)
        known = self._settings.theme in self.available_themes
        if not known:
            self._say(Failure(f"There is no theme {self._settings.theme}", "Press T to choose one"))
        self.theme = self._settings.theme if known else DEFAULT_THEME
        self.theme_changed_signal.subscribe(self, self._on_theme)

    def _on_theme(self, theme: Theme) -> None:
        with self._saying():
            remember(self._where.state_file, theme=theme.name)

    def on_app_blur(self) -> None:
        """Nobody looks: look less often."""
        self._run_clock(BLURRED_HZ)

    def on_app_focus(self) -> None:
        """Somebody looks again."""
        self._run_clock(FOCUSED_HZ)

    def _run_clock(self, rate_hz: int) -> None:
        if self._clock is not None:
            self._clock.stop()
        self._clock = self.set_interval(1 / rate_hz, self.tick) if self._ticking else None

    def tick(self) -> None:
        """Show what is true now."""
        if not self._main.is_mounted or not self._main.is_running:
            return
        if self.session is None or self._track is None:
            hint = "Press d to choose what to record." if self._asking else ""
            self._main.show(Status(State.LOADING, device="", engine=self._engine.title, position=0, hint=hint))
            return
        paused = self.session.paused
        tracks = self.session.tracks
        status = worst_of([track.status(self._engine.title, paused=paused) for track in tracks])
        if self._stopping.is_set():
            status = replace(status, hint=self._on_leaving(tracks))
        names = self.transcript.track_names
        shown = [track for track in tracks if track is self._track or not track.tape.ended]
        levels = [Level(track.meter, track.heard, names.get(track.number, "")) for track in shown]
        self._main.show(status, levels, paused=paused)

    def _on_leaving(self, tracks: Iterable[Track]) -> str:
        """What is said while the engine finishes."""
        behind_s = max(track.end - track.coverage.reached(track.end) for track in tracks) / RATE
        return f"Finishing: {behind_s:.0f} s of sound to go. q leaves now; what is missing can be completed later."

    @property
    def _track(self) -> Track | None:
        return self.session.tracks[0] if self.session is not None and self.session.tracks else None

    def _say(self, failure: Failure) -> None:
        self.notify(str(failure), severity="warning", markup=False)

    @contextlib.contextmanager
    def _saying(self) -> Generator[None]:
        """Failures inside are said, and the app goes on."""
        try:
            yield
        except MictapeError as error:
            self._say(error.failure)

    # The session.

    async def _sit(self) -> None:
        """One sitting from beginning to end; leaving the app is its last step."""
        try:
            keep = self._settings.keep
            where = (self._where.library, self._where.sessions) if keep else (None, None)
            async with await Library.open(*where) as library:
                self.session = session = await self._begin(library)
                if session is not None:
                    self._main.begin(session, log=self._where.log, spare=self._where.state / "copied.txt")
                    await self._record(session)
        except MictapeError as error:
            self.farewell = error.failure
            self._code = error.failure.code
        except Exception as error:
            to_log(error)
            self._give_up()
        finally:
            await self._engine.close()
            self.exit(return_code=self._code)

    def _give_up(self) -> None:
        """Something broke: leave with a sentence for the person and with exit code 1."""
        self.farewell = Failure(
            "Mictape had to stop", f"What was recorded is kept; the log tells more: {self._where.log}"
        )
        self._code = 1

    def _handle_exception(self, error: Exception) -> None:
        """What no handler caught, in a widget say: Textual writes it to stderr, which is the log, and ends."""
        self._give_up()
        super()._handle_exception(error)

    async def _begin(self, library: Library) -> Session | None:
        """The session to record: one that was cut off, if the person goes on with it, or a new one."""
        remains = await self._offered_back(library)
        spec = await self._first_source()
        if spec is None:
            return None
        self._again = [] if remains is None else remains.added
        engine, log = self._engine, self._where.log
        begin = partial(Session.begin, library) if remains is None else partial(Session.go_on, library, remains, spec)
        session = await begin(
            engine,
            Request(),
            log=log,
            transcript=self.transcript,
            plan=self._plan(engine),
            listening=Listening(log),
        )
        if remains is None:
            session.add_track(spec)
        return session

    async def _offered_back(self, library: Library) -> Remains | None:
        """The newest session that was cut off, if there is one and the person wants to go on with it."""
        chosen: Remains | None = None
        for unfinished in await library.unfinished():
            remains = await remains_of(library, unfinished.id)
            if chosen is None and remains.samples and remains.tracks:
                found = Interrupted(
                    remains.session.started,
                    remains.samples,
                    remains.session.lines,
                    remains.open / RATE,
                    tuple(track.name for track in (remains.tracks[0].track, *remains.added)),
                )
                if await self.push_screen_wait(RecoverScreen(found)) == "continue":
                    chosen = remains
                    continue
            await put_away(library, remains)
        return chosen

    async def _first_source(self) -> SourceSpec | None:
        """What to record first; None when the person leaves instead of choosing."""
        if self._file is not None:
            return FileSource(self._file, "real")
        device: Device | None = None
        wish = self._settings.device
        if isinstance(wish, str):
            return source_for(pick(await list_devices(), wish), self._settings)
        if wish is not None:
            with self._saying():
                device = find(await list_devices(), wish.name, wish.host_api)
                if device is None:
                    self._say(Failure(f"{wish.name} is not there", "Connect it, or choose another one"))
        while device is None and not self._stopping.is_set():
            choice = await self._pick_device()
            device = choice.device if choice else None
            if device is None:
                self._asking = True
                await _first_of(self._wanted, self._stopping)
                self._wanted.clear()
                self._asking = False
            else:
                self._remember(device)
        return None if device is None else source_for(device, self._settings)

    async def _pick_device(self) -> Choice | None:
        """Let the person choose a device."""
        tracks = self.session.tracks if self.session else []
        remembered = self._settings.device
        return await self.push_screen_wait(
            DevicePicker(
                list_devices,
                Lookout(self._where.log),
                in_use=[key_of(device) for device in _devices_of(tracks[:1])],
                added=_devices_of(tracks[1:]),
                last_used=(remembered.name, remembered.host_api) if isinstance(remembered, ChosenDevice) else None,
                can_add=bool(tracks),
            )
        )

    def _remember(self, device: Device) -> None:
        with self._saying():
            remember(self._where.state_file, device=ChosenDevice(device.name, device.host_api))

    async def _record(self, session: Session) -> None:
        """Run the session's workers until the person leaves."""
        telling = self.run_worker(self._tell(session), group="events", exit_on_error=False)
        for track in session.tracks:
            self._follow(session, track)
        try:
            for track in session.tracks:
                self._capture(session, track)
            self.run_worker(self._join_wanted(session), group="capture", exit_on_error=False)
            await self._stopping.wait()
            await session.stop()
            await self._drain(session)
        finally:
            for worker in self._following:
                worker.cancel()
            await _settled(self._following)
            await session.stop()
            await session.close()
            await _settled([telling])

    async def _join(self, session: Session, device: Device) -> None:
        """Record another device beside what is recorded already."""
        with self._saying():
            track = await session.join(source_for(device, self._settings, also=True))
            self._follow(session, track)
            self._capture(session, track)

    async def _join_wanted(self, session: Session) -> None:
        """The devices that were asked for beside the first one, and those of the session that goes on."""
        with self._saying():
            wanted = await devices_for(self._settings.also)
            there = await list_devices() if self._again else []
            for track in self._again:
                device = find(there, track.source, track.host_api)
                if device is None:
                    self._say(Failure(f"{track.source} is not there", "Connect it, then add it with d and +"))
                elif device not in wanted:
                    wanted.append(device)
            for device in wanted:
                await self._join(session, device)

    def _capture(self, session: Session, track: Track) -> None:
        async def capture() -> None:
            with self._saying():
                await session.capture(track)

        self.run_worker(capture(), group="capture", exit_on_error=False)

    def _follow(self, session: Session, track: Track) -> None:
        self._following.append(self.run_worker(session.follow(track), group="follow", exit_on_error=False))

    def _plan(self, engine: Engine) -> Plan:
        """How tapes are followed with an engine: who fills in, and when a billed connection rests."""
        return plan_of(self._settings, engine, self._where.log)

    async def _drain(self, session: Session) -> None:
        """Wait until the engine has answered for everything, unless it cannot or the person leaves now."""
        finished = asyncio.create_task(_settled(self._following))
        leaving = asyncio.create_task(self._leaving.wait())
        offline = any(track.follower and track.follower.state in ("offline", "stopped") for track in session.tracks)
        limit_s = OFFLINE_DRAIN_S if offline else None
        await asyncio.wait([finished, leaving], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        finished.cancel()

    async def _tell(self, session: Session) -> None:
        """Say what went wrong, as it happens."""
        async for event in session.events():
            match event:
                case Trouble(failure):
                    self._say(failure)
                case SourceEnded(_, warning) if warning:
                    self._say(Failure(warning.rstrip(".")))
                case _:
                    pass

    # What the person does.

    def action_pause(self) -> None:
        """Pause or resume."""
        if self.session is not None and not self._stopping.is_set():
            (self.session.resume if self.session.paused else self.session.pause)()

    def action_choose_device(self) -> None:
        """Open the device picker."""
        if self.session is None:
            self._wanted.set()
        elif not isinstance(self.screen, DevicePicker) and not self._stopping.is_set():
            self.run_worker(self._change_device(self.session), group="picker", exit_on_error=False)

    async def _change_device(self, session: Session) -> None:
        choice = await self._pick_device()
        track = self._track
        if choice is None or track is None:
            return
        match choice.act:
            case "add":
                await self._join(session, choice.device)
            case "remove":
                for each in session.tracks[1:]:
                    if key_of(choice.device) in map(key_of, _devices_of([each])):
                        await session.end_track(each)
            case "record":
                await self._replace(session, track, choice.device)

    async def _replace(self, session: Session, track: Track, device: Device) -> None:
        """Record another device on the same track; nothing changes when it is recorded there already."""
        if key_of(device) in map(key_of, _devices_of([track])) and track.source_state == "open":
            return
        with self._saying():
            await session.choose(track, source_for(device, self._settings))
            self._remember(device)
            if not track.capturing:
                self._capture(session, track)

    async def action_rename_track(self) -> None:
        """Call the track of the line under the cursor otherwise."""
        if self.session is None or isinstance(self.screen, ModalScreen) or not self.session.tracks:
            return
        line = self._main.line
        track = next((each for each in self.session.tracks if line is not None and each.number == line.track), None)
        self.run_worker(self._rename(self.session, track or self.session.tracks[0]), exit_on_error=False)

    async def _rename(self, session: Session, track: Track) -> None:
        hint = f"It stands before every line of {track.device}."
        name = await self.push_screen_wait(Ask("Name of the track", hint=hint, value=track.name))
        if name:
            session.rename(track, name)

    def action_choose_engine(self) -> None:
        """Open the engine picker."""
        if self.session is not None and not isinstance(self.screen, ModalScreen) and not self._stopping.is_set():
            self.run_worker(self._change_engine(self.session), group="picker", exit_on_error=False)

    async def _change_engine(self, session: Session) -> None:
        def look(name: str) -> Awaitable[Standing]:
            return standing_of(name, self._settings, self._where.log)

        name = await self.push_screen_wait(EnginePicker(catalog.names(), look, in_use=self._engine.name))
        if name is None or name == self._engine.name:
            return
        with self._saying():
            engine = await in_thread(partial(engine_with_key, name, self._settings, self._where.log))
            before, self._engine = self._engine, engine
            await session.use(engine, self._plan(engine))
            for track in session.tracks:
                if not track.following:
                    self._follow(session, track)
            await before.close()
            remember(self._where.state_file, engine=name)

    def action_clear_clip(self) -> None:
        """Put out the clip lamp."""
        for track in self.session.tracks if self.session is not None else ():
            track.meter.clear_clips()

    def action_choose_theme(self) -> None:
        """Choose a theme."""
        self.search_themes()

    def action_show_help(self) -> None:
        """Show the help screen."""
        kept = {
            "sessions": self._where.sessions,
            "settings": self._where.config_file,
            "themes": self._where.themes,
            "log": self._where.log,
        }
        self.push_screen(
            HelpScreen(
                kept={what: str(path) for what, path in kept.items()},
                engine=self._engine.title,
                offline=self._engine.capabilities.offline,
                version=__version__,
            )
        )

    def action_copy_or_stop(self) -> None:
        """Copy what is selected; with nothing selected, leave as `q` does."""
        if self.screen.get_selected_text():
            self.screen.action_copy_text()
        else:
            self.action_stop()

    def action_stop(self) -> None:
        """Stop recording and leave; asked twice, leave at once."""
        if self._stopping.is_set():
            self._leaving.set()
        while isinstance(self.screen, ModalScreen):
            self.pop_screen()
        self._stopping.set()

    async def action_quit(self) -> None:
        """Textual's own way out: leave as `q` does."""
        self.action_stop()

    def _on_signal(self, number: signal.Signals) -> None:
        """Leave as `q` does, without waiting for the engine."""
        self._code = 128 + number
        self._leaving.set()
        self.action_stop()


def _devices_of(tracks: Iterable[Track]) -> list[Device]:
    """What is recorded now on these tracks, files and ended tracks left out."""
    specs = [track.spec for track in tracks if not track.tape.ended]
    return [spec.device for spec in specs if isinstance(spec, DeviceSource)]


async def _settled(workers: Iterable[Worker[None]]) -> None:
    """Wait until all of them have ended, however they did."""
    for worker in workers:
        with contextlib.suppress(WorkerError):
            await worker.wait()


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
