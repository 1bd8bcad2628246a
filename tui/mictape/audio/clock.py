"""When a sample was recorded: anchors between the tape and the clocks, and what is computed from them.

Samples are never stretched to fit a clock. A tape is a plain count of samples; anchors say which of them were
captured when, and everything else lies between two anchors.
"""

import sys
import time
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from mictape.audio.messages import ClocksJumped
from mictape.units import RATE

AnchorWhy = Literal["start", "resume", "pause", "suspend", "hole", "step", "tick"]
"""Why an anchor was set.

`start` and `resume`: sound begins here, whatever time has passed since the sample before. `pause`: the last
sample before it was the last for a while. `suspend`: so it was, since the machine slept. `hole`: sound goes on
after silence of the true length. `step`: the wall clock was set. `tick`: 10 s have passed.
"""

_BREAKS: Final = frozenset({"start", "resume"})
_ENDS: Final = frozenset({"pause", "suspend"})

STEP_S: Final = 0.1
"""Two clocks jumped when they moved by more than this against each other between two blocks; slewing stays below it."""
_AT_ONCE_S: Final = 0.01
"""Clocks that were read within this time were read at one moment; else the process was held up between two of them."""


class Anchor(msgspec.Struct, tag="anchor", frozen=True):
    """One sample and the moment it was captured."""

    sample: int
    """Tape position."""
    monotonic: float
    """Seconds on the system's monotonic clock."""
    utc: float
    """Seconds since 1970-01-01T00:00Z."""
    why: AnchorWhy


class Clock:
    """The moments of a tape's samples, computed from its anchors.

    Between two anchors time is interpolated, which takes up the drift of the device's clock; before the
    first, after the last and up to a pause it runs at the nominal rate.
    """

    def __init__(self, anchors: Iterable[Anchor] = ()) -> None:
        self._anchors: list[Anchor] = []
        self._samples: list[int] = []
        for anchor in anchors:
            self.add(anchor)

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        """All anchors, in tape order."""
        return tuple(self._anchors)

    def add(self, anchor: Anchor) -> None:
        """Add an anchor; they come in tape order. Raises ValueError when one goes back."""
        if self._samples and anchor.sample < self._samples[-1]:
            raise ValueError(f"anchor at {anchor.sample} comes after one at {self._samples[-1]}")
        self._anchors.append(anchor)
        self._samples.append(anchor.sample)

    def monotonic(self, sample: int) -> float | None:
        """When `sample` was captured, monotonic seconds; None without anchors."""
        if not self._anchors:
            return None
        before, after = self._around(sample)
        nominal = (sample - before.sample) / RATE
        if after is None:
            return before.monotonic + nominal
        share = (sample - before.sample) / (after.sample - before.sample)
        return before.monotonic + share * (after.monotonic - before.monotonic)

    def utc(self, sample: int) -> float | None:
        """When `sample` was captured, seconds since 1970 UTC as the wall clock stood then; None without anchors."""
        moment = self.monotonic(sample)
        if moment is None:
            return None
        before, after = self._around(sample)
        if after is None or after.why == "step" or after.monotonic <= before.monotonic:
            return before.utc + (moment - before.monotonic)
        share = (moment - before.monotonic) / (after.monotonic - before.monotonic)
        return before.utc + share * (after.utc - before.utc)

    def sample_at(self, monotonic: float) -> int | None:
        """The sample captured at that moment, rounded down; in a pause the first one after it; None without anchors."""
        if not self._anchors:
            return None
        index = max(bisect_right(self._anchors, monotonic, key=lambda anchor: anchor.monotonic) - 1, 0)
        before = self._anchors[index]
        elapsed = monotonic - before.monotonic
        if index + 1 == len(self._anchors):
            return before.sample if before.why in _ENDS else before.sample + int(elapsed * RATE // 1)
        after = self._anchors[index + 1]
        if after.why in _BREAKS or after.monotonic <= before.monotonic:
            return min(before.sample + int(elapsed * RATE // 1), after.sample)
        share = elapsed / (after.monotonic - before.monotonic)
        return before.sample + int(share * (after.sample - before.sample) // 1)

    def _around(self, sample: int) -> tuple[Anchor, Anchor | None]:
        """The anchor at or before `sample` (else the first), and the next one if time runs through to it."""
        index = max(bisect_right(self._samples, sample) - 1, 0)
        before = self._anchors[index]
        if sample < before.sample or index + 1 == len(self._anchors):
            return before, None
        after = self._anchors[index + 1]
        return before, None if after.why in _BREAKS else after


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the system's clocks showed at one moment, seconds."""

    monotonic: float
    """Python's own, which on Linux and macOS stands still while the machine sleeps."""
    boot: float
    """The one that goes on in sleep; the same as `monotonic` where the system has no pair of them."""
    utc: float
    """Since 1970-01-01T00:00Z, as the user may set it."""

    @property
    def offset(self) -> float:
        """What makes a monotonic moment one of the wall clock."""
        return self.utc - self.monotonic


def read_clocks() -> Clocks:
    """What the clocks show now."""
    while True:
        monotonic = time.monotonic()
        clocks = Clocks(monotonic, _boot(monotonic), time.time())
        if time.monotonic() - monotonic < _AT_ONCE_S:
            return clocks


def jump_between(before: Clocks, now: Clocks) -> ClocksJumped | None:
    """Whether the machine slept or its clock was set between two looks; sleep goes before a step."""
    slept_s = (now.boot - before.boot) - (now.monotonic - before.monotonic)
    if slept_s > STEP_S:
        return ClocksJumped("suspend", slept_s)
    stepped_s = now.offset - before.offset
    return ClocksJumped("step", stepped_s) if abs(stepped_s) > STEP_S else None


def _boot(monotonic: float) -> float:
    # Python's monotonic clock is CLOCK_MONOTONIC on Linux and mach_absolute_time on macOS, where the clock that
    # is called CLOCK_MONOTONIC_RAW goes on in sleep. On Windows the monotonic one itself does.
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    return monotonic
