"""Who speaks what is being said now, which is no line yet: a name that the line gets once it is one."""

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from mictape.session.undo import Undo
from mictape.transcript.line import Line


class _Spoken(Struct):
    name: str
    until: int
    """Lines that begin before this get the name, session time, samples at 16 kHz."""
    lines: list[int] = field(default_factory=list)
    """The ids of those that have got it."""


class SpokenNames:
    """The names by track."""

    def __init__(self, set_speakers: Callable[[Mapping[int, tuple[str | None, bool]]], object]) -> None:
        """`set_speakers` sets the speakers of lines, by their ids, and whether they are the person's own."""
        self._set_speakers = set_speakers
        self._spoken: dict[int, _Spoken] = {}

    def expect(self, track: int, name: str, until: int) -> Undo:
        """Name who speaks on a track, in lines without a speaker that begin before `until`, as they are written."""
        return self.begin(track, _Spoken(name, until))

    def name(self, line: Line) -> None:
        """Give a line that is new its name, if it is one of these."""
        spoken = self._spoken.get(line.track)
        if spoken is None:
            return
        if line.start >= spoken.until:
            del self._spoken[line.track]
        elif line.speaker is None:
            spoken.lines.append(line.id)
            self._set_speakers({line.id: (spoken.name, True)})

    def begin(self, track: int, spoken: _Spoken) -> Undo:
        """Expect lines, and name again those that had the name; what takes it back."""
        self._spoken[track] = spoken
        self._set_speakers(dict.fromkeys(spoken.lines, (spoken.name, True)))
        return lambda writer: writer.spoken.end(track, spoken)

    def end(self, track: int, spoken: _Spoken) -> Undo:
        """Expect these lines no more, and take the name from those that have it; what does it again."""
        if self._spoken.get(track) is spoken:
            del self._spoken[track]
        self._set_speakers(dict.fromkeys(spoken.lines, (None, False)))
        return lambda writer: writer.spoken.begin(track, spoken)
