"""Which samples of a tape an engine has answered for, which are lost, and which are still to do.

Pure. All positions are session time, samples at 16 kHz; every interval is half open, `[start, end)`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Interval = tuple[int, int]
"""`(start, end)` with `start < end`."""


class Intervals:
    """A set of samples kept as sorted, disjoint, non-touching intervals."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in intervals:
            self.add(start, end)

    def __iter__(self) -> Iterator[Interval]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Intervals({list(self)!r})"

    def __contains__(self, sample: int) -> bool:
        at = bisect_right(self._starts, sample) - 1
        return at >= 0 and sample < self._ends[at]

    @property
    def total(self) -> int:
        """How many samples are in the set."""
        return sum(self._ends) - sum(self._starts)

    def add(self, start: int, end: int) -> None:
        """Put `[start, end)` in; an empty one changes nothing."""
        if start >= end:
            return
        first = bisect_left(self._ends, start)  # the first interval that touches or follows
        last = bisect_right(self._starts, end)  # one past the last that touches
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def remove(self, start: int, end: int) -> None:
        """Take `[start, end)` out."""
        if start >= end:
            return
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end)
        if first >= last:
            return
        left = (self._starts[first], start)
        right = (end, self._ends[last - 1])
        kept = [piece for piece in (left, right) if piece[0] < piece[1]]
        self._starts[first:last] = [piece[0] for piece in kept]
        self._ends[first:last] = [piece[1] for piece in kept]

    def missing(self, start: int, end: int) -> list[Interval]:
        """What of `[start, end)` is not in the set, in order."""
        out: list[Interval] = []
        at = bisect_right(self._ends, start)
        while start < end:
            if at == len(self._starts) or self._starts[at] >= end:
                out.append((start, end))
                break
            if start < self._starts[at]:
                out.append((start, self._starts[at]))
            start = self._ends[at]
            at += 1
        return out


@dataclass(frozen=True, slots=True)
class Gap:
    """Sound without text, and why."""

    start: int
    end: int
    why: str


class Coverage:
    """How far a track's tape has been turned into text.

    Covered, gaps and holes are disjoint. What is none of them is open: work for an engine. When the session
    has closed nothing is open, so the three together are the tape.
    """

    def __init__(self, origin: int = 0) -> None:
        self.origin = origin
        """Session time of the tape's first sample."""
        self.covered = Intervals()
        """An engine has answered for these, or there was no speech in them."""
        self.holes = Intervals()
        """Silence put in for lost sound."""
        self._gaps: list[Gap] = []

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Given up for now, in order; they can be covered later."""
        return tuple(self._gaps)

    def cover(self, start: int, end: int) -> None:
        """An engine has answered for `[start, end)`. Holes stay holes; a gap it closes is gone."""
        for piece in self.holes.missing(start, end):
            self.covered.add(*piece)
        self._cut_gaps(start, end)

    def hole(self, start: int, end: int) -> None:
        """`[start, end)` of the tape is silence for lost sound."""
        self.holes.add(start, end)
        self.covered.remove(start, end)
        self._cut_gaps(start, end)

    def give_up(self, start: int, end: int, why: str) -> None:
        """What is still open in `[start, end)` becomes a gap."""
        for piece in self._open(start, end):
            self._gaps.append(Gap(*piece, why))
        self._gaps.sort(key=lambda gap: gap.start)

    def reopen(self) -> None:
        """Every gap is work again."""
        self._gaps.clear()

    def open(self, end: int) -> list[Interval]:
        """What is neither covered nor a gap nor a hole before `end`, in order: the work."""
        return self._open(self.origin, end)

    def reached(self, end: int) -> int:
        """Where the first open sample is, at most `end`: everything before it is settled."""
        work = self.open(end)
        return work[0][0] if work else end

    def _open(self, start: int, end: int) -> list[Interval]:
        settled = Intervals(self.covered)
        for hole in self.holes:
            settled.add(*hole)
        for gap in self._gaps:
            settled.add(gap.start, gap.end)
        return settled.missing(max(start, self.origin), end)

    def _cut_gaps(self, start: int, end: int) -> None:
        cut = Intervals([(start, end)])
        self._gaps = [Gap(*piece, gap.why) for gap in self._gaps for piece in cut.missing(gap.start, gap.end)]
