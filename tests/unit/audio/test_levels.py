"""Levels on the 20 ms grid, and the watch for exact zeros."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.audio.capture.levels import Levels, Samples, merge
from mictape.audio.diagnostics import SignalWatch
from mictape.audio.messages import LevelCell
from support.sound import RATES, tone


def test_the_grid_is_fifty_cells_a_second_at_any_rate() -> None:
    for rate in (*RATES, 11_025, 8_000):
        assert len(Levels(rate, 1).feed(tone(rate, 997, -20, 2.0))) == 100


@given(
    rate=st.sampled_from((*RATES, 11_025)),
    channels=st.integers(1, 3),
    cuts=st.lists(st.integers(0, 5_000), max_size=12),
    seed=st.integers(0, 99),
    floats=st.booleans(),
)
def test_cells_do_not_depend_on_how_the_samples_were_cut(
    rate: int, channels: int, cuts: list[int], seed: int, floats: bool
) -> None:
    random = np.random.default_rng(seed)
    samples = random.integers(-32_768, 32_768, (5_000, channels)).astype(np.int16)
    samples[random.random(samples.shape) < 0.7] = 32_767  # so that there are clips, across the borders too
    block = (samples / 32_768).astype(np.float32) if floats else samples
    levels = Levels(rate, channels)
    borders = [0, *sorted(cuts), len(block)]
    pieces = [cell for start, end in pairwise(borders) for cell in levels.feed(block[start:end])]
    assert pieces == Levels(rate, channels).feed(block)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("width", [2, 3, 50])
def test_three_full_scale_samples_in_a_row_are_one_clip(rate: int, width: int) -> None:
    for start in range(rate // 50 - 4, rate // 50 + 4):
        samples = np.zeros((rate // 5, 2), dtype=np.int16)
        samples[start : start + width, 1] = -32_768
        assert sum(cell.clips for cell in Levels(rate, 2).feed(samples)) == (width >= 3)


def test_the_loudest_channel_counts() -> None:
    samples = np.zeros((320, 3), dtype=np.int16)
    samples[:, 2] = -32_768
    samples[5, 0] = 16_384
    assert Levels(16_000, 3).feed(samples) == [LevelCell(1, 1.0, 1.0, 1)]


def test_cells_that_are_alike_are_measured_together(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []
    measure = Levels._measure

    def counted(levels: Levels, samples: Samples) -> list[LevelCell]:
        measured.append(len(samples))
        return measure(levels, samples)

    monkeypatch.setattr(Levels, "_measure", counted)
    levels = Levels(16_000, 1)
    levels.feed(np.zeros((100, 1), dtype=np.int16))
    levels.feed(np.zeros((1_280, 1), dtype=np.int16))
    assert measured == [4]


def test_floats_beyond_full_scale_are_reported() -> None:
    cell = Levels(16_000, 1).feed(np.full((320, 1), 2.0, dtype=np.float32))[0]
    assert (cell.peak, cell.square, cell.clips) == (2.0, 4.0, 1)


def test_merged_cells_keep_peaks_counts_and_energy() -> None:
    merged = merge([LevelCell(1, 0.5, 0.1, 1), LevelCell(3, 0.2, 0.5, 2)])
    assert (merged.steps, merged.peak, merged.clips) == (4, 0.5, 3)
    assert merged.square == pytest.approx(0.4)


def test_half_a_second_of_zeros_at_the_start_is_no_signal() -> None:
    watch = SignalWatch()
    watch.feed(LevelCell(24, 0.0, 0.0, 0))
    assert not watch.no_signal
    watch.feed(LevelCell(1, 0.0, 0.0, 0))
    assert watch.no_signal
    watch.feed(LevelCell(1, 1 / 32_768, 0.0, 0))
    assert not watch.no_signal
    watch.feed(LevelCell(249, 0.0, 0.0, 0))
    assert not watch.no_signal
    watch.feed(LevelCell(1, 0.0, 0.0, 0))
    assert watch.no_signal


def test_a_silent_computer_is_not_without_signal() -> None:
    watch = SignalWatch("computer sound")
    watch.feed(LevelCell(5_000, 0.0, 0.0, 0))
    assert not watch.no_signal
