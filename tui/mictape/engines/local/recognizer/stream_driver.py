"""The driver of models that take sound as it comes: a stream for each line, which the speech detector opens and ends.

One stream for a whole session would be simpler, but such models are reported to go deaf in long silence and in noise.
Where one is deaf all the same, speech without a word, the line is recognized as a whole instead.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from mictape.engines.local import ipc
from mictape.engines.local.recognizer.model import Decoded, RecognizedWord
from mictape.engines.local.recognizer.segment_driver import Options, Report, SegmentDriver
from mictape.engines.local.recognizer.segmenter import Segment
from mictape.engines.local.recognizer.streaming import Hypothesis, Stream, StreamModel
from mictape.units import RATE
from mictape.vad.onnx import Network, Samples
from mictape.vad.silero import FRAME, level_db, raised

DEAF: Final = 3 * RATE
"""Samples of certain speech without a word, beyond what the model looks ahead, after which it counts as deaf."""
LOOK_AHEAD: Final = RATE * 104 // 100
"""The longest look-ahead: so late a word may come."""


class StreamDriver(SegmentDriver):
    """Finds the lines of one connection, and sends each into a stream while it is spoken."""

    def __init__(self, number: int, model: StreamModel, voice: Network, report: Report, options: Options) -> None:
        """Begin the connection `number`; see `SegmentDriver`. The model is this connection's alone."""
        if options.second_model is None:
            # The model is busy with a stream, whose text knew what came before it.
            options = replace(options, second_pass="off")
        super().__init__(number, model, voice, report, options)
        self.model = model
        self._stream: Stream | None = None
        self._sent = 0
        """The open line is in the stream up to here."""
        self._loudest_db = 0.0
        self._hypothesis = Hypothesis()
        self._certain: deque[int] = deque()
        """Where the frames of the open line begin that are certainly speech."""
        self._deaf = False
        """Whether the open line is recognized as a whole."""

    def update_partial(self, open_lines: int = 1) -> None:
        """Report the text of the stream so far."""
        if self._deaf:
            super().update_partial(open_lines)
        elif self._segmenter.start is not None and self._hypothesis.words:
            self._show(Decoded(self._hypothesis.words))

    def close(self) -> None:
        """Give up the stream that is open."""
        if self._stream is not None:
            self._stream.close()
        self._stream = None
        self._hypothesis = Hypothesis()
        self._certain.clear()
        self._deaf = False

    def _feed_frame(self, frame: Samples) -> None:
        super()._feed_frame(frame)
        start = self._segmenter.start
        if start is None:
            self.close()
        elif not self._deaf:
            # What may come behind a cut waits: no word may be in two lines.
            self._send(start, self._segmenter.owned)
            self._look_whether_deaf(start)

    def _send(self, start: int, until: int) -> None:
        """Send the open line up to here, in steps that depend on the samples alone."""
        if self._stream is None:
            self._stream, self._sent, self._loudest_db = self.model.stream(), start, -200.0
        while self._sent < until:
            step = min(FRAME, until - self._sent)
            samples = self._audio.piece(self._sent, self._sent + step)
            self._loudest_db = max(self._loudest_db, level_db(samples))
            self._hypothesis = self._stream.feed(raised(samples, self._loudest_db))
            self._sent += step

    def _look_whether_deaf(self, start: int) -> None:
        position = self._segmenter.position
        if self._segmenter.last_speech == position and self._probability >= self._segmenter.rules.opens_at:
            self._certain.append(position - FRAME)
        if deaf(self._hypothesis.words, self._certain, start, LOOK_AHEAD):
            self.close()
            self._deaf = True

    def _decode(self, segment: Segment) -> Decoded:
        if self._deaf:
            return super()._decode(segment)
        self._send(segment.start, segment.end)
        assert self._stream is not None
        words = self._stream.finalize().words
        self._deaf = deaf(words, self._certain, segment.start, 0)
        if self._deaf and len((whole := super()._decode(segment)).words) > len(words):
            return whole
        return Decoded(words)

    def _end_line(self, segment: Segment) -> None:
        super()._end_line(segment)
        self.close()

    def _report_nothing(self, segment: Segment) -> None:
        if self._deaf:
            self._report(ipc.UnrecognizedReport(self.number, segment.start, segment.end))

    def _stable(self, decoded: Decoded) -> int:
        return super()._stable(decoded) if self._deaf else self._hypothesis.stable


def deaf(words: Sequence[RecognizedWord], certain: Iterable[int], start: int, late: int) -> bool:
    """Whether a stream gave no word for more speech than can be.

    Args:
        words: Its words; times in samples since the line began.
        certain: Where the frames begin that are certainly speech, samples since the connection began.
        start: Where the line begins.
        late: Samples that the last word may be late.
    """
    last = words[-1].end if words else 0
    if last is None:  # without times all that is known is whether there is a word
        return False
    return sum(FRAME for at in certain if at >= start + last) > DEAF + late
