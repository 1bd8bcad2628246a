"""Where on a tape there may be speech: as the speech detector says, else from the levels.

Pure Python: the app needs no numpy for it. What is silence by the levels and by the detector need not be sent to an
engine; either of them alone is not enough, since a detector does not know singing or whispering for speech.
"""

import asyncio
from array import array
from collections import deque
from collections.abc import Sequence
from itertools import islice
from math import log10
from operator import mul
from sys import byteorder
from typing import Final

from mictape.intervals import Interval, Intervals
from mictape.units import RATE

STEP: Final = RATE // 50
"""Levels are taken on a grid of 20 ms."""
QUIETEST_STEPS: Final = 3
"""A border is put in the middle of the quietest 60 ms, three whole steps."""
REACH_S: Final = 30
"""Levels are remembered for this long."""

LEAST_DB: Final = -60.0
"""RMS below it is silence whatever the room is like: speech of -50 dBFS reaches every engine as nothing."""
ABOVE_FLOOR_DB: Final = 6.0
"""Speech stands out of the room's noise by at least this much."""
FLOOR_RISE_DB: Final = 0.02
"""How fast the noise floor follows a room that gets louder, per step: 1 dB a second."""
LOUDEST_FLOOR_DB: Final = -35.0
RUN_STEPS: Final = 3
"""A click is shorter than 60 ms, a syllable is not."""
AROUND: Final = RATE // 2
"""Half a second on either side of speech belongs to it: soft onsets and endings."""
SILENCE_DB: Final = -96.0
LEAST_SPEECH: Final = RATE
"""A second of what may be speech; less may be a door."""


class SpeechActivity:
    """Where there may be speech on a tape. Fed with it in order, from `start` on, in the track's own time."""

    def __init__(self, start: int = 0) -> None:
        self.position = start
        """Everything before it has been examined."""
        self.speech = Intervals()
        """Where there may be speech."""
        self.sound = Intervals()
        """Where it is not silent: by the levels or by the detector."""
        self.certain_speech = Intervals()
        """Where the detector found speech, without what lies around it."""
        self.certain = False
        """Whether the detector says so now; what the levels say may be any noise."""
        self._floor_db = LOUDEST_FLOOR_DB
        self._run = 0
        self._levels: deque[float] = deque(maxlen=REACH_S * 50)
        self._rest = b""
        self._moved = asyncio.Event()

    async def reached(self, position: int) -> None:
        """Wait until everything before it has been looked at, but for what is no whole step."""
        while self.position + self.pending < position:
            self._moved.clear()
            await self._moved.wait()

    @property
    def pending(self) -> int:
        """Samples behind `position` that it has got and not looked at yet, because they are no whole step."""
        return len(self._rest) // 2

    def feed(self, pcm: bytes, spoken: Sequence[Interval] | None = None) -> None:
        """Look at the samples that follow.

        Args:
            pcm: 16-bit little-endian mono, any number of samples.
            spoken: Where the detector found speech, session time; None when there is none to ask.
        """
        self.certain = spoken is not None
        for start, end in spoken or ():
            self.certain_speech.add(start, end)
            for kind in (self.speech, self.sound):
                kind.add(max(0, start - AROUND), end + AROUND)
        data = self._rest + pcm
        whole = len(data) // (2 * STEP)
        self._rest = data[whole * 2 * STEP :]
        samples = array("h", data[: whole * 2 * STEP])
        if byteorder == "big":
            samples.byteswap()
        for at in range(0, whole * STEP, STEP):
            step = samples[at : at + STEP]
            self._take(sum(map(mul, step, step)) / STEP)
        self._moved.set()

    def _take(self, square: float) -> None:
        level_db = 10 * log10(square / 32768**2) if square else SILENCE_DB
        self._levels.append(level_db)
        self._floor_db = min(level_db, self._floor_db + FLOOR_RISE_DB, LOUDEST_FLOOR_DB)
        loud = level_db > max(LEAST_DB, self._floor_db + ABOVE_FLOOR_DB)
        self._run = self._run + 1 if loud else 0
        self.position += STEP
        if self._run >= RUN_STEPS:
            begin, end = max(0, self.position - self._run * STEP - AROUND), self.position + AROUND
            self.sound.add(begin, end)
            if not self.certain:
                self.speech.add(begin, end)

    def silent_for(self) -> int:
        """Samples without speech up to where it has looked."""
        return self._since_last(self.speech)

    def quiet_for(self) -> int:
        """Samples of silence up to where it has looked."""
        return self._since_last(self.sound)

    def _since_last(self, kind: Intervals) -> int:
        return max(0, self.position - max((end for _, end in kind), default=0))

    def speaks(self, start: int, end: int) -> int:
        """Samples in `[start, end)` in which there may be speech."""
        return _covered(self.speech, start, end)

    def surely_speaks(self, start: int, end: int) -> int:
        """Samples in `[start, end)` in which the detector found speech."""
        return _covered(self.certain_speech, start, end)

    def quietest(self, start: int, end: int) -> int:
        """A border in `[start, end)`: the middle of the quietest 60 ms; `end` when it has not looked there."""
        first_known = self.position - len(self._levels) * STEP
        first = max(0, -(-(start - first_known) // STEP))
        last = min(len(self._levels), (end - first_known) // STEP)
        if last - first < QUIETEST_STEPS:
            return end
        levels = list(islice(self._levels, first, last))
        sums = [sum(levels[at : at + QUIETEST_STEPS]) for at in range(len(levels) - QUIETEST_STEPS + 1)]
        best = min(range(len(sums)), key=sums.__getitem__)
        return first_known + (first + best) * STEP + QUIETEST_STEPS * STEP // 2


def _covered(kind: Intervals, start: int, end: int) -> int:
    return max(0, end - start) - sum(stop - begin for begin, stop in kind.missing(start, end))
