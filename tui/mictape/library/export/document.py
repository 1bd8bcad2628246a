"""What an export is made of, whatever its format."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from msgspec import structs

from mictape.library.records import LineRecord, SessionRecord, TrackRecord
from mictape.library.titles import proposed_title, title_of
from mictape.plain_text import one_line
from mictape.transcript.line import NOTE, SPEECH, sample_by_the_wall, voice_of
from mictape.units import clock


@dataclass(frozen=True, slots=True)
class Style:
    """What the person wants to see beside the text; None: as the format has it by itself."""

    times: bool | None = None
    speakers: bool | None = None
    """Who speaks; by itself where more than one voice does."""
    wall_clock: bool = False
    """Times of day instead of times in the recording."""


def several_voices(lines: Iterable[LineRecord]) -> bool:
    """Whether more than one voice speaks in lines."""
    return len({(line.track, line.speaker) for line in lines if line.kind == SPEECH}) > 1


@dataclass(frozen=True)
class Document:
    """A session or a part of one."""

    session: SessionRecord | None
    """None when it is not kept."""
    tracks: Sequence[TrackRecord]
    lines: Sequence[LineRecord]
    """In tape order."""
    style: Style = Style()
    utc_of: Callable[[int], float | None] | None = None
    """When a session time was, seconds since 1970 UTC; None, and a result of None: not known."""
    ended_utc_s: float | None = None
    """When the last of its sound was recorded, seconds since 1970 UTC; None: not known."""
    sound: str = ""
    """The name of the file beside this one that has the sound; empty without one."""
    several: bool | None = None
    """Whether several voices speak in the session that this is a part of; None: in these lines."""

    @cached_property
    def _track_names(self) -> dict[int, str]:
        """The names of the tracks that are shown."""
        wanted = self.style.speakers or len(self.tracks) > 1
        return {track.number: track.name for track in self.tracks} if wanted else {}

    @cached_property
    def _several(self) -> bool:
        return several_voices(self.lines) if self.several is None else self.several

    def voice(self, line: LineRecord) -> str:
        """Who speaks, or on whose track sound has no text; one visible line, empty where not shown or not known."""
        shown = self._several if self.style.speakers is None else self.style.speakers
        return one_line(voice_of(line.kind, self._track_names.get(line.track), line.speaker)) if shown else ""

    def time_of(self, line: LineRecord) -> str:
        """When a line begins, for people: `00:12:24`; with `wall_clock`, where it is known, `14:05:12`."""
        utc_of = self.utc_of if self.style.wall_clock else None
        at = utc_of(sample_by_the_wall(line.kind, line.start)) if utc_of is not None else None
        return clock(line.start) if at is None else f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S}"

    @property
    def engines(self) -> tuple[str, ...]:
        """Which engines the lines are from, in the order they first spoke."""
        return tuple(dict.fromkeys(line.engine for line in self.lines if line.engine))

    def shows_times(self, otherwise: bool) -> bool:
        """Whether times are shown in a format that does or does not do so by itself."""
        return otherwise if self.style.times is None else self.style.times

    def with_marks_and_notes_only(self) -> "Document":
        """The part of it that a person has marked or written."""
        return replace(self, lines=[line for line in self.lines if line.mark is not None or line.kind == NOTE])

    def counted_from(self, begin: int) -> "Document":
        """The same with times that count from a session time, as those of a sound file that begins there."""

        def later(at: int | None) -> int | None:
            return None if at is None else max(0, at - begin)

        lines = [
            structs.replace(
                line,
                start=later(line.start),
                end=later(line.end),
                words=line.words
                and tuple(structs.replace(word, start=later(word.start), end=later(word.end)) for word in line.words),
            )
            for line in self.lines
        ]

        def utc_of(at: int) -> float | None:
            return self.utc_of(at + begin) if self.utc_of is not None else None

        return replace(self, lines=lines, utc_of=utc_of)

    @property
    def samples(self) -> int:
        """Its length, session time."""
        if self.session is not None:
            return self.session.samples
        return max((track.origin + track.samples for track in self.tracks), default=0)

    @property
    def title(self) -> str:
        """What the session is called, as one visible line."""
        if self.session is not None:
            title = title_of(self.session)
        else:
            title = proposed_title(self.tracks, [line.text for line in self.lines if line.kind == SPEECH])
        return one_line(title) or "Recording"

    def _last_day(self, started: datetime) -> str:
        """The day on which it was recorded last, where that is another one: it was continued, or went past midnight."""
        ended = started if self.ended_utc_s is None else datetime.fromtimestamp(self.ended_utc_s).astimezone()
        return f" to {_day(ended)}" if ended.date() > started.date() else ""

    def facts(self) -> Iterator[tuple[str, str]]:
        """What the head of a page says: a name and a text each."""
        if self.session is not None:
            started = self.session.started
            yield "Date", f"{_day(started)}, {started:%H:%M}{self._last_day(started)}"
        yield "Length", clock(self.samples)
        if self.tracks:
            yield "Recorded from", ", ".join(dict.fromkeys(one_line(_source(track)) for track in self.tracks))
        if self.engines:
            yield "Transcribed by", one_line(", ".join(self.engines))


def _day(when: datetime) -> str:
    return f"{when:%A}, {when.day} {when:%B %Y}"


def _source(track: TrackRecord) -> str:
    source = f"{track.source}, then {track.device}" if track.device else track.source
    return f"{source} ({track.name})" if track.name and track.name != track.source else source
