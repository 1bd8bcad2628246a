"""The speech detector does not ask its model about silence, and hears what follows as if it had."""

import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from conftest import Speech
from mictape.units import RATE
from mictape.vad import silero
from mictape.vad.onnx import Array, Network, Samples, load_network
from mictape.vad.silero import CONTEXT, FRAME, LIKELY, LOUDNESS, SpeechDetector
from support.recognizing import floats_of, models

HISS = 10 ** (-80 / 20)


class Counting:
    """The real network, which counts how often it is asked."""

    def __init__(self) -> None:
        self._network: Network = models()[1]
        self.asked = 0

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Array]) -> list[Array]:
        self.asked += 1
        return self._network.run(output_names, input_feed)


def sound_of(recording: Path) -> Samples:
    """A 16 kHz mono recording."""
    with wave.open(str(recording)) as file:
        return floats_of(file.readframes(file.getnframes()))


def probabilities(sound: Samples) -> tuple[list[float], list[int]]:
    """How likely speech is in each frame, and how often the model had been asked by then."""
    network = Counting()
    detector, likely, asked = SpeechDetector(network), list[float](), list[int]()
    for at in range(0, len(sound) - FRAME + 1, FRAME):
        likely.append(detector.probability(sound[at : at + FRAME]))
        asked.append(network.asked)
    return likely, asked


@pytest.mark.parametrize("noise", [pytest.param(0.0, marks=pytest.mark.proof), HISS])
def test_speech_after_a_minute_of_silence_is_found_as_before(
    speech: Speech, monkeypatch: pytest.MonkeyPatch, noise: float
) -> None:
    said = sound_of(speech.beckett)[: 4 * RATE]
    silence = (np.random.default_rng(1).standard_normal(60 * RATE) * noise).astype(np.float32)
    sound = np.concatenate([silence, said])
    likely, asked = probabilities(sound)
    first = len(silence) // FRAME
    assert asked[first - 1] == 0
    assert asked[-1] >= len(said) // FRAME
    monkeypatch.setattr(silero, "SILENT_DB", -np.inf)
    always, _ = probabilities(sound)
    found, expected = ([each >= LIKELY for each in every[first:]] for every in (likely, always))
    assert sum(expected) > 60
    assert abs(found.index(True) - expected.index(True)) <= 1, "it begins where it did"
    assert sum(one != other for one, other in zip(found, expected, strict=True)) <= 3
    assert max(always[: first - 1]) < LIKELY, "the model hears nothing in the silence, either"


def test_a_pause_between_two_words_is_no_silence_yet(speech: Speech) -> None:
    said = sound_of(speech.beckett)[: 2 * RATE]
    quiet = np.zeros((LOUDNESS + 30) * FRAME, np.float32)
    _, asked = probabilities(np.concatenate([said, quiet]))
    frames = len(said) // FRAME
    assert asked[frames + LOUDNESS - 5] - asked[frames] >= LOUDNESS - 6
    assert asked[-1] == asked[-20]


def test_the_model_is_told_its_sizes_and_says_the_same(speech: Speech) -> None:
    """Then a fifth of its work is done when it is loaded."""
    said = sound_of(speech.beckett)[: 4 * RATE]
    fixed, free = SpeechDetector.load(), load_network(silero.FILE)
    one, other = SpeechDetector(fixed), SpeechDetector(free)
    frames = [said[at : at + FRAME] for at in range(0, len(said) - FRAME + 1, FRAME)]
    np.testing.assert_allclose(
        [one.probability(frame) for frame in frames], [other.probability(frame) for frame in frames], atol=1e-5
    )
    twice = {"input": np.zeros((2, CONTEXT + FRAME), np.float32), "state": np.zeros((2, 2, 128), np.float32)}
    rate = {"sr": np.array(RATE, np.int64)}
    free.run(None, twice | rate)
    with pytest.raises(Exception, match="invalid dimensions"):
        fixed.run(None, twice | rate)
