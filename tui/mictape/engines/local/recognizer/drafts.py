"""The text of the open line while it is spoken: when it is worth decoding again, and from where on.

A draft takes longer the more sound it is of. So what lies before a short pause is decoded once and stays, and drafts
come at a pace that their cost decides. Finals are decoded from the whole line and know nothing of this.
"""

from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from typing import Final

from mictape.engines.local.recognizer.lines import decapitalized, without_stop
from mictape.engines.local.recognizer.model import Decoded, SegmentModel, completed
from mictape.engines.local.recognizer.segmenter import Segmenter
from mictape.engines.local.recognizer.word_times import shifted
from mictape.units import RATE
from mictape.vad.onnx import Samples
from mictape.vad.silero import FRAME

SHORTEST: Final = RATE // 2
"""Samples between two drafts, at least."""
PACE: Final = 1.8
"""A draft that takes c seconds comes so many times √c seconds after the one before. For a given share of the CPU words
appear soonest when the interval grows with the root of the cost."""
COST_FACTOR: Final = 1.5
"""At least so many times what the last one took, whatever it was: so partials cannot take more than two thirds of the
time, however slow the machine and however many tracks have speech."""
QUIET: Final = 2 * FRAME
"""So much without speech is a short pause. Nothing is drafted in it: either a longer one begins, of which the text is
prepared anyway, or there will be more to decode in a moment."""
FRESH: Final = RATE // 5
"""Samples that are worth decoding at all."""


class Drafts:
    """Decodes the open line again and again."""

    def __init__(self, model: SegmentModel, clock: Callable[[], float]) -> None:
        """See `mictape.engines.local.recognizer.segment_driver.Options` for the clock."""
        self.until = 0
        """Where the sound ends that was decoded last."""
        self._model = model
        self._clock = clock
        self._cost_s = 0.0
        self._draft_s = 0.0
        self._head = Decoded()
        self._rest_start: int | None = None
        """Where the rest begins, samples since the connection began; None without a head."""
        self._rest = Decoded()

    def forget(self) -> None:
        """The line is over."""
        self._head, self._rest_start, self._rest = Decoded(), None, Decoded()
        self._draft_s = 0.0

    def due(self, segmenter: Segmenter, open_lines: int) -> bool:
        """Whether the open line is worth another draft.

        Args:
            segmenter: Has an open line.
            open_lines: On how many connections a line is open: they share the time that partials may take.
        """
        if segmenter.silence >= QUIET or not self.affordable(segmenter, open_lines):
            return False
        return self._fresh(segmenter) >= max(SHORTEST, PACE * sqrt(open_lines * self._draft_s) * RATE)

    def affordable(self, segmenter: Segmenter, open_lines: int) -> bool:
        """Whether enough new sound is there to decode again at all."""
        return self._fresh(segmenter) >= max(FRESH, COST_FACTOR * open_lines * self._cost_s * RATE)

    def timed(self, decode: Callable[[], Decoded], until: int) -> Decoded:
        """The result of a decode in place of a draft, which counts as one."""
        begun_s = self._clock()
        decoded = decode()
        self._cost_s, self.until = self._clock() - begun_s, until
        return decoded

    def next(self, segmenter: Segmenter, sound: Callable[[int, int], Samples], voiced: Sequence[int]) -> Decoded:
        """Decode the open line up to here.

        Args:
            segmenter: Has an open line.
            sound: Gives a piece of the sound.
            voiced: Where the frames begin in which there is speech, in order.
        """
        return self.timed(lambda: self._next(segmenter, sound, voiced), segmenter.position)

    def settle(self, segmenter: Segmenter, decoded: Decoded) -> None:
        """The open line was decoded up to the pause that is now: its text stays, if it is long enough."""
        if self._may_settle(segmenter, segmenter.last_speech):
            self._begin_rest(decoded, segmenter.position - segmenter.silence // 2)
        elif self._rest_start is None:
            self._rest = decoded

    def _next(self, segmenter: Segmenter, sound: Callable[[int, int], Samples], voiced: Sequence[int]) -> Decoded:
        pause = next((at for end, at in _pauses(voiced) if self._may_settle(segmenter, end)), None)
        if pause is not None:
            # It stays, so it is decoded as finals are: a draft may end before the text does.
            self._rest = completed(self._model.decoding(sound(self._start(segmenter), pause), draft=self._rest))
            self._begin_rest(self._whole(segmenter), pause)
        begun_s = self._clock()
        self._rest = self._model.draft(sound(self._start(segmenter), segmenter.position), self._rest)
        self._draft_s = self._clock() - begun_s
        return self._whole(segmenter)

    def _whole(self, segmenter: Segmenter) -> Decoded:
        assert segmenter.start is not None
        words = shifted(self._rest.words, self._start(segmenter) - segmenter.start)
        if not self._head.words:
            return Decoded(words)
        return Decoded((*without_stop(self._head.words), *decapitalized(words)))

    def _begin_rest(self, head: Decoded, start: int) -> None:
        self._head, self._rest_start, self._rest = head, start, Decoded()

    def _may_settle(self, segmenter: Segmenter, until: int) -> bool:
        least = segmenter.rules.settles
        return least is not None and until - self._start(segmenter) >= least

    def _start(self, segmenter: Segmenter) -> int:
        assert segmenter.start is not None
        return segmenter.start if self._rest_start is None else self._rest_start

    def _fresh(self, segmenter: Segmenter) -> int:
        assert segmenter.start is not None
        return segmenter.position - max(self.until, segmenter.start)


def _pauses(voiced: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The short pauses between frames with speech, the last one first: where each begins, and its middle."""
    for at in range(len(voiced) - 1, 0, -1):
        begin = voiced[at - 1] + FRAME
        if voiced[at] - begin >= QUIET:
            yield begin, (begin + voiced[at]) // 2
