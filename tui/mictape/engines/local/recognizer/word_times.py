"""When words are said: guessed from their length, or from where the model found them. Pure."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from mictape.engines.local.recognizer.model import RecognizedWord, gives_times
from mictape.units import RATE
from mictape.vad.onnx import Array
from mictape.vad.silero import FRAME

LATE: Final = RATE * 9 // 100
"""By so much guessed starts are late in the middle of 1,884 words that another recognizer aligned, 90 ms."""
PAUSE: Final = 3 * FRAME
"""More than this without speech is a pause between two words, 0.1 s: closures within a word are shorter."""
UNCERTAIN: Final = RATE * 24 // 100
"""By so much a measured start may be off."""


def timed(words: Sequence[RecognizedWord], voiced: Sequence[int], start: int, end: int) -> tuple[RecognizedWord, ...]:
    """The words of a line with the times that the model gave, or else with guessed ones; see `guessed`.

    No word ends after the next one begins.
    """
    if not gives_times(words):
        return guessed(words, voiced, start, end)
    begins = [min(max(start, word.start or 0), end) for word in words]
    return tuple(
        replace(word, start=first, end=max(first, min(word.end or end, following)))
        for word, first, following in zip(words, begins, [*begins[1:], end], strict=True)
    )


def shifted(words: Sequence[RecognizedWord], by: int) -> tuple[RecognizedWord, ...]:
    """The words so many samples later, where they have times."""
    return tuple(
        word if word.start is None or word.end is None else replace(word, start=word.start + by, end=word.end + by)
        for word in words
    )


def guessed(words: Sequence[RecognizedWord], voiced: Sequence[int], start: int, end: int) -> tuple[RecognizedWord, ...]:
    """The words of a line with times guessed: their letters spread evenly over the frames in which there is speech.

    No word ends after the next one begins.

    Args:
        words: Of one line.
        voiced: Where the frames of `FRAME` samples begin in which there is speech, in order.
        start: Where the line begins.
        end: Where it ends.
    """
    frames = list(voiced) or list(range(start, end, FRAME))
    letters = [len(word.text) + 1 for word in words]
    spoken = 0
    spans: list[tuple[int, int]] = []
    for count in letters:
        first = frames[min(len(frames) - 1, spoken * len(frames) // sum(letters))]
        spoken += count
        last = frames[max(0, min(len(frames), math.ceil(spoken * len(frames) / sum(letters))) - 1)] + FRAME
        begin = min(max(first, start), end)
        # But never back into a pause, nor out of the line.
        spans.append((max(begin - LATE, min(begin, _run_of(frames, first))), min(last, end)))
    starts = [*(first for first, _ in spans), end]
    return tuple(
        replace(word, start=first, end=max(first, min(last, following)))
        for word, (first, last), following in zip(words, spans, starts[1:], strict=True)
    )


def _run_of(frames: Sequence[int], frame: int) -> int:
    """Where the run of speech without a pause that a frame belongs to begins."""
    at = bisect_left(frames, frame)
    while at and frames[at] - frames[at - 1] <= PAUSE:
        at -= 1
    return frames[at]


def located(
    words: Sequence[RecognizedWord], begins: Sequence[int], voiced: Sequence[int], end: int
) -> tuple[RecognizedWord, ...]:
    """The words of a line with the times at which the model found them.

    Args:
        words: Of one line.
        begins: Where each begins, about.
        voiced: Where the frames of `FRAME` samples begin in which there is speech, in order.
        end: Where the line ends.
    """
    return tuple(
        replace(word, start=onset(first, last, voiced), end=last)
        for word, (first, last) in zip(words, pairwise([*begins, end]), strict=True)
    )


def onset(first: int, last: int, voiced: Sequence[int]) -> int:
    """Where a word begins that was found in `[first, last)`, samples.

    No word begins in a pause; and since a start is uncertain, one that lies so little before a pause that the word goes
    on behind it is taken to be the end of that pause.
    """
    for quiet, speech in pairwise(voiced):
        if speech - quiet > PAUSE and quiet - UNCERTAIN <= first < speech < last:
            return speech
    return next((at for at in voiced if first <= at < last), first)


def monotone(scores: Array) -> list[int]:
    """The first column of each row, when every column belongs to one row, in order, and their sum is the highest."""
    rows, columns = scores.shape
    if rows > columns:
        return [row * columns // rows for row in range(rows)]
    best = np.cumsum(scores[0])
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
