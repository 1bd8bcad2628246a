"""What a session reports. How loud and how far it is, is asked of its tracks instead."""

from dataclasses import dataclass

from mictape.failure import Failure
from mictape.library.records import LineRecord
from mictape.transcript.line import PartialText


@dataclass(frozen=True, slots=True)
class LineAdded:
    """A final line stands in the transcript."""

    line: LineRecord


@dataclass(frozen=True, slots=True)
class LineRevised:
    """The engine has a better text or another speaker for a line that was final already; it may lack its words."""

    line: LineRecord


@dataclass(frozen=True, slots=True)
class PartialChanged:
    """The unfinished text of a track is another one; None: there is none any more."""

    track: int
    partial: PartialText | None


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """A file or standard input has been read to its end."""

    track: int
    warning: str
    """A sentence when it was not whole; else empty."""


@dataclass(frozen=True, slots=True)
class SourceBack:
    """A source that was lost is recorded again."""

    track: int
    device: str
    """Its name, for people."""


@dataclass(frozen=True, slots=True)
class SoundLost:
    """A stretch of tape is silence in place of sound that was lost."""

    track: int
    start: int
    """Session time, samples at 16 kHz."""
    text: str
    """How much, and why: `11.7 s lost: the device was gone`."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong; the session goes on."""

    failure: Failure


Event = LineAdded | LineRevised | PartialChanged | SourceEnded | SourceBack | SoundLost | Trouble
