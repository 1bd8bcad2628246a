"""Moonshine tiny-en: the two networks of the moonshine-voice wheel, and the decoding between them.

Finals are found by beam search. A partial checks the text of the one before it in a single pass and goes on greedily
behind the part that still holds, for two thirds of the CPU. The larger, streaming models have other files and inputs
and are not driven.
"""

from collections import OrderedDict
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from mictape.engines.local.recognizer.beam import Hypothesis, Likeliest, log_softmax, search
from mictape.engines.local.recognizer.key_terms import Bias
from mictape.engines.local.recognizer.loops import loop_start
from mictape.engines.local.recognizer.model import NOTHING, Decoded, Decoding, Locating, RecognizedWord
from mictape.engines.local.recognizer.segmenter import Rules
from mictape.engines.local.recognizer.tokens import BEGIN, END, Tokens
from mictape.engines.local.recognizer.word_times import monotone
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
"""No speech has more."""
SHORTEST: Final = 2048
"""Samples below which the encoder has nothing to work on."""
TOLERANCE: Final = 1.0
"""Nats: a word of the partial before stays unless another one is so much likelier."""
CACHED: Final = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
NAMES: Final = tuple(f"past_key_values.{layer}.{part}" for layer in range(LAYERS) for part in CACHED)
"""The decoder's cached inputs, in the order in which it returns them."""
OF_TEXT: Final = tuple((1 + at, name) for at, name in enumerate(NAMES) if ".decoder." in name)
"""Those that grow with each token, and where they are in the output."""
GROWING: Final = ("logits", *(name.replace("past_key_values", "present") for _, name in OF_TEXT))
"""The outputs that each token changes. The others are copied when they are asked for."""

SENTENCE_ENDS: Final = (b".", b"?", b"!")
"""Tokens behind which a draft ends."""

HIDDEN: Final = 20
HOP: Final = 10
"""Encoder frames hidden at a time, and how far the next ones are: 0.48 s and 0.24 s."""
MOST_LOST: Final = 6.0
"""A drop in log-probability says no more beyond this: the token is lost."""
SURE: Final = 32
"""Tokens: hardly any longer text is so likely that no other one can be likelier."""
BIASES: Final = 4
"""Lists of key terms that are kept prepared."""


class Moonshine:
    """The loaded model; see `SegmentModel`."""

    def __init__(self, folder: Path) -> None:
        """Load the model in `folder`. Raises like `load_network` and `Tokens.load`."""
        encoder, decoder, tokens = (folder / name for name in FILES)
        self.language = "en"
        self.shortest = SHORTEST
        self.takes_key_terms = True
        self.rules = Rules()
        self.tokens = Tokens.load(tokens)
        self._encoder = load_network(encoder)
        self._decoder = load_network(decoder)
        self._biases: OrderedDict[tuple[str, ...], Bias] = OrderedDict()

    def decoding(self, samples: Samples, key_terms: tuple[str, ...] = (), draft: Decoded = NOTHING) -> Decoding:
        """Recognize by beam search: the encoder, then one token a step.

        None is needed where the draft is so likely that no other text can be likelier.
        """
        if len(samples) < SHORTEST:
            return Decoded()
        bias = self._bias(key_terms) if key_terms else None
        hidden = self.encode(samples)
        yield
        most = _most_tokens(samples)
        before = _tokens(draft)
        if bias is not None or len(before) > min(most, SURE):
            before = []
        state = _DecoderState(self._decoder, hidden, [BEGIN, *before])
        first = state.logits[-1:]
        if before:
            if (found := (yield from _likeliest(state, before, most))) is not None:
                return Decoded(self._words(found))
            state.shorten(0)
            first = state.advance([0], [BEGIN])
        best = yield from search(first, state.advance, end=END, most=most, bias=bias)
        return Decoded(self._words(best))

    def draft(self, samples: Samples, previous: Decoded) -> Decoded:
        """Check the previous text in one pass, and go on greedily behind the part that holds, to the end of a sentence.

        Hardly ever does more come, and that the text is over would take one step in three. What comes nevertheless is
        in the next draft, whose first pass shows it.
        """
        if len(samples) < SHORTEST:
            return Decoded()
        most = _most_tokens(samples)
        before = _tokens(previous)[:most]
        state = _DecoderState(self._decoder, self.encode(samples), [BEGIN, *before])
        rows = log_softmax(state.logits)
        kept = 0
        while kept < len(before) and rows[kept, before[kept]] >= rows[kept].max() - TOLERANCE:
            kept += 1
        tokens, log_probs = before[:kept], [float(rows[at, before[at]]) for at in range(kept)]
        state.shorten(1 + kept)
        row = rows[kept]
        while len(tokens) < most and (token := int(row.argmax())) != END:
            tokens.append(token)
            log_probs.append(float(row[token]))
            if (length := loop_start(tokens)) is not None:
                del tokens[length:], log_probs[length:]
                break
            if self.tokens.pieces[token] in SENTENCE_ENDS:
                break
            row = log_softmax(state.advance([0], [token]))[0]
        return Decoded(self._words(Hypothesis(tuple(tokens), tuple(log_probs))))

    def locating(self, samples: Samples, words: Sequence[RecognizedWord]) -> Locating:
        """Measure where words begin: a word is where the model needs the sound to be sure of it.

        A block of sound is hidden, the known tokens are given, and what they lose in probability is noted; then block
        after block. About 0.14 s of CPU for a second of sound.
        """
        hidden = self.encode(samples)
        yield
        spelled = [word.tokens or self.tokens.encode(word.text) for word in words]
        tokens = [token for each in spelled for token in each]
        certain = self._log_probs_without(hidden, tokens, 0, 0)
        frames = hidden.shape[1]
        drops = np.zeros((len(words), frames))
        covered = np.zeros(frames)
        borders = np.cumsum([0, *map(len, spelled)])
        for first in range(0, max(1, frames - HOP), HOP):
            yield
            last = min(frames, first + HIDDEN)
            lost = np.clip(certain - self._log_probs_without(hidden, tokens, first, last), 0, MOST_LOST)
            drops[:, first:last] += np.add.reduceat(lost, borders[:-1])[:, None]
            covered[first:last] += 1
        drops /= np.maximum(covered, 1)
        drops /= np.maximum(drops.max(axis=1, keepdims=True), 1e-6)
        edge = PAD // FRAME  # no word is in the zeros around the sound
        begins = monotone(drops[:, edge : max(edge + 1, frames - edge)])
        return [min(max(0, (edge + frame) * FRAME - PAD), len(samples)) for frame in begins]

    def encode(self, samples: Samples) -> Array:
        """The encoder's frames, shape (1, frames, 288), of `samples` with zeros around them."""
        padded = np.concatenate([np.zeros(PAD, np.float32), samples, np.zeros(PAD, np.float32)])[None]
        return self._encoder.run(None, {"input_values": padded, "attention_mask": np.ones(padded.shape, np.int64)})[0]

    def _words(self, found: Hypothesis) -> tuple[RecognizedWord, ...]:
        return tuple(
            RecognizedWord(
                self.tokens.text(found.tokens[first:last]),
                sum(found.log_probs[first:last]),
                found.tokens[first:last],
            )
            for first, last in self.tokens.words(found.tokens)
        )

    def _bias(self, terms: tuple[str, ...]) -> Bias:
        if terms not in self._biases:
            self._biases[terms] = Bias(terms, self.tokens.encode, self.tokens.pieces)
        self._biases.move_to_end(terms)
        while len(self._biases) > BIASES:
            self._biases.popitem(last=False)
        return self._biases[terms]

    def _log_probs_without(self, hidden: Array, tokens: Sequence[int], first: int, last: int) -> Array:
        """The log-probabilities of `tokens`, given one after the other, when frames `[first, last)` are hidden."""
        inputs = _first_inputs(hidden, [BEGIN, *tokens], first, last)
        rows = log_softmax(self._decoder.run(["logits"], inputs)[0][0])
        return rows[np.arange(len(tokens)), tokens]


class _DecoderState:
    """The decoder on one piece of sound, with the keys and values of what was decoded.

    Those of the sound are there once for all hypotheses: the network's products broadcast them.
    """

    def __init__(self, decoder: Network, hidden: Array, tokens: Sequence[int]) -> None:
        """Give it the first tokens."""
        self._decoder = decoder
        self._inputs = _first_inputs(hidden, tokens)
        outputs = decoder.run(None, self._inputs)
        self.logits = outputs[0][0]
        """What follows each of the first tokens, shape (tokens, numbers)."""
        self._inputs |= {name: outputs[1 + at] for at, name in enumerate(NAMES)}
        self._inputs["use_cache_branch"] = np.array([True])
        self._width = 1

    def shorten(self, count: int) -> None:
        """Forget all tokens but the first ones, the one that begins the text included."""
        self._inputs |= {name: self._inputs[name][:, :, :count] for _, name in OF_TEXT}

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Array:
        """Decode one more token of several hypotheses; see `mictape.engines.local.recognizer.beam.Advance`."""
        if list(parents) != list(range(self._width)):
            self._inputs |= {name: self._inputs[name][list(parents)] for _, name in OF_TEXT}
            self._width = len(parents)
        self._inputs["input_ids"] = np.array(tokens, np.int64)[:, None]
        logits, *cached = self._decoder.run(GROWING, self._inputs)
        self._inputs |= {name: each for (_, name), each in zip(OF_TEXT, cached, strict=True)}
        return logits[:, -1]


def _first_inputs(hidden: Array, tokens: Sequence[int], first: int = 0, last: int = 0) -> dict[str, Array]:
    """The decoder's inputs before anything is cached: an empty past of text, and one of zeros of the sound.

    Args:
        hidden: The encoder's frames.
        tokens: What is given.
        first: Where frames begin that the decoder is not to see.
        last: Where they end.
    """
    frames = hidden.shape[1]
    mask = np.ones((1, frames * FRAME), np.int64)
    mask[:, first * FRAME : last * FRAME] = 0
    return {
        "input_ids": np.array([tokens], np.int64),
        "encoder_hidden_states": hidden,
        "encoder_attention_mask": mask,
        "use_cache_branch": np.array([False]),
        **{name: np.zeros((1, HEADS, 0 if ".decoder." in name else frames, HEAD_SIZE), np.float32) for name in NAMES},
    }


def _likeliest(state: _DecoderState, draft: Sequence[int], most: int) -> Generator[None, None, Hypothesis | None]:
    """The text that begins as the draft, as far as that holds, if no other one can be likelier; else None.

    Args:
        state: Was given the draft.
        draft: Its tokens.
        most: The most tokens that a text may have.
    """
    text = Likeliest()
    kept = 0
    token = text.follow(state.logits[0])
    while kept < len(draft) and token == draft[kept]:
        kept += 1
        token = text.follow(state.logits[kept])
    state.shorten(1 + kept)
    while token is not None and token != END:
        if len(text.tokens) > most or loop_start(text.tokens) is not None:
            return None
        yield
        token = text.follow(state.advance([0], [token])[0])
    return None if token is None else Hypothesis(tuple(text.tokens[:-1]), tuple(text.log_probs[:-1]))


def _tokens(decoded: Decoded) -> list[int]:
    return [token for word in decoded.words for token in word.tokens]


def _most_tokens(samples: Samples) -> int:
    return TOKENS_PER_S * len(samples) // RATE
