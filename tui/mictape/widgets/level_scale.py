"""Where a level stands on the meter's bar, and how levels are written: pure."""

from functools import lru_cache
from itertools import pairwise
from math import isfinite
from typing import Final, Literal

from mictape.audio.ballistics import LOWEST_DB

Zone = Literal["low", "good", "hot"]
"""Below good speech, good speech, above it."""

ZONES: Final[tuple[Zone, ...]] = ("low", "good", "hot")

FLOOR_DB: Final = LOWEST_DB
"""The left end of the bar."""
GOOD_DB: Final = -18.0
"""Where good speech begins: the alignment level of EBU R68."""
HOT_DB: Final = -9.0
"""Where it ends: the permitted maximum level of EBU R68."""

_CURVE: Final = ((-60.0, 2.5), (-50.0, 7.5), (-40.0, 15.0), (-30.0, 30.0), (-20.0, 50.0), (0.0, 100.0))
"""Deflection in percent at these levels, straight lines between them: the scale of IEC 60268-18."""

_TICKS: Final = (0, -60, -20, -12, -40, -6, -3, -30)
"""The labels of the scale; the later ones give way where there is no room."""


def deflection(level_db: float) -> float:
    """How much of the bar a level fills: 0 at `FLOOR_DB`, 1 at full scale, more room for the loud end."""
    if level_db <= FLOOR_DB:  # most of the time, as at a silent microphone
        return 0.0
    lowest, whole = _CURVE[0][1], _CURVE[-1][1]
    for (low_db, low), (high_db, high) in pairwise(_CURVE):
        if level_db <= high_db:
            percent = low + (high - low) * (max(level_db, low_db) - low_db) / (high_db - low_db)
            return (percent - lowest) / (whole - lowest)
    return 1.0


def eighths(level_db: float, width: int) -> int:
    """How many eighths of a cell a level fills in a bar of `width` cells."""
    return round(deflection(level_db) * width * 8)


@lru_cache(64)
def good_cells(width: int) -> tuple[int, int]:
    """The cells of good speech in a bar of `width` cells: the first, and the one after the last."""
    return round(deflection(GOOD_DB) * width), round(deflection(HOT_DB) * width)


@lru_cache(64)
def zones(width: int) -> tuple[Zone, ...]:
    """The zone of each cell of a bar of `width` cells."""
    begin, end = good_cells(width)
    parts: tuple[tuple[Zone, int], ...] = (("low", begin), ("good", end - begin), ("hot", width - end))
    return tuple(zone for zone, cells in parts for _ in range(cells))


def zone_of(level_db: float) -> Zone:
    """The zone that a level belongs to."""
    if level_db < GOOD_DB:
        return "low"
    return "good" if level_db < HOT_DB else "hot"


def scale(width: int) -> str:
    """The row below a bar of `width` cells: labels where there is room, good speech as a heavy bracket."""
    cells = [" "] * width
    for level_db in _TICKS:
        label = str(level_db).replace("-", "−")
        middle = round(deflection(level_db) * width)
        at = max(0, min(middle - (len(label) + 1) // 2, width - len(label)))
        if set(cells[max(0, at - 1) : at + len(label) + 1]) == {" "}:
            cells[at : at + len(label)] = label
    begin, end = good_cells(width)
    for at in range(begin, end):
        if cells[at] == " ":
            cells[at] = "╺" if at == begin else "╸" if at == end - 1 else "━"
    return "".join(cells[:width])


def number(level_db: float) -> str:
    """A level to a tenth of a decibel, with a true minus sign: `−18.2`; silence is `−∞`."""
    if not isfinite(level_db):
        return "−∞"
    return f"{round(level_db, 1) + 0.0:.1f}".replace("-", "−")
