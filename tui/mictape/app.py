"""The app: composes the screen, owns the workers, and turns what the session says into what is shown."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.command import Provider
from textual.dom import DOMNode
from textual.screen import Screen
from textual.worker import Worker, WorkerError

from mictape import __version__
from mictape.cli import output
from mictape.commands import Command, Owner, bindings, keys_of, named
from mictape.failure import Advice, ExitCode, MictapeError, unexpected
from mictape.flows.devices import DeviceFlow
from mictape.flows.engines import EngineFlow
from mictape.flows.library import LibraryFlow
from mictape.flows.start import StartFlow
from mictape.frame_clock import BLURRED_HZ, FOCUSED_HZ, FrameClock
from mictape.keys import keymap_of
from mictape.paths import Places
from mictape.recording import Policy, Recording
from mictape.recording.recording import devices_of
from mictape.recording.start import Start
from mictape.screens.help import HelpScreen
from mictape.screens.leave import LeaveScreen
from mictape.screens.library.screen import LibraryScreen
from mictape.screens.main.exporting import Proposal
from mictape.screens.main.page import Commands
from mictape.screens.main.screen import Level, MainScreen
from mictape.screens.main.transcript_screen import TranscriptScreen
from mictape.screens.palette import CommandProvider
from mictape.screens.reading import ReadingScreen
from mictape.screens.theme_picker import Themes
from mictape.session.session import Session
from mictape.session.state import State, Status
from mictape.settings import DEFAULT_THEME, Settings, recall, remember
from mictape.signals import watched
from mictape.terminal import guarded, set_up_log, terminal_restorer
from mictape.terminal_app import TerminalApp
from mictape.themes import theme_variables
from mictape.units import RATE, clock
from mictape.widgets.level_meter import visible_steps

NO_DEVICE: Final = Advice("No device is chosen", "Choose what to record", action="choose_device")

ASK_FROM: Final = 60 * RATE
"""A recording that is longer is not ended by a single key, samples."""

_OF_RECORDING: Final = frozenset({"pause", "choose_device", "clear_clip"})
"""The commands that are for what is recorded, not for a text."""

POLICY: Final = Policy(offline_drain_s=3.0)
"""Leaving waits for the engine, but not long for one that cannot be reached."""


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
            with contextlib.suppress(OSError):  # the terminal is gone, or stdout is full, which `watched` says
                print(recording.saved, flush=True)
        if app.farewell is not None:
            output.say(app.farewell)
    return app.return_code or ExitCode.DONE


class MictapeApp(TerminalApp):
    """The full-screen app: composes screens and flows around a recording."""

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
        self._main = MainScreen(self.transcript, Proposal.of(recording.settings))
        self._devices = DeviceFlow(self._main, recording)
        self._engines = EngineFlow(self._main, recording)
        self._library = LibraryFlow(self._main, recording, self._engines)
        self._start = StartFlow(self._main, recording, self._devices, self._library, start or Start())
        self._ticking = ticking
        self._clock = FrameClock(
            lambda: self.attempt(self.tick, None),
            lambda: self.attempt(self._what_moves, None),
            lambda: self.attempt(self._what_counts, None),
        )
        self._code: int = ExitCode.DONE
        self._running_session: Worker[None] | None = None
        self.commands: Commands = {
            **self._devices.commands,
            **self._engines.commands,
            **self._library.commands,
            "pause": recording.toggle_pause,
            "clear_clip": self.clear_clip,
            "paragraphs": self.show_paragraphs,
            "fold_meters": self.fold_meters,
            "choose_theme": self.choose_theme,
            "show_help": self.show_help,
            "command_palette": self.action_command_palette,
            "suspend_process": self.action_suspend_process,
            "copy_or_stop": self.copy_or_stop,
            "stop": self.ask_to_stop,
        }
        """What carries out the commands of the app, by id."""

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

    @property
    def _page(self) -> TranscriptScreen:
        """The transcript in sight, or below the dialogs: a finished session, or what is recorded."""
        pages = (screen for screen in reversed(self.screen_stack) if isinstance(screen, TranscriptScreen))
        return next(pages, self._main)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that are for the recording do nothing while it is not in sight."""
        hidden = action == "command" and parameters[:1] and parameters[0] in _OF_RECORDING
        return not (hidden and isinstance(self.screen, ReadingScreen)) and super().check_action(action, parameters)

    def run_command(self, command: Command) -> None:
        """Carry out a command by name, as its key would on the main screen."""
        owners: Mapping[Owner, DOMNode] = {
            "app": self,
            "screen": self._page,
            "view": self._page.view,
            "search": self._page.search_bar,
        }
        action = command.action.removeprefix(f"{command.of}.")
        self.run_worker(self.run_action(action, owners[command.of]), group="command", exit_on_error=False)

    def on_mount(self) -> None:
        """Colours, clock, and the session."""
        choices = recall(self._where.state_file)
        self._main.fold_meters(bool(choices.meters_folded))
        self._main.view.show_paragraphs(bool(choices.paragraphs))
        self._themes = Themes(self, self._where.themes, self._main.say)
        self._themes.use(self._settings.theme, DEFAULT_THEME)
        self.run_worker(self._themes.watch(), group="themes", description="theme files", exit_on_error=False)
        if self._ticking:
            self.run_worker(self._clock.run(), group="clock", description="the frames of the screen")
        self._running_session = self.run_worker(
            self._run_session(), group="session", description="the session", exit_on_error=False
        )

    def on_app_blur(self) -> None:
        """The terminal is in the background: draw less often."""
        self._clock.moving_hz = BLURRED_HZ

    def on_app_focus(self) -> None:
        """The terminal is in the foreground again."""
        self._clock.moving_hz = FOCUSED_HZ

    def _what_moves(self) -> object:
        """What the screen shows that moves: the levels, in steps that show."""
        return [visible_steps(track.meter.reading) for track in self._recording.tracks]

    def _what_counts(self) -> object:
        """What the screen shows that changes a few times a second at most: the text, the time and the states."""
        recording, session, page = self._recording, self.session, self._page
        view, text = page.view, (self.transcript.version, page.transcript.version)
        tracks = [
            (track.end // RATE, track.source_state, track.follower and track.follower.state)
            for track in recording.tracks
        ]
        read = view.cursor_id, view.walk.rank, len(view.walk.hits), view.walk.counting, self.screen
        return text, tracks, session and session.paused, recording.stopping, self._devices.waiting, read

    def tick(self) -> None:
        """Show what is true now."""
        if not self._main.is_mounted or not self._main.is_running:
            return
        recording, session = self._recording, self.session
        status = recording.status()
        for screen in self.screen_stack:
            if isinstance(screen, LibraryScreen | ReadingScreen) and screen.is_running:
                screen.show_recording(status)
        if status is None or session is None:
            hint = NO_DEVICE if self._devices.waiting else None
            state = State.NO_DEVICE if self._devices.waiting else State.LOADING
            self._main.show(Status(state, device="", engine=recording.engine.title, position=0, hint=hint))
            return
        if recording.stopping:
            what = f"Finishing: {recording.behind_s:.0f} s of sound to go; what is missing can be completed later"
            status = replace(status, hint=Advice(what, "Leave now", action="stop"))
        names = self.transcript.track_names
        first, *added = recording.tracks
        shown = [first, *(track for track in added if not track.tape.ended)]
        levels = [Level(track.meter, track.metered, names.get(track.number, "")) for track in shown]
        self._main.show(status, levels, paused=session.paused)

    # The session.

    async def _run_session(self) -> None:
        """Record one session from beginning to end; leaving the app is its last step."""
        try:
            async with self._recording as recording:
                start = await self._start.choose()
                if start is not None:
                    continued, spec = start
                    session = await recording.begin(spec, continued=continued)
                    self._main.begin(session, recording.player(), spare=self._where.state / "copied.txt")
                    self._engines.ask_language()
                    await recording.run(self._main.show_events(session))
            if recording.failure is not None:
                self.farewell, self._code = recording.failure, recording.failure.code
        except MictapeError as error:
            self.farewell = error.failure
            self._code = error.failure.code
        except Exception as error:
            self.farewell = unexpected(error, "The recording")
            self._code = self.farewell.code
        finally:
            await self._engines.close()
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

    # What the person does.

    def action_command(self, id: str) -> None:
        """Carry out one of the app's commands."""
        self.commands[id]()

    def clear_clip(self) -> None:
        """Clear the clip indicators."""
        for track in self._recording.tracks:
            track.meter.clear_clips()

    def fold_meters(self) -> None:
        """Show one row for each meter, or as many as there is room for again."""
        self._main.fold_meters(not self._main.meters_folded)
        with self._main.saying():
            remember(self._where.state_file, meters_folded=self._main.meters_folded)

    def show_paragraphs(self) -> None:
        """Show the lines of one voice as paragraphs, or line by line again."""
        on = not self._page.view.paragraphs
        for page in {self._page, self._main}:
            page.view.show_paragraphs(on)
        with self._main.saying():
            remember(self._where.state_file, paragraphs=on)

    def choose_theme(self) -> None:
        """Choose a theme, and use it next time."""
        self._themes.choose(self._remember_theme)

    def _remember_theme(self, name: str) -> None:
        with self._main.saying():
            remember(self._where.state_file, theme=name)

    def show_help(self) -> None:
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

    def copy_or_stop(self) -> None:
        """Copy what is selected; with nothing selected, leave as `q` does."""
        if self.screen.get_selected_text():
            self.screen.action_copy_text()
        else:
            self.ask_to_stop()

    def ask_to_stop(self) -> None:
        """Go back from a finished session to the recording, else stop and quit; ask first if much was recorded."""
        tracks = self._recording.tracks
        if isinstance(self.screen, ReadingScreen) and tracks:
            self.screen.go_to("recording")
        elif tracks and devices_of(tracks) and tracks[0].end > ASK_FROM and not self._recording.stopping:
            length, keys = clock(tracks[0].end), keys_of(named("stop"), self.keymap)
            self.push_screen(LeaveScreen(length, keys), lambda stop: self.action_stop() if stop else None)
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
        self.ask_to_stop()
