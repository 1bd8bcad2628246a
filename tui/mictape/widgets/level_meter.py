"""The level meter: a bar in dBFS with peak, hold mark, RMS, numbers and clip lamp, its scale, the last ten seconds."""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from math import inf
from typing import Final

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.events import Resize
from textual.geometry import Size
from textual.reactive import var
from textual.strip import Strip

from mictape.audio.ballistics import HISTORY_STEPS, Reading
from mictape.audio.messages import GRID_MS
from mictape.plain_text import visible
from mictape.units import RATE
from mictape.widgets.direct_rows import draw_rows
from mictape.widgets.inks import Ink, Inked, Mixer
from mictape.widgets.level_scale import ZONES, Zone, eighths, good_cells, number, scale, zone_of, zones
from mictape.widgets.survives import SurvivesErrors

_PARTS: Final = " ▏▎▍▌▋▊▉"
"""A cell filled from the left by none to seven eighths."""
_RISING: Final = " ▁▂▃▄▅▆▇█"
"""A cell filled from below by none to eight eighths."""
_HISTORY_ROW: Final = 2
_FULL: Final = 8
_NAME_CELLS: Final = 10
"""A track's name takes as many cells at least; where it takes more than a quarter of the row, the rest is cut off."""
_HISTORY_LABEL: Final = " last 10 s"

History = Callable[[int, int], Sequence[float]]
"""The highest peaks of so many stretches of so many steps of 20 ms (`Meter.history`)."""
_SOLID, _SHADE, _HOLD, _BRACKET = "█", "▒", "│", "·"
_ENDS: Final = "▕▏"

_QUARTER: Final = RATE // 4
"""The numbers change at most every quarter of a second of session time (samples): faster cannot be read."""

_STEP: Final = GRID_MS * RATE // 1000
"""Samples of a step of the level grid."""

_WIDE: Final = 70
"""From this many columns on there is room for the second number."""
_RMS_CELLS, _PEAK_CELLS, _LAMP_CELLS = len(" −18.2 dBFS"), len("   peak  −9.1"), len("   CLIP 99+")
_MOST_CLIPS: Final = 99
_WIDEST: Final = 100
"""Cells of a bar that is wide: movement that it would not show is none."""


class _Look(Struct, frozen=True):
    """What the first row shows, as far as cells can show."""

    rms: int = 0
    """Eighths of a cell."""
    peak: int = 0
    """Eighths of a cell."""
    hold: int = -1
    """The mark's cell; -1 when there is none."""
    numbers: tuple[str, str] = (number(-inf), number(-inf))
    """RMS and the hold mark, written out."""
    clips: int = 0
    paused: bool = False


def visible_steps(reading: Reading) -> tuple[int, ...]:
    """Return a reading in steps of an eighth of a cell on a wide bar: equal where a frame would show the same.

    The numbers are not in it: they are read, not watched.
    """
    levels = (reading.peak_db, reading.hold_db, reading.rms_db)
    return (*(eighths(level_db, _WIDEST) for level_db in levels), reading.clips)


class _Paints(Struct, frozen=True):
    """The styles of the meter's parts."""

    solid: dict[Zone, Style]
    """RMS, and the shade up to the peak."""
    edge: dict[Zone, Style]
    """The cell where RMS ends within the shade."""
    tip: dict[Zone, Style]
    """The cell where the shade ends: a partial block in the colour a shade has from afar."""
    hold: Style
    track: Style
    good: Style
    number: Style
    label: Style
    clip: Style
    ground: Style
    """Where a row has ended."""


class LevelMeter(SurvivesErrors, Inked):
    """One track's level: bar and numbers, below it the scale, below that the last ten seconds, as high as it is.

    The screen's clock pulls it. It draws only what a cell can show: a reading that looks the same costs a
    comparison, and one that looks different draws the row that it is in only. No peak is lost between two pulls: the
    history has the highest of each column's time, and the hold mark that of the last second.
    """

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    LevelMeter {
        height: 2;
        padding: 0 1;
    }
    """

    paused: var[bool] = var(False, toggle_class="-paused")
    """Nothing is recorded: the bar is empty and says so."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._reading = Reading()
        self._quarter: int = -1
        self._look = _Look()
        self._past: tuple[tuple[int, Zone], ...] = ()
        """What the history shows: eighths of a cell and their zone, the newest last."""
        self._column = (0, -1)
        """Cells of the bar, and the cell of the history that the newest sound is in."""
        self._history_of: History | None = None
        """Whose history that is."""
        self._track_name = ""
        self._paints: _Paints | None = None
        self._rows: dict[int, Strip] = {}
        self._outer: Size | None = None
        self._inner = Size(0, 0)
        """The size of the content, as of `_outer`: Textual looks it up in the layout of the whole screen."""

    def pull(self, reading: Reading, position: int, *, name: str = "", history: History | None = None) -> None:
        """Show what is true now; draws only what changes.

        Args:
            reading: The levels.
            position: When they were taken, samples of sound that went into the meter.
            name: What the track is called, where that is shown.
            history: Gives the peaks of the last seconds; None: they are not shown.
        """
        if name != self._track_name:
            self._track_name = name
            self._rows.clear()
            self.refresh()
            self._show(self._look.numbers)
        if history is not None and self._content.height > _HISTORY_ROW:
            self._show_past(history, position)
        quarter = position // _QUARTER
        if quarter == self._quarter and reading == self._reading:
            return
        numbers = self._look.numbers
        if quarter != self._quarter or reading.rms_db == -inf:  # what falls silent at once shows it at once
            numbers = (number(reading.rms_db), number(reading.hold_db))
        self._quarter, self._reading = quarter, reading
        self._show(numbers)

    def watch_paused(self) -> None:
        """A pause shows at once, not with the next reading."""
        self._show(self._look.numbers)

    def on_resize(self, event: Resize) -> None:
        """Another width has other cells."""
        self._show(self._look.numbers)

    def restyle(self) -> None:
        """Other colours: mix them and draw again."""
        self._paints = self._outer = None
        self._rows.clear()

    def render_line(self, y: int) -> Strip:
        """One row: 0 the bar and its numbers, 1 the scale, 2 the last ten seconds."""
        row = self._rows.get(y)
        if row is None or row.cell_length != self._content.width:
            row = self._rows[y] = self._draw(y)
        return row

    def _show(self, numbers: tuple[str, str]) -> None:
        """Work out what the cells show; draw the first row again if that is not what they show now."""
        width, reading = self._bar_width, self._reading
        if self.paused:
            look = _Look(numbers=numbers, clips=reading.clips, paused=True)
        else:
            hold = eighths(reading.hold_db, width)
            look = _Look(
                rms=eighths(reading.rms_db, width),
                # AES17 puts a square wave's RMS 3 dB above its peak.
                peak=eighths(max(reading.peak_db, reading.rms_db), width),
                hold=min(hold // _FULL, width - 1) if hold else -1,
                numbers=numbers,
                clips=min(reading.clips, _MOST_CLIPS + 1),
            )
        if look != self._look:
            self._look = look
            self._rows.pop(0, None)
            draw_rows(self, [0])

    def _show_past(self, history: History, position: int) -> None:
        """Work out what the history's cells show, once for each of them; draw its row again if that has changed."""
        width = self._bar_width
        if width == 0:
            return
        steps = -(-HISTORY_STEPS // width)  # so many that ten seconds fit, rounded up
        column = width, (position // _STEP - 1) // steps
        if column == self._column and history == self._history_of:
            return
        columns = -(-HISTORY_STEPS // steps)
        gone_on = history == self._history_of and column[0] == self._column[0] and column[1] > self._column[1]
        # Of what is shown only the newest column may have grown since.
        new = min(column[1] - self._column[1] + 1, columns) if gone_on else columns
        self._column, self._history_of = column, history
        added: list[tuple[int, Zone]] = [(eighths(peak_db, 1), zone_of(peak_db)) for peak_db in history(steps, new)]
        past = (*self._past[:-1], *added)[-columns:] if new < columns else tuple(added)
        if past != self._past:
            self._past = past
            self._rows.pop(_HISTORY_ROW, None)
            draw_rows(self, [_HISTORY_ROW])

    @property
    def _content(self) -> Size:
        """Columns and rows that it has, without its padding."""
        if self._outer != self.outer_size:
            self._outer, self._inner = self.outer_size, self.content_size
        return self._inner

    @property
    def _bar_width(self) -> int:
        """Cells between the ends of the bar."""
        peak = _PEAK_CELLS if self._wide else 0
        rest = len(_ENDS) + _RMS_CELLS + peak + _LAMP_CELLS + cell_len(self._label)
        return max(0, self._content.width - rest)

    @property
    def _label(self) -> str:
        """The track's name before the bar; empty where it is not shown."""
        name = visible(self._track_name)
        cells = max(_NAME_CELLS, min(cell_len(name), self._content.width // 4))
        return set_cell_size(name, cells) + " " if name else ""

    @property
    def _wide(self) -> bool:
        return self._content.width >= _WIDE

    def _draw(self, y: int) -> Strip:
        """A row drawn again, as wide as the widget."""
        paints = self._paints = self._paints or self._mix()
        rows = {0: self._bar, 1: self._scale, _HISTORY_ROW: self._history}
        segments = rows[y](paints) if y in rows else []
        return Strip(segments).adjust_cell_length(self._content.width, paints.ground)

    def _bar(self, paints: _Paints) -> list[Segment]:
        """The bar between its ends, and what stands behind it."""
        width = self._bar_width
        if self._look.paused:
            word = paints.number + Style(bgcolor=paints.track.bgcolor)
            cells = [Segment(f"{'PAUSED':^{width}}"[:width], word)]
        else:
            painted = (
                (glyph * (right - left), style)
                for left, right in pairwise(self._borders(width))
                for glyph, style in (self._cell(left, zones(width)[left], paints),)
            )
            runs = groupby(painted, key=lambda cell: cell[1])
            cells = [Segment("".join(glyph for glyph, _ in run), style) for style, run in runs]
        ends = [Segment(end, paints.label) for end in _ENDS]
        name = [Segment(self._label, paints.number)] if self._label else []
        return [*name, ends[0], *cells, ends[1], *self._readout(paints)]

    def _borders(self, width: int) -> list[int]:
        """Where cells that look alike begin, and the end of the bar."""
        look = self._look
        special = (look.rms // _FULL, look.peak // _FULL, look.hold)
        borders = {0, width, *good_cells(width), *special, *(at + 1 for at in special)}
        return sorted(at for at in borders if 0 <= at <= width)

    def _cell(self, at: int, zone: Zone, paints: _Paints) -> tuple[str, Style]:
        """The glyph and the style of one cell of the bar."""
        rms, peak = self._look.rms - at * _FULL, self._look.peak - at * _FULL
        if rms >= _FULL:
            return _SOLID, paints.solid[zone]
        if at == self._look.hold and peak < _FULL:
            return _HOLD, paints.hold
        if rms > 0:
            return _PARTS[rms], (paints.edge if peak >= _FULL else paints.solid)[zone]
        if peak >= _FULL:
            return _SHADE, paints.solid[zone]
        if peak > 0:
            return _PARTS[peak], paints.tip[zone]
        return (_BRACKET if zone == "good" else " "), paints.track

    def _readout(self, paints: _Paints) -> list[Segment]:
        """What stands behind the bar: the numbers and the clip lamp."""
        look = self._look
        if look.paused:
            cells = _RMS_CELLS + (_PEAK_CELLS if self._wide else 0)
            segments = [Segment(" " * cells, paints.label)]
        else:
            rms, peak = look.numbers
            segments = [Segment(f"{rms:>6}", paints.number), Segment(" dBFS", paints.label)]
            if self._wide:
                segments.append(Segment(f"   peak {peak:>5}", paints.label))
        if look.clips:
            count = str(look.clips) if look.clips <= _MOST_CLIPS else f"{_MOST_CLIPS}+"
            segments += [Segment("   ", paints.label), Segment(f"CLIP {count}", paints.clip)]
        return segments

    def _scale(self, paints: _Paints) -> list[Segment]:
        """The scale, with good speech in its zone's colour."""
        width = self._bar_width
        text, (begin, end) = scale(width), good_cells(width)
        return [
            Segment(" " * (cell_len(self._label) + 1) + text[:begin], paints.label),
            Segment(text[begin:end], paints.good),
            Segment(text[end:], paints.label),
        ]

    def _history(self, paints: _Paints) -> list[Segment]:
        """The peaks of the last ten seconds, the newest at the end of the bar."""
        painted = ((_RISING[size], paints.solid[zone]) for size, zone in self._past)
        runs = groupby(painted, key=lambda cell: cell[1])
        cells = [Segment("".join(glyph for glyph, _ in run), style) for style, run in runs]
        empty = self._bar_width - len(self._past)
        return [
            Segment(" " * (cell_len(self._label) + 1), paints.label),
            Segment(" " * empty, paints.track),
            *cells,
            Segment(_HISTORY_LABEL, paints.label),
        ]

    def _mix(self) -> _Paints:
        """The styles, from the theme."""
        mixer = Mixer(self)
        solid: dict[Zone, Style] = {zone: mixer.style(Ink(f"meter-{zone}", "meter-track")) for zone in ZONES}
        soft: dict[Zone, Style] = {zone: _halfway(paint) for zone, paint in solid.items()}
        label = mixer.style(Ink("transcript-time"))
        return _Paints(
            solid=solid,
            edge={zone: _on(paint, soft[zone]) for zone, paint in solid.items()},
            tip=soft,
            hold=mixer.style(Ink("meter-hold", "meter-track")),
            track=mixer.style(Ink("meter-good", "meter-track")),
            good=Style(color=solid["good"].color, bgcolor=label.bgcolor),
            number=mixer.style(Ink("foreground", text="bold")),
            label=label,
            clip=mixer.style(Ink("meter-clip", text="bold reverse")),
            ground=mixer.base,
        )


def _on(paint: Style, ground: Style) -> Style:
    """A style's colour on another one's colour; on its own background where the two are the same."""
    return paint if ground.color == paint.color else Style(color=paint.color, bgcolor=ground.color)


def _halfway(paint: Style) -> Style:
    """A style's colour mixed with its background by halves, as `▒` mixes them; the terminal's own stay."""
    if paint.color is None or paint.bgcolor is None or paint.color.triplet is None or paint.bgcolor.triplet is None:
        return paint
    colour, ground = Color.from_rich_color(paint.color), Color.from_rich_color(paint.bgcolor)
    return Style(color=ground.blend(colour, 0.5).rich_color, bgcolor=paint.bgcolor)
