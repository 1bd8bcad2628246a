"""When the words of a line are said, measured for one line at a time."""

from collections.abc import Generator, Sequence
from typing import Final

from mictape.engines.local.recognizer.model import RecognizedWord, SegmentModel
from mictape.engines.local.recognizer.segmenter import Rules
from mictape.engines.local.recognizer.word_times import located
from mictape.units import RATE
from mictape.vad.onnx import Network, Samples
from mictape.vad.silero import FRAME, SpeechDetector, loud_enough

LONGEST: Final = 30 * RATE
"""The longest line that is measured: the memory it takes grows with the square of its length."""

Spans = tuple[tuple[int, int], ...]
"""Where each word begins and ends, in samples."""


def measuring(
    model: SegmentModel, voice: Network, samples: Samples, texts: Sequence[str]
) -> Generator[None, None, Spans | None]:
    """Measure when words are said, in steps of some milliseconds.

    Args:
        model: Need not be the one that recognized the words.
        voice: The speech detector's network.
        samples: The sound of the line.
        texts: Its words.

    Returns:
        The beginning and the end of each word; None when the model cannot measure them.
    """
    if not texts or not model.shortest <= len(samples) <= LONGEST:
        return None
    words = [RecognizedWord(text) for text in texts]
    if (locating := model.locating(loud_enough(samples), words)) is None:
        return None
    detector, frames = SpeechDetector(voice), range(0, len(samples) - FRAME + 1, FRAME)
    voiced = [at for at in frames if detector.probability(samples[at : at + FRAME]) >= Rules().holds_at]
    yield
    begins = yield from locating
    return tuple((word.start or 0, word.end or 0) for word in located(words, begins, voiced, len(samples)))
