"""What the streaming driver asks of a model: it takes sound as it comes, and its stable text stays."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mictape.engines.local.recognizer.model import RecognizedWord, SegmentModel
from mictape.vad.onnx import Samples


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a stream has recognized so far."""

    words: tuple[RecognizedWord, ...] = ()
    """Times in samples since the stream began."""
    stable: int = 0
    """How many of them, from the front, will not change."""


class Stream(Protocol):
    """One piece of speech on its way."""

    def feed(self, samples: Samples) -> Hypothesis:
        """Take the samples that follow."""
        ...

    def finalize(self) -> Hypothesis:
        """No more samples come: everything there is. The stream is over."""
        ...

    def close(self) -> None:
        """Give the stream up; nothing happens if it is over."""
        ...


@runtime_checkable
class StreamModel(SegmentModel, Protocol):
    """A loaded model that can do both. One stream at a time; none while a piece is decoded."""

    def another(self) -> "StreamModel":
        """The same model once more, for a second connection."""
        ...

    def stream(self) -> Stream:
        """Begin a stream."""
        ...
