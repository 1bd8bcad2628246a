"""One line of a transcript, and the unfinished text behind the last one."""

import re
from enum import IntEnum
from typing import Final

from msgspec import Struct


class Kind(IntEnum):
    """What a line is."""

    SPEECH = 1
    GAP = 2
    """Sound without text, with its reason."""
    HOLE = 3
    """Silence in place of sound that was lost."""
    NOTE = 4
    """Written by the person."""
    DIVIDER = 5
    """Something changed here: the microphone, the engine."""


SPEECH: Final = Kind.SPEECH
GAP: Final = Kind.GAP
HOLE: Final = Kind.HOLE
NOTE: Final = Kind.NOTE
DIVIDER: Final = Kind.DIVIDER

OF_ONE_TRACK: Final = (SPEECH, GAP, HOLE)
"""The lines that have a voice; a note is nobody's speech, and a divider may concern all tracks."""

_LABEL: Final = r"([A-Z]|\d\d?)( \(\d+\))?"
"""What engines call speakers, and what `recognition.speakers` makes of it; compiled once one is shown."""


class Line(Struct, frozen=True):
    """One line, as it is now. Times are session time, samples at 16 kHz."""

    id: int
    track: int
    start: int
    end: int
    text: str
    kind: Kind
    speaker: str | None
    original: str | None = None
    """What the engine said, once a person has edited `text`."""
    mark: str | None = None
    """The note on its mark, empty without one; None when it is not marked."""
    track_name: str | None = None
    """What its track is called, where that is shown."""

    @property
    def voice(self) -> str:
        """Whose line it is, as far as that is known: `You`, `Anna`, `Computer A`; else empty."""
        return voice_of(self.kind, self.track_name, self.speaker)


class PartialText(Struct, frozen=True):
    """What a track's unfinished turn sounds like so far."""

    start: int
    """Session time at which it begins, samples at 16 kHz."""
    text: str
    stable: int = 0
    """Characters at the front of `text` that will not change."""
    mark: str | None = None
    """The note on the mark that its line gets, empty without one; None when it is not marked."""


def voice_of(kind: Kind, track_name: str | None, speaker: str | None) -> str:
    """Who speaks, from the name of the track, where it is shown, and of the speaker, where there is one.

    An engine's label says who of a track it is: `Computer A`. A name says it by itself. Empty for a line that is not
    `OF_ONE_TRACK`.
    """
    if kind not in OF_ONE_TRACK:
        return ""
    if not track_name or not speaker or re.fullmatch(_LABEL, speaker) is None:
        return speaker or track_name or ""
    return f"{track_name} {speaker}"


def sample_by_the_wall(kind: Kind, start: int) -> int:
    """The sample that was recorded at the time of day at which a line begins.

    A divider ends what stands before it: that of a pause has the time at which the pause began, and not the sample
    behind it.
    """
    return max(0, start - 1) if kind is Kind.DIVIDER else start


def bracketed(kind: Kind, text: str) -> str:
    """How a line's text stands in plain text: what was said as it is, all else in brackets."""
    if kind is SPEECH:
        return text
    return f"[note: {text}]" if kind is NOTE else f"[{text}]"
