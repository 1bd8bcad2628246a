"""Parakeet-TDT in ONNX: an encoder over mel features, and a transducer whose tokens come with the frames to skip.

The features are those of NeMo's preprocessor, number by number; other front ends cost words. The files are the ones
that k2-fsa publishes: encoder, decoder and joiner with their inputs in this order, and a list of tokens, the last of
which is the blank.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol, cast

import numpy as np

from mictape.engines.local.recognizer.beam import log_softmax
from mictape.engines.local.recognizer.model import NOTHING, Decoded, Decoding, RecognizedWord, completed
from mictape.engines.local.recognizer.segmenter import Rules
from mictape.engines.local.runtimes.mel import mel_filters
from mictape.engines.local.runtimes.pieces import Piece, words_of
from mictape.units import RATE
from mictape.vad.onnx import Array, Network, Samples, load_network

EMPHASIS: Final = 0.97
WINDOW, SIZE, HOP, BANDS = 400, 512, RATE // 100, 128
"""Samples of the window, of the Fourier transform and between two frames; bands of the filters."""
GUARD: Final = 2.0**-24
"""Added to the energies before their logarithm."""
LEAST_DEVIATION: Final = 1e-5

FRAME: Final = 8 * HOP
"""Samples that one frame of the encoder stands for, 80 ms."""
MOST_AT_ONCE: Final = 10
"""Tokens in one frame; a decoder that repeats itself ends here."""
SHORTEST: Final = 2 * FRAME


class Parakeet:
    """The loaded model; see `SegmentModel`."""

    def __init__(self, paths: Sequence[Path], language: str) -> None:
        """Load a model.

        Args:
            paths: Of encoder, decoder, joiner and tokens.
            language: A code; the model finds out by itself which of its languages is spoken.

        Raises:
            OSError, ValueError: The list of tokens cannot be read.
            ImportError, Exception: As `load_network`.
        """
        encoder, decoder, joiner, tokens = paths
        self.language = language
        self.shortest = SHORTEST
        self.takes_key_terms = False
        self.rules = Rules()
        self._tokens = read_tokens(tokens)
        self._blank = len(self._tokens) - 1
        self._encoder, self._decoder, self._joiner = map(_Ordered, (encoder, decoder, joiner))
        self._filters = mel_filters(BANDS, SIZE, RATE)

    def decoding(self, samples: Samples, key_terms: tuple[str, ...] = (), draft: Decoded = NOTHING) -> Decoding:
        """Recognize greedily: the encoder, then one token a step."""
        if len(samples) < SHORTEST:
            return Decoded()
        encoded = self.encode(self.features(samples))
        yield
        pieces: list[Piece] = []
        predicted, state = self._predict(self._blank, self._silence())
        at = in_frame = 0
        while at < len(encoded):
            output = self._joiner.run(encoded[None, at, :, None], predicted)[0].ravel()
            row, durations = output[: self._blank + 1], output[self._blank + 1 :]
            token, skip = int(row.argmax()), int(durations.argmax())
            if token != self._blank:
                log_prob = float(log_softmax(row[None])[0, token])
                end = min(len(samples), (at + max(1, skip)) * FRAME)
                pieces.append(Piece(self._tokens[token], token, log_prob, at * FRAME, end))
                predicted, state = self._predict(token, state)
                in_frame += 1
                yield
            if skip == 0 and (token == self._blank or in_frame == MOST_AT_ONCE):
                skip = 1
            at += skip
            in_frame = 0 if skip else in_frame
        return Decoded(words_of(pieces))

    def draft(self, samples: Samples, previous: Decoded) -> Decoded:
        """As cheap as it gets: decoding is greedy already."""
        return completed(self.decoding(samples))

    def locating(self, samples: Samples, words: Sequence[RecognizedWord]) -> None:
        """Not needed: every word has its times."""

    def features(self, samples: Samples) -> Array:
        """The encoder's input, shape (128, frames of 10 ms), each band with mean 0 and deviation 1."""
        sharpened = samples - EMPHASIS * np.concatenate([np.zeros(1, np.float32), samples[:-1]])
        padded = np.pad(sharpened, SIZE // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::HOP][: len(samples) // HOP]
        window = np.pad(np.hanning(WINDOW), (SIZE - WINDOW) // 2)
        power = np.abs(np.fft.rfft(frames * window)).astype(np.float32) ** 2
        bands = np.log(power @ self._filters.T + np.float32(GUARD)).T
        deviation = bands.std(axis=1, keepdims=True, ddof=1)
        return ((bands - bands.mean(axis=1, keepdims=True)) / (deviation + LEAST_DEVIATION)).astype(np.float32)

    def encode(self, features: Array) -> Array:
        """The encoder's frames, shape (frames of 80 ms, width)."""
        encoded, lengths = self._encoder.run(features[None], np.array([features.shape[1]], np.int64))[:2]
        return encoded[0].T[: int(lengths[0])]

    def _silence(self) -> list[Array]:
        """The state of the decoder before the first token."""
        return [
            np.zeros([size if isinstance(size, int) else 1 for size in shape], np.float32) for shape in self._states
        ]

    @property
    def _states(self) -> list[list[object]]:
        return self._decoder.shapes[2:]

    def _predict(self, token: int, state: list[Array]) -> tuple[Array, list[Array]]:
        outputs = self._decoder.run(np.array([[token]], np.int32), np.array([1], np.int32), *state)
        return outputs[0], outputs[2:]


class _Input(Protocol):
    name: str
    shape: list[object]


class _Described(Protocol):
    """The part of ONNX Runtime's session that describes a network."""

    def get_inputs(self) -> list[_Input]:
        """Names and shapes; a size that varies is a text or None."""
        ...


class _Ordered:
    """A network whose inputs are given in order; the names differ from one export to another."""

    def __init__(self, path: Path) -> None:
        self._network: Network = load_network(path)
        inputs = cast("_Described", self._network).get_inputs()
        self._names = [each.name for each in inputs]
        self.shapes = [each.shape for each in inputs]

    def run(self, *inputs: Array) -> list[Array]:
        return self._network.run(None, dict(zip(self._names, inputs, strict=True)))


def read_tokens(path: Path) -> list[str]:
    """The pieces of text in the order of their numbers, from lines `piece number`.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no such list.
    """
    lines = [line.rsplit(" ", 1) for line in path.read_text(encoding="utf-8").splitlines() if line]
    if [line[-1] for line in lines] != [str(at) for at in range(len(lines))]:
        raise ValueError(f"{path} is no list of tokens")
    return [line[0] for line in lines]
