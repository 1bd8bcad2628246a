"""When a frame was captured, by the earliest arrival so far; distinguishes lost frames from late ones. Pure.

A block can only be late, never early, so the earliest arrival shows the device's true time. That estimate may move
later by no more than a sound card's clock drifts; frames that are missing move it at once, and for good.
"""

from typing import Final

_DRIFT: Final = 0.0002
"""No sound card's clock is further off than this; most keep within 0.0001."""
_LONGEST_DELAY_S: Final = 1.0
"""What is read and later than this is not late: it was not read for a while, or its sender paused."""
_WINDOW_S: Final = 0.5
_WINDOWS: Final = 4
"""So many windows in a row have to agree, which is two seconds."""
_STEADY_S: Final = 0.01
"""They agree when they differ by no more."""
LEAST_MISSING_S: Final = 0.04
"""A block: a sound server that changes its latency is off by less."""


class DeviceTime:
    """Counts the frames of one stream against the monotonic clock."""

    def __init__(self, rate: int, *, live: bool = True) -> None:
        self.frames = 0
        """Frames counted so far."""
        self._rate = rate
        self._live = live
        self._start: float | None = None
        """When frame 0 was captured, as far as is known."""
        self._earliest: list[float] = []
        """The earliest arrival of each of the last windows, as the moment of frame 0 that it speaks for."""
        self._window = _WINDOW_S * rate
        """The frame at which the newest window ends."""

    def lateness_s(self, monotonic: float) -> float:
        """How much later than due a frame that arrives now is; 0 for the first one."""
        return 0.0 if self._start is None else monotonic - self.moment(self.frames)

    def moment(self, frame: int) -> float:
        """When a frame was captured, monotonic seconds. Raises ValueError before the first block."""
        if self._start is None:
            raise ValueError("nothing was counted yet")
        return self._start + frame / self._rate

    def count(self, monotonic: float, frames: int) -> None:
        """Take a block of `frames` frames, captured at `monotonic`, as one that follows its predecessor."""
        start = monotonic - self.frames / self._rate
        longest_s = float("inf") if self._live else _LONGEST_DELAY_S
        if self._start is None or not 0 <= start - self._start < longest_s:
            self._start = start
        if not self._earliest or self.frames >= self._window:
            self._earliest = [*self._earliest[-_WINDOWS:], start]
            self._window = self.frames + _WINDOW_S * self._rate
        self._earliest[-1] = min(self._earliest[-1], start)
        self.frames += frames
        self._start += frames / self._rate * _DRIFT

    def take_missing_s(self) -> float:
        """Seconds that are missing without having been reported; 0.0 when there is no proof. Reports it once.

        The proof is a step: from one window to the next even the earliest block comes later, and in all windows
        since by just as much. What is merely late catches up, and a device that runs slow gets later and later.
        """
        if self._start is None or len(self._earliest) <= _WINDOWS or self.frames < self._window:
            return 0.0
        before, *since = self._earliest
        if min(since) - before < LEAST_MISSING_S or max(since) - min(since) > _STEADY_S:
            return 0.0
        missing_s = min(since) - self._start
        self._start += missing_s
        self._earliest = self._earliest[-1:]
        return max(missing_s, 0.0)
