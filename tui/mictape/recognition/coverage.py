"""Which samples of a tape an engine has answered for, which are lost, and which are still to do.

Pure. All positions are session time, samples at 16 kHz; every interval is half open, `[start, end)`.
"""

from dataclasses import dataclass

from mictape.intervals import Interval, Intervals


@dataclass(frozen=True, slots=True)
class Gap:
    """Sound without text, or no sound, and why."""

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
        self.left_out = Intervals()
        """Silence that was not sent to any engine; covered, too."""
        self.holes = Intervals()
        """Silence put in for lost sound."""
        self._lost: list[Gap] = []
        self._gaps: list[Gap] = []

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Given up for now, in order; they can be covered later."""
        return tuple(self._gaps)

    @property
    def lost(self) -> tuple[Gap, ...]:
        """The holes with their reasons, in order."""
        return tuple(self._lost)

    def cover(self, start: int, end: int) -> None:
        """An engine has answered for `[start, end)`. Holes stay holes; a gap it closes is gone."""
        for piece in self.holes.missing(start, end):
            self.covered.add(*piece)
        self._cut_gaps(start, end)

    def hole(self, start: int, end: int, why: str) -> None:
        """`[start, end)` of the tape is silence for lost sound."""
        self._lost += [Gap(*piece, why) for piece in self.holes.missing(start, end)]
        self._lost.sort(key=lambda hole: hole.start)
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
