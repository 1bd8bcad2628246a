"""The screen one looks at: state, level, text, keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from textual import events, getters
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Footer

from mictape.audio.ballistics import Meter
from mictape.commands import explained, keymap_in
from mictape.screens.main.editing import Handwork
from mictape.screens.main.searching import Searching
from mictape.session.state import Status
from mictape.transcript.model import Transcript
from mictape.widgets.level_meter import LevelMeter
from mictape.widgets.search_bar import SearchBar
from mictape.widgets.status_line import StatusLine
from mictape.widgets.survives import SurvivesErrors
from mictape.widgets.transcript_view import TranscriptView

SHORT_ROWS: Final = 18
"""With fewer rows the meter gives up its scale."""
TALL_ROWS: Final = 30
"""From so many rows on it shows the last ten seconds, too."""


@dataclass(frozen=True, slots=True)
class Level:
    """What one track's meter shows."""

    meter: Meter
    heard: int
    """Sound that went into the meter so far, samples at 16 kHz."""
    name: str = ""
    """What the track is called, where that has to be told."""


class MainScreen(SurvivesErrors, Searching, Handwork):
    """Shows a session; the app's clock tells it what is true now."""

    status = getters.query_one(StatusLine)
    meters = getters.query_one("#meters", Vertical)
    view = getters.query_one(TranscriptView)
    search_bar = getters.query_one(SearchBar)

    def __init__(self, transcript: Transcript) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (SHORT_ROWS, "-middle"), (TALL_ROWS, "-tall")]
        self._transcript = transcript

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield StatusLine()
        yield Vertical(id="meters")
        yield TranscriptView(self._transcript)
        yield SearchBar()
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """The keys that move go to the text."""
        self.view.focus()

    def show(self, status: Status, levels: Sequence[Level] = (), *, paused: bool = False) -> None:
        """Show what is true now; what has not changed is not drawn again.

        Args:
            status: For the state line.
            levels: For the meters, one a track; none when there is no track yet.
            paused: Whether the recording is paused.
        """
        self.status.show(status, partial(explained, keymap=keymap_in(self)))
        for _ in range(max(len(levels), 1) - len(self.meters.children)):
            self.meters.mount(LevelMeter())
        if len(self.meters.children) > max(len(levels), 1):
            self.meters.children[-1].remove()
        self.meters.set_class(len(levels) > 1, "-several")
        for widget, level in zip(self.meters.query_children(LevelMeter), levels, strict=False):
            widget.paused = paused
            widget.pull(level.meter.reading, level.heard, name=level.name, history=level.meter.history)
        self.view.pull()
        self.show_search()

    async def on_click(self, event: events.Click) -> None:
        """A click on a meter puts its clip lamp out."""
        if isinstance(event.widget, LevelMeter):
            await self.run_action("app.clear_clip")
