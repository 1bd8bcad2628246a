"""The screen of a recording: state, level, text, keys."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from mictape.audio.ballistics import Meter
from mictape.screens.main.exporting import Proposal
from mictape.screens.main.transcript_screen import TranscriptScreen
from mictape.session.state import State, Status
from mictape.transcript.model import Transcript
from mictape.widgets.level_meter import LevelMeter
from mictape.widgets.status_line import StatusLine

SHORT_ROWS: Final = 18
"""With fewer rows the meter gives up its scale."""
TALL_ROWS: Final = 30
"""From so many rows on it shows the last ten seconds, too."""
_HEIGHTS: Final = [(0, "-short"), (SHORT_ROWS, "-middle"), (TALL_ROWS, "-tall")]


class Level(Struct, frozen=True):
    """What one track's meter shows."""

    meter: Meter
    metered: int
    """Sound that went into the meter so far, samples at 16 kHz."""
    name: str = ""
    """What the track is called, where that is shown."""


class MainScreen(TranscriptScreen):
    """Shows what is recorded; the app's clock calls `show`."""

    def __init__(self, transcript: Transcript, proposal: Proposal | None = None, first: State = State.LOADING) -> None:
        """See `TranscriptScreen`; `first`: the state that the first frame shows."""
        super().__init__(transcript, proposal)
        self._first = first
        self.meters = Vertical(LevelMeter(), id="meters")
        self.meters.display = first is not State.READING
        self.VERTICAL_BREAKPOINTS = _HEIGHTS

    def compose(self) -> ComposeResult:
        """As every transcript, with the levels below the state."""
        # Textual does it behind the first frame, and then styles, lays out and draws all of the screen again.
        self.add_class([name for rows, name in _HEIGHTS if self.app.size.height >= rows][-1], update=False)
        for widget in super().compose():
            yield widget
            if isinstance(widget, StatusLine):
                yield self.meters

    def on_mount(self) -> None:
        """The first frame says what it waits for."""
        self.show(Status(self._first, device="", engine="", position=0))

    def show(self, status: Status, levels: Sequence[Level] = (), *, paused: bool = False) -> None:
        """Show what is true now; what has not changed is not drawn again.

        Args:
            status: For the state line.
            levels: For the meters, one a track; none when there is no track yet.
            paused: Whether the recording is paused.
        """
        if not self.meters.is_attached:  # the app is leaving
            return
        if levels and not self.meters.display:
            self.meters.display = True
        for _ in range(max(len(levels), 1) - len(self.meters.children)):
            self.meters.mount(LevelMeter())
        if len(self.meters.children) > max(len(levels), 1):
            self.meters.children[-1].remove()
        self.meters.set_class(len(levels) > 1, "-several")
        self.footer.paused = paused
        meters = self.meters.query_children(LevelMeter)
        for at, widget in enumerate(meters):
            widget.paused = paused
            widget.set_class(0 < at == len(meters) - 1, "-last")
        self.show_levels(levels)
        self.show_text(status)
        self.meters.set_class(self.status.hint_rows == 1, "-below-notice")
        self.meters.set_class(self.status.hint_rows > 1, "-below-long-notice")

    def show_levels(self, levels: Sequence[Level]) -> None:
        """Show the levels of the tracks that have meters."""
        longest = max((cell_len(level.name) for level in levels), default=0)
        for widget, level in zip(self.meters.query_children(LevelMeter), levels, strict=False):
            widget.pull(
                level.meter.reading, level.metered, name=set_cell_size(level.name, longest), history=level.meter.history
            )

    @property
    def meters_folded(self) -> bool:
        """Whether each meter has one row only."""
        return self.has_class("-folded")

    def fold_meters(self, folded: bool) -> None:
        """Show one row for each meter, or as many as there is room for."""
        self.set_class(folded, "-folded")

    async def on_click(self, event: events.Click) -> None:
        """A click on a meter clears its clip indicator."""
        if isinstance(event.widget, LevelMeter):
            await self.run_action("app.command('clear_clip')")
