"""The screen one looks at: state, level, text, keys."""

from typing import Final

from textual import getters
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer

from tui.audio.ballistics import Reading
from tui.session.state import Status
from tui.transcript.model import Transcript
from tui.widgets.level_meter import LevelMeter
from tui.widgets.status_line import StatusLine
from tui.widgets.transcript_view import TranscriptView

SHORT_ROWS: Final = 18
"""With fewer rows the meter gives up its scale."""


class MainScreen(Screen[None]):
    """Shows a session; the app's clock tells it what is true now."""

    status = getters.query_one(StatusLine)
    meter = getters.query_one(LevelMeter)
    view = getters.query_one(TranscriptView)

    def __init__(self, transcript: Transcript) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (SHORT_ROWS, "-tall")]
        self._transcript = transcript

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield StatusLine()
        yield LevelMeter()
        yield TranscriptView(self._transcript)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """The keys that move go to the text."""
        self.view.focus()

    def show(self, status: Status, reading: Reading | None = None, heard: int = 0, *, paused: bool = False) -> None:
        """Show what is true now; what has not changed is not drawn again.

        Args:
            status: For the state line.
            reading: For the meter, None when there is no sound yet.
            heard: Sound that went into the meter so far, samples at 16 kHz.
            paused: Whether the recording is paused.
        """
        self.status.show(status)
        self.meter.paused = paused
        if reading is not None:
            self.meter.pull(reading, heard)
        self.view.pull()

    # What the person does with the text.

    def action_follow(self) -> None:
        """Go to the end of the transcript."""
        self.view.to_end()

    def action_to_start(self) -> None:
        """Go to the first line."""
        self.view.to_start()
