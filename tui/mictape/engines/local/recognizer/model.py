"""What the segment driver asks of a model: a piece of speech in, words with their probabilities out.

A model that recognizes whole pieces of speech implements `SegmentModel`; nothing else of the driver changes. Sound is
mono, 16 kHz, full scale 1.0. A decode is a generator that yields every few milliseconds, so that more urgent work can
come between its steps.
"""

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from mictape.engines.local.recognizer.segmenter import Rules
from mictape.vad.onnx import Samples


@dataclass(frozen=True, slots=True)
class RecognizedWord:
    """One word of a decode or of a line."""

    text: str
    """With the punctuation that belongs to it."""
    log_prob: float | None = None
    """The sum over its tokens, natural logarithm; None where the model gives no probabilities."""
    tokens: tuple[int, ...] = ()
    """As the model numbers them."""
    start: int | None = None
    end: int | None = None
    """Samples: in a decode from the beginning of its sound, in a line since the connection began. None where the model
    gives no times."""

    @property
    def confidence(self) -> float | None:
        """The product of its tokens' probabilities, 0 to 1."""
        return None if self.log_prob is None else math.exp(self.log_prob)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a model recognized in a piece of speech."""

    words: tuple[RecognizedWord, ...] = ()

    @property
    def mean_log_prob(self) -> float:
        """The mean log-probability of a token; 0 without any."""
        return mean_log_prob(self.words)


NOTHING: Final = Decoded()
"""No word."""


def mean_log_prob(words: Sequence[RecognizedWord]) -> float:
    """The mean log-probability of a token of these words; 0 without any."""
    known = [word for word in words if word.log_prob is not None]
    return sum(word.log_prob or 0.0 for word in known) / max(1, sum(len(word.tokens) for word in known))


def joint(log_probs: Iterable[float | None]) -> float | None:
    """The log-probability of several things together; None where one of them has none."""
    known = list(log_probs)
    return None if None in known else sum(each or 0.0 for each in known)


def gives_times(words: Sequence[RecognizedWord]) -> bool:
    """Whether the model itself gave the times of these words."""
    return bool(words) and all(word.start is not None and word.end is not None for word in words)


Decoding = Generator[None, None, Decoded]
"""A decode in steps of some milliseconds."""
Locating = Generator[None, None, list[int]]
"""The search for the sample at which each word begins, in steps of some milliseconds."""

_T = TypeVar("_T")


def completed(steps: Generator[None, None, _T]) -> _T:
    """The result of all steps, done at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


class Decoder(Protocol):
    """What recognizes a piece of speech as well as it can."""

    def decoding(self, samples: Samples, key_terms: tuple[str, ...] = ()) -> Decoding:
        """For finals. Nothing is recognized in less than the model's shortest piece."""
        ...


class SegmentModel(Decoder, Protocol):
    """A loaded model. It keeps nothing from one call to the next."""

    language: str
    """The code of the language that it writes: `en`."""
    shortest: int
    """Samples below which it recognizes nothing."""
    takes_key_terms: bool
    """Whether `decoding` heeds key terms."""
    rules: Rules
    """How sound is cut for it."""

    def decoding(self, samples: Samples, key_terms: tuple[str, ...] = (), draft: Decoded = NOTHING) -> Decoding:
        """As every decoder; a draft of the same sound may save work, and changes nothing of the result."""
        ...

    def draft(self, samples: Samples, previous: Decoded) -> Decoded:
        """A cheap decode, for partials; it may end before the text does.

        Args:
            samples: The piece as far as it is there.
            previous: The last decode of the same piece when it was shorter; empty at first.
        """
        ...

    def locating(self, samples: Samples, words: Sequence[RecognizedWord]) -> Locating | None:
        """Measure where in the samples each of the words, which were recognized in them, begins.

        Words that another model recognized have no tokens.

        Returns None when the model cannot: its words keep the times they have.
        """
        ...
