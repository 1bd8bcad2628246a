"""The own driver of Parakeet-TDT, with a random model: what it does does not depend on what the weights say."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from conftest import Speech
from mictape.engines.local.recognizer.model import Decoded, completed
from mictape.engines.local.runtimes.parakeet import SHORTEST, Parakeet, read_tokens
from mictape.units import RATE
from support.local_engine import samples_of
from support.parakeet_files import PIECES, random_parakeet
from support.recognizing import floats_of

FILES = ("encoder.int8.onnx", "decoder.int8.onnx", "joiner.int8.onnx", "tokens.txt")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Parakeet:
    folder = random_parakeet(tmp_path_factory.mktemp("parakeet"))
    return Parakeet([folder / name for name in FILES], "de")


@pytest.fixture(scope="module")
def decoded(model: Parakeet, speech: Speech) -> Decoded:
    return completed(model.decoding(floats_of(samples_of(speech.beckett))))


def test_words_have_times_in_order_and_probabilities(decoded: Decoded, speech: Speech) -> None:
    length = len(samples_of(speech.beckett)) // 2
    assert len(decoded.words) > 10
    starts = [word.start for word in decoded.words]
    assert all(start is not None for start in starts)
    assert starts == sorted(starts, key=lambda start: start or 0)
    for word in decoded.words:
        assert word.start is not None
        assert word.end is not None
        assert 0 <= word.start < word.end <= length
        assert word.start % (RATE // 100 * 8) == 0  # the encoder's grid
        assert word.confidence is not None
        assert 0 < word.confidence <= 1


def test_words_are_their_pieces_put_together(decoded: Decoded) -> None:
    for word in decoded.words:
        assert word.text == "".join(PIECES[token] for token in word.tokens).replace("\u2581", "").strip()
        assert not any(PIECES[token].startswith("\u2581") for token in word.tokens[1:])


def test_a_decode_yields_between_its_tokens(model: Parakeet, decoded: Decoded, speech: Speech) -> None:
    steps = sum(1 for _ in model.decoding(floats_of(samples_of(speech.beckett))))
    assert steps == 1 + sum(len(word.tokens) for word in decoded.words)


@pytest.mark.parametrize("length", [0, 1, SHORTEST - 1])
def test_nothing_is_recognized_in_too_little(model: Parakeet, length: int) -> None:
    assert completed(model.decoding(np.ones(length, np.float32))) == Decoded()


@pytest.mark.parametrize("length", [SHORTEST, SHORTEST + 1, 12_345, 16_000])
def test_features_have_a_frame_for_each_hundredth_of_a_second(model: Parakeet, length: int) -> None:
    features = model.features(np.random.default_rng(1).standard_normal(length).astype(np.float32))
    assert features.shape == (128, length // 160)
    assert np.abs(features.mean(axis=1)).max() < 1e-4
    assert np.abs(features.std(axis=1, ddof=1) - 1).max() < 1e-3


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.float32), np.ones(RATE, np.float32)])
def test_sound_without_any_change_is_no_trouble(model: Parakeet, sound: np.ndarray) -> None:
    assert np.isfinite(model.features(sound)).all()
    completed(model.decoding(sound))


@pytest.mark.parametrize("lines", [["a 0", "b 2"], ["a"], ["a 1", "b 0"]])
def test_a_list_of_tokens_that_is_none_is_refused(tmp_path: Path, lines: Sequence[str]) -> None:
    path = tmp_path / "tokens.txt"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="is no list of tokens"):
        read_tokens(path)
