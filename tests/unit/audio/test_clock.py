"""Anchors and what is computed from them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.audio.clock import Anchor, Clock
from mictape.units import RATE


def test_without_anchors_nothing_is_known() -> None:
    clock = Clock()
    assert (clock.monotonic(5), clock.utc(5), clock.sample_at(5.0)) == (None, None, None)


def test_time_between_two_anchors_takes_up_the_drift() -> None:
    clock = Clock([Anchor(0, 100.0, 1000.0, "start"), Anchor(160_000, 110.1, 1010.1, "tick")])
    assert clock.monotonic(80_000) == pytest.approx(105.05)
    assert clock.utc(80_000) == pytest.approx(1005.05)
    assert clock.monotonic(176_000) == pytest.approx(111.1)
    assert clock.sample_at(105.05) == pytest.approx(80_000, abs=1)


def test_a_pause_is_left_out() -> None:
    clock = Clock(
        [
            Anchor(0, 0.0, 0.0, "start"),
            Anchor(16_000, 1.0, 1.0, "pause"),
            Anchor(16_000, 61.0, 61.0, "resume"),
        ]
    )
    assert clock.monotonic(15_999) == pytest.approx(1.0, abs=1e-3)
    assert clock.monotonic(16_000) == 61.0
    assert clock.sample_at(30.0) == 16_000
    assert clock.sample_at(62.0) == 32_000


def test_the_end_of_a_run_is_before_the_pause_and_its_next_sample_behind_it() -> None:
    clock = Clock(
        [
            Anchor(0, 0.0, 100.0, "start"),
            Anchor(16_000, 1.0, 101.0, "pause"),
            Anchor(16_000, 61.0, 161.0, "start"),
            Anchor(32_000, 62.0, 162.0, "tick"),
        ]
    )
    assert (clock.monotonic(16_000), clock.monotonic(16_000, end=True)) == (61.0, pytest.approx(1.0))
    assert (clock.utc(16_000), clock.utc(16_000, end=True)) == (161.0, pytest.approx(101.0))
    assert clock.monotonic(32_000, end=True) == clock.monotonic(32_000) == 62.0
    assert [clock.run_end(sample) for sample in (0, 15_999, 16_000, 99_000)] == [16_000, 16_000, None, None]


def test_after_the_machine_was_started_again_a_moment_is_found_by_the_wall_clock() -> None:
    before = [Anchor(0, 5_000.0, 100_000.0, "start"), Anchor(RATE * 10, 5_010.0, 100_010.0, "pause")]
    after = [Anchor(RATE * 10, 5_002.0, 200_002.0, "start"), Anchor(RATE * 20, 5_012.0, 200_012.0, "pause")]
    clock = Clock([*before, *after])
    assert clock.sample_at(5_003.0, 100_003.0) == 3 * RATE
    assert clock.sample_at(5_003.0, 200_003.0) == 11 * RATE
    assert clock.sample_at(5_003.0) == 11 * RATE, "now is after the last start"
    assert clock.sample_at(5_100.0, 100_100.0) == clock.sample_at(4_000.0, 199_000.0) == 10 * RATE, "in between"
    for sample in (0, RATE, 12 * RATE, 20 * RATE):
        assert clock.sample_at(clock.monotonic(sample) or 0.0, clock.utc(sample)) == sample


def test_a_block_that_is_a_little_early_is_no_start_of_the_machine() -> None:
    anchors = [Anchor(0, 0.0, 9.0, "start"), Anchor(RATE, 1.0, 10.0, "pause"), Anchor(RATE, 0.99, 9.99, "resume")]
    assert Clock(anchors).sample_at(1.99, 10.99) == 2 * RATE


def test_a_run_that_was_killed_ends_at_the_nominal_rate() -> None:
    clock = Clock([Anchor(0, 0.0, 0.0, "start"), Anchor(32_000, 500.0, 500.0, "resume")])
    assert clock.monotonic(31_999) == pytest.approx(2.0, abs=1e-3)
    assert clock.sample_at(100.0) == 32_000


def test_a_step_of_the_wall_clock_leaves_what_was_before_it() -> None:
    clock = Clock([Anchor(0, 0.0, 1000.0, "start"), Anchor(160_000, 10.0, 5010.0, "step")])
    assert clock.utc(159_984) == pytest.approx(1009.999)
    assert clock.utc(160_000) == pytest.approx(5010.0)
    assert clock.monotonic(159_984) == pytest.approx(9.999)


def test_an_anchor_cannot_go_back() -> None:
    clock = Clock([Anchor(10, 0.0, 0.0, "start")])
    with pytest.raises(ValueError, match="comes after"):
        clock.add(Anchor(9, 1.0, 1.0, "tick"))


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    """Runs of sound with drift, pauses and holes, as a capture process writes them."""
    clock = Clock()
    sample, moment = 0, draw(st.floats(0, 1e6))
    for run in range(draw(st.integers(1, 4))):
        clock.add(Anchor(sample, moment, moment + 1e9, "resume" if run else "start"))
        for _ in range(draw(st.integers(0, 4))):
            length = draw(st.integers(1, 10 * RATE))
            sample += length
            moment += length / RATE * draw(st.floats(0.999, 1.001))
            clock.add(Anchor(sample, moment, moment + 1e9, draw(st.sampled_from(["tick", "hole"]))))
        length = draw(st.integers(0, RATE))
        sample, moment = sample + length, moment + length / RATE
        clock.add(Anchor(sample, moment, moment + 1e9, "pause"))
        moment += draw(st.floats(0, 100))
    return clock


@given(clock=clocks(), share=st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_later_samples_are_never_earlier(clock: Clock, share: list[float]) -> None:
    end = clock.anchors[-1].sample
    samples = sorted(round(part * end) for part in share)
    moments = [clock.monotonic(sample) or 0.0 for sample in samples]
    walls = [clock.utc(sample) or 0.0 for sample in samples]
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(moments))
    assert all(later >= earlier - 1e-5 for earlier, later in pairwise(walls))


@given(clock=clocks(), share=st.floats(0, 1))
def test_the_sample_at_a_samples_moment_is_that_sample(clock: Clock, share: float) -> None:
    sample = round(share * clock.anchors[-1].sample)
    moment = clock.monotonic(sample)
    assert moment is not None
    assert clock.sample_at(moment) == pytest.approx(sample, abs=1)
