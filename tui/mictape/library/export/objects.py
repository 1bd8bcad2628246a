"""JSON: the shapes that other programs read. `VERSION` grows when one of them changes its meaning.

Nothing that was recognised is obeyed by a terminal that shows it: control characters are escaped.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from mictape.engines.base import Word
from mictape.library.export.document import Document
from mictape.library.records import NO_LINE, LineRecord, TrackRecord
from mictape.plain_text import safe_json
from mictape.transcript.line import SPEECH, Kind, PartialText
from mictape.units import RATE

VERSION: Final = 1


_EVENTS: Final[Mapping[Kind, Literal["note", "gap", "hole", "divider"]]] = {
    Kind.NOTE: "note",
    Kind.GAP: "gap",
    Kind.HOLE: "hole",
    Kind.DIVIDER: "divider",
}


class WordObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One word; what the engine did not give is left out."""

    text: str
    """As it was said."""
    start_s: float | None = None
    """Its beginning, session time."""
    end_s: float | None = None
    """Its end, session time."""
    confidence: float | None = None
    """How sure the engine is of it, 0 to 1."""
    speaker: str | None = None
    """Who said it."""
    estimated: bool = False
    """Whether the times are a guess: from the lengths of the words, not from their sound."""


class LineObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One final line. Times are seconds of session time; what is not known is left out."""

    id: int
    """Of its session; never changes."""
    track: int
    """The number of its track."""
    start_s: float
    """Its beginning, session time."""
    end_s: float
    """Its end, session time."""
    text: str
    """What is shown."""
    original: str | None = None
    """What the engine said, where a person has edited `text`; `words` are the engine's, too."""
    speaker: str | None = None
    """Who spoke, as the engine or the person says."""
    language: str | None = None
    """A BCP 47 tag, where the engine says what was spoken."""
    words: tuple[WordObject, ...] | None = None
    """Its words, where the engine gives them."""
    track_name: str | None = None
    """What the track is called, where there are several or the person named it."""
    mark: str | None = None
    """The note on its mark, empty without one; left out when it is not marked."""


class FinalObject(LineObject, frozen=True, omit_defaults=True, tag_field="type", tag="final"):
    """A final line, as `listen --json` prints it."""


class RevisionObject(LineObject, frozen=True, omit_defaults=True, tag_field="type", tag="revision"):
    """What has changed in the line with this id since it was printed; what is left out stays as it was."""


class PartialObject(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="partial"):
    """The unfinished text of a track, in place of the one before; `text` is empty once there is none."""

    track: int
    """The number of its track."""
    text: str
    """All of it so far."""
    start_s: float | None = None
    """Its beginning, session time."""
    stable: int = 0
    """Characters at the front of `text` that will not change."""
    track_name: str | None = None
    """What the track is called, as in a line."""


class EventObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands between the lines."""

    kind: Literal["note", "gap", "hole", "divider"]
    """A note of the person's, sound without text, lost sound, a pause, or a change of device or engine."""
    track: int
    """The number of its track."""
    start_s: float
    """Its beginning, session time."""
    end_s: float
    """Its end, session time."""
    text: str
    """What is shown."""
    id: int | None = None
    """Of a note or divider, as of a line."""
    mark: str | None = None
    """The note on its mark, as of a line."""


class TrackObject(msgspec.Struct, frozen=True):
    """One track."""

    number: int
    """Counted from 1."""
    name: str
    """What the person calls it."""
    source: str
    """The device or the file."""
    kind: Literal["microphone", "computer sound", "file", "stdin"]
    """What its sound comes from."""
    origin_s: float
    """Its beginning, session time."""
    duration_s: float
    """Its length, lost sound included."""
    lost_s: float
    """Sound that was lost and is silence now."""


class SessionObject(msgspec.Struct, frozen=True):
    """A session, or the part of it that was chosen."""

    id: str | None
    """None when it is not kept."""
    title: str
    """As the person gave it, else as proposed; may be empty."""
    started: str | None
    """When it began."""
    duration_s: float
    """Its length, pauses left out."""
    engines: tuple[str, ...]
    """The engines that its lines are from."""
    tracks: tuple[TrackObject, ...]
    """Its tracks, by number."""
    lines: tuple[LineObject, ...]
    """What was said, in the order of the recording."""
    events: tuple[EventObject, ...]
    """What stands between the lines, in the same order."""
    tags: tuple[str, ...] = ()
    """In alphabetical order."""
    text_version: int = 1
    """Which version of its text this is (`sessions versions`)."""
    version: int = VERSION
    """Of this shape."""


def json_line(line: LineRecord, track_name: str | None = None, *, revised: bool = False) -> str:
    """A line as one JSON object on one line, without its end: a `FinalObject`, or a `RevisionObject` of one."""
    return to_json(_line(line, track_name, RevisionObject if revised else FinalObject))


def json_partial(track: int, partial: PartialText | None, track_name: str | None = None) -> str:
    """An unfinished text as one JSON object on one line, without its end: a `PartialObject`; None: there is none."""
    if partial is None:
        return to_json(PartialObject(track, "", track_name=track_name))
    return to_json(PartialObject(track, partial.text, in_seconds(partial.start), partial.stable, track_name))


def json_document(document: Document) -> Iterator[str]:
    """A session as one indented JSON document: a `SessionObject`."""
    session = document.session
    names = {track.number: track.name for track in document.tracks} if len(document.tracks) > 1 else {}
    value = SessionObject(
        id=session.id if session else None,
        title=session.title if session else "",
        started=datetime.fromtimestamp(session.started_utc_s, UTC).isoformat() if session else None,
        duration_s=in_seconds(document.samples),
        engines=document.engines,
        tracks=tuple(map(_track, document.tracks)),
        lines=tuple(_line(line, names.get(line.track)) for line in document.lines if line.kind == SPEECH),
        events=tuple(map(_event, (line for line in document.lines if line.kind != SPEECH))),
        tags=session.tags if session else (),
        text_version=session.version if session else 1,
    )
    yield to_json(value, indent=2) + "\n"


def _track(track: TrackRecord) -> TrackObject:
    return TrackObject(
        number=track.number,
        name=track.name,
        source=track.source,
        kind=track.kind,
        origin_s=in_seconds(track.origin),
        duration_s=in_seconds(track.samples),
        lost_s=in_seconds(track.lost),
    )


def _line(line: LineRecord, track_name: str | None, kind: type[LineObject] = LineObject) -> LineObject:
    return kind(
        id=line.id,
        track=line.track,
        start_s=in_seconds(line.start),
        end_s=in_seconds(line.end),
        text=line.text,
        original=line.original,
        speaker=line.speaker,
        language=line.language,
        words=None if line.words is None else tuple(map(_word, line.words)),
        track_name=track_name,
        mark=line.mark,
    )


def _event(line: LineRecord) -> EventObject:
    return EventObject(
        _EVENTS[line.kind],
        line.track,
        in_seconds(line.start),
        in_seconds(line.end),
        line.text,
        id=None if line.id == NO_LINE else line.id,
        mark=line.mark,
    )


def _word(word: Word) -> WordObject:
    return WordObject(
        text=word.text,
        start_s=None if word.start is None else in_seconds(word.start),
        end_s=None if word.end is None else in_seconds(word.end),
        confidence=word.confidence,
        speaker=word.speaker,
        estimated=word.estimated,
    )


def in_seconds(samples: int) -> float:
    """Seconds to the millisecond, which is finer than any engine's times."""
    return round(samples / RATE, 3)


def to_json(value: object, indent: int = 0) -> str:
    """A value as JSON that no terminal obeys; on one line without `indent`."""
    packed = msgspec.json.encode(value)
    text = (msgspec.json.format(packed, indent=indent) if indent else packed).decode()
    return safe_json(text)
