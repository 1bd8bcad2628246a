"""Running the recording behind the main screen, from the first question to the last frame."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from mictape import __version__
from mictape.commands import KeyMap, explained, keys_of, named
from mictape.failure import Advice, Failure
from mictape.flows.devices import DeviceFlow
from mictape.flows.engines import EngineFlow
from mictape.flows.library import LibraryFlow
from mictape.flows.start import StartFlow
from mictape.keys import keymap_of
from mictape.plain_text import counted
from mictape.recording import Policy, Recording
from mictape.recording.recorded_devices import devices_of
from mictape.screens.help import HelpScreen
from mictape.screens.leave import FINISHED, Answer, LeaveScreen
from mictape.screens.library.screen import LibraryScreen
from mictape.screens.main.editing import recall_removed
from mictape.screens.main.page import Commands
from mictape.screens.main.screen import Level, MainScreen
from mictape.screens.reading import ReadingScreen
from mictape.session.state import State, Status
from mictape.start import Start
from mictape.units import RATE, clock
from mictape.widgets.level_meter import visible_steps

NO_DEVICE: Final = Advice("No device is chosen", "Choose what to record", action="choose_device")

NOT_KEPT: Final = Advice("None of it is kept", "Export the text first if you want it", action="export")

UNWRITTEN: Final = "Marks, notes and changes of the last minutes cannot be stored, and are lost if you quit now."

LATER: Final = "The engine does not answer: what has no text yet is kept as sound, and can be transcribed later."

ASK_FROM: Final = 60 * RATE
"""A recording that is longer is not ended by a single key, samples."""

POLICY: Final = Policy(offline_drain_s=3.0)
"""Leaving waits for the engine, but not long for one that cannot be reached."""


class RecordingFlow:
    """Runs a recording, shows what it does, and asks what the other flows need."""

    def __init__(
        self,
        page: MainScreen,
        recording: Recording,
        start: Start,
        *,
        rise: Callable[[], object] = lambda: None,
        reported: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare it.

        Args:
            page: Where it is shown.
            recording: What it runs.
            start: What the app begins with.
            rise: Called when a level rises so that it can be seen.
            reported: Called when a source has reported something.
        """
        self._rise = rise
        self._reported = reported
        self._page = page
        self._reads = start.reads
        self.recording = recording
        self._devices = DeviceFlow(page, recording)
        self._engines = EngineFlow(page, recording)
        self._library = LibraryFlow(page, recording, self._engines)
        self._start = StartFlow(page, recording, self._devices, self._library, start)
        self.commands: Commands = {
            **self._devices.commands,
            **self._engines.commands,
            **self._library.commands,
            "pause": recording.toggle_pause,
            "clear_clip": self.clear_clip,
            "show_help": self.show_help,
        }

    async def run(self) -> Failure | None:
        """Record one session from beginning to end; what failed, if it ended for that. Raises MictapeError."""
        recording = self.recording
        try:
            async with recording:
                start = await self._start.choose()
                if start is not None:
                    continued, spec = start
                    session = await recording.begin(spec, continued=continued)
                    if continued is not None:
                        await recall_removed(session, self._page.history)
                    self._page.begin(session, recording.player(), spare=recording.where.state / "copied.txt")
                    self._engines.ask_language()
                    await recording.run(self._page.show_events(session))
            return recording.failure
        finally:
            await self._engines.close()

    # What is shown.

    def what_moves(self) -> object:
        """What the screen shows that moves: the levels, in steps that show."""
        return [visible_steps(track.meter.reading) for track in self.recording.tracks]

    def what_counts(self) -> object:
        """What the screen shows that changes a few times a second at most: the time and the states."""
        recording, session = self.recording, self.recording.session
        tracks = [
            (track.end // RATE, track.source_state, track.follower and track.follower.state)
            for track in recording.tracks
        ]
        others = self._devices.waiting, str(recording.beside)
        return tracks, session and session.sound.paused, recording.stopping, *others

    def show(self) -> None:
        """Show what is true now."""
        recording, session = self.recording, self.recording.session
        for track in recording.tracks:
            track.meter.on_rise, track.on_source = self._rise, self._reported
        status = recording.status()
        for screen in self._page.app.screen_stack:
            if isinstance(screen, LibraryScreen | ReadingScreen) and screen.is_running:
                screen.show_recording(status)
        if status is None or session is None:
            hint = NO_DEVICE if self._devices.waiting else None
            state = State.NO_DEVICE if self._devices.waiting else State.LOADING
            engine = recording.engines.in_use.title
            if self._reads:  # what is below the library for a moment
                state, engine = State.READING, ""
            self._page.show(Status(state, device="", engine=engine, position=0, hint=hint))
            return
        if recording.stopping:
            status = replace(status, hint=_finishing(recording))
        self._page.show(status, self._levels(), paused=session.sound.paused)

    def show_levels(self) -> None:
        """Show how loud it is now, and nothing else."""
        self._page.show_levels(self._levels())

    def _levels(self) -> list[Level]:
        """The level of each track that is shown."""
        names = self.recording.transcript.track_names
        return [
            Level(track.meter, track.metered, names.get(track.number, ""))
            for at, track in enumerate(self.recording.tracks)
            if at == 0 or not track.tape.ended
        ]

    # What the person does.

    def clear_clip(self) -> None:
        """Clear the clip indicators."""
        for track in self.recording.tracks:
            track.meter.clear_clips()

    def show_help(self) -> None:
        """Show the help screen."""
        where, engine = self.recording.where, self.recording.engines.in_use
        kept = {"sessions": where.sessions, "settings": where.config_file, "themes": where.themes, "log": where.log}
        self._page.app.push_screen(
            HelpScreen(
                kept={what: str(path) for what, path in kept.items()},
                engine=engine.title,
                offline=engine.capabilities.offline,
                version=__version__,
            )
        )

    def asks_to_stop(self, stop: Callable[[], None]) -> bool:
        """Whether leaving is not yet what is wanted, or asked about first.

        From a finished session one goes back to the recording; where much was recorded, or text would be lost, `stop`
        is called on a yes.
        """
        recording, screen = self.recording, self._page.app.screen
        tracks = recording.tracks
        if isinstance(screen, ReadingScreen) and tracks:
            screen.go_to("recording")
            return True
        if isinstance(screen, LeaveScreen):  # the key that asked, once more
            screen.action_answer(True)
            return True
        unwritten = recording.session is not None and recording.session.unwritten is not None
        lost = unwritten or (not recording.settings.keep and self._page.exporting.unexported > 0)
        if tracks and devices_of(tracks) and (lost or tracks[0].end > ASK_FROM) and not recording.stopping:
            self._ask_to_stop(stop)
            return True
        return False

    def _ask_to_stop(self, stop: Callable[[], None]) -> None:
        recording, keymap = self.recording, keymap_of(self.recording.settings)
        keys, export_keys = (keys_of(named(id), keymap) for id in ("stop", "export"))
        offered = () if recording.settings.keep or not len(recording.transcript) else export_keys

        def answered(answer: Answer | None) -> None:
            if answer == "export":
                self._page.ask(self._export_and_ask(stop), "The export")
            elif answer:
                stop()

        length = clock(recording.tracks[0].end)
        self._page.app.push_screen(LeaveScreen(length, keys, self._what_comes(keymap), offered), answered)

    async def _export_and_ask(self, stop: Callable[[], None]) -> None:
        if self.recording.session is not None:
            await self._page.exporting.ask(self.recording.session)
        self._ask_to_stop(stop)

    def _what_comes(self, keymap: KeyMap) -> str:
        """What becomes of the recording when the app is left now."""
        session = self.recording.session
        if session is not None and session.unwritten is not None:
            return f"{UNWRITTEN} {session.unwritten}"
        if self.recording.settings.keep:
            return LATER if self.recording.unreachable else FINISHED
        file, missing = self._page.exporting.file, self._page.exporting.unexported
        if not len(self.recording.transcript):
            return "None of it is kept."
        if file is None:
            return explained(NOT_KEPT, keymap)
        if not missing:
            return f"All of its text is in {file}. The sound is not kept."
        what = f"{counted(missing, 'line')} {'is' if missing == 1 else 'are'} new or changed since the export to {file}"
        return explained(
            Advice(what, f"Export again to keep {'it' if missing == 1 else 'them'}", action="export"), keymap
        )


def _finishing(recording: Recording) -> Advice:
    """How much is left to be done once the end was asked for."""
    session = recording.session
    if session is not None and session.closed:
        return Advice("Finishing: all that is left is to store the recording", "Leave now", action="stop")
    can = "can" if recording.settings.keep else "cannot"
    what = f"Finishing: {recording.behind_s:.0f} s of sound to go; what is missing {can} be completed later"
    return Advice(what, "Leave now", action="stop")
