"""How long after a word was spoken its text is there."""

import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Final

REMEMBERED: Final = 4_096
"""Some minutes of the tape's growth, at a message every 40 ms."""
RECENT_S: Final = 60.0


class Latency:
    """Measures, for the newest word of each text, the time from its end on the tape to its first appearance."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """`clock_s` gives monotonic seconds."""
        self._clock_s = clock_s
        self._growth: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)
        """When the tape was so long: (samples in the track's own time, monotonic seconds)."""
        self._measured: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        """When a word was seen, and how long after its end: monotonic seconds, seconds."""
        self._until = 0
        """Words that end before this were measured."""

    @property
    def tape_end(self) -> int | None:
        """The end of the tape when it was last noted; None before that."""
        return self._growth[-1][0] if self._growth else None

    def note_tape(self, end: int) -> None:
        """Note where the tape ends now."""
        self._growth.append((end, self._clock_s()))

    def measure(self, end: int) -> None:
        """Measure a word that ends there on the tape and is seen now; a word counts once."""
        if end <= self._until or not self._growth or end < self._growth[0][0]:
            return
        self._until = end
        spoken_s = next((at_s for samples, at_s in self._growth if samples >= end), None)
        if spoken_s is not None:
            now_s = self._clock_s()
            self._measured.append((now_s, now_s - spoken_s))

    @property
    def median_s(self) -> float | None:
        """The median of the last minute; None when nothing is known."""
        recent = [latency_s for at_s, latency_s in self._measured if at_s > self._clock_s() - RECENT_S]
        return median(recent) if recent else None
