"""The meter against the table of its standard, at three rates, on real cells."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.audio.ballistics import Meter, decibels
from mictape.audio.capture.levels import Levels, Samples
from mictape.audio.messages import LevelCell
from support.sound import RATES, tone

SILENCE = LevelCell(1, 0.0, 0.0, 0)


def fed(rate: int, samples: Samples) -> Meter:
    meter = Meter()
    for cell in Levels(rate, samples.shape[1]).feed(samples):
        meter.feed(cell)
    return meter


def square(rate: int, size: int) -> Samples:
    return np.where(np.arange(4 * rate) // 16 % 2, size, -size).astype(np.int16).reshape(-1, 1)


@pytest.mark.parametrize("rate", RATES)
def test_steady_signals_read_as_the_table_says(rate: int) -> None:
    quarter = tone(rate, rate / 4, -20, 4.0)
    turned = np.roll(np.array([1, 1, -1, -1]) * 2317, 0).astype(np.int16)  # fs/4 at 45 degrees, -20 dBFS
    quarter = np.resize(turned, len(quarter)).reshape(-1, 1)
    cases = (
        (tone(rate, 997, -20, 4.0), -20.0, -20.0),
        (tone(rate, 997, 0, 4.0), 0.0, 0.0),
        (square(rate, 32_767), 0.0, 3.01),
        (square(rate, 1), -90.31, -87.30),
        (quarter, -23.01, -20.0),
    )
    for samples, peak_db, rms_db in cases:
        reading = fed(rate, samples).reading
        assert reading.peak_db == pytest.approx(peak_db, abs=0.02)
        assert reading.max_db == pytest.approx(peak_db, abs=0.02)
        assert reading.rms_db == pytest.approx(rms_db, abs=0.02)


def test_silence_is_minus_infinity() -> None:
    reading = fed(16_000, np.zeros((16_000, 1), dtype=np.int16)).reading
    assert (reading.peak_db, reading.hold_db, reading.rms_db, reading.clips, reading.max_db) == (-inf,) * 3 + (0, -inf)


@pytest.mark.parametrize("rate", RATES)
def test_one_full_scale_sample_lifts_the_bar_and_it_falls_20_db_in_1_7_s(rate: int) -> None:
    samples = np.zeros((rate // 50, 1), dtype=np.int16)
    samples[7] = -32_768
    meter = fed(rate, samples)
    assert meter.reading.peak_db == 0.0
    expected = {25: -5.9, 50: -11.8, 85: -20.0, 170: -40.0}
    for step in range(1, 171):
        meter.feed(SILENCE)
        if step in expected:
            assert meter.reading.peak_db == pytest.approx(expected[step], abs=0.05)


def test_the_mark_holds_a_peak_for_one_second_and_then_joins_the_bar() -> None:
    meter = Meter()
    meter.feed(LevelCell(1, 0.5, 0.1, 0))
    for _ in range(50):
        meter.feed(SILENCE)
        assert meter.reading.hold_db == pytest.approx(-6.02, abs=0.01)
    meter.feed(SILENCE)
    assert meter.reading.hold_db == meter.reading.peak_db < -17
    meter.feed(LevelCell(1, 1.0, 0.1, 0))
    assert meter.reading.hold_db == 0.0


def test_rms_has_a_time_constant_of_300_ms() -> None:
    meter = Meter()
    meter.feed(LevelCell(15, 1.0, 0.5, 0))
    assert meter.reading.rms_db == pytest.approx(10 * np.log10(1 - np.exp(-1)), abs=0.01)


def test_the_clip_lamp_stays_lit_and_counts_until_it_is_cleared() -> None:
    meter = Meter()
    for clips in (2, 0, 1, 0):
        meter.feed(LevelCell(1, 1.0, 0.5, clips))
    assert meter.reading.clips == 3
    meter.clear_clips()
    assert meter.reading.clips == 0


def test_a_bar_that_has_fallen_below_the_floor_is_silence() -> None:
    meter = Meter()
    meter.feed(LevelCell(1, 1.0, 0.5, 0))
    meter.feed(LevelCell(1_000, 0.0, 0.0, 0))
    assert (meter.reading.peak_db, meter.reading.max_db) == (-inf, 0.0)
    assert decibels(0.0) == -inf


@given(cells=st.lists(st.tuples(st.integers(1, 9), st.floats(0, 1), st.integers(0, 2)), max_size=20))
def test_merged_silence_moves_the_meter_as_its_single_steps_do(cells: list[tuple[int, float, int]]) -> None:
    one, many = Meter(), Meter()
    for steps, peak, clips in cells:
        for meter in (one, many):
            meter.feed(LevelCell(1, peak, peak * peak / 2, clips))
        one.feed(LevelCell(steps, 0.0, 0.0, 0))
        for _ in range(steps):
            many.feed(SILENCE)
        assert one.reading.peak_db == pytest.approx(many.reading.peak_db)
        assert one.reading.rms_db == pytest.approx(many.reading.rms_db)
        assert (one.reading.clips, one.reading.max_db) == (many.reading.clips, many.reading.max_db)


def test_a_bar_that_begins_to_be_seen_is_made_known_and_a_falling_one_is_not() -> None:
    meter = Meter()
    rises: list[float] = []
    meter.on_rise = lambda: rises.append(meter.reading.peak_db)
    for amplitude in (0.0, 0.0005, 0.1, 0.01, 0.5):  # -66 dBFS is below the scale
        meter.feed(LevelCell(1, amplitude, amplitude**2 / 2, 0))
    assert rises == pytest.approx([-20.0, -6.02], abs=0.01)
