"""What is said in the recordings the tests use, and how text is compared with it.

Public domain: Charles Dickens, A Tale of Two Cities (1859), as it is read in the recording; twelve words of
Samuel Beckett's are quoted.
"""

import re
from dataclasses import dataclass
from typing import Final

import jiwer

from mictape.engines.local.recognizer.model import RecognizedWord
from mictape.engines.local.recognizer.numbers import written

TWO_CITIES: Final = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness,
it was the epoch of belief, it was the epoch of incredulity, it was the season of light, it was the season of
darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing
before us, we were all going direct to heaven, we were all going direct the other way. In short, the period was so
far like the present period, that some of its noisiest authorities insisted on its being received, for good or for
evil, in the superlative degree of comparison only.
"""

BECKETT: Final = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."

_NAMES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGITS: Final = dict(zip("0123456789", _NAMES, strict=True))


def spelled(text: str) -> str:
    """Lower case, every digit as a word, no punctuation, single spaces."""
    digits = re.sub(r"\d", lambda digit: f" {_DIGITS[digit[0]]} ", text.lower())
    return " ".join(_without_punctuation(digits))


def normal(text: str) -> str:
    """The same, with numbers in their written form first, whichever way and with whatever commas they are written."""
    words = written([RecognizedWord(word) for word in _without_punctuation(text.lower())])
    return spelled(" ".join(word.text for word in words))


def _without_punctuation(text: str) -> list[str]:
    return re.sub(r"[^\w\s']", " ", text).split()


def word_error_rate(reference: str, text: str) -> float:
    """Words replaced, left out or put in, by the words of `reference`."""
    return jiwer.wer(normal(reference), normal(text))


def words_in_order(reference: str, text: str) -> int:
    """How many words of `reference` are in `text`, in the same order."""
    return jiwer.process_words(normal(reference), normal(text)).hits


@dataclass(frozen=True, slots=True)
class Slips:
    """The longest runs of words that are missing in a text, and that it has too many."""

    missing: int
    extra: int


def slips(reference: str, text: str) -> Slips:
    """What slipped; words that are only misheard did not, and a single word right by chance ends no run."""
    (chunks,) = jiwer.process_words(normal(reference), normal(text)).alignments
    run = missing = extra = 0
    for chunk in chunks:
        said, received = chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
        run = 0 if chunk.type == "equal" and said > 1 else run + said - received
        missing, extra = max(missing, run), max(extra, -run)
    return Slips(missing, extra)
