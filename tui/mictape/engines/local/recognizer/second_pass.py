"""The second pass: neighbouring lines recognized again as one piece of sound, and split back onto the lines. Pure.

Longer context helps the model, up to about half a minute: a tenth of the wrong words become right. A line changes only
when its words do; else it keeps its text but for its borders to the lines beside it. Where the words on both sides stay
the same behind a pause, no comma takes the place of what ends a line: of six in the speech at hand five were wrong, and
the model was as sure of them. Where the joined text has no mark at all, it was right each of eleven times.
"""

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

from mictape.engines.local.recognizer.key_terms import bare
from mictape.engines.local.recognizer.lines import Line, decapitalized, ends_sentence, text_of, without_stop
from mictape.engines.local.recognizer.loops import repetitive
from mictape.engines.local.recognizer.model import RecognizedWord, mean_log_prob
from mictape.engines.local.recognizer.word_times import timed
from mictape.units import RATE

LONGEST: Final = 28 * RATE
"""The longest piece: beyond it nothing was measured, and memory grows (200 MB for this one)."""
APART: Final = RATE * 3 // 2
"""A pause as long as this parts two pieces."""
PAUSE: Final = RATE * 3 // 20
"""Lines that are so far apart, or further, have a pause between them: 0.6 s of silence, which ends any line, less what
each of the two keeps of it. Only long lines end in a shorter one, often in mid-sentence."""
FEWEST, MOST = 0.9, 1.15
"""A joined text with fewer or more words than so many times the lines' own may have lost or repeated something: it is
trusted when the model is surer of it."""
FEWEST_EVER, MOST_EVER = 0.75, 1.3
"""Beyond these it is never trusted: a loop is what the model is surest of."""

AS_BEFORE: Final = 0.5
"""A repetitive text is no loop where so much of it stands in the lines, too, which were recognized one by one: it was
said twice."""

Change = tuple[str, int, int, int, int]
"""What `SequenceMatcher` says of two lists: how, and where in each."""


def belongs(first: int, last_end: int, start: int, end: int) -> bool:
    """Whether a line `[start, end)` belongs to the piece that began at `first` and reaches to `last_end`."""
    return start - last_end < APART and end - first <= LONGEST


def trusted(before: Sequence[RecognizedWord], joined: Sequence[RecognizedWord]) -> bool:
    """Whether the joined text may replace the words of the lines."""
    ratio = len(joined) / max(1, len(before))
    if not FEWEST_EVER <= ratio <= MOST_EVER:
        return False
    same = sum(end - begin for how, _, _, begin, end in _changes(before, joined) if how == "equal")
    if same < AS_BEFORE * len(joined) and repetitive(text_of(joined)):
        return False
    return FEWEST <= ratio <= MOST or mean_log_prob(joined) >= mean_log_prob(before)


def revised(lines: Sequence[Line], joined: Sequence[RecognizedWord]) -> list[Line]:
    """The lines with the words of the joined text; as they were where these are the same or cannot be trusted."""
    before = [word for line in lines for word in line.words]
    joined = _settled_at_cuts(lines, before, joined)
    borders = split([line.words for line in lines], joined)
    if borders is None or not trusted(before, joined):
        return list(lines)
    parts = [tuple(joined[first:last]) for first, last in pairwise(borders)]
    # The outer borders are no better known than before; at the inner ones the joined text knows both sides.
    same = [_same_words(line.words, part) for line, part in zip(lines, parts, strict=True)]
    stays = [
        same[at] and same[at + 1] and second.start - first.end >= PAUSE and "," in _mark(parts[at][-1].text)
        for at, (first, second) in enumerate(pairwise(lines))
    ]
    new = [
        _kept(line, part, first=at > 0 and not stays[at - 1], last=at < len(lines) - 1 and not stays[at])
        if same[at]
        else replace(line, words=timed(part, line.voiced, line.start, line.end))
        for at, (line, part) in enumerate(zip(lines, parts, strict=True))
    ]
    if lines[0].continues:
        new[0] = replace(new[0], words=decapitalized(new[0].words))
    if lines[-1].cut:
        new[-1] = replace(new[-1], words=without_stop(new[-1].words))
    return _consistent(new)


def _settled_at_cuts(
    lines: Sequence[Line], before: Sequence[RecognizedWord], joined: Sequence[RecognizedWord]
) -> list[RecognizedWord]:
    """The joined text, but with as many words as the lines have where its sound was cut off from other lines.

    Half of a word may lie on each side of a cut. Which line has it was decided with the sound of both sides at hand:
    here it would be written a second time, or be lost.
    """
    result = list(joined)
    changes = _changes(before, joined)
    ends = [change for change in changes[-1:] if lines[-1].cut]
    begins = [change for change in changes[:1] if lines[0].continues and change not in ends]
    for _, first, last, begin, end in [*ends, *begins]:  # from the back: places before it stay as they are
        if last - first != end - begin:
            result[begin:end] = before[first:last]
    return result


def split(lines: Sequence[Sequence[RecognizedWord]], joined: Sequence[RecognizedWord]) -> list[int] | None:
    """Where in `joined` each line begins, and its length at the end; None when a line would be left without words.

    Words show it better than their times do: most of them are the same in both, and what stands between two that
    are the same belongs to their line, or is shared out where a border lies in it.
    """
    changes = _changes([word for line in lines for word in line], joined)
    borders, count = [0], 0
    for line in lines[:-1]:
        count += len(line)
        borders.append(_counterpart(changes, count))
    borders.append(len(joined))
    return borders if all(first < last for first, last in pairwise(borders)) else None


def _changes(before: Sequence[RecognizedWord], joined: Sequence[RecognizedWord]) -> Sequence[Change]:
    """What of the second list stands in the place of what of the first one, as `SequenceMatcher.get_opcodes`."""
    one, two = ([bare(word.text) for word in words] for words in (before, joined))
    return SequenceMatcher(None, one, two, autojunk=False).get_opcodes()


def _counterpart(changes: Sequence[Change], at: int) -> int:
    """The place in the second list that stands for the place `at` in the first."""
    for _, first, last, begin, end in changes:
        if first <= at < last or (at == last and end > begin and first < last):
            return begin + round((at - first) * (end - begin) / (last - first))
    return changes[-1][4] if changes else 0


def _same_words(one: Sequence[RecognizedWord], two: Sequence[RecognizedWord]) -> bool:
    return [bare(word.text) for word in one] == [bare(word.text) for word in two]


def _kept(line: Line, part: Sequence[RecognizedWord], *, first: bool, last: bool) -> Line:
    """The line as it was, but for the case of its first word and the punctuation behind its last, if asked for."""
    texts = [word.text for word in line.words]
    if first:
        begin, length = _letters(texts[0])
        new_begin, new_length = _letters(part[0].text)
        texts[0] = texts[0][:begin] + part[0].text[new_begin:new_length] + texts[0][length:]
    if last:
        texts[-1] = texts[-1].removesuffix(_mark(texts[-1])) + _mark(part[-1].text)
    return replace(line, words=tuple(replace(word, text=text) for word, text in zip(line.words, texts, strict=True)))


def _mark(text: str) -> str:
    """What stands behind a word: a comma, a full stop, nothing."""
    return text[_letters(text)[1] :]


def _letters(text: str) -> tuple[int, int]:
    """Where the first letter or digit of a word is, and behind the last."""
    places = [at for at, letter in enumerate(text) if letter.isalnum()]
    return (places[0], places[-1] + 1) if places else (0, len(text))


def _consistent(lines: Sequence[Line]) -> list[Line]:
    """The lines with a capital behind every full stop and a small letter where there is none."""
    result = list(lines)
    for at in range(1, len(result)):
        before, line = result[at - 1], result[at]
        if not ends_sentence(before.text):
            result[at] = replace(line, words=decapitalized(line.words))
        elif line.text[:1].islower():
            result[at - 1] = replace(before, words=without_stop(before.words))
    return result
