"""How the lines of a transcript look: rows of segments, with a gutter before the text.

Text goes into segments as it is, so nothing in it is ever read as markup.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.strip import Strip

from mictape.plain_text import visible
from mictape.transcript.layout import shown_text
from mictape.transcript.line import DIVIDER, GAP, HOLE, NOTE, SPEECH, Line, PartialText, voice_of
from mictape.transcript.paragraphs import SIGN_CELLS
from mictape.units import Span, clock
from mictape.widgets.cells import fitted

if TYPE_CHECKING:  # loaded when something is searched for
    from mictape.transcript.query import Matcher

_KEPT: Final = 1024
"""Rows whose strips are kept; a screen shows a hundred at most."""

_SPEAKER_CELLS: Final = 12
"""More of a name is cut off, in views of no more than eight times as many cells."""

_FILLER: Final = {GAP: "╌", HOLE: "╌", DIVIDER: "─"}
"""Drawn behind the text, up to the edge: such a line differs from speech without colour."""

_CURSOR: Final = "▸"
_PLAYING: Final = "♪"
_MARK: Final = "★"
_NOTE: Final = "»"
_UNFINISHED: Final = "…"
_WALL: Final = "@"
"""Before a time by the wall clock, as where one types a time to go to."""


class Inks(Struct, frozen=True):
    """The styles of everything that is drawn."""

    text: Style
    time: Style
    mark: Style
    tick: Style
    """A hit, beside the text."""
    voices: tuple[Style, ...]
    """The names of the voices, one after the other."""
    partial: Style
    """The words of a partial that may still change."""
    gap: Style
    cursor: Style
    selection: Style
    hit: Style
    current: Style
    """A hit in the line that the search has come to."""
    unsure: Style
    """A word that the engine was unsure of."""
    note: Style
    """A note, or the one on a mark."""
    pill: Style


class Page(Struct, frozen=True):
    """What is beside the text, and how much room the text has."""

    width: int
    """Cells of the whole view."""
    time: int
    """Cells of the time, 0 to leave it out."""
    speaker: int
    """Cells of the speaker, 0 to leave it out."""

    @classmethod
    def fit(
        cls, width: int, latest: int, speakers: tuple[str, ...], tracks: tuple[str, ...] = (), *, wall: bool = False
    ) -> "Page":
        """The page for a view.

        Args:
            width: cells of the view.
            latest: the latest time that is shown, samples at 16 kHz.
            speakers: the names that are shown.
            tracks: the names of the tracks whose lines carry it; it stands before the speaker's.
            wall: whether times are by the wall clock, which takes its sign's cell more.
        """
        names = [voice_of(SPEECH, track, speaker) for track in tracks or ("",) for speaker in (*speakers, "")]
        named = min(max(_SPEAKER_CELLS, width // 8), max(map(cell_len, names))) if tracks or speakers else 0
        # Below these widths the text needs the room more.
        time = len(clock(latest)) + len(_WALL) * wall
        return cls(width, time if width >= 30 else 0, named if width >= 50 else 0)  # noqa: PLR2004

    @property
    def gutter(self) -> int:
        """Cells before the text."""
        return SIGN_CELLS + (self.time + 2 if self.time else 0) + (self.speaker + 2 if self.speaker else 0)

    @property
    def text(self) -> int:
        """Cells of a row of text, at least 1."""
        return max(1, self.width - self.gutter)


class Look(Struct, frozen=True):
    """What is special about a line as it is shown now."""

    cursor: bool = False
    """Whether the cursor is on it."""
    playing: bool = False
    """Whether it is played."""
    span: Span | None = None
    """The characters of its text that are selected."""
    matcher: "Matcher | None" = None
    """What is searched for."""
    current: bool = False
    """Whether the search has come to it."""
    unsure: tuple[Span, ...] = ()
    """The words of its text that the engine was unsure of."""
    voice: int = 0
    """Which voice's it is, from 0."""

    def inked(self, line: Line, inks: Inks) -> list[tuple[Span, Style]]:
        """The characters that are drawn in styles of their own, besides that of all text; these may overlap."""
        text, shown = line.text, shown_text(line.text, line.mark)
        found = self.matcher.spans(shown) if self.matcher is not None else []
        inked = [((len(text), len(shown)), inks.note)]
        inked += [(span, inks.unsure) for span in self.unsure]
        inked += [(span, inks.current if self.current else inks.hit) for span in found]
        if self.span is not None:
            inked.append(((self.span[0], min(self.span[1], len(text))), inks.selection))
        return inked


class Unfinished(Struct, frozen=True):
    """The unfinished text of a track."""

    partial: PartialText
    voice: str
    """Whose it is, as far as that is known; else empty."""
    number: int
    """The number of the voice."""

    @property
    def text(self) -> str:
        """What is shown: an ellipsis stands where it goes on."""
        return visible(self.partial.text) + _UNFINISHED


class Part(Struct, frozen=True):
    """What of a line, or of unfinished text, stands in a row."""

    what: Line | Unfinished
    span: Span
    """The characters of its shown text."""
    begins: bool
    """Whether its text begins here."""
    ends: bool
    """Whether its text ends here."""
    named: bool
    """Whether its voice is named before it: where a paragraph begins."""


def wall_clock(utc_s: float) -> str:
    """A moment, seconds since 1970 UTC, as the local time of the day: `@14:05:12`."""
    return f"{_WALL}{datetime.fromtimestamp(utc_s):%H:%M:%S}"


class Painter:
    """Makes strips and keeps them: what looks the same is the same object, which Textual draws from its cache."""

    def __init__(self, mix: Callable[[], Inks]) -> None:
        self.page = Page(0, 0, 0)
        self._mix = mix
        """Gives the styles as they are now; called once for each change of style."""
        self._inks: Inks | None = None
        self._kept: LRUCache[object, Strip] = LRUCache(_KEPT)
        self._labelled: tuple[Strip, str, Strip] | None = None

    @property
    def inks(self) -> Inks:
        """The styles in use."""
        if self._inks is None:
            self._inks = self._mix()
        return self._inks

    def use(self, page: Page) -> None:
        """Draw for another page from now on."""
        self.page = page
        self._kept.clear()

    def restyle(self) -> None:
        """The colours changed."""
        self._inks = self._labelled = None
        self._kept.clear()

    def row(self, parts: tuple[Part, ...], looks: tuple[Look, ...], time: str) -> Strip:
        """See `row_strip`."""
        key = (parts, looks, time)
        if (strip := self._kept.get(key)) is None:
            strip = self._kept[key] = row_strip(parts, looks, time, self.page, self.inks)
        return strip

    def blank(self, above: Line | None = None) -> Strip:
        """A row without text; where it stands below a line, a selection that ends in it ends with that line."""
        if (strip := self._kept.get(above)) is None:
            strip = Strip.blank(self.page.width, self.inks.text)
            strip = strip if above is None else strip.apply_offsets(len(above.text), above.id)
            self._kept[above] = strip
        return strip

    def labelled(self, strip: Strip, label: str) -> Strip:
        """The strip with a small label over its right end; left as it is where there is no room."""
        known = self._labelled
        if known is None or known[0] is not strip or known[1] != label:
            pill = Strip([Segment(f" {label} ", self.inks.pill)])
            room = self.page.width - pill.cell_length
            known = self._labelled = (strip, label, strip if room < 0 else Strip.join([strip.crop(0, room), pill]))
        return known[2]


def row_strip(parts: Sequence[Part], looks: Sequence[Look], time: str, page: Page, inks: Inks) -> Strip:
    """A row: a gutter, and the parts of one line or of several that follow each other.

    Args:
        parts: what stands in it, from left to right.
        looks: what is special about each of them.
        time: when the first line begins that begins in this row; empty where none does.
        page: the room there is.
        inks: the styles.

    Returns:
        A strip of the page's width. Text and gutter carry the offsets of Textual's selection: x is the character, y the
        line's id, so that a selection stays with its words.
    """
    row = Strip([])
    fill = inks.text
    for part, look in zip(parts, looks, strict=True):
        what, (start, end) = part.what, part.span
        text, ink, inked = _text(what, look, inks)
        back = inks.cursor.background_style if look.cursor else Style.null()
        before = [_signs(part, look, inks)] if row.cell_length else _gutter(part, look, time, page, inks)
        body = [
            Segment(text[left:right], ink + back + over if over is not None else ink + back)
            for left, right, over in _cut(start, end, inked)
        ]
        strip = Strip([Segment(seen, (style or ink) + back) for seen, style, _ in before] + body)
        if isinstance(what, Line):
            strip = strip.apply_offsets(start - sum(len(segment.text) for segment in before), what.id)
            if part.ends and what.kind in _FILLER:
                strip = Strip.join([strip, _fill(page.width - strip.cell_length, _FILLER[what.kind], ink + back)])
        row, fill = Strip.join([row, strip]), inks.text + back
    return row.adjust_cell_length(page.width, fill)


def _text(what: Line | Unfinished, look: Look, inks: Inks) -> tuple[str, Style, list[tuple[Span, Style]]]:
    """The text that is shown, its style, and the characters that are drawn in styles of their own."""
    if isinstance(what, Unfinished):
        settled = what.partial.stable
        return what.text, inks.text, [((settled, len(what.text)), inks.partial)]
    ink = {SPEECH: inks.text, NOTE: inks.text + inks.note}.get(what.kind, inks.gap)
    return visible(shown_text(what.text, what.mark)), ink, look.inked(what, inks)


def _signs(part: Part, look: Look, inks: Inks) -> Segment:
    """The mark's cell and the cursor's, where a line or unfinished text begins."""
    line = part.what if part.begins and isinstance(part.what, Line) else None
    marked = part.begins and (part.what if isinstance(part.what, Line) else part.what.partial).mark is not None
    mark = _MARK if marked else _NOTE if line is not None and line.kind == NOTE else " "
    here = " " if line is None else _PLAYING if look.playing else _CURSOR if look.cursor else " "
    return Segment(mark + here, inks.mark)


def _gutter(part: Part, look: Look, time: str, page: Page, inks: Inks) -> list[Segment]:
    """What is before the text of a row, by the part that it begins with."""
    if not (part.begins or time):
        return [Segment(" " * page.gutter, inks.text)]
    parts = [_signs(part, look, inks)]
    if page.time:
        parts.append(Segment(time.rjust(page.time) + "  ", inks.time))
    if page.speaker:
        voice = visible(part.what.voice) if part.named else ""
        parts.append(Segment(fitted(voice, page.speaker) + "  ", inks.voices[look.voice % len(inks.voices)]))
    return parts


def _cut(start: int, end: int, inked: list[tuple[Span, Style]]) -> list[tuple[int, int, Style | None]]:
    """A row's stretches, each in the styles whose characters it is among, the later over the earlier, or in none."""
    within = [((max(start, left), min(end, right)), ink) for (left, right), ink in inked]
    within = [(span, ink) for span, ink in within if span[0] < span[1]]
    borders = sorted({start, end, *(border for span, _ in within for border in span)})
    inks = [[ink for span, ink in within if span[0] <= left < span[1]] for left in borders]
    return [
        (left, right, Style.combine(over) if over else None)
        for (left, right), over in zip(pairwise(borders), inks, strict=False)
    ]


def _fill(cells: int, filler: str, ink: Style) -> Strip:
    """A rule with a space before it, where there is room for both."""
    return Strip([Segment(" " + filler * (cells - 1), ink)] if cells > 1 else [])
