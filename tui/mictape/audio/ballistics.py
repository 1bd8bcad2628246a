"""How a meter moves: peak bar, hold mark, RMS and clip lamp, in sample time.

Ballistics after IEC 60268-10 Type I and IEC 60268-18, RMS after AES17; not certified. Nothing here knows the
screen's frame rate: a reading depends on the cells that were fed and on nothing else.
"""

from collections import deque
from collections.abc import Callable
from math import exp, inf, log10
from typing import Final

from msgspec import Struct

from mictape.audio.messages import GRID_MS, LevelCell

FALL_DB_PER_S: Final = 20 / 1.7
"""The bar falls 20 dB in 1.7 s, after IEC 60268-18."""
HOLD_S: Final = 1.0
"""How long the hold mark stays on a peak, after IEC 60268-18."""
RMS_TIME_S: Final = 0.3
"""Time constant of the RMS reading."""
AES17_DB: Final = 10 * log10(2)
"""Added to the plain RMS, so that a full-scale sine reads 0.0 (AES17)."""
FLOOR_DB: Final = -100.0
"""Readings below it are silence, -inf; the smallest 16-bit square wave has its peak at -90.3."""

LOWEST_DB: Final = -60.0
"""Meters on the screen begin here."""

HISTORY_S: Final = 10
"""How far back a meter's history goes."""
HISTORY_STEPS: Final = HISTORY_S * 1000 // GRID_MS

_STEP_S: Final = GRID_MS / 1000
_HOLD_STEPS: Final = round(HOLD_S / _STEP_S)


class Reading(Struct, frozen=True):
    """What the meter shows, in dBFS; -inf is silence."""

    peak_db: float = -inf
    """The bar: rises at once, falls 20 dB in 1.7 s."""
    hold_db: float = -inf
    """The mark: the highest bar of the last second."""
    rms_db: float = -inf
    """AES17, time constant 300 ms."""
    clips: int = 0
    """Clip runs since the lamp was last cleared; the lamp is lit while it is above 0."""
    max_db: float = -inf
    """The highest sample since the meter began."""


class Meter:
    """One track's meter: fed with level cells, read whenever the screen likes."""

    def __init__(self) -> None:
        self.steps = 0
        """Steps of 20 ms that were fed so far."""
        self.on_rise: Callable[[], object] = lambda: None
        """Called when the bar rises so that it can be seen."""
        self._past: deque[float] = deque(maxlen=2 * HISTORY_STEPS)
        """Peaks by step: ten seconds and the rest of their oldest column, which is never longer."""
        self._peak_db = -inf
        self._hold_db = -inf
        self._hold_steps = 0
        self._square = 0.0
        self._clips = 0
        self._max_db = -inf

    def feed(self, cell: LevelCell) -> None:
        """Move on by `cell.steps` steps of 20 ms."""
        peak_db = decibels(cell.peak)
        self.steps += cell.steps
        self._past.extend([peak_db] * min(cell.steps, 2 * HISTORY_STEPS))
        self._max_db = max(self._max_db, peak_db)
        rises = peak_db > max(self._peak_db, LOWEST_DB)
        self._peak_db = max(peak_db, _floored(self._peak_db - FALL_DB_PER_S * _STEP_S * cell.steps))
        if self._peak_db >= self._hold_db or self._hold_steps < cell.steps:
            self._hold_db, self._hold_steps = self._peak_db, _HOLD_STEPS
        else:
            self._hold_steps -= cell.steps
        share = 1 - exp(-cell.steps * _STEP_S / RMS_TIME_S)
        self._square += share * (cell.square - self._square)
        self._clips += cell.clips
        if rises:
            self.on_rise()

    def rest(self) -> None:
        """Show silence: nothing arrives any more. What was loudest and the clip lamp stay."""
        self._peak_db = self._hold_db = -inf
        self._hold_steps, self._square = 0, 0.0

    def history(self, column_steps: int, columns: int) -> tuple[float, ...]:
        """The highest peak of each of the last stretches of sound, the newest last, in dBFS.

        A stretch is `column_steps` steps of 20 ms, counted from the meter's beginning, so that a peak stays in its
        column while it moves; the newest one may still grow. At most `columns` of them, and no more than are known.
        """
        newest = (self.steps - 1) // column_steps
        known = list(self._past)
        first = self.steps - len(known)
        begins = (column * column_steps - first for column in range(newest - columns + 1, newest + 1))
        return tuple(max(known[begin : begin + column_steps]) for begin in begins if begin >= 0)

    def clear_clips(self) -> None:
        """Put out the clip lamp and its count."""
        self._clips = 0

    @property
    def reading(self) -> Reading:
        """What it shows now."""
        return Reading(
            peak_db=self._peak_db,
            hold_db=self._hold_db,
            rms_db=_floored(decibels(self._square**0.5) + AES17_DB),
            clips=self._clips,
            max_db=self._max_db,
        )


def decibels(amplitude: float) -> float:
    """An amplitude (full scale = 1.0) in dBFS; -inf at and below the floor's."""
    return _floored(20 * log10(amplitude)) if amplitude > 0 else -inf


def _floored(level_db: float) -> float:
    return level_db if level_db >= FLOOR_DB else -inf
