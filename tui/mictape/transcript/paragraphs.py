"""Which lines read as one paragraph: those of one voice, one behind the other, without a long pause. Pure."""

from typing import Final

from mictape.transcript.line import SPEECH, Line
from mictape.units import RATE

PAUSE: Final = 2 * RATE
"""A longer pause begins a paragraph, samples at 16 kHz. Pauses between sentences of read and of free speech are mostly
under one second; two leave room for thinking."""

LONGEST: Final = 60 * RATE
"""A paragraph ends at the full minute, samples at 16 kHz: one that goes on for pages is hard to read, and what changes
in a line moves the lines behind it to the end of its paragraph."""

SIGN_CELLS: Final = 2
"""Before a line: the mark's cell and the cursor's. They part it from the line before where both are in one row."""


def continues(line: Line, before: Line) -> bool:
    """Whether a line belongs to the paragraph of the one before it."""
    return (
        line.kind is before.kind is SPEECH
        and (line.track, line.speaker) == (before.track, before.speaker)
        and line.start - before.end <= PAUSE
        and line.start // LONGEST == before.start // LONGEST
    )
