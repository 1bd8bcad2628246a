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
_SETS: Final = _BREAKS | {"step"}
"""The anchors at which the two clocks may stand otherwise to each other than before."""

STEP_S: Final = 0.1
"""Two clocks jumped when they moved by more than this against each other between two blocks; slewing stays below it."""
REBOOT_S: Final = 1.0
"""No machine starts faster."""
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

    @property
    def offset(self) -> float:
        """What makes a monotonic moment one of the wall clock."""
        return self.utc - self.monotonic


@dataclass(slots=True)
class _Boot:
    """What was recorded between two starts of the machine, as far as the monotonic clock shows it."""

    first: int
    """The index of its first anchor."""
    offsets: list[float]
    """What makes its monotonic moments those of the wall clock, each that it had."""


class Clock:
    """The moments of a tape's samples, computed from its anchors.

    Between two anchors time is interpolated, which takes up the drift of the device's clock; before the
    first, after the last and up to a pause it runs at the nominal rate.

    The monotonic clock begins again when the machine is started, so a tape that is continued after that has the same
    moments twice: `sample_at` finds the right one by the wall clock.
    """

    def __init__(self, anchors: Iterable[Anchor] = ()) -> None:
        self._anchors: list[Anchor] = []
        self._samples: list[int] = []
        self._boots: list[_Boot] = []
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
        if not self._anchors or _rebooted(self._anchors[-1], anchor):
            self._boots.append(_Boot(len(self._anchors), [anchor.offset]))
        elif anchor.why in _SETS:
            self._boots[-1].offsets.append(anchor.offset)
        self._anchors.append(anchor)
        self._samples.append(anchor.sample)

    def monotonic(self, sample: int, *, end: bool = False) -> float | None:
        """When `sample` was captured, monotonic seconds; None without anchors.

        With `end`, when the sample before it had been captured: before a pause, not behind it.
        """
        if not self._anchors:
            return None
        before, after = self._around(sample - 1 if end else sample)
        nominal = (sample - before.sample) / RATE
        if after is None:
            return before.monotonic + nominal
        share = (sample - before.sample) / (after.sample - before.sample)
        return before.monotonic + share * (after.monotonic - before.monotonic)

    def utc(self, sample: int, *, end: bool = False) -> float | None:
        """As `monotonic`, in seconds since 1970 UTC as the wall clock stood then."""
        moment = self.monotonic(sample, end=end)
        if moment is None:
            return None
        before, after = self._around(sample - 1 if end else sample)
        if after is None or after.why == "step" or after.monotonic <= before.monotonic:
            return before.utc + (moment - before.monotonic)
        share = (moment - before.monotonic) / (after.monotonic - before.monotonic)
        return before.utc + share * (after.utc - before.utc)

    def run_end(self, sample: int) -> int | None:
        """The sample behind the run that `sample` is in: there the tape paused. None for the last run."""
        index = bisect_right(self._samples, sample)
        return next((each.sample for each in self._anchors[index:] if each.why in _BREAKS), None)

    def sample_at(self, monotonic: float, utc: float | None = None) -> int | None:
        """The sample captured at that moment, rounded down; in a pause the first one after it; None without anchors.

        Args:
            monotonic: The moment.
            utc: The same by the wall clock, which says between which starts of the machine it was; None: after the
                last one.
        """
        if not self._anchors:
            return None
        low, high = self._boot(None if utc is None else utc - monotonic)
        moment = bisect_right(self._anchors, monotonic, low, high, key=lambda anchor: anchor.monotonic) - 1
        before = self._anchors[index := max(moment, low)]
        elapsed = monotonic - before.monotonic
        if low and moment < low:
            return before.sample
        if index + 1 == len(self._anchors):
            return before.sample if before.why in _ENDS else before.sample + int(elapsed * RATE // 1)
        after = self._anchors[index + 1]
        if after.why in _BREAKS or after.monotonic <= before.monotonic:
            return min(before.sample + int(elapsed * RATE // 1), after.sample)
        share = elapsed / (after.monotonic - before.monotonic)
        return before.sample + int(share * (after.sample - before.sample) // 1)

    def _boot(self, offset: float | None) -> tuple[int, int]:
        """The first anchor of one start of the machine and the one behind its last: of that with this offset."""
        boots = self._boots
        which = len(boots) - 1
        if offset is not None and which:
            which = min(range(len(boots)), key=lambda at: min(abs(offset - each) for each in boots[at].offsets))
        return boots[which].first, boots[which + 1].first if which + 1 < len(boots) else len(self._anchors)

    def _around(self, sample: int) -> tuple[Anchor, Anchor | None]:
        """The anchor at or before `sample` (else the first), and the next one if time runs through to it."""
        index = max(bisect_right(self._samples, sample) - 1, 0)
        before = self._anchors[index]
        if sample < before.sample or index + 1 == len(self._anchors):
            return before, None
        after = self._anchors[index + 1]
        return before, None if after.why in _BREAKS else after


def _rebooted(before: Anchor, anchor: Anchor) -> bool:
    """Whether the machine was started between two anchors: more than a block that is a little early."""
    return anchor.monotonic < before.monotonic and abs(anchor.offset - before.offset) > REBOOT_S


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
