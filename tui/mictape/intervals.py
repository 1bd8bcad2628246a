"""Sets of samples as sorted, disjoint intervals.

Pure. Positions are session time, samples at 16 kHz; every interval is half open, `[start, end)`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

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
