"""The second pass: neighbouring lines recognised again as one piece of sound, and split back onto the lines. Pure.

Longer context helps the model, up to about half a minute: a fifth of the wrong words become right.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

from mictape.units import RATE

LONGEST: Final = 28 * RATE
"""The longest piece: beyond it nothing was measured, and memory grows (200 MB for this one)."""
APART: Final = RATE * 3 // 2
"""A pause as long as this parts two pieces."""
FEWEST, MOST = 0.9, 1.15
"""A joined text with fewer or more words than so many times the lines' own has lost or repeated something, unless the
model is surer of it."""


def belongs(first: int, last_end: int, start: int, end: int) -> bool:
    """Whether a line `[start, end)` belongs to the piece that began at `first` and reaches to `last_end`."""
    return start - last_end < APART and end - first <= LONGEST


def trusted(before: int, after: int, log_prob_before: float, log_prob_after: float) -> bool:
    """Whether the joined text may take the lines' place.

    Args:
        before: Words of the lines.
        after: Words of the joined text.
        log_prob_before: Mean log-probability of the lines' tokens.
        log_prob_after: That of the joined text.
    """
    return FEWEST * before <= after <= MOST * before or log_prob_after >= log_prob_before


def split(lines: Sequence[Sequence[str]], joined: Sequence[str]) -> list[int] | None:
    """Where in `joined` each line begins, and its length at the end; None when a line would be left without words.

    The words say it better than their times do: most of them are the same in both, and what stands between two that
    are the same belongs to their line, or is shared out where a border lies in it.
    """
    words = [_bare(word) for line in lines for word in line]
    matcher = SequenceMatcher(None, words, [_bare(word) for word in joined], autojunk=False)
    borders, count = [0], 0
    for line in lines[:-1]:
        count += len(line)
        borders.append(_counterpart(matcher.get_opcodes(), count))
    borders.append(len(joined))
    return borders if all(first < last for first, last in pairwise(borders)) else None


def _counterpart(changes: Sequence[tuple[str, int, int, int, int]], at: int) -> int:
    """The place in the second list that stands for the place `at` in the first."""
    for _, first, last, begin, end in changes:
        if first <= at < last or (at == last and end > begin and first < last):
            return begin + round((at - first) * (end - begin) / (last - first))
    return changes[-1][4] if changes else 0


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
