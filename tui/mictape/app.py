"""The app: composes the main screen, and has the recording run behind it.

What the first frame needs is imported here; the recording and the dialogs are loaded once that frame is shown.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.command import Provider
from textual.dom import DOMNode
from textual.events import Event, InputEvent
from textual.screen import ModalScreen, Screen
from textual.theme import Theme
from textual.worker import Worker, WorkerError

from mictape import collector
from mictape.cli import output
from mictape.commands import OF_RECORDING, Command, Owner, bindings
from mictape.failure import ExitCode, Failure, MictapeError, unexpected
from mictape.frame_clock import BLURRED_HZ, FOCUSED_HZ, NUDGED_S, FrameClock
from mictape.keys import keymap_of
from mictape.paths import Places, writable
from mictape.screens.chosen_theme import Themes
from mictape.screens.main.exporting import Proposal
from mictape.screens.main.page import STARTING, Commands
from mictape.screens.main.screen import MainScreen
from mictape.screens.main.transcript_screen import TranscriptScreen
from mictape.session.state import State
from mictape.settings import DEFAULT_THEME, Settings, recall, remember
from mictape.signals import watched
from mictape.start import Start
from mictape.terminal import guarded, set_up_log, terminal_restorer
from mictape.terminal_app import TerminalApp
from mictape.themes import css_variables
from mictape.transcript.model import Transcript
from mictape.typed_ahead import carry_out
from mictape.widgets.direct_rows import written_at_once

if TYPE_CHECKING:  # loaded after the first frame
    from mictape.flows.recording import RecordingFlow
    from mictape.recording import Recording
    from mictape.session.session import Session


def run_app(where: Places, settings: Settings, start: Start) -> int:
    """Run full-screen until the person leaves; the exit code. Raises MictapeError when it cannot start."""
    with writable(where, keeps=settings.keep) as there:
        return _run_app(there, settings, start)


def _run_app(where: Places, settings: Settings, start: Start) -> int:
    set_up_log(where.log)
    app = MictapeApp(where, settings, start)
    with watched(where.log) as app.signal_watch:
        with guarded(where.log):
            app.signal_watch.before_force = terminal_restorer()
            app.run()
            app.signal_watch.before_force = None
        if app.recording is not None and app.recording.saved is not None:
            with contextlib.suppress(OSError):  # the terminal is gone, or stdout is full, which `watched` says
                print(app.recording.saved, flush=True)
        for name in app.recording.beside.given_up if app.recording is not None else ():
            output.note(f'mictape: "{name}" was being transcribed again; its text is as it was.')
        if app.farewell is not None:
            output.say(app.farewell)
    return app.return_code or ExitCode.DONE


def _command_provider() -> type[Provider]:
    from mictape.screens.palette import CommandProvider  # loaded after the first frame

    return CommandProvider


class MictapeApp(TerminalApp):
    """The full-screen app: composes screens and flows around a recording."""

    TITLE = "Mictape"
    CSS_PATH = "app.tcss"

    BINDINGS: ClassVar[list[BindingType]] = bindings()

    _has_theme = False
    _theme_of_variables: Theme | None = None

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_command_provider}

    def __init__(
        self,
        where: Places,
        settings: Settings,
        start: Start | None = None,
        *,
        make: "Callable[[Transcript], Recording] | None" = None,
        ticking: bool = True,
    ) -> None:
        """Prepare the app.

        Args:
            where: Where sessions, choices and the log are kept.
            settings: The values in force.
            start: What it begins with.
            make: Makes the recording that fills the transcript; None: one of the devices and engines of this machine.
            ticking: Whether a clock calls `tick`; tests call it themselves.
        """
        super().__init__()
        self.keymap = keymap_of(settings)
        """The keys in force, as far as they differ from the table of commands."""
        self.set_keymap(self.keymap)
        self.transcript = Transcript()
        self._where = where
        self._settings = settings
        self._begins_with = start or Start()
        self._make = make
        first = State.READING if self._begins_with.reads else State.LOADING
        self._main = MainScreen(self.transcript, Proposal.of(settings), first)
        self._flow: RecordingFlow | None = None
        """What records, once it is loaded."""
        self._ticking = ticking
        self._clock = FrameClock(
            lambda: self._frame(self.tick),
            lambda: self._frame(self._move),
            lambda: self.attempt(self._what_moves, None),
            lambda: self.attempt(self._what_counts, None),
        )
        self.transcript.on_change = self._clock.nudge
        if not settings.animation:
            self.animation_level = "none"
        self._moving_hz = FOCUSED_HZ if self.animation_level == "full" else BLURRED_HZ
        """Frames a second while something moves; the variable TEXTUAL_ANIMATIONS asks for fewer, too."""
        self._clock.moving_hz = self._moving_hz
        self._code: int = ExitCode.DONE
        self._session_worker: Worker[None] | None = None
        self._commands: Commands = {
            "paragraphs": self.show_paragraphs,
            "fold_meters": self.fold_meters,
            "choose_theme": self.choose_theme,
            "command_palette": self.action_command_palette,
            "suspend_process": self.action_suspend_process,
            "copy_or_stop": self.copy_or_stop,
            "stop": self.ask_to_stop,
        }

    @property
    def commands(self) -> Commands:
        """What carries out the commands of the app, by id; before the recording is loaded those that need none."""
        return self._commands if self._flow is None else {**self._commands, **self._flow.commands}

    @property
    def recording(self) -> "Recording | None":
        """What records, once it is loaded."""
        return self._flow.recording if self._flow is not None else None

    @property
    def session(self) -> "Session | None":
        """The session, once it has begun."""
        return self.recording.session if self.recording is not None else None

    # The screen.

    def get_default_screen(self) -> Screen[None]:
        """State, level, text, keys."""
        return self._main

    def get_css_variables(self) -> dict[str, str]:
        """The colours of the theme, worked out once: Textual asks three times before the first frame.

        There are none before the theme is chosen; no style sheet is parsed until then.
        """
        if self._has_theme and self._theme_of_variables is not (theme := self.current_theme):
            self._theme_of_variables, self.theme_variables = theme, css_variables(theme)
        return self.theme_variables

    @property
    def _page(self) -> TranscriptScreen:
        """The transcript in sight, or below the dialogs: a finished session, or what is recorded."""
        pages = (screen for screen in reversed(self.screen_stack) if isinstance(screen, TranscriptScreen))
        return next(pages, self._main)

    @property
    def _shows_recording(self) -> bool:
        """Whether what is recorded is in sight, and not a finished session, or what is there before that."""
        return self._page.GROWS and (self.session is not None or not self._begins_with.reads)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that are for the recording do nothing while it is not in sight."""
        for_recording = action == "command" and parameters[:1] and parameters[0] in OF_RECORDING
        return not (for_recording and not self._shows_recording) and super().check_action(action, parameters)

    def run_command(self, command: Command) -> None:
        """Carry out a command by name, as its key would on the main screen."""
        owners: Mapping[Owner, DOMNode] = {
            "app": self,
            "screen": self._page,
            "view": self._page.view,
        }
        action = command.action.removeprefix(f"{command.of}.")
        self.run_worker(self.run_action(action, owners[command.of]), group="command", exit_on_error=False)

    def on_load(self) -> None:
        """Take the theme before Textual reads the style sheets: each one that comes later has them read again."""
        self._themes = Themes(self, self._where.themes, self._main.say)
        self._themes.use(self._settings.theme, DEFAULT_THEME)
        self._has_theme = True
        self._variables = self.get_css_variables()
        self.stylesheet.set_variables(self._variables)

    def refresh_css(self, animate: bool = True) -> None:
        """Apply other colours. Textual asks for it when it starts, too, where they are what they were."""
        before, self._variables = self._variables, self.get_css_variables()
        if self._variables != before:
            super().refresh_css(animate)

    def on_mount(self) -> None:
        """Clock and session."""
        choices = recall(self._where.state_file)
        self._main.fold_meters(bool(choices.meters_folded))
        self._main.view.show_paragraphs(bool(choices.paragraphs))
        self.run_worker(self._themes.watch(), group="themes", description="theme files", exit_on_error=False)
        if self._ticking:
            self.run_worker(self._clock.run(), group="clock", description="the frames of the screen")
        self._session_worker = self.run_worker(
            self._run(), group="session", description="the session", exit_on_error=False
        )

    def on_app_blur(self) -> None:
        """The terminal is in the background: draw less often."""
        self._clock.moving_hz = BLURRED_HZ

    def on_app_focus(self) -> None:
        """The terminal is in the foreground again."""
        self._clock.moving_hz = self._moving_hz

    async def on_event(self, event: Event) -> None:
        """What a key or the mouse changes is shown soon."""
        await super().on_event(event)
        if isinstance(event, InputEvent):
            self._clock.nudge(NUDGED_S)  # it is acted on by then

    def _what_moves(self) -> object:
        """What the screen shows that moves."""
        return self._flow and self._flow.what_moves()

    def _what_counts(self) -> object:
        """What the screen shows that changes a few times a second at most: the text, the time and the states."""
        page = self._page
        view, text = page.view, (self.transcript.version, page.transcript.version)
        read = view.cursor_id, view.walk.rank, len(view.walk.hits), view.walk.counting
        return text, self._flow and self._flow.what_counts(), read, (self.screen, self.screen.is_running)

    def _frame(self, show: Callable[[], None]) -> None:
        with written_at_once():
            self.attempt(show, None)

    def _move(self) -> None:
        """Show how loud it is now."""
        if self._flow is not None and self._main.is_running:
            self._flow.show_levels()

    def tick(self) -> None:
        """Show what is true now."""
        if not self._main.is_mounted or not self._main.is_running:
            return
        if self._flow is not None:
            self._flow.show()

    # The recording.

    async def _run(self) -> None:
        """Show the first frame, then load what records and let it run; leaving the app is the last step."""
        failure: Failure | None = None
        loaded = self.typed_ahead.opening()
        try:
            shown = asyncio.Event()
            self._main.call_after_refresh(shown.set)
            await shown.wait()
            self._flow = self._load()
            collector.resume()
            if self._begins_with.reads:
                self.typed_ahead.opening()
            loaded()
            failure = await self._flow.run()
        except MictapeError as error:
            failure = error.failure
        except Exception as error:
            failure = unexpected(error, "The recording")
        finally:
            if failure is not None:
                self.farewell, self._code = failure, failure.code
            self.exit(return_code=self._code)

    def _load(self) -> "RecordingFlow":
        """Load what records. Raises MictapeError: there is no such engine, or a setting does not fit."""
        from mictape.flows.recording import POLICY, RecordingFlow
        from mictape.recording import Recording

        if self._make is not None:
            recording = self._make(self.transcript)
        else:
            recording = Recording(self._where, self._settings, POLICY, transcript=self.transcript)
        return RecordingFlow(
            self._main, recording, self._begins_with, rise=self._clock.rise, reported=self._clock.reported
        )

    def leave(self, code: int) -> bool:
        """Close the session without waiting for the engine, and exit."""
        self._code = code
        if self.recording is not None:
            self.recording.leave()
        self.action_stop()
        return self._session_worker is not None and not self._session_worker.is_finished

    @property
    def records(self) -> bool:
        """Whether there is a recording that goes on."""
        return self.session is not None and self.recording is not None and not self.recording.stopping

    async def closed(self) -> None:
        """Return when the session is closed."""
        if self._session_worker is not None:
            with contextlib.suppress(WorkerError):
                await self._session_worker.wait()

    # What the person does.

    def action_command(self, id: str) -> None:
        """Carry out one of the app's commands."""
        if (command := self.commands.get(id)) is not None:
            carry_out(self, id, command)
        else:
            self._main.say(STARTING)

    def action_command_palette(self) -> None:
        """Open the palette."""
        from mictape.screens.palette import Palette  # loaded after the first frame

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

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
            if name != self._settings.theme:
                self._page.say_all(self._settings.lasting("theme"))

    def copy_or_stop(self) -> None:
        """Copy what is selected; with nothing selected, close the dialog, or leave as `q` does."""
        field = self.focused  # its class may not be loaded yet
        if in_field := str(getattr(field, "selected_text", "")):
            if not getattr(field, "password", False):  # what is copied may end up in a file
                self._page.copy_text(in_field)
            return
        try:
            selected = self.screen.get_selected_text()
        except IndexError:  # Textual looks for the row where a drag began below the text
            self.screen.clear_selection()
            self._page.say("Nothing is selected.")
            return
        if selected:
            if self.screen is self._page:
                self._page.action_copy_text()
            else:
                self._page.copy_text(selected)
            self.screen.clear_selection()
        elif isinstance(self.screen, ModalScreen) and not getattr(self.screen, "quits", False):
            self.screen.dismiss(None)  # what was being typed there is not worth the recording
        else:
            self.ask_to_stop()

    def ask_to_stop(self) -> None:
        """Stop recording and leave, or ask first; from a finished session go back to the recording."""
        if self._flow is None or not self._flow.asks_to_stop(self.action_stop):
            self.action_stop()

    def action_stop(self) -> None:
        """Stop recording and leave; asked twice, leave at once."""
        if self.recording is None:
            self.exit(return_code=self._code)
            return
        self.recording.stop()
        # Each question is answered with None. Without an answer, what waits for it would wait for ever.
        while len(self.screen_stack) > 1:
            self.screen.dismiss(None)

    async def action_quit(self) -> None:
        """Textual's own way out: leave as `q` does."""
        self.ask_to_stop()
