"""Sound that makes a recognizer invent text: no speech, several voices at once, one syllable again and again."""

from collections.abc import Callable

import numpy as np
import pytest

from conftest import Speech
from mictape.engines.local.recognizer import segment_driver
from mictape.engines.local.recognizer.loops import repetitive
from mictape.engines.local.recognizer.segment_driver import UNSURE
from mictape.units import RATE
from mictape.vad.onnx import Samples
from support.local_engine import samples_of
from support.noises import clatter, hum, laughter, mixed, music, siren
from support.recognizing import floats_of, recognize
from support.references import TWO_CITIES, words_in_order

WORDS_PER_S = 4
"""Nobody says more for long."""


@pytest.fixture(scope="module")
def reading(speech: Speech) -> Samples:
    return floats_of(samples_of(speech.two_cities))[: 9 * RATE]


@pytest.fixture(scope="module")
def aphorism(speech: Speech) -> Samples:
    return floats_of(samples_of(speech.beckett))


def assert_no_loop(sound: Samples) -> str:
    """The text of a sound, which is not longer than speech, and does not repeat itself."""
    text = recognize(sound, second_pass="live").text
    assert not repetitive(text)
    assert len(text.split()) <= WORDS_PER_S * len(sound) / RATE
    return text


@pytest.mark.parametrize("sound", [hum, clatter, music, siren, laughter])
def test_what_is_no_speech_gives_no_text(sound: Callable[[int], Samples]) -> None:
    assert recognize(sound(8), partials=True, second_pass="live").text == ""


def test_six_voices_at_once_are_no_loop(speech: Speech) -> None:
    whole = floats_of(samples_of(speech.two_cities))
    voices = [np.roll(whole, at * 6 * RATE)[: 9 * RATE] for at in range(6)]
    assert_no_loop(mixed(voices))


def test_a_second_voice_5_db_below_is_no_loop_and_hides_little_of_a_clear_one(
    reading: Samples, aphorism: Samples
) -> None:
    beside = np.resize(aphorism, len(reading))
    below = np.sqrt(np.mean(reading**2) / np.mean(beside**2)) * 10 ** (-5 / 20)
    text = assert_no_loop((reading + beside * below).astype(np.float32))
    assert words_in_order(TWO_CITIES, text) >= 16


def test_speech_played_backwards_is_no_loop(reading: Samples) -> None:
    assert_no_loop(reading[::-1].copy())


@pytest.mark.parametrize("at_s", [0.3, *(pytest.param(at_s, marks=pytest.mark.proof) for at_s in (0.6, 0.9, 2.2))])
def test_a_syllable_forty_times_is_no_loop(aphorism: Samples, at_s: float) -> None:
    syllable = aphorism[int(at_s * RATE) : int((at_s + 0.18) * RATE)]
    text = assert_no_loop(np.tile(np.concatenate([syllable, np.zeros(400, np.float32)]), 40))
    assert len(text.split()) <= 12, "once or twice what was understood of it"


def test_no_word_of_a_doubtful_line_is_surer_than_the_line(speech: Speech, monkeypatch: pytest.MonkeyPatch) -> None:
    """Speech at half its speed and backwards: the model writes words, and doubts them."""
    whole = floats_of(samples_of(speech.two_cities))
    sound = np.repeat(whole[10 * RATE : 15 * RATE][::-1], 2)
    shown = recognize(sound).turns
    monkeypatch.setattr(segment_driver, "UNSURE", -np.inf)
    known = recognize(sound).turns
    surest = [[max(word.confidence or 0.0 for word in line.words) for line in lines] for lines in (shown, known)]
    doubtful = [as_known > as_shown for as_shown, as_known in zip(*surest, strict=True)]
    assert any(doubtful), "the model was surer of a word than of its line"
    assert not all(doubtful), "lines that are no worse than usual keep their confidences"
    least = np.exp(UNSURE)
    assert all(as_shown <= least for as_shown, doubted in zip(surest[0], doubtful, strict=True) if doubted)
    assert [line.text for line in shown] == [line.text for line in known], "the text is shown all the same"
