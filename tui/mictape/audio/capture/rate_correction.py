"""The rate a device really has: found by counting its frames against the monotonic clock. In the capture process only.

A Bluetooth headset may say 48 kHz and deliver 24 kHz from the moment its microphone is opened: everything would be
recorded at double speed.
"""

from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from statistics import median
from typing import Final, Protocol, cast

import numpy as np
import soxr

from mictape.audio.capture.levels import Samples

TOLERANCE: Final = 0.02
"""A rate that is off by more than this is another rate; no sound card's clock is off by a hundredth of it."""

_WINDOW_S: Final = 0.25
_BLOCKS: Final = 5
"""A window has at least so many blocks: one of them will be in time."""
_FEWEST: Final = 4
"""Steps between windows that have to agree: with the first window, which is left out, 1.5 s, with long blocks 6 s."""
_MOST: Final = 120
"""Windows that are remembered, 30 s: 3 % show only after 14 s, half the rate shows at once."""
_FEWEST_UNUSUAL: Final = 40
"""The same, 10 s, for a rate that no device is made for: lost sound looks like one."""
_EVEN: Final = 2.5
"""A machine that keeps up hands no block over after more than so many times the usual interval."""
_JITTER_S: Final = 0.1
"""How late even the earliest block of a window may be on a busy machine, beside two whole blocks."""
_NEAR: Final = 0.03
"""What so short a count may be off by: 15 ms in a second at either end."""
_USUAL: Final = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)


@dataclass(frozen=True, slots=True)
class _Mark:
    """The block of a window that came with the least delay."""

    at: float
    """When its first frame was captured, seconds."""
    frames: int
    """How many came before it."""
    even: bool = True
    """Whether the machine kept up since the mark before: all blocks came at even intervals."""
    as_claimed: bool = False
    """Whether the frames since the mark before came at the rate that is known, within `TOLERANCE`."""


class RateWatch:
    """Counts frames; a verdict needs several windows that agree.

    A block can only be late, never early; so of each window only its earliest block counts. What was lost or came late
    moves one or two of the steps between windows, another rate moves all of them alike. So neither a late block, nor a
    burst, nor a stretch that was lost passes for another rate. And where blocks come at uneven intervals the machine
    does not keep up, and may lose sound all the time: such steps do not count.
    """

    def __init__(self, rate: int) -> None:
        """Begin to count for a device that says it has `rate`."""
        self.rate = rate
        """Frames per second, as far as is known."""
        self._frames = 0
        self._window: float | None = None
        self._best: _Mark | None = None
        self._marks: deque[_Mark] = deque(maxlen=_MOST + 1)
        self._first = True
        self._block = 0
        self._newest: float | None = None
        self._intervals: list[float] = []
        """Between the blocks since the mark before, seconds."""

    def count(self, monotonic: float, frames: int) -> int | None:
        """Take a block whose first frame was captured at `monotonic`.

        Returns:
            The device's rate when it has been found to be another one, once; then count for that one.
        """
        if self._window is None:
            self._window = monotonic
        found = None
        if monotonic - self._window >= max(_WINDOW_S, _BLOCKS * self._block / self.rate):
            found = self._close(monotonic)
        if self._newest is not None:
            self._intervals.append(monotonic - self._newest)
        self._newest = monotonic
        mark = _Mark(monotonic, self._frames)
        if self._best is None or self._delay(mark) < self._delay(self._best):
            self._best = mark
        self._frames += frames
        self._block = frames
        return found

    def _delay(self, mark: _Mark) -> float:
        return mark.at - mark.frames / self.rate

    def _close(self, now: float) -> int | None:
        """End a window; the first one is left out, since streams begin with a burst."""
        best, self._best, self._window = self._best, None, now
        intervals, self._intervals = self._intervals, []
        if best is None or self._first:
            self._first = False
            return None
        even = bool(intervals) and max(intervals) <= _EVEN * median(intervals)
        as_claimed = bool(self._marks) and abs(self._speed(self._marks[-1], best) - 1) <= TOLERANCE
        self._marks.append(replace(best, even=even, as_claimed=as_claimed))
        return self._verdict()

    def _verdict(self) -> int | None:
        """What the even steps agree on."""
        # A step reaches from one window's block into the next window: both have to be even.
        steps = [(a, b) for a, b in pairwise(self._marks) if a.even and b.even and b.at > a.at]
        if len(steps) < _FEWEST:
            return None
        if 2 * sum(b.as_claimed for _, b in steps) > len(steps):  # so is their median, and with nearly every device
            return None
        speeds = [self._speed(a, b) for a, b in steps]
        speed = median(speeds)
        spread = median(abs(each - speed) for each in speeds)
        span_s = sum(b.at - a.at for a, b in steps)
        whole = sum(b.frames - a.frames for a, b in steps) / span_s / self.rate
        runs = 1 + sum(before[1] is not after[0] for before, after in pairwise(steps))
        doubt = runs * (_JITTER_S + 2 * self._block / self.rate) / span_s
        if abs(speed - 1) <= TOLERANCE + 2 * spread or abs(whole - 1) <= TOLERANCE + doubt:
            return None
        rate = _usual(whole * self.rate)
        if rate is None and len(steps) < _FEWEST_UNUSUAL:
            return None
        return self._settle(rate or round(whole * self.rate))

    def _speed(self, a: _Mark, b: _Mark) -> float:
        """The frames from one mark to a later one, against what they would be at the rate that is known."""
        return (b.frames - a.frames) / (b.at - a.at) / self.rate if b.at > a.at else inf

    def _settle(self, rate: int) -> int:
        """Count on for the rate found."""
        self.rate = rate
        self._frames, self._window, self._best, self._first = 0, None, None, True
        self._newest, self._intervals = None, []
        self._marks.clear()
        return rate


def _usual(measured: float) -> int | None:
    """The rate nearby that devices are made for; None when there is none."""
    nearest = min(_USUAL, key=lambda usual: abs(usual - measured))
    return nearest if abs(nearest / measured - 1) <= _NEAR else None


class _Resampler(Protocol):
    def resample_chunk(self, x: Samples) -> Samples: ...


class Corrector:
    """Gives a device's sound at the rate it claims, whatever it really has."""

    def __init__(self, rate: int, channels: int) -> None:
        """For a device that says it has `rate`."""
        self._rate = rate
        self._channels = channels
        self._watch = RateWatch(rate)
        self._resampler: _Resampler | None = None

    def feed(self, samples: Samples, monotonic: float) -> tuple[Samples, int | None]:
        """Take a block, shape (frames, channels), int16, and when its first frame was captured.

        Returns:
            The block at the claimed rate, and the true rate when it has just been found.
        """
        found = self._watch.count(monotonic, len(samples))
        if found is not None:
            self._resampler = self._new_resampler(found)
        if self._resampler is not None:
            samples = np.asarray(self._resampler.resample_chunk(samples)).reshape(-1, self._channels)
        return samples, found

    def forget(self) -> None:
        """Frames were lost: restart the count, at the rate known so far."""
        self._watch = RateWatch(self._watch.rate)

    def _new_resampler(self, rate: int) -> _Resampler | None:
        if rate == self._rate:
            return None
        resampler = soxr.ResampleStream(rate, self._rate, self._channels, dtype="int16", quality="HQ")
        return cast(_Resampler, resampler)
