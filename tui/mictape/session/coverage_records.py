"""A track's coverage as the library stores it, and what has changed in it."""

from collections.abc import Sequence

from mictape.intervals import Intervals
from mictape.library.records import CoverageRecord
from mictape.recognition.coverage import Coverage


def records_of(coverage: Coverage) -> list[CoverageRecord]:
    """Every interval that is not open: covered, then holes, then gaps."""
    return [
        *(CoverageRecord(start, end, "covered") for start, end in coverage.covered),
        *(CoverageRecord(hole.start, hole.end, "hole", hole.why) for hole in coverage.lost),
        *(CoverageRecord(gap.start, gap.end, "gap", gap.why) for gap in coverage.gaps),
    ]


def changes(before: Sequence[CoverageRecord], after: Sequence[CoverageRecord]) -> tuple[CoverageRecord, ...]:
    """The intervals whose state differs, with the state they have in `after`; disjoint."""
    known, kept = set(before), set(after)
    changed: list[CoverageRecord] = []
    for new in (record for record in after if record not in known):
        same = Intervals((old.start, old.end) for old in before if (old.what, old.why) == (new.what, new.why))
        changed += [CoverageRecord(*piece, new.what, new.why) for piece in same.missing(new.start, new.end)]
    closed = Intervals((record.start, record.end) for record in after)
    for old in (record for record in before if record not in kept):
        changed += [CoverageRecord(*piece, "open") for piece in closed.missing(old.start, old.end)]
    return tuple(changed)
