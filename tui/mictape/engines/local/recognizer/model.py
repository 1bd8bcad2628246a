"""Moonshine tiny-en: sound in, tokens with their probabilities out.

The two networks are those of the moonshine-voice wheel; the steps between them are greedy decoding with a cache.
The larger, streaming models are not driven: they have other files and other inputs. They would be another class with
this one's methods, and nothing else would change, for whoever uses this one asks for sound and gets tokens with their
probabilities.
"""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mictape.engines.local.recognizer.tokens import BEGIN, END, Tokens
from mictape.units import RATE
from mictape.vad.onnx import Array, Network, Samples, load_network

FILES: Final = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
LAYERS: Final = 6
HEADS: Final = 8
HEAD_SIZE: Final = 36
FRAME: Final = 384
"""Samples that one frame of the encoder stands for, 24 ms. The decoder's mask is at the rate of samples."""
PAD: Final = RATE // 10
"""Zeros in front and behind: without any, a fifth more words are wrong."""
TOKENS_PER_S: Final = 8
"""No speech has more; a decoder that repeats itself ends here."""
SHORTEST: Final = 2048
"""Samples below which the encoder has nothing to work on."""
CACHED: Final = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was recognised in a piece of sound."""

    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    """Of each token, natural logarithm."""

    @property
    def mean_log_prob(self) -> float:
        """How sure the model is of a token on average; 0 of nothing."""
        return sum(self.log_probs) / len(self.log_probs) if self.log_probs else 0.0


Decoding = Generator[None, None, Decoded]
"""A decode in steps of some milliseconds, so that something more urgent can come between."""


class Moonshine:
    """The loaded model. It keeps nothing from one call to the next."""

    def __init__(self, folder: Path) -> None:
        """Load the model in `folder`. Raises like `load_network` and `Tokens.load`."""
        encoder, decoder, tokens = (folder / name for name in FILES)
        self.tokens = Tokens.load(tokens)
        self._encoder = load_network(encoder)
        self._decoder = load_network(decoder)

    def decode(self, samples: Samples) -> Decoded:
        """Recognise at once; nothing is recognised in less than `SHORTEST` samples."""
        decoding = self.decoding(samples)
        while True:
            try:
                next(decoding)
            except StopIteration as done:
                return done.value

    def decoding(self, samples: Samples) -> Decoding:
        """Recognise step by step: the encoder, then one token a step."""
        if len(samples) < SHORTEST:
            return Decoded()
        hidden = self.encode(samples)
        yield
        return (yield from _greedy(self._decoder, hidden, TOKENS_PER_S * len(samples) // RATE))

    def encode(self, samples: Samples) -> Array:
        """The encoder's frames, shape (1, frames, 288), of `samples` with zeros around them."""
        padded = np.concatenate([np.zeros(PAD, np.float32), samples, np.zeros(PAD, np.float32)])[None]
        return self._encoder.run(None, {"input_values": padded, "attention_mask": np.ones(padded.shape, np.int64)})[0]

    def log_probs_without(self, hidden: Array, tokens: tuple[int, ...], first: int, last: int) -> list[float]:
        """The log-probabilities of `tokens`, given one after the other, when frames `[first, last)` are not heard."""
        frames = hidden.shape[1]
        mask = np.ones((1, frames * FRAME), np.int64)
        mask[:, first * FRAME : last * FRAME] = 0
        ids = np.array([[BEGIN, *tokens]], np.int64)
        logits = self._decoder.run(["logits"], _first_inputs(hidden, ids, mask))[0][0]
        return [_log_prob(row, token) for row, token in zip(logits, tokens, strict=False)]


def _greedy(decoder: Network, hidden: Array, most: int) -> Decoding:
    mask = np.ones((1, hidden.shape[1] * FRAME), np.int64)
    inputs = _first_inputs(hidden, np.array([[BEGIN]], np.int64), mask)
    outputs = decoder.run(None, inputs)
    # The keys and values of the sound stay those of the first call; later calls do not return them.
    for at, name in enumerate(_cache_names()):
        inputs[name] = outputs[1 + at]
    inputs["use_cache_branch"] = np.array([True])
    tokens: list[int] = []
    log_probs: list[float] = []
    while len(tokens) < most:
        row = outputs[0][0, -1]
        token = int(row.argmax())
        if token == END:
            break
        tokens.append(token)
        log_probs.append(_log_prob(row, token))
        yield
        inputs["input_ids"] = np.array([[token]], np.int64)
        outputs = decoder.run(None, inputs)
        for at, name in enumerate(_cache_names()):
            if ".decoder." in name:
                inputs[name] = outputs[1 + at]
    return Decoded(tuple(tokens), tuple(log_probs))


def _first_inputs(hidden: Array, ids: Array, mask: Array) -> dict[str, Array]:
    """The decoder's inputs before anything is cached: an empty past of text, one of zeros of the sound."""
    frames = hidden.shape[1]
    lengths = {"decoder.key": 0, "decoder.value": 0, "encoder.key": frames, "encoder.value": frames}
    empty = {
        f"past_key_values.{layer}.{part}": np.zeros((1, HEADS, lengths[part], HEAD_SIZE), np.float32)
        for layer in range(LAYERS)
        for part in CACHED
    }
    return {
        "input_ids": ids,
        "encoder_hidden_states": hidden,
        "encoder_attention_mask": mask,
        "use_cache_branch": np.array([False]),
        **empty,
    }


def _cache_names() -> list[str]:
    return [f"past_key_values.{layer}.{part}" for layer in range(LAYERS) for part in CACHED]


def _log_prob(row: Array, token: int) -> float:
    top = float(row.max())
    return float(row[token]) - top - float(np.log(np.exp(row - top).sum()))
