"""The decoding steps of the embedded model, with its real weights."""

import numpy as np
import pytest

from conftest import Speech
from mictape.engines.local.recognizer.moonshine import _DecoderState
from mictape.engines.local.recognizer.tokens import BEGIN
from mictape.units import RATE
from mictape.vad.onnx import Array
from support.local_engine import samples_of
from support.recognizing import floats_of, models


@pytest.fixture(scope="module")
def hidden(speech: Speech) -> Array:
    return models()[0].encode(floats_of(samples_of(speech.beckett))[: 2 * RATE])


def test_the_keys_of_the_sound_count_for_every_hypothesis_without_being_repeated(hidden: Array) -> None:
    """A runtime that does not broadcast them fails here. Alone, a hypothesis would be rounded otherwise, in 8 bits."""
    once, repeated = (_DecoderState(models()[0]._decoder, hidden, [BEGIN]) for _ in range(2))
    for parents, tokens in (([0, 0, 0], [100, 200, 300]), ([2, 0, 0, 1], [400, 500, 600, 700]), ([3, 1], [800, 900])):
        inputs = repeated._inputs
        repeated._inputs = {
            **inputs,
            **{name: np.repeat(inputs[name][:1], len(parents), 0) for name in inputs if "encoder" in name},
        }
        np.testing.assert_allclose(once.advance(parents, tokens), repeated.advance(parents, tokens), atol=0.1)
