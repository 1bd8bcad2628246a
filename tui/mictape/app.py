"""The app: composes the screen, owns the workers, and turns what the session says into what is shown."""

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from textual.binding import BindingType
from textual.command import Provider
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkerError

from mictape import __version__
from mictape.audio.device_monitor import DeviceMonitor
from mictape.audio.devices import Device, list_devices
from mictape.audio.source_spec import FileSource, SourceSpec
from mictape.cli import output
from mictape.commands import Command, Owner, bindings, explained
from mictape.credentials import log_in, standing_of
from mictape.engines import catalog
from mictape.engines.readiness import Standing
from mictape.failure import Advice, ExitCode, Failure, MictapeError, unexpected
from mictape.frame_clock import BLURRED_HZ, FOCUSED_HZ, FrameClock
from mictape.keys import keymap_of
from mictape.models import catalogue as catalogues
from mictape.models.background import Download, Downloads
from mictape.models.choice import suggestion
from mictape.models.languages import of_system
from mictape.models.store import Store, memory_mb
from mictape.paths import Places
from mictape.recording import Policy, Recording
from mictape.recording.devices import chosen_device, present, source_for
from mictape.recording.recording import LOCAL, devices_of
from mictape.recording.start import Start
from mictape.screens.device_picker import Choice, DevicePicker
from mictape.screens.engine_picker import MODELS, EnginePicker
from mictape.screens.help import HelpScreen
from mictape.screens.language import LanguageScreen
from mictape.screens.main.screen import Level, MainScreen
from mictape.screens.models import ModelsScreen
from mictape.screens.palette import CommandProvider
from mictape.screens.prompt import Ask
from mictape.screens.recover import Interrupted, RecoverScreen
from mictape.screens.theme_picker import Themes
from mictape.session.events import SourceEnded, Trouble
from mictape.session.recovery import StoredSession
from mictape.session.session import Session
from mictape.session.state import State, Status
from mictape.session.track import Track
from mictape.settings import DEFAULT_THEME, ChosenDevice, Settings, remember
from mictape.signals import watched
from mictape.terminal import guarded, set_up_log, terminal_restorer
from mictape.terminal_app import TerminalApp
from mictape.themes import theme_variables
from mictape.units import RATE
from mictape.widgets.device_list import key_of
from mictape.widgets.level_meter import visible_steps

NO_DEVICE: Final = Advice("No device is chosen", "Choose what to record", action="choose_device")

POLICY: Final = Policy(offline_drain_s=3.0)
"""Leaving waits for the engine, but not long for one that cannot be reached."""

T = TypeVar("T")


def run_app(where: Places, settings: Settings, start: Start) -> int:
    """Run full-screen until the person leaves; the exit code. Raises MictapeError when it cannot start."""
    where.prepare()
    set_up_log(where.log)
    recording = Recording(where, settings, POLICY)
    app = MictapeApp(recording, start)
    with watched(where.log) as app.signal_watch:
        with guarded(where.log):
            app.signal_watch.before_force = terminal_restorer()
            app.run()
            app.signal_watch.before_force = None
        if recording.saved is not None:
            print(recording.saved)
        if app.farewell is not None:
            output.say(app.farewell)
    return app.return_code or ExitCode.DONE


class MictapeApp(TerminalApp):
    """Listens, shows, keeps."""

    TITLE = "Mictape"
    CSS_PATH = "app.tcss"

    BINDINGS: ClassVar[list[BindingType]] = bindings()

    COMMANDS: ClassVar[set[type[Provider]]] = {CommandProvider}  # pyright: ignore[reportIncompatibleVariableOverride]  (Textual takes a function as well)

    def __init__(self, recording: Recording, start: Start | None = None, *, ticking: bool = True) -> None:
        """Prepare the app.

        Args:
            recording: What it shows; entered and left by the app.
            start: What it begins with.
            ticking: Whether a clock calls `tick`; tests call it by hand.
        """
        super().__init__()
        self.keymap = keymap_of(recording.settings)
        """The keys in force, as far as they differ from the table of commands."""
        self.set_keymap(self.keymap)
        self.transcript = recording.transcript
        self._recording = recording
        self._where = recording.where
        self._settings = recording.settings
        self._main = MainScreen(self.transcript)
        if folder := recording.settings.export.folder:
            self._main.export_folder = Path(folder).expanduser()
        self._main.export_format = recording.settings.export.format
        self._start = start or Start()
        self._ticking = ticking
        self._clock = FrameClock(
            lambda: self.attempt(self.tick, None),
            lambda: self.attempt(self._what_moves, None),
            lambda: self.attempt(self._what_counts, None),
        )
        self._device_wanted = asyncio.Event()
        """The device picker was asked for while there was no session."""
        self._waiting_for_device = False
        """Whether the device picker was left without a choice."""
        mirror = self._settings.models.mirror
        self._downloads = Downloads(self._on_download, *(("--set", f"models.mirror={mirror}") if mirror else ()))
        self._wanted_language: str | None = None
        """The language that a model is being downloaded for."""
        self._code: int = ExitCode.DONE
        self._running_session: Worker[None] | None = None

    @property
    def session(self) -> Session | None:
        """The session, once it has begun."""
        return self._recording.session

    # The screen.

    def get_default_screen(self) -> Screen[None]:
        """State, level, text, keys."""
        return self._main

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Mictape's own colours for every theme."""
        return theme_variables(self.current_theme)

    def run_command(self, command: Command) -> None:
        """Carry out a command by name, as its key would on the main screen."""
        owners: Mapping[Owner, DOMNode] = {
            "app": self,
            "screen": self._main,
            "view": self._main.view,
            "search": self._main.search_bar,
        }
        self.run_worker(self.run_action(command.id, owners[command.of]), group="command", exit_on_error=False)

    def on_mount(self) -> None:
        """Colours, clock, and the session."""
        self._themes = Themes(self, self._where.themes, self._say)
        self._themes.use(self._settings.theme, DEFAULT_THEME)
        self.run_worker(self._themes.watch(), group="themes", description="theme files", exit_on_error=False)
        if self._ticking:
            self.run_worker(self._clock.run(), group="clock", description="the frames of the screen")
        self._running_session = self.run_worker(
            self._run_session(), group="session", description="the session", exit_on_error=False
        )

    def on_app_blur(self) -> None:
        """Nobody looks: draw less often."""
        self._clock.moving_hz = BLURRED_HZ

    def on_app_focus(self) -> None:
        """Somebody looks again."""
        self._clock.moving_hz = FOCUSED_HZ

    def _what_moves(self) -> object:
        """What the screen shows that may change many times a second: the text and the levels, in steps that show."""
        return self.transcript.version, [visible_steps(track.meter.reading) for track in self._recording.tracks]

    def _what_counts(self) -> object:
        """What the screen shows that changes once a second or less: the time and the states."""
        recording, session, walk = self._recording, self.session, self._main.view.walk
        tracks = [
            (track.end // RATE, track.source_state, track.follower and track.follower.state)
            for track in recording.tracks
        ]
        searched = walk.rank, len(walk.hits), walk.counting
        return tracks, session and session.paused, recording.stopping, self._waiting_for_device, searched

    def tick(self) -> None:
        """Show what is true now."""
        if not self._main.is_mounted or not self._main.is_running:
            return
        recording, session = self._recording, self.session
        status = recording.status()
        if status is None or session is None:
            hint = NO_DEVICE if self._waiting_for_device else None
            self._main.show(Status(State.LOADING, device="", engine=recording.engine.title, position=0, hint=hint))
            return
        if recording.stopping:
            what = f"Finishing: {recording.behind_s:.0f} s of sound to go; what is missing can be completed later"
            status = replace(status, hint=Advice(what, "Leave now", action="stop"))
        names = self.transcript.track_names
        first, *added = recording.tracks
        shown = [first, *(track for track in added if not track.tape.ended)]
        levels = [Level(track.meter, track.metered, names.get(track.number, "")) for track in shown]
        self._main.show(status, levels, paused=session.paused)

    def _say(self, failure: Failure) -> None:
        self.notify(explained(failure, self.keymap), severity="warning", markup=False)

    @contextlib.contextmanager
    def _saying(self) -> Generator[None]:
        """Failures inside are said, and the app goes on."""
        try:
            yield
        except MictapeError as error:
            self._say(error.failure)

    # The session.

    async def _run_session(self) -> None:
        """Record one session from beginning to end; leaving the app is its last step."""
        try:
            async with self._recording as recording:
                start = await self._unless_stopped(self._choose_start())
                if start is not None:
                    continued, spec = start
                    session = await recording.begin(spec, continued=continued)
                    self._main.begin(session, log=self._where.log, spare=self._where.state / "copied.txt")
                    self.run_worker(self._ask_language(), group="picker", exit_on_error=False)
                    await recording.run(self._show_events(session))
            if recording.failure is not None:
                self.farewell, self._code = recording.failure, recording.failure.code
        except MictapeError as error:
            self.farewell = error.failure
            self._code = error.failure.code
        except Exception as error:
            self.farewell = unexpected(error, "The recording")
            self._code = self.farewell.code
        finally:
            await self._downloads.close()
            self.exit(return_code=self._code)

    def leave(self, code: int) -> bool:
        """Close the session without waiting for the engine, and exit."""
        self._code = code
        self._recording.leave()
        self.action_stop()
        return self._running_session is not None and not self._running_session.is_finished

    async def closed(self) -> None:
        """Return when the session is closed."""
        if self._running_session is not None:
            with contextlib.suppress(WorkerError):
                await self._running_session.wait()

    async def _unless_stopped(self, choosing: Coroutine[object, object, T]) -> T | None:
        """What it returns; None once the app is left, at a question or while it waits: then it is cancelled."""
        chosen = asyncio.ensure_future(choosing)
        stopped = asyncio.ensure_future(self._recording.stopped.wait())
        try:
            await asyncio.wait([chosen, stopped], return_when=asyncio.FIRST_COMPLETED)
            return chosen.result() if chosen.done() and not stopped.done() else None
        finally:
            for task in (chosen, stopped):
                task.cancel()
            await asyncio.wait([chosen, stopped])

    async def _choose_start(self) -> tuple[StoredSession | None, SourceSpec] | None:
        """What to go on with, if anything, and what to record; None when the app is left instead."""
        which = self._start.continued
        continued = await (self._recording.to_continue(which) if which is not None else self._offered_back())
        spec = None if self._recording.stopping else await self._first_source(continued)
        return None if spec is None else (continued, spec)

    async def _offered_back(self) -> StoredSession | None:
        """The newest session that was cut off, if there is one and the person wants to go on with it."""
        remains = await self._recording.interrupted()
        if remains is None:
            return None
        names = tuple(track.name for track in (remains.tracks[0].track, *remains.added))
        session = remains.session
        found = Interrupted(session.started, remains.samples, session.lines, remains.open / RATE, names)
        choice = await self.push_screen_wait(RecoverScreen(found))
        if choice == "new":
            await self._recording.put_away(remains)
        return remains if choice == "continue" else None

    async def _first_source(self, continued: StoredSession | None) -> SourceSpec | None:
        """What to record first; None when the person leaves instead of choosing."""
        if self._start.file is not None:
            return FileSource(self._start.file, "real")
        device = None
        try:
            device = await self._usual_device(continued)
        except MictapeError as error:
            if isinstance(self._settings.device, str):
                raise
            self._say(error.failure)
        while device is None and not self._recording.stopping:
            choice = await self._pick_device()
            device = choice.device if choice else None
            if device is None:
                self._waiting_for_device = True
                await _first_of(self._device_wanted, self._recording.stopped)
                self._device_wanted.clear()
                self._waiting_for_device = False
            else:
                with self._saying():
                    self._recording.remember_device(device)
        return None if device is None else source_for(device, self._settings)

    async def _usual_device(self, continued: StoredSession | None) -> Device | None:
        """The device of a session that goes on, else the one asked for or remembered. Raises MictapeError."""
        known = continued.tracks[0].track if continued is not None else None
        if known is None or not known.host_api or isinstance(self._settings.device, str):
            return await chosen_device(self._settings)
        return present(await list_devices(), known.source, known.host_api)

    async def _pick_device(self) -> Choice | None:
        """Let the person choose a device."""
        tracks = self._recording.tracks
        remembered = self._settings.device
        return await self.push_screen_wait(
            DevicePicker(
                list_devices,
                DeviceMonitor(self._where.log),
                in_use=[key_of(device) for device in devices_of(tracks[:1])],
                added=devices_of(tracks[1:]),
                last_used=(remembered.name, remembered.host_api) if isinstance(remembered, ChosenDevice) else None,
                can_add=bool(tracks),
            )
        )

    async def _show_events(self, session: Session) -> None:
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
        self._recording.toggle_pause()

    def action_choose_device(self) -> None:
        """Open the device picker."""
        if self.session is None:
            self._device_wanted.set()
        elif not isinstance(self.screen, DevicePicker) and not self._recording.stopping:
            self.run_worker(self._change_device(), group="picker")

    async def _change_device(self) -> None:
        choice = await self._pick_device()
        if choice is None:
            return
        act = {"add": self._recording.add, "remove": self._recording.remove, "record": self._recording.replace}
        with self._saying():
            await act[choice.act](choice.device)

    async def action_rename_track(self) -> None:
        """Call the track of the line under the cursor otherwise."""
        if self.session is None or isinstance(self.screen, ModalScreen) or not self.session.tracks:
            return
        line = self._main.line
        track = next((each for each in self.session.tracks if line is not None and each.number == line.track), None)
        self.run_worker(self._rename(self.session, track or self.session.tracks[0]))

    async def _rename(self, session: Session, track: Track) -> None:
        hint = f"It stands before every line of {track.device}."
        name = await self.push_screen_wait(Ask("Name of the track", hint=hint, value=track.name))
        if name:
            session.writer.rename_track(track, name)

    def action_choose_engine(self) -> None:
        """Open the engine picker."""
        if self.session is not None and not isinstance(self.screen, ModalScreen) and not self._recording.stopping:
            self.run_worker(self._change_engine(), group="picker")

    async def _change_engine(self) -> None:
        def look(name: str) -> Awaitable[Standing]:
            return standing_of(name, self._settings, self._where.log)

        in_use = self._recording.engine.name

        def give_key(name: str, key: str) -> Awaitable[object]:
            return log_in(name, key, self._settings, self._where.log)

        name = await self.push_screen_wait(EnginePicker(catalog.names(), look, in_use=in_use, log_in=give_key))
        with self._saying():
            if name == MODELS:
                await self._change_model()
            elif name is not None:
                await self._recording.use_engine(name)

    # Models.

    async def _change_model(self) -> None:
        """Show the models, and go on with the one that is chosen. Raises MictapeError."""
        catalogue, store = catalogues.load(self._where.config), Store.here(self._where)
        engine = self._recording.engine
        screen = ModelsScreen(
            catalogue,
            store,
            self._downloads,
            language=self._recording.settings.language,
            in_use=getattr(engine, "model", None),
        )
        name = await self.push_screen_wait(screen)
        if name is not None:
            spoken = self._recording.settings.language
            known = catalogue.named(name)
            await self._recording.use_model(name, None if spoken and known.knows(spoken) else known.languages[0])

    def _on_download(self, download: Download) -> None:
        """A download has ended: say so, and go on with the model if that is what was waited for."""
        if not download.done or download.cancelled:
            return
        if download.failure is not None:
            self._say(download.failure)
            return
        self.notify(f"{download.model.name} is installed.", markup=False)
        language = self._wanted_language
        if language is not None and download.model.knows(language) and self._recording.engine.name == LOCAL:
            self._wanted_language = None
            self.run_worker(self._speak(language), exit_on_error=False)

    async def _speak(self, language: str) -> None:
        """Go on in a language, with the best model for it."""
        with self._saying():
            await self._recording.use_model("", language)

    async def _ask_language(self) -> None:
        """Offer a model for the system's language, once: whatever the answer is, it is remembered."""
        settings = self._settings
        language = of_system()
        if settings.language is not None or settings.engine != LOCAL or language in (None, "en"):
            return
        with self._saying():
            catalogue, store = catalogues.load(self._where.config), Store.here(self._where)
            if settings.engines.get(LOCAL, {}).get("model") or any(
                one.model.knows(language) for one in store.installed(catalogue)
            ):
                return
            model = suggestion(catalogue, language, memory_mb())
            if model is None:
                return
            choice = await self.push_screen_wait(LanguageScreen(language, model))
            remember(self._where.state_file, language="en" if choice == "english" else language)
            if choice == "download":
                self._wanted_language = language
                self._downloads.start(model)
                self.notify(f"{model.name} is being downloaded; e, then m, shows how far it is.", markup=False)
            elif choice == "engine":
                self.action_choose_engine()

    def action_clear_clip(self) -> None:
        """Put out the clip lamp."""
        for track in self._recording.tracks:
            track.meter.clear_clips()

    def action_choose_theme(self) -> None:
        """Choose a theme, and use it next time."""
        self._themes.choose(self._remember_theme)

    def _remember_theme(self, name: str) -> None:
        with self._saying():
            remember(self._where.state_file, theme=name)

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
                engine=self._recording.engine.title,
                offline=self._recording.engine.capabilities.offline,
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
        self._recording.stop()
        # Each question is answered with None. Without an answer, what waits for it would wait for ever.
        while len(self.screen_stack) > 1:
            self.screen.dismiss(None)

    async def action_quit(self) -> None:
        """Textual's own way out: leave as `q` does."""
        self.action_stop()


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
