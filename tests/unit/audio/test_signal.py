"""What is reported of a microphone's sound: each hint comes when it is true and goes when it is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.audio.diagnostics import (
    LINGER_MS,
    NO_SPEECH_MS,
    SPEECH_TIME_MS,
    UNDERSTOOD_MS,
    ZEROS_AFTER_SOUND_MS,
    ZEROS_AT_START_MS,
    SignalWatch,
    Trouble,
    no_signal_hint,
)
from mictape.audio.messages import GRID_MS, LevelCell


def cell(db: float | None, *, clips: int = 0, steps: int = 1) -> LevelCell:
    """A sine of so many dBFS; None: exact zeros."""
    amplitude = 0.0 if db is None else 10 ** (db / 20)
    return LevelCell(steps, amplitude, amplitude**2 / 2, clips)


def feed(watch: SignalWatch, ms: int, db: float | None, *, speech: bool | None = None, clips: int = 0) -> None:
    for _ in range(ms // GRID_MS):
        watch.feed(cell(db, clips=clips), speech=speech)


def test_zeros_from_the_start_are_reported_at_once_and_after_sound_only_later() -> None:
    watch = SignalWatch()
    feed(watch, ZEROS_AT_START_MS - GRID_MS, None)
    assert not watch.no_signal
    feed(watch, GRID_MS, None)
    assert watch.no_signal
    feed(watch, GRID_MS, -90.0)
    assert not watch.no_signal, "one step of the converter is a living microphone"
    feed(watch, ZEROS_AFTER_SOUND_MS - GRID_MS, None)
    assert not watch.no_signal
    feed(watch, GRID_MS, None)
    assert watch.no_signal


def test_nothing_is_reported_of_computer_sound() -> None:
    watch = SignalWatch("computer sound")
    feed(watch, 10_000, None, speech=False)
    assert not watch.no_signal
    feed(watch, 2 * NO_SPEECH_MS, -6.0, speech=False, clips=1)
    assert watch.trouble is None


def test_signal_without_speech_is_reported_after_15_s_until_there_is_speech() -> None:
    watch = SignalWatch()
    feed(watch, NO_SPEECH_MS - GRID_MS, -30.0, speech=False)
    assert watch.trouble is None
    feed(watch, GRID_MS, -30.0, speech=False)
    assert watch.trouble is Trouble.NO_SPEECH
    feed(watch, GRID_MS, -30.0, speech=True)
    assert watch.trouble is None


def test_that_hint_is_over_when_the_sound_is() -> None:
    watch = SignalWatch()
    feed(watch, 4 * NO_SPEECH_MS, -30.0, speech=False)
    assert watch.trouble is Trouble.NO_SPEECH
    feed(watch, LINGER_MS + GRID_MS, -70.0, speech=False)
    assert watch.trouble is None


@pytest.mark.parametrize(("db", "speech"), [(-60.0, False), (None, False), (-30.0, None)])
def test_a_quiet_room_or_an_engine_that_does_not_know_is_no_missing_speech(
    db: float | None, speech: bool | None
) -> None:
    watch = SignalWatch()
    feed(watch, 4 * NO_SPEECH_MS, db, speech=speech)
    assert watch.trouble is None


def test_quiet_speech_is_reported_and_over_when_it_is_louder() -> None:
    watch = SignalWatch()
    feed(watch, SPEECH_TIME_MS - GRID_MS, -45.0, speech=True)
    assert watch.trouble is None, "a word or two say nothing yet"
    feed(watch, GRID_MS, -45.0, speech=True)
    assert watch.trouble is Trouble.TOO_QUIET
    feed(watch, 60_000, -20.0, speech=None)
    assert watch.trouble is Trouble.TOO_QUIET, "what is not speech does not count"
    feed(watch, SPEECH_TIME_MS, -20.0, speech=True)
    assert watch.trouble is None


@pytest.mark.parametrize(("db", "quiet"), [(-40.5, True), (-39.5, False)])
def test_too_quiet_is_below_40_dbfs(db: float, quiet: bool) -> None:
    watch = SignalWatch()
    feed(watch, SPEECH_TIME_MS, db, speech=True)
    assert (watch.trouble is Trouble.TOO_QUIET) == quiet


def test_between_two_limits_the_hint_stays_as_it_is() -> None:
    watch = SignalWatch()
    feed(watch, 60_000, -38.0, speech=True)
    assert watch.trouble is None
    feed(watch, 60_000, -45.0, speech=True)
    feed(watch, 60_000, -38.0, speech=True)
    assert watch.trouble is Trouble.TOO_QUIET


def test_clipping_is_reported_until_it_has_not_clipped_for_a_while() -> None:
    watch = SignalWatch()
    feed(watch, 1_000, -3.0, speech=True)
    assert watch.trouble is None
    feed(watch, GRID_MS, 0.0, speech=True, clips=1)
    feed(watch, LINGER_MS - GRID_MS, -3.0, speech=True)
    assert watch.trouble is Trouble.CLIPPING
    feed(watch, GRID_MS, -3.0, speech=True)
    assert watch.trouble is None


@given(
    runs=st.lists(
        st.tuples(st.integers(1, 200), st.sampled_from([None, -70.0, -45.0, -20.0]), st.sampled_from([True, False])),
        max_size=20,
    )
)
def test_merged_cells_of_one_level_say_the_same_about_zeros_and_speech(
    runs: list[tuple[int, float | None, bool]],
) -> None:
    single, merged = SignalWatch(), SignalWatch()
    for steps, db, speech in runs:
        feed(single, steps * GRID_MS, db, speech=speech)
        merged.feed(cell(db, steps=steps), speech=speech)
        assert single.no_signal == merged.no_signal
        assert (single.trouble is Trouble.NO_SPEECH) == (merged.trouble is Trouble.NO_SPEECH)


@pytest.mark.parametrize(
    ("platform", "setting"),
    [
        ("darwin", "System Settings, Privacy & Security, Microphone"),
        ("win32", "Settings, Privacy & security, Microphone"),
        ("linux", "sound settings under Input"),
    ],
)
def test_no_signal_names_the_setting_of_the_system(platform: str, setting: str) -> None:
    hint = str(no_signal_hint(platform))
    assert "no microphone permission" in hint
    assert setting in hint


def test_a_microphone_that_was_understood_is_not_doubted_when_everybody_is_silent() -> None:
    watch = SignalWatch()
    feed(watch, UNDERSTOOD_MS, -30.0, speech=True)
    feed(watch, 4 * NO_SPEECH_MS, -30.0, speech=False)
    assert watch.trouble is None
