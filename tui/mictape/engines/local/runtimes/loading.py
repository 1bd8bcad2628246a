"""Loading a model, whatever runs it; and what it costs here."""

import logging
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

import numpy as np

from mictape.engines.local.recognizer.model import Decoding, SegmentModel, completed
from mictape.engines.local.recognizer.streaming import StreamModel
from mictape.engines.local.spec import ModelSpec
from mictape.units import RATE
from mictape.vad.onnx import Samples

if TYPE_CHECKING:
    from mictape.engines.local.runtimes.transcribe_cpp import StreamingCpp

LEAST_MS: Final = 480
"""The shortest look-ahead that is chosen: below it the text gets worse and the CPU time longer."""
AFFORDABLE: Final = 0.5
"""Seconds that a stream may take for a second of sound; a longer look-ahead needs less."""
TRIED_S: Final = 3
"""Seconds of sound that a look-ahead is tried on."""
STEP_S: Final = 0.01
"""How long one step waits for a decode in the background."""


def load(spec: ModelSpec) -> SegmentModel:
    """Load a model; one that streams is a `StreamModel`.

    Raises:
        MictapeError: The file is damaged, of another kind, or does not know the language.
        ImportError, OSError: It does not run on this machine.
        Exception: What ONNX Runtime has against the files.
    """
    begun_s = monotonic()
    paths = [Path(path) for path in spec.paths]
    match spec.runtime:
        case "moonshine":
            from mictape.engines.local.recognizer.moonshine import Moonshine

            model: SegmentModel = Moonshine(paths[0])
        case "parakeet-onnx":
            from mictape.engines.local.runtimes.parakeet import Parakeet

            model = Parakeet(paths, spec.language)
        case "transcribe-cpp" if spec.streaming:
            from mictape.engines.local.runtimes.transcribe_cpp import StreamingCpp

            model = _fitting(StreamingCpp(paths[0], spec.language), spec.look_ahead_ms)
        case "transcribe-cpp":
            from mictape.engines.local.runtimes.transcribe_cpp import TranscribeCpp

            model = TranscribeCpp(paths[0], spec.language)
    completed(model.decoding(np.zeros(RATE, np.float32)))  # so that the first words do not wait for it
    logging.info("model %s loaded in %.1f s", spec.name, monotonic() - begun_s)
    return model


def _fitting(model: "StreamingCpp", choices: tuple[int, ...]) -> "StreamingCpp":
    """The model with the shortest look-ahead that this machine can afford, of those that lose little accuracy."""
    for look_ahead_ms in sorted(choice for choice in choices if choice >= LEAST_MS):
        model.look_ahead_ms = look_ahead_ms
        cost = cost_of(model)
        logging.info("look-ahead %d ms: %.2f s for a second of sound", look_ahead_ms, cost)
        if cost <= AFFORDABLE:
            break
    return model


def cost_of(model: StreamModel) -> float:
    """Seconds that a stream takes for a second of sound."""
    noise = np.random.default_rng(1).normal(0, 0.05, TRIED_S * RATE).astype(np.float32)
    begun_s = monotonic()
    stream = model.stream()
    for at in range(0, len(noise), RATE // 10):
        stream.feed(noise[at : at + RATE // 10])
    stream.finalize()
    return (monotonic() - begun_s) / TRIED_S


class InBackground:
    """A model whose decodes run in a thread of their own, for work that can wait; see `SegmentModel`.

    Some runtimes cannot be interrupted: with this, what is more urgent goes on beside them.
    """

    def __init__(self, model: SegmentModel) -> None:
        self._model = model
        self._thread = ThreadPoolExecutor(1, "second model")

    def decoding(self, samples: Samples, key_terms: tuple[str, ...] = ()) -> Decoding:
        """As the model does it, in steps that only wait."""
        future = self._thread.submit(lambda: completed(self._model.decoding(samples, key_terms)))
        while not future.done():
            wait_for([future], STEP_S)
            yield
        return future.result()
