"""A transcript as text for other programs and for printing: pure functions.

What was recognised is data: in plain text its control characters become visible pictures, in JSON they are
escaped, so that no terminal obeys them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from mictape.engines.base import Word
from mictape.library.records import LineRecord, SessionRecord, TrackRecord
from mictape.transcript.model import NOTE, SPEECH, Kind
from mictape.transcript.wrapping import OBEYED
from mictape.units import RATE, clock

_VISIBLE: Final[dict[int, int]] = {**OBEYED, **dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), 0x20)}
"""For lines of output: what a terminal would obey made visible, and a space for what begins a line or jumps."""

_UNSAFE_IN_JSON: Final = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""JSON itself does not ask for these to be escaped; terminals obey some, and some programs break lines at others."""


_MARKDOWN: Final = re.compile(r"[\\`*_\[\]<>#|~&]")
"""What may begin or end something in CommonMark or its tables (https://spec.commonmark.org/0.31.2/#ascii-punctuation-character)."""

STAR: Final = "★"
"""Before a line that is marked."""


class Written(Protocol):
    """A line as it stands: on the screen or in the library."""

    @property
    def start(self) -> int:
        """Session time, samples at 16 kHz."""
        ...

    @property
    def text(self) -> str:
        """What is shown."""
        ...

    @property
    def kind(self) -> Kind:
        """What the line is."""
        ...

    @property
    def speaker(self) -> str | None:
        """Who said it, when that is known."""
        ...

    @property
    def mark(self) -> str | None:
        """The note on its mark, None when it is not marked."""
        ...


class WordObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One word in JSON; what the engine did not tell is left out."""

    text: str
    start_s: float | None = None
    end_s: float | None = None
    confidence: float | None = None
    speaker: str | None = None
    estimated: bool = False
    """Whether the times are a guess: from the lengths of the words, not from their sound."""


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
    track_name: str | None = None
    """What the track is called, where there are several or somebody named it."""


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


def txt(lines: Iterable[LineRecord], track_names: Mapping[int, str] | None = None) -> Iterator[str]:
    """Plain text: what was said, one final line after the other, no times, without line ends.

    A line of a track that has a name in `track_names` begins with it: `You: Hello there.`
    """
    for line in lines:
        if line.kind == SPEECH:
            name = (track_names or {}).get(line.track)
            yield visible(f"{name}: {line.text}" if name else line.text)


def standing(line: Written, *, times: bool = True) -> str:
    """A line as it stands on the screen, as plain text: mark, time, speaker, what was said, the note on the mark."""
    time = f"{clock(line.start)}  " if times else ""
    speaker = f"{visible(line.speaker)}: " if line.speaker else ""
    note = f" ({visible(line.mark)})" if line.mark else ""
    star = f"{STAR} " if line.mark is not None and times else ""
    return f"{star}{time}{speaker}{visible(line.text)}{note if times else ''}"


def markdown(line: Written) -> str:
    """A line as a paragraph of Markdown; nothing that was said is read as markup."""
    text = _plain(line.text)
    time = f"`{clock(line.start)}`"
    if line.kind == NOTE:
        return f"> {time} {text}"
    if line.kind != SPEECH:
        return f"{time} *{text}*"
    speaker = f"**{_plain(line.speaker)}:** " if line.speaker else ""
    star = f"{STAR} " if line.mark is not None else ""
    note = f" — *{_plain(line.mark)}*" if line.mark else ""
    return f"{star}{time} {speaker}{text}{note}"


def _plain(text: str) -> str:
    """Text of which Markdown makes nothing else."""
    return _MARKDOWN.sub(r"\\\g<0>", visible(text))


def json_line(line: LineRecord, track_name: str | None = None) -> str:
    """A final line as one JSON object on one line, without its end: a `LineObject`."""
    return _json(msgspec.structs.replace(_line(line), track_name=track_name))


def json_session(session: SessionRecord | None, tracks: Iterable[TrackRecord], lines: Iterable[LineRecord]) -> str:
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


def _track(track: TrackRecord) -> TrackObject:
    return TrackObject(
        number=track.number,
        name=track.name,
        source=track.source,
        kind=track.kind,
        origin_s=_seconds(track.origin),
        duration_s=_seconds(track.samples),
        lost_s=_seconds(track.lost),
    )


def _line(line: LineRecord) -> LineObject:
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
        estimated=word.estimated,
    )


def _seconds(samples: int) -> float:
    """Seconds to the millisecond, which is finer than any engine's times."""
    return round(samples / RATE, 3)


def _json(value: object, indent: int = 0) -> str:
    packed = msgspec.json.encode(value)
    text = (msgspec.json.format(packed, indent=indent) if indent else packed).decode()
    return text.translate(_UNSAFE_IN_JSON)
