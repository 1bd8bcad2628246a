"""The units of sound and time that every layer shares."""

from datetime import date, datetime
from typing import Final

RATE: Final = 16_000
"""Samples a second of session time, on every recording and to every engine that can take it."""

SAMPLE_BYTES: Final = 2
"""Bytes a sample: 16-bit signed PCM, little endian, one channel."""

Span = tuple[int, int]
"""A part of a text: `text[start:end]`."""


def clock(samples: int) -> str:
    """Return session time as hours, minutes and seconds: `00:12:41`.

    Args:
        samples: Session time in samples.
    """
    minutes, seconds = divmod(samples // RATE, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def day_of(moment: datetime, today: date) -> str:
    """What stands for a day, in at most 11 cells: `Thu 26 Nov`, of other years `26 Nov 2025`."""
    return f"{moment:%a %d %b}" if moment.year == today.year else f"{moment:%d %b %Y}"


_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_TENTHS_BELOW_S: Final = 10


def span(seconds: float) -> str:
    """A length of time, as exact as it is useful: `0.4 s`, `42 s`, `3 min`, `2 h 5 min`."""
    if seconds < _TENTHS_BELOW_S - 0.05:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 2 * _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
