"""Coverage: covered, gaps and holes are disjoint, and after the close together they are the tape."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mictape.intervals import Intervals
from mictape.recognition.coverage import Coverage

SIZE = 60
spans = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE))
steps = st.lists(st.tuples(st.sampled_from(["add", "remove"]), spans), max_size=30)


@given(steps)
def test_intervals_are_a_set_of_samples(script: list[tuple[str, tuple[int, int]]]) -> None:
    intervals, naive = Intervals(), set[int]()
    for what, (start, end) in script:
        if what == "add":
            intervals.add(start, end)
            naive |= set(range(start, end))
        else:
            intervals.remove(start, end)
            naive -= set(range(start, end))
        pieces = list(intervals)
        assert {n for start, end in pieces for n in range(start, end)} == naive
        assert all(a[1] < b[0] for a, b in itertools.pairwise(pieces)), "sorted, disjoint, not touching"
        assert intervals.total == len(naive)
        assert {n for n in range(SIZE) if n in intervals} == naive


@given(steps, spans)
def test_what_is_missing_is_what_is_not_in_the_set(
    script: list[tuple[str, tuple[int, int]]], request: tuple[int, int]
) -> None:
    intervals = Intervals()
    for what, span in script:
        (intervals.add if what == "add" else intervals.remove)(*span)
    missing = {n for start, end in intervals.missing(*request) for n in range(start, end)}
    assert missing == {n for n in range(*request) if n not in intervals}


@given(
    st.integers(0, 10),
    st.lists(st.tuples(st.sampled_from(["cover", "hole", "give_up", "reopen"]), spans), max_size=25),
)
def test_after_the_close_the_three_partition_the_tape(origin: int, script: list[tuple[str, tuple[int, int]]]) -> None:
    coverage = Coverage(origin)
    for what, (begin, end) in script:
        start = max(begin, origin)
        match what:
            case "cover":
                coverage.cover(start, end)
            case "hole":
                coverage.hole(start, end, "overflow")
            case "give_up":
                coverage.give_up(start, end, "tried")
            case _:
                coverage.reopen()
        _disjoint(coverage)
    coverage.give_up(origin, SIZE, "stopped")
    parts = _disjoint(coverage)
    assert parts >= set(range(origin, SIZE))
    assert coverage.open(SIZE) == []
    assert coverage.reached(SIZE) == SIZE


def _disjoint(coverage: Coverage) -> set[int]:
    covered = {n for piece in coverage.covered for n in range(*piece)}
    holes = {n for piece in coverage.holes for n in range(*piece)}
    lost = [n for hole in coverage.lost for n in range(hole.start, hole.end)]
    assert sorted(lost) == sorted(holes), "each has one reason"
    gaps = [n for gap in coverage.gaps for n in range(gap.start, gap.end)]
    assert len(gaps) == len(set(gaps))
    assert not covered & holes
    assert not covered & set(gaps)
    assert not holes & set(gaps)
    return covered | holes | set(gaps)


def test_a_gap_that_is_covered_in_its_middle_leaves_its_two_ends() -> None:
    coverage = Coverage()
    coverage.give_up(0, 100, "offline")
    coverage.cover(40, 60)
    assert [(gap.start, gap.end, gap.why) for gap in coverage.gaps] == [(0, 40, "offline"), (60, 100, "offline")]
