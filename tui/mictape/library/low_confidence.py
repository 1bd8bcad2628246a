"""Where words stand in their line, and which of them an engine was unsure of."""

from collections.abc import Iterable, Iterator
from typing import Final

from mictape.engines.base import Word
from mictape.units import Span

UNSURE_BELOW: Final = 0.5
"""The confidence under which a word is shown as unsure.

Measured with the embedded engine on 1,857 words of real speech: under 0.5 is one word in twenty (5.2 %), half of these
are wrong (53 %), and nearly half of all wrong words (45 %) are among them. Under 0.3 there are too few to help (1.8 %,
23 % of the errors); under 0.7 two of three are right, and most lines have one.
"""

_BETWEEN: Final = 8
"""Characters that may stand between two words of a line: a space, punctuation, a dash."""


def unsure_spans(text: str, words: Iterable[Word]) -> tuple[Span, ...]:
    """Where in a line's text the words stand whose confidence is under `UNSURE_BELOW`, in their order.

    Words without a confidence are not unsure.
    """
    placed = words_in(text, words)
    return tuple(span for word, span in placed if word.confidence is not None and word.confidence < UNSURE_BELOW)


def words_in(text: str, words: Iterable[Word]) -> Iterator[tuple[Word, Span]]:
    """The words of a line and where they stand in its text, in their order.

    Words are looked for one behind the other and in any case. An engine that writes out its line, `$5` for "five
    dollars", has words that do not stand in it: these are passed over, and the search reaches on by their length.
    """
    folded = text.lower()
    folded = folded if len(folded) == len(text) else text
    behind, reach = 0, _BETWEEN
    for word in words:
        said = word.text.strip()
        at = folded.find(said.lower(), behind, behind + reach + len(said)) if said else -1
        if at < 0:
            reach += len(said) + 1
            continue
        behind, reach = at + len(said), _BETWEEN
        yield word, (at, behind)
