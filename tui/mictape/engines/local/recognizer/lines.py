"""Lines of text, and what their borders look like. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mictape.engines.local.recognizer.model import RecognizedWord

_COMMON: Final = """
a about after all also am an and another any are as at back be because been before being both but by can could did do
does down each eight even every first five for four from had has have he her here him his how if in into is it its
just like made make many me might more most much must my never nine no nor not now of off on once one only or other
our out over own said same seven shall she should six so some such than that the their them then there these they this
those three through to too two under until up upon us very was we well were what when where which while who whom whose
why with would yet you your
"""
COMMON: Final = frozenset(_COMMON.split())
"""Words that have a capital only where a sentence begins: never part of a name on their own."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line, as far as it may be revised. Times in samples since the connection began."""

    turn: int
    start: int
    end: int
    words: tuple[RecognizedWord, ...]
    voiced: tuple[int, ...] = ()
    """Where the frames with speech begin."""
    continues: bool = False
    """Whether it goes on with the sentence of the line before, from which it was cut off."""
    cut: bool = False
    """Whether it was cut off from the next one without a pause."""
    measured: bool = False
    """Whether the times of its words are measured."""

    @property
    def text(self) -> str:
        """Its words."""
        return text_of(self.words)


def text_of(words: Sequence[RecognizedWord]) -> str:
    """The text of words."""
    return " ".join(word.text for word in words)


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends with this text."""
    return text.rstrip('"”’)').endswith((".", "?", "!", "…"))


def decapitalized(words: tuple[RecognizedWord, ...]) -> tuple[RecognizedWord, ...]:
    """The words as they go on in a sentence: the first one begins small if only a sentence gives it a capital."""
    letters = "".join(filter(str.isalpha, words[0].text)) if words else ""
    if letters != letters.capitalize() or letters.lower() not in COMMON:
        return words
    return replace(words[0], text=words[0].text.lower()), *words[1:]


def without_stop(words: tuple[RecognizedWord, ...]) -> tuple[RecognizedWord, ...]:
    """The words without a full stop at the end; other marks stay."""
    if not words or not words[-1].text.endswith(".") or words[-1].text.endswith("..") or not words[-1].text.strip("."):
        return words
    return *words[:-1], replace(words[-1], text=words[-1].text[:-1])


def bordered(line: Line) -> Line:
    """The line as its borders want it: no full stop at a cut, and no capital behind one."""
    words = decapitalized(line.words) if line.continues else line.words
    return replace(line, words=without_stop(words) if line.cut else words)
