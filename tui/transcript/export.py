"""A transcript as text for other programs and for printing: pure functions.

What was recognised is data: in plain text its control characters become visible pictures, in JSON they are
escaped, so that no terminal obeys them.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from tui.transcript.kept import RATE, KeptLine, KeptSession, KeptTrack, Word
from tui.transcript.model import SPEECH
from tui.transcript.wrapping import OBEYED

_VISIBLE: Final[dict[int, int]] = {**OBEYED, **dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), 0x20)}
"""For lines of output: what a terminal would obey made visible, and a space for what begins a line or jumps."""

_UNSAFE_IN_JSON: Final = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""JSON itself does not ask for these to be escaped; terminals obey some, and some programs break lines at others."""


class WordObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One word in JSON; what the engine did not tell is left out."""

    text: str
    start_s: float | None = None
    end_s: float | None = None
    confidence: float | None = None
    speaker: str | None = None


class LineObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One final line in JSON. Times are seconds of session time; what the engine did not tell is left out."""

    id: int
    track: int
    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    language: str | None = None
    words: tuple[WordObject, ...] | None = None


class TrackObject(msgspec.Struct, frozen=True):
    """One track in JSON."""

    number: int
    name: str
    source: str
    kind: str
    origin_s: float
    duration_s: float
    lost_s: float


class SessionObject(msgspec.Struct, frozen=True):
    """A session in JSON: what `sessions show --format json` and `transcribe --format json` print."""

    id: str | None
    """None when it is not kept."""
    title: str
    started: str | None
    """ISO 8601, UTC."""
    tracks: tuple[TrackObject, ...]
    lines: tuple[LineObject, ...]


def visible(text: str) -> str:
    """Text as one line in which nothing is obeyed by a terminal; all line breaks and tabs become spaces."""
    return text if text.isprintable() else text.translate(_VISIBLE)


def txt(lines: Iterable[KeptLine]) -> Iterator[str]:
    """Plain text: what was said, one final line after the other, no times, without line ends."""
    return (visible(line.text) for line in lines if line.kind == SPEECH)


def json_line(line: KeptLine) -> str:
    """A final line as one JSON object on one line, without its end: a `LineObject`."""
    return _json(_line(line))


def json_session(session: KeptSession | None, tracks: Iterable[KeptTrack], lines: Iterable[KeptLine]) -> str:
    """A session as one indented JSON document, without a line end: a `SessionObject`.

    Args:
        session: None when it is not kept.
        tracks: its tracks, by number.
        lines: its lines, in tape order; only speech is written.
    """
    document = SessionObject(
        id=session.id if session else None,
        title=session.title if session else "",
        started=datetime.fromtimestamp(session.started_utc_s, UTC).isoformat() if session else None,
        tracks=tuple(map(_track, tracks)),
        lines=tuple(_line(line) for line in lines if line.kind == SPEECH),
    )
    return _json(document, indent=2)


def _track(track: KeptTrack) -> TrackObject:
    return TrackObject(
        number=track.number,
        name=track.name,
        source=track.source,
        kind=track.kind,
        origin_s=_seconds(track.origin),
        duration_s=_seconds(track.samples),
        lost_s=_seconds(track.lost),
    )


def _line(line: KeptLine) -> LineObject:
    return LineObject(
        id=line.id,
        track=line.track,
        start_s=_seconds(line.start),
        end_s=_seconds(line.end),
        text=line.text,
        speaker=line.speaker,
        language=line.language,
        words=None if line.words is None else tuple(map(_word, line.words)),
    )


def _word(word: Word) -> WordObject:
    return WordObject(
        text=word.text,
        start_s=None if word.start is None else _seconds(word.start),
        end_s=None if word.end is None else _seconds(word.end),
        confidence=word.confidence,
        speaker=word.speaker,
    )


def _seconds(samples: int) -> float:
    """Seconds to the millisecond, which is finer than any engine's times."""
    return round(samples / RATE, 3)


def _json(value: object, indent: int = 0) -> str:
    packed = msgspec.json.encode(value)
    text = (msgspec.json.format(packed, indent=indent) if indent else packed).decode()
    return text.translate(_UNSAFE_IN_JSON)
