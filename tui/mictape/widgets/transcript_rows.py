"""What each row of the screen shows: a row of a line, a row of unfinished text, or nothing."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from textual.geometry import Size
from textual.strip import Strip

from mictape.transcript.line import SPEECH, Kind, Line, PartialText, sample_by_the_wall
from mictape.transcript.model import Transcript
from mictape.transcript.paragraphs import SIGN_CELLS, continues
from mictape.transcript.viewport import Viewport
from mictape.transcript.wrapping import wrap
from mictape.units import Span, clock
from mictape.widgets.transcript_strips import Inks, Look, Page, Painter, Part, Unfinished, wall_clock

LOOK_BACK: Final = 64
"""Lines that are looked through, from the end, for the newest speech or a track's speaker."""


class _Row(Struct, frozen=True):
    """What a row of the screen shows; a blank one shows nothing."""

    parts: tuple[Part, ...] = ()
    time: str = ""
    """When the first line begins that begins in it, as it is shown."""


class _Block(Struct, frozen=True):
    """The rows of a line, or of what is being said."""

    what: Line | Unfinished
    time: str
    """When it begins, as it is shown."""
    column: int
    """Cells before it in the last row of what is above, where its first part stands; 0 where it begins a row."""
    spans: Sequence[Span]
    """The characters in each row."""
    lead: int
    """Blank rows before it."""
    named: bool
    """Whether it begins a paragraph."""

    @property
    def rows(self) -> int:
        """Those of its own."""
        return self.lead + len(self.spans) - bool(self.column)

    def append_to(self, rows: list[_Row]) -> None:
        """Put it behind what is above; what would stand in a row that is not there is left out."""
        last = len(self.spans) - 1
        parts = [
            Part(self.what, span, begins=place == 0, ends=place == last, named=self.named and place == 0)
            for place, span in enumerate(self.spans)
        ]
        rows.extend([_Row()] * self.lead)
        if self.column:
            first = parts.pop(0)
            if rows:
                rows[-1] = _Row((*rows[-1].parts, first), rows[-1].time or self.time)
        rows.extend(_Row((part,), self.time if part.begins else "") for part in parts)


class Rows:
    """The rows in a viewport as strips. It follows the transcript when asked to, by `take_changes` and `lay`."""

    def __init__(self, transcript: Transcript, mix: Callable[[], Inks]) -> None:
        """Prepare; `mix` gives the styles as they are now, for the painter."""
        self.port = Viewport(transcript, 1)
        """Which row is the first one."""
        self.painter = Painter(mix)
        self.wall: Callable[[int], float | None] | None = None
        """Gives seconds since 1970 UTC for a session time in samples; None where that is not known."""
        self._transcript = transcript
        self._unfinished: list[_Block] = []
        self._rows: list[_Row] = []

    @property
    def size(self) -> Size:
        """The cells that the rows were laid out for."""
        return Size(self.painter.page.width, self.port.height)

    @property
    def ids(self) -> list[int]:
        """The lines on the screen, from top to bottom; also one that was removed since they were laid out."""
        parts = (part.what for row in self._rows for part in row.parts)
        return list(dict.fromkeys(what.id for what in parts if isinstance(what, Line)))

    @property
    def first_id(self) -> int | None:
        """The line on the first row; None when there is none or it is a partial."""
        what = next((row.parts[0].what for row in self._rows[:2] if row.parts), None)
        return what.id if isinstance(what, Line) else None

    def take_changes(self, size: Size) -> None:
        """Follow the transcript and the size of the view, without moving anything yet."""
        self.port.sync()
        self._fit_page(size)
        partials = sorted(self._transcript.partials.items(), key=lambda item: (item[1].start, item[0]))
        self._unfinished = [
            self._unfinished_of(track, each, first=place == 0) for place, (track, each) in enumerate(partials)
        ]
        self.port.tail = sum(unfinished.rows for unfinished in self._unfinished)

    def lay(self) -> None:
        """Decide what the rows show, as far as there is text, from the viewport's first row on."""
        port, flow, transcript = self.port, self.port.flow, self._transcript
        rows: list[_Row] = []
        skip = port.top - flow.rows
        if skip < 0:
            index, skip = flow.locate(port.top)
            while len(rows) <= skip + port.height and index < flow.lines:  # a row more: others may end the last
                line, (column, spans) = transcript.line(index), flow.text_rows(index)
                lead, named = flow.lead(index), not flow.continues(index)
                _Block(line, self.time_of(line.kind, line.start), column, spans, lead, named).append_to(rows)
                index += 1
        for unfinished in self._unfinished:
            unfinished.append_to(rows)
        self._rows = rows[skip : skip + port.shown]

    def strip(self, y: int, look_of: Callable[[int], Look], pill: str) -> Strip:
        """A row of the screen, the same object as long as it shows the same.

        Args:
            y: the row, from 0; blank below the text.
            look_of: what is special about a line, by its id, besides its wall-clock time.
            pill: a label at the end of the last row, which then shows no text; empty for none.
        """
        painter = self.painter
        row = self._rows[y] if y < len(self._rows) else _Row()
        whats = [part.what for part in row.parts]
        looks = tuple(look_of(what.id) if isinstance(what, Line) else Look(voice=what.number) for what in whats)
        strip = painter.row(row.parts, looks, row.time) if row.parts else painter.blank(self._above(y))
        return painter.labelled(painter.blank(), pill) if pill and y == self.port.height - 1 else strip

    def _above(self, y: int) -> Line | None:
        """The line that ends above a blank row between two paragraphs; None elsewhere, and where that is not seen."""
        if not 0 < y < len(self._rows) - 1 or not (parts := self._rows[y - 1].parts):
            return None
        return what if isinstance(what := parts[-1].what, Line) else None

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
        page = Page.fit(size.width, latest, transcript.shown_speakers, tracks, wall=self.wall is not None)
        self.port.height = size.height
        if page != self.painter.page:
            self.painter.use(page)
            self.port.flow.resize(page.text)

    def _unfinished_of(self, track: int, partial: PartialText, *, first: bool) -> _Block:
        """A track's partial; the first one may go on with the paragraph of the last line."""
        line, flow, width = self._last_of(track), self.port.flow, self.painter.page.text
        voice = line.voice if line is not None else self._transcript.track_names.get(track, "")
        number = self._transcript.voices.place(track, line.speaker if line is not None else None)
        what = Unfinished(partial, voice, number)
        goes_on = first and self._goes_on(track, partial)
        column = flow.end_cells(flow.lines - 1) + SIGN_CELLS if goes_on else 0
        spans = wrap(what.text, width, width - column)
        if column and spans[0][0] == spans[0][1]:
            column = 0
            del spans[0]
        lead = int(flow.paragraphs and not goes_on and not (first and not len(self._transcript)))
        return _Block(what, self.time_of(SPEECH, partial.start), column, spans, lead, not goes_on)

    def _goes_on(self, track: int, partial: PartialText) -> bool:
        """Whether unfinished text goes on with the paragraph of the last line, as far as its speaker is known."""
        if not (self.port.flow.paragraphs and len(self._transcript)):
            return False
        last = self._transcript.line(-1)
        return continues(replace(self._nameless(last), start=partial.start, track=track), last)

    def _nameless(self, line: Line) -> Line:
        """A line without a speaker that the person has named for it alone: the next one will not have that name."""
        return replace(line, speaker=None) if self._transcript.has_own_speaker(line.id) else line

    def _last_of(self, track: int) -> Line | None:
        """The newest line of speech on a track, if it is among the last ones and names are shown."""
        if not self.painter.page.speaker:
            return None
        transcript = self._transcript
        count = len(transcript)
        lines = (transcript.line(index) for index in range(count - 1, max(-1, count - 1 - LOOK_BACK), -1))
        return next((self._nameless(line) for line in lines if line.track == track and line.kind == SPEECH), None)

    def time_of(self, kind: Kind, start: int) -> str:
        """When a line begins, as it is shown: by the wall clock where that is wanted and known."""
        utc_s = self.wall(sample_by_the_wall(kind, start)) if self.wall is not None else None
        return clock(start) if utc_s is None else wall_clock(utc_s)
