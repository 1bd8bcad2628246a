"""Two lines made one, and one made two: text, times, words and marks. Pure."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from difflib import SequenceMatcher

from msgspec import structs

from mictape.engines.base import Word
from mictape.failure import Failure, MictapeError
from mictape.library.low_confidence import words_in
from mictape.library.records import NO_LINE, LineRecord
from mictape.library.words import joined, word_starts
from mictape.units import Span


def joined_line(first: LineRecord, second: LineRecord) -> LineRecord:
    """One line of two, without an id; it has a speaker where both have the same, so that nobody gets another's words.

    It belongs to no turn of an engine any more, so that no revision of either half replaces it.
    """
    text = joined(first.text, second.text)
    original = joined(*(line.text if line.original is None else line.original for line in (first, second)))
    marks = [line.mark for line in (first, second) if line.mark is not None]
    return structs.replace(
        first,
        id=NO_LINE,
        end=max(first.end, second.end),
        text=text,
        original=None if original == text else original,
        speaker=first.speaker if first.speaker == second.speaker else None,
        connection=max((line.connection for line in (first, second) if line.connection is not None), default=None),
        turn=None,
        words=(first.words or ()) + (second.words or ()) or None,
        mark=" · ".join(filter(None, marks)) if marks else None,
    )


def split_line(line: LineRecord, at: int) -> tuple[LineRecord, LineRecord]:
    """Two lines of one, without ids: the second begins with the word at character `at` of its text.

    It begins when that word was said or, where the words have no times, when it was probably said. The mark stays
    with the first one. Each has the speaker of its words, where these are all of one.

    Raises:
        MictapeError: nothing stands before or behind that place.
    """
    texts = _halves(line.text, at)
    if not all(texts):
        raise MictapeError(Failure("There is no text before this word to split off", "Choose a later word"))
    cut = at if line.original is None else _same_place(line.text, line.original, at)
    said = line.text if line.original is None else line.original
    originals: tuple[str | None, str | None] = (None, None)
    if line.original is not None:
        halves = _halves(said, cut)
        originals = halves if all(halves) else (said, None)
    words = tuple(_parts_at(said, line.words or (), cut))
    begins = next((word.start for word in words[1] if word.start is not None), None)
    if begins is None:
        begins = line.start + (line.end - line.start) * at // len(line.text)
    begins = min(max(begins, line.start), line.end)
    ended = next((word.end for word in reversed(words[0]) if word.end is not None), begins)
    spans: tuple[Span, Span] = ((line.start, max(line.start, min(ended, begins))), (begins, line.end))
    first, second = (
        structs.replace(
            line,
            id=NO_LINE,
            start=start,
            end=end,
            text=text,
            original=None if original == text else original,
            speaker=_speaker_of(part) or line.speaker,
            turn=None,
            words=part or None,
        )
        for (start, end), text, original, part in zip(spans, texts, originals, words, strict=True)
    )
    return first, structs.replace(second, mark=None)


def word_start(text: str, at: int) -> int:
    """Where the word begins that stands at character `at`, or the next one; the length of the text behind the last."""
    starts = [*word_starts(text), len(text)]
    return starts[bisect_right(starts, at) - 1 if text[at : at + 1].strip() else bisect_left(starts, at)]


def _halves(text: str, at: int) -> tuple[str, str]:
    return text[:at].strip(), text[at:].strip()


def _parts_at(text: str, words: Sequence[Word], at: int) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """The words before and from character `at` on; one that does not stand in the text goes with the one before."""
    placed = {id(word): span[0] for word, span in words_in(text, words)}
    first = next((place for place, word in enumerate(words) if placed.get(id(word), -1) >= at), len(words))
    return tuple(words[:first]), tuple(words[first:])


def _speaker_of(words: Sequence[Word]) -> str | None:
    """The speaker of all these words; None where they have none or several."""
    speakers = {word.speaker for word in words}
    return speakers.pop() if len(speakers) == 1 else None


def _same_place(text: str, original: str, at: int) -> int:
    """The place in the engine's text that corresponds to the word at character `at` of a person's."""
    edited, said = ([(each.group(), each.start()) for each in re.finditer(r"\S+", part)] for part in (text, original))
    index = bisect_left([start for _, start in edited], at)
    matcher = SequenceMatcher(None, [word for word, _ in edited], [word for word, _ in said], autojunk=False)
    place = 0
    for _, left, right, begin, end in matcher.get_opcodes():
        if left <= index < right:
            place = min(begin + index - left, end)
    return said[place][1] if place < len(said) else len(original)
