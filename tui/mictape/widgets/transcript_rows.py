"""What each row of the screen shows: a row of a line, a row of unfinished text, or nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from textual.geometry import Size
from textual.strip import Strip

from mictape.transcript.line import SPEECH, Line, PartialText
from mictape.transcript.model import Transcript
from mictape.transcript.paragraphs import continues
from mictape.transcript.viewport import Viewport
from mictape.widgets.transcript_strips import Inks, Look, Page, Painter, wall_clock

LOOK_BACK: Final = 64
"""Lines that are looked through, from the end, for the newest speech or a track's speaker."""


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """A track's partial, as it is shown."""

    partial: PartialText
    speaker: str | None
    voice: int
    """The number of the voice."""
    wall: str | None
    """What stands in place of its tape time."""
    lead: int
    """Blank rows before it."""
    height: int
    """All of its rows."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What a row of the screen shows."""

    what: Line | _Unfinished
    row: int
    """Which of its rows with text; negative for a blank one before them."""
    wall: str | None
    """What stands in place of its tape time."""


class Rows:
    """The rows in a viewport as strips. It follows the transcript when it is told to, by `take_changes` and `lay`."""

    def __init__(self, transcript: Transcript, mix: Callable[[], Inks]) -> None:
        """Prepare; `mix` gives the styles as they are now, for the painter."""
        self.port = Viewport(transcript, 1)
        """Which row is the first one."""
        self.painter = Painter(mix)
        self.wall: Callable[[int], float | None] | None = None
        """Gives seconds since 1970 UTC for a session time in samples; None where that is not known."""
        self._transcript = transcript
        self._unfinished: list[_Unfinished] = []
        self._rows: list[_Row] = []

    @property
    def size(self) -> Size:
        """The cells that the rows were laid out for."""
        return Size(self.painter.page.width, self.port.height)

    @property
    def ids(self) -> list[int]:
        """The lines on the screen, from top to bottom; also one that was removed since they were laid out."""
        return list(dict.fromkeys(row.what.id for row in self._rows if isinstance(row.what, Line)))

    @property
    def first_id(self) -> int | None:
        """The line on the first row; None when there is none or it is a partial."""
        what = self._rows[0].what if self._rows else None
        return what.id if isinstance(what, Line) else None

    def take_changes(self, size: Size) -> None:
        """Follow the transcript and the size of the view, without moving anything yet."""
        self.port.sync()
        self._fit_page(size)
        partials = sorted(self._transcript.partials.items(), key=lambda item: (item[1].start, item[0]))
        self._unfinished = [
            self._unfinished_of(track, each, first=place == 0) for place, (track, each) in enumerate(partials)
        ]
        self.port.tail = sum(unfinished.height for unfinished in self._unfinished)

    def lay(self) -> None:
        """Decide what the rows show, as far as there is text, from the viewport's first row on."""
        port, flow, transcript = self.port, self.port.flow, self._transcript
        rows: list[_Row] = []
        skip = port.top - flow.rows
        if skip < 0:
            index, skip = flow.locate(port.top)
            top = flow.top_of(index)
            while len(rows) < port.height and index < len(transcript):
                line, behind = transcript.line(index), flow.top_of(index + 1)
                wall = self._wall_time(line.start)
                lead = flow.lead(index)
                rows.extend(_Row(line, row - lead, wall) for row in range(skip, behind - top))
                index, top, skip = index + 1, behind, 0
        for unfinished in self._unfinished:
            shown = range(skip, unfinished.height)
            rows.extend(_Row(unfinished, row - unfinished.lead, unfinished.wall) for row in shown)
            skip = max(0, skip - unfinished.height)
        self._rows = rows[: port.shown]

    def strip(self, y: int, look_of: Callable[[int], Look], pill: str) -> Strip:
        """A row of the screen, the same object as long as it shows the same.

        Args:
            y: the row, from 0; blank below the text.
            look_of: what is special about a line, by its id, besides its wall-clock time.
            pill: a label at the end of the last row, which then shows no text; empty for none.
        """
        painter = self.painter
        if y >= len(self._rows) or self._rows[y].row < 0:
            strip = painter.blank()
        else:
            row = self._rows[y]
            match row.what:
                case Line() as line:
                    strip = painter.line(line, look_of(line.id), row.wall)[row.row]
                case _Unfinished(partial, speaker, voice):
                    strip = painter.partial(partial, speaker, row.wall, voice)[row.row]
        return painter.labelled(painter.blank(), pill) if pill and y == self.port.height - 1 else strip

    def newest(self) -> int | None:
        """The newest final line: of speech, if there is one among the last."""
        transcript = self._transcript
        count = len(transcript)
        for index in range(count - 1, max(-1, count - 1 - LOOK_BACK), -1):
            if transcript.line(index).kind == SPEECH:
                return transcript.id_at(index)
        return transcript.id_at(-1) if count else None

    def _fit_page(self, size: Size) -> None:
        """Take the view's size and what the gutter needs."""
        transcript = self._transcript
        latest = transcript.start(-1) if len(transcript) else 0
        tracks = tuple(transcript.track_names.values())
        page = Page.fit(size.width, latest, transcript.voices.speakers, tracks, wall=self.wall is not None)
        self.port.height = size.height
        if page != self.painter.page:
            self.painter.use(page)
            self.port.flow.resize(page.text)

    def _unfinished_of(self, track: int, partial: PartialText, *, first: bool) -> _Unfinished:
        """A track's partial; the first one may go on with the paragraph of the last line."""
        line, wall = self._last_of(track), self._wall_time(partial.start)
        speaker = line.voice if line is not None else self._transcript.track_names.get(track)
        voice = self._transcript.voices.place(track, line.speaker if line is not None else None)
        goes_on = first and self._goes_on(track, partial)
        speaker = "" if goes_on else speaker
        lead = int(self.port.flow.paragraphs and not goes_on and not (first and not len(self._transcript)))
        height = lead + len(self.painter.partial(partial, speaker, wall, voice))
        return _Unfinished(partial, speaker, voice, wall, lead, height)

    def _goes_on(self, track: int, partial: PartialText) -> bool:
        """Whether unfinished text goes on with the paragraph of the last line, as far as its speaker is known."""
        if not (self.port.flow.paragraphs and len(self._transcript)):
            return False
        last = self._transcript.line(-1)
        return continues(replace(last, start=partial.start, track=track), last)

    def _last_of(self, track: int) -> Line | None:
        """The newest line of speech on a track, if it is among the last ones and names are shown."""
        if not self.painter.page.speaker:
            return None
        transcript = self._transcript
        count = len(transcript)
        lines = (transcript.line(index) for index in range(count - 1, max(-1, count - 1 - LOOK_BACK), -1))
        return next((line for line in lines if line.track == track and line.kind == SPEECH), None)

    def _wall_time(self, start: int) -> str | None:
        """What is shown in place of a tape time."""
        utc_s = self.wall(start) if self.wall is not None else None
        return None if utc_s is None else wall_clock(utc_s)
