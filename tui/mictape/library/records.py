"""What the library keeps, as values.

All times are session time, samples at 16 kHz, unless the name says otherwise.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from mictape.engines.base import Word
from mictape.transcript.line import SPEECH, Kind
from mictape.units import RATE, clock

NO_LINE: Final = -1
"""The id of what stands between lines without being one: gaps and holes."""


class LineRecord(msgspec.Struct, frozen=True):
    """A final line."""

    id: int
    """Of its session; never changes."""
    track: int
    start: int
    end: int
    text: str
    """What is shown."""
    kind: Kind = SPEECH
    original: str | None = None
    """What the engine said, once a person has edited `text`."""
    speaker: str | None = None
    language: str | None = None
    engine: str | None = None
    connection: int | None = None
    """Which connection of the session said it; with `turn` it finds the line again for a late revision."""
    turn: int | None = None
    words: tuple[Word, ...] | None = None
    mark: str | None = None
    """The note on its mark, empty without one; None when it is not marked. Kept by `Store.set_mark`."""


TrackKind = Literal["microphone", "computer sound", "file", "stdin"]
"""What a track's sound comes from."""


class TrackRecord(msgspec.Struct, frozen=True):
    """A source and its tape."""

    number: int
    name: str
    """What the person calls it."""
    source: str
    """The human name of the device, or the file."""
    host_api: str = ""
    kind: TrackKind = "microphone"
    origin: int = 0
    """Session time of the tape's first sample."""
    samples: int = 0
    """Length of the tape, holes included."""
    lost: int = 0
    """Samples of the tape that are holes."""
    device: str | None = None
    """The human name of the device that it recorded last, where `source` is another one."""
    removed: bool = False
    """Whether its device was removed while others went on."""

    @property
    def last_source(self) -> str:
        """The human name of what it recorded last."""
        return self.device or self.source


class CoverageRecord(msgspec.Struct, frozen=True):
    """The state of an interval `[start, end)` of a track; stored intervals of a track are disjoint."""

    start: int
    end: int
    what: Literal["covered", "gap", "hole", "open"]
    """`open` is never stored: it is the state of everything that no interval covers."""
    why: str = ""
    """The reason of a gap or hole."""


class TrackChange(msgspec.Struct, frozen=True):
    """What has changed on a track since the last change that was stored."""

    track: int
    samples: int
    """Length of the tape, holes included."""
    lost: int
    """Samples of the tape that are holes."""
    coverage: tuple[CoverageRecord, ...] = ()
    """Intervals whose state has changed, disjoint; the rest of the track keeps its state."""


class SessionRecord(msgspec.Struct, frozen=True):
    """A session, with everything that a list of sessions shows."""

    id: str
    """`YYYYMMDD-HHMMSS` of its start in local time, with `-2`, `-3` … when that was taken."""
    started_utc_s: float
    """Seconds since the epoch."""
    ended_utc_s: float | None
    """When it was closed, or last closed when it is open again; None until then."""
    state: Literal["open", "closed"]
    """`open` while it is recorded, and for ever when the process was killed."""
    title: str
    """As the person gave it, else as proposed when it was closed; may be empty."""
    app_version: str
    settings: Mapping[str, object]
    """The settings it was recorded with."""
    samples: int
    """Session time at its end: of the track that reaches furthest."""
    lines: int
    """How many lines of speech it has."""
    titled: bool = False
    """Whether the person gave the title."""
    version: int = 1
    """The version of the text that is shown."""
    deleted_utc_s: float | None = None
    """When it was moved to the trash."""
    devices: tuple[str, ...] = ()
    """The devices or files of its tracks."""
    engines: tuple[str, ...] = ()
    """The engine that it was begun with, and those of later versions of its text."""
    tags: tuple[str, ...] = ()
    """In alphabetical order."""
    marks: int = 0
    """How many lines are marked."""
    gaps: int = 0
    """Samples without text, over all tracks."""
    first_words: str = ""
    """The text of its first line."""

    @property
    def started(self) -> datetime:
        """When it began, in local time."""
        return datetime.fromtimestamp(self.started_utc_s).astimezone()

    @property
    def given_title(self) -> str:
        """The title that the person gave; empty without one."""
        return self.title if self.titled else ""

    @property
    def without_text(self) -> str:
        """How much of it has no text, as a time; empty when it is less than a second."""
        return clock(self.gaps) if self.gaps >= RATE else ""


class VersionRecord(msgspec.Struct, frozen=True):
    """One version of a session's text."""

    number: int
    """Counted from 1, which is the text as it was recorded."""
    engine: str
    title: str
    """What people call the engine and its model."""
    created_utc_s: float
    complete: bool
    """Whether the whole recording was transcribed."""
