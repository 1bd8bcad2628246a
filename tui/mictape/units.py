"""The units of sound and time that every layer shares."""

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
