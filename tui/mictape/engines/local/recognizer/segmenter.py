"""Where one line ends and the next begins, from how likely speech is and how loud it is. Pure.

The numbers were chosen on fourteen minutes of speech and are not to be tuned on the same recordings again.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from mictape.units import RATE
from mictape.vad.silero import FRAME

SMOOTHED: Final = 4
"""Frames that a level is averaged over before a dip is looked for, 0.13 s."""
PROBABILITY_DB: Final = 8.0
"""What a certain "speech" weighs against loudness when a dip is looked for."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How sound is cut into segments. Times in samples."""

    opens_at: float = 0.5
    opening: int = 3
    """So many frames in a row as likely as that begin a segment: a click is shorter."""
    lead: int = RATE // 4
    """The segment begins so long before the first of them: soft onsets."""
    holds_at: float = 0.35
    """A frame as likely as that is still speech."""
    tail: int = RATE // 5
    """The segment ends so long behind the last of them: soft endings."""
    patience: tuple[tuple[int, int], ...] = ((6 * RATE, RATE * 6 // 10), (9 * RATE, RATE * 4 // 10))
    """Below a length, the silence that ends a segment: long ones are better understood, so short ones wait."""
    impatience: int = RATE // 5
    """The silence that ends one longer than all those."""
    cuts_from: int = 11 * RATE
    """A segment that is longer is cut without a pause, at the deepest dip since it became so long …"""
    waits: int = RATE * 12 // 10
    """… as soon as no deeper one has come for so long. So its final comes no later than that, and the cuts are as far
    apart as if the best dip between 9 and 15 s were taken in hindsight."""
    longest: int = 15 * RATE
    """No segment is longer."""
    settles: int | None = 2 * RATE
    """So much speech before a short pause is decoded for partials once; None: it is decoded again with what follows."""

    def silence_for(self, length: int) -> int:
        """The silence that ends a segment of this length."""
        return next((silence for below, silence in self.patience if length < below), self.impatience)


STREAMED: Final = Rules(cuts_from=20 * RATE, longest=25 * RATE)
"""For models that take sound as it comes: longer than where the whole segment is recognized again and again."""
WINDOWED: Final = Rules(
    lead=RATE * 4 // 10,
    tail=RATE * 4 // 10,
    patience=((20 * RATE, RATE * 6 // 10),),
    cuts_from=20 * RATE,
    longest=25 * RATE,
    settles=None,
)
"""For Whisper, which computes half a minute however short the segment is, and mistakes words close to its borders: few
and long segments, with the margins of faster-whisper (its `speech_pad_ms`)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, samples since the connection began."""

    start: int
    end: int
    cut: bool = False
    """Whether it was cut without a pause, so that the next one goes on in the same breath."""


class Segmenter:
    """Cuts speech into segments, frame by frame."""

    def __init__(self, rules: Rules = Rules(), at: int = 0) -> None:
        """Begin at the sample `at`."""
        self.rules = rules
        self.position = at
        """Everything before it was looked at."""
        self.start: int | None = None
        """Where the open segment began."""
        self.last_speech = at
        """Where speech was last likely."""
        self._floor = at
        """No segment begins before this: the end of the last one."""
        self._run = 0
        self._frames: deque[tuple[float, float]] = deque(maxlen=SMOOTHED)
        self._dip: tuple[float, int] | None = None
        """The deepest dip of a segment that can be cut, and where it is."""

    @property
    def silence(self) -> int:
        """Samples since the last speech in the open segment."""
        return self.position - self.last_speech

    @property
    def settled(self) -> int:
        """No segment still to come begins before this."""
        if self.start is not None:
            return self.start
        return max(self._floor, self.position - (self.rules.opening - 1) * FRAME - self.rules.lead)

    @property
    def owned(self) -> int:
        """Everything before it is in the open segment, wherever that is cut."""
        if self.start is None:
            return self.position
        return min(self.position, self.start + self.rules.cuts_from if self._dip is None else self._dip[1])

    @property
    def pausing(self) -> bool:
        """Whether everything that the open segment has if this pause ends it is there: its text can be prepared."""
        return self.start is not None and self.silence >= self.rules.tail

    @property
    def likely_cut(self) -> Segment | None:
        """The segment that a cut without a pause will end soon, unless a deeper dip comes."""
        if self.start is None or self._dip is None or self.position - self._dip[1] < self.rules.waits // 2:
            return None
        return Segment(self.start, self._dip[1], cut=True)

    def end_of_speech(self) -> int:
        """Where the open segment ends if there is no more speech."""
        return min(self.position, self.last_speech + self.rules.tail)

    def feed(self, probability: float, level_db: float) -> Segment | None:
        """Look at the next frame; the segment that it ends, if it ends one."""
        self.position += FRAME
        self._frames.append((probability, level_db))
        if self.start is None:
            self._open(probability)
            return None
        if probability >= self.rules.holds_at:
            self.last_speech = self.position
        if self.silence >= self.rules.silence_for(self.position - self.start):
            return self.close()
        return self._cut(self.start)

    def close(self) -> Segment | None:
        """End the open segment here."""
        start, self.start, self._run, self._dip = self.start, None, 0, None
        if start is None:
            return None
        self._floor = max(start, self.end_of_speech())
        # After a cut in what turned out to be the last pause there is nothing left.
        return Segment(start, self._floor) if self.last_speech > start else None

    def skip_to(self, position: int) -> None:
        """Nothing before `position` will be looked at any more, and no segment begins before it."""
        self.position = self._floor = self.last_speech = position
        self._frames.clear()

    def _open(self, probability: float) -> None:
        self._run = self._run + 1 if probability >= self.rules.opens_at else 0
        if self._run == self.rules.opening:
            self.start = max(self._floor, self.position - self._run * FRAME - self.rules.lead)
            self.last_speech = self.position

    def _cut(self, start: int) -> Segment | None:
        """Look for a dip in a long segment, and cut it at the deepest one when that is time."""
        middle = self.position - SMOOTHED // 2 * FRAME
        if middle - start < self.rules.cuts_from:
            return None
        depth = sum(level_db + PROBABILITY_DB * speech for speech, level_db in self._frames) / len(self._frames)
        if self._dip is None or depth <= self._dip[0]:
            self._dip = depth, middle
        best = self._dip[1]
        if self.position - best < self.rules.waits and self.position - start < self.rules.longest:
            return None
        self.start, self._floor, self._dip = best, best, None
        return Segment(start, best, cut=True)
