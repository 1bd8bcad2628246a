"""Where what the person did to one version of a text belongs in another one. Pure.

Lines of two versions belong together by their times, never by their words.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final

from msgspec.structs import replace

from mictape.engines.base import Word
from mictape.library.records import LineRecord
from mictape.transcript.line import SPEECH
from mictape.units import Span

_NEAR: Final = 4
"""Lines before a place that may reach into it: lines of one track hardly overlap."""


class Lines:
    """The lines of speech of one version, by their places."""

    def __init__(self, lines: Iterable[LineRecord]) -> None:
        """Take lines in tape order."""
        self._tracks: defaultdict[int, list[LineRecord]] = defaultdict(list)
        for line in lines:
            if line.kind is SPEECH:
                self._tracks[line.track].append(line)

    def near(self, track: int, start: int, end: int) -> list[LineRecord]:
        """The lines of a track that overlap `[start, end)`, and some around them."""
        lines = self._tracks[track]
        first = bisect_right(lines, start, key=lambda line: line.start)
        last = bisect_left(lines, end, key=lambda line: line.start)
        return lines[max(0, first - _NEAR) : last + 1]

    def at(self, track: int, start: int, end: int) -> LineRecord | None:
        """The line that has most of `[start, end)`, else the nearest one; None where the track has no line."""
        around = self.near(track, start, end)
        return max(around, key=lambda line: min(line.end, end) - max(line.start, start), default=None)


def with_speakers(new: Sequence[LineRecord], old: Iterable[LineRecord]) -> list[LineRecord]:
    """A new version whose speakers have the names of those who speak at the same places in the old one.

    A speaker of the new version gets the name of the old one with which it shares the most time. A line without a
    speaker is parted where the old one has another speaker, or none any more: a name stays with what it was given to.
    """
    places = Lines(old)
    names: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for line in new:
        if line.speaker is not None:
            names[line.track, line.speaker].update(_shared(line, places))
    called = {key: _first(counted) or key[1] for key, counted in names.items()}
    named: list[LineRecord] = []
    for line in new:
        if line.speaker is None:
            named += _by_speaker(line, places)
            continue
        known = {name: to for (track, name), to in called.items() if track == line.track}
        words = None if line.words is None else tuple(_renamed(word, known) for word in line.words)
        named.append(replace(line, speaker=known[line.speaker], words=words))
    return named


def _shared(line: LineRecord, places: Lines) -> Counter[str]:
    """How much of a line's time each speaker of the other version has."""
    shared: Counter[str] = Counter()
    for other in places.near(line.track, line.start, line.end):
        if other.speaker is not None:
            shared[other.speaker] += max(0, min(line.end, other.end) - max(line.start, other.start))
    return +shared


def _by_speaker(line: LineRecord, places: Lines) -> list[LineRecord]:
    """A line parted where the speaker of the other version changes, each part with its speaker."""
    others = [other for other in places.near(line.track, line.start, line.end) if _overlap(line, other)]
    changes = [after for before, after in pairwise(others) if before.speaker != after.speaker]
    speakers = [each.speaker for each in (*others[:1], *changes)] or [None]
    tokens, borders = line.text.split(), [change.start for change in changes]
    # Of each word, how many changes are before it.
    passed = [bisect_right(borders, middle) for middle in _middles(line, tokens)]
    parts: list[LineRecord] = []
    for speaker, words in groupby(range(len(tokens)), lambda at: speakers[passed[at]]):
        at = list(words)
        start = borders[passed[at[0]] - 1] if parts else line.start
        parts[-1:] = [replace(each, end=max(each.start, start)) for each in parts[-1:]]
        part = _piece(line, tokens, slice(at[0], at[-1] + 1), start, line.end)
        parts.append(replace(part, speaker=speaker))
    return parts or [replace(line, speaker=speakers[0])]


def _first(counted: Counter[str]) -> str | None:
    return counted.most_common(1)[0][0] if counted else None


def _renamed(word: Word, names: Mapping[str, str]) -> Word:
    return word if word.speaker is None else replace(word, speaker=names.get(word.speaker, word.speaker))


def with_edits(new: Sequence[LineRecord], old: Iterable[LineRecord]) -> list[LineRecord]:
    """A new version, in tape order, in which the person's text stands where it stands in the old one.

    What the new version has in the time of such a line is beside it, as its original.
    """
    lines = list(new)
    for edited in (line for line in old if line.kind is SPEECH and line.original is not None):
        lines, inside = _cut(lines, edited)
        lines.append(replace(edited, original=" ".join(inside), words=None))
    return sorted(lines, key=lambda line: line.start)


def without_removed(
    new: Iterable[LineRecord], removed: Iterable[LineRecord]
) -> tuple[list[LineRecord], list[LineRecord]]:
    """A new version, in tape order, without what stands where a line was removed from the old one; and that.

    A line that is there with a part only is parted if it is known when its words were said; else it stays whole.
    """
    lines, left_out = list(new), list[LineRecord]()
    for gone in (line for line in removed if line.kind is SPEECH):
        lines, inside = _cut(lines, gone, guesses=False)
        left_out.append(replace(gone, text=" ".join(inside) or gone.text, original=None, words=None, turn=None))
    return lines, left_out


def _cut(lines: Iterable[LineRecord], place: LineRecord, *, guesses: bool = True) -> tuple[list[LineRecord], list[str]]:
    """Lines without what they have where another line is, which is returned beside them; edited ones are left whole.

    With `guesses` they are parted, too, where it is not known when their words were said.
    """
    kept: list[LineRecord] = []
    inside: list[str] = []
    for line in lines:
        if line.original is not None or line.track != place.track or not _overlap(line, place):
            kept.append(line)
            continue
        before, within, after = _split(line, place.start, place.end)
        if (before or after) and not guesses and _word_times(line, line.text.split()) is None:
            kept.append(line)
            continue
        kept += filter(None, (before, after))
        inside += [within] if within else []
    return kept, inside


def _overlap(line: LineRecord, place: LineRecord) -> bool:
    return line.start < place.end and place.start < line.end


def _split(line: LineRecord, start: int, end: int) -> tuple[LineRecord | None, str, LineRecord | None]:
    """What a line has before, within and after `[start, end)`, by the middles of its words."""
    tokens = line.text.split()
    middles = _middles(line, tokens)
    first = sum(middle < start for middle in middles)
    last = max(first, sum(middle < end for middle in middles))
    if first == 0 and last == len(tokens):
        return None, line.text, None
    if first == last:  # none of its words is there: it stays as it is
        return line, "", None
    before = _piece(line, tokens, slice(0, first), line.start, min(line.end, start)) if first else None
    after = _piece(line, tokens, slice(last, None), max(line.start, end), line.end) if last < len(tokens) else None
    return before, " ".join(tokens[first:last]), after


def _piece(line: LineRecord, tokens: Sequence[str], place: slice, start: int, end: int) -> LineRecord:
    """Some tokens of a line as a line of their own."""
    matched = line.words is not None and len(line.words) == len(tokens)
    words = line.words[place] if matched and line.words is not None else None
    return replace(line, text=" ".join(tokens[place]), start=start, end=max(start, end), words=words)


def _middles(line: LineRecord, tokens: Sequence[str]) -> list[int]:
    """The middle of each word of a line in time: as the engine says, else as far as it stands into the text."""
    if (times := _word_times(line, tokens)) is not None:
        return [(start + end) // 2 for start, end in times]
    length, at, middles = max(1, sum(map(len, tokens))), 0, list[int]()
    for token in tokens:
        middles.append(line.start + (2 * at + len(token)) * (line.end - line.start) // (2 * length))
        at += len(token)
    return middles


def _word_times(line: LineRecord, tokens: Sequence[str]) -> list[Span] | None:
    """When each word of a line was said, as the engine says; None where it does not of all."""
    times = [(word.start, word.end) for word in line.words or () if word.start is not None and word.end is not None]
    return times if len(times) == len(tokens) == len(line.words or ()) else None
