"""Words with their confidence and their times."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from mictape.engines.local.recognizer.model import FRAME, PAD, Decoded, Moonshine
from mictape.vad.onnx import Array, Samples
from mictape.vad.silero import FRAME as VOICE_FRAME

BLOCK: Final = 20
HOP: Final = 10
"""Encoder frames hidden at a time, and how far the next block is: 0.48 s and 0.24 s."""
MOST: Final = 6.0
"""A drop in log-probability says no more beyond this: the token is lost."""
PAUSE: Final = 3 * VOICE_FRAME
"""More than this without speech is a pause between two words, 0.1 s: closures within a word are shorter."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word of a line. Times in samples since the connection began."""

    text: str
    confidence: float
    """The product of its tokens' probabilities."""
    tokens: tuple[int, ...]
    start: int = 0
    end: int = 0


def words_of(model: Moonshine, decoded: Decoded) -> tuple[HeardWord, ...]:
    """The words of a decode, without times."""
    return tuple(
        HeardWord(
            model.tokens.text(decoded.tokens[first:last]),
            math.exp(sum(decoded.log_probs[first:last])),
            decoded.tokens[first:last],
        )
        for first, last in model.tokens.words(decoded.tokens)
    )


def text_of(words: Sequence[HeardWord]) -> str:
    """A line's text."""
    return " ".join(word.text for word in words)


def estimated(words: Sequence[HeardWord], voiced: Sequence[int], start: int, end: int) -> tuple[HeardWord, ...]:
    """The words with times guessed: their letters spread evenly over the frames in which there is speech.

    Args:
        words: Of one line.
        voiced: Where the frames of `VOICE_FRAME` samples begin in which there is speech, in order.
        start: Where the line begins.
        end: Where it ends.
    """
    frames = list(voiced) or list(range(start, end, VOICE_FRAME))
    letters = [len(word.text) + 1 for word in words]
    spoken = 0
    timed: list[HeardWord] = []
    for word, count in zip(words, letters, strict=True):
        first = frames[min(len(frames) - 1, spoken * len(frames) // sum(letters))]
        spoken += count
        last = frames[max(0, min(len(frames), math.ceil(spoken * len(frames) / sum(letters))) - 1)] + VOICE_FRAME
        first = min(max(first, start), end)
        timed.append(replace(word, start=first, end=max(first, min(last, end))))
    return tuple(timed)


Measuring = Generator[None, None, tuple[HeardWord, ...]]
"""The measuring of words in steps of some milliseconds."""


def measuring(
    model: Moonshine, samples: Samples, words: Sequence[HeardWord], voiced: Sequence[int], start: int
) -> Measuring:
    """The words with times measured: a word is where the model needs the sound to be sure of it.

    A block of sound is hidden, the known tokens are given, and what they lose in probability is noted; then block
    after block. About 0.14 s of CPU for a second of sound.

    Args:
        model: What recognised them.
        samples: The line's sound.
        words: Of that line.
        voiced: Where the frames of `VOICE_FRAME` samples begin in which there is speech, in order.
        start: Where its sound begins, samples since the connection began.
    """
    hidden = model.encode(samples)
    yield
    tokens = tuple(token for word in words for token in word.tokens)
    certain = np.array(model.log_probs_without(hidden, tokens, 0, 0))
    frames = hidden.shape[1]
    drops = np.zeros((len(words), frames))
    covered = np.zeros(frames)
    borders = np.cumsum([0, *(len(word.tokens) for word in words)])
    for first in range(0, max(1, frames - HOP), HOP):
        yield
        last = min(frames, first + BLOCK)
        lost = np.clip(certain - np.array(model.log_probs_without(hidden, tokens, first, last)), 0, MOST)
        drops[:, first:last] += np.add.reduceat(lost, borders[:-1])[:, None]
        covered[first:last] += 1
    drops /= np.maximum(covered, 1)
    drops /= np.maximum(drops.max(axis=1, keepdims=True), 1e-6)
    last_sample = start + len(samples)
    begins = [min(max(start, start + frame * FRAME - PAD), last_sample) for frame in _monotone(drops)]
    ends = [*begins[1:], last_sample]
    return tuple(
        replace(word, start=onset(first, last, voiced), end=last)
        for word, first, last in zip(words, begins, ends, strict=True)
    )


def onset(first: int, last: int, voiced: Sequence[int]) -> int:
    """Where a word begins that was found in `[first, last)`, samples.

    No word begins in a pause; and since a border is known to a hop only, one that lies so little before a pause that
    the word goes on behind it is taken to be that pause.
    """
    for quiet, speech in pairwise(voiced):
        if speech - quiet > PAUSE and quiet - HOP * FRAME <= first < speech < last:
            return speech
    return next((at for at in voiced if first <= at < last), first)


def _monotone(scores: Array) -> list[int]:
    """The first column of each row, when every column belongs to one row, in order, and their sum is the highest."""
    rows, columns = scores.shape
    if rows > columns:
        return [row * columns // rows for row in range(rows)]
    best = np.full(columns, -np.inf)
    best[:] = np.cumsum(scores[0])
    began = np.zeros((rows, columns), np.int64)
    for row in range(1, rows):
        following = np.full(columns, -np.inf)
        for column in range(row, columns):
            stay, come = following[column - 1], best[column - 1]
            began[row, column] = began[row, column - 1] if stay > come else column
            following[column] = max(stay, come) + scores[row, column]
        best = following
    starts, column = [0] * rows, columns - 1
    for row in range(rows - 1, -1, -1):
        starts[row] = int(began[row, column])
        column = starts[row] - 1
    return starts
