"""Beam search on a language model small enough to try every sequence."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.local.recognizer.beam import WIDTH, Hypothesis, Likeliest, log_softmax, search
from mictape.engines.local.recognizer.model import completed
from mictape.vad.onnx import Array

END = 0


class Chain:
    """A language model whose next token depends on the last one only; decodes like a network, with a state a row."""

    def __init__(self, logits: Array) -> None:
        self._logits = logits
        self._rows: list[list[int]] = [[]]
        self.steps = 0
        self.widest = 1

    def first(self) -> Array:
        return self._logits[:1]

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Array:
        self._rows = [[*self._rows[parent], token] for parent, token in zip(parents, tokens, strict=True)]
        self.steps += 1
        self.widest = max(self.widest, len(self._rows))
        return self._logits[[row[-1] for row in self._rows]]

    def score(self, tokens: Sequence[int]) -> float:
        rows = log_softmax(self._logits)
        return sum(float(rows[before][token]) for before, token in itertools.pairwise([0, *tokens, END]))


def found(chain: Chain, most: int = 4) -> Hypothesis:
    return completed(search(chain.first(), chain.advance, end=END, most=most))


@given(st.integers(0, 10_000))
def test_it_is_at_least_as_good_as_greedy_and_its_score_is_true(seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 2, (6, 6))
    best = found(Chain(logits))
    rows, greedy = log_softmax(logits), list[int]()
    while len(greedy) < 4 and (token := int(rows[greedy[-1] if greedy else 0].argmax())) != END:
        greedy.append(token)
    chain = Chain(logits)
    if len(best.tokens) < 4:
        assert math.isclose(best.score, chain.score(best.tokens), rel_tol=1e-6)
        if len(greedy) < 4:
            assert best.score >= chain.score(greedy) - 1e-6
    assert len(best.log_probs) == len(best.tokens)


def likeliest(logits: Array) -> list[int] | None:
    text, token = Likeliest(), 0
    while (token := text.follow(logits[token])) is not None and token != END and len(text.tokens) <= 4:
        pass
    return text.tokens[:-1] if token == END else None


@given(st.integers(0, 10_000), st.floats(0.5, 5))
def test_no_other_text_is_likelier_than_one_that_is_followed_to_its_end(seed: int, sure: float) -> None:
    logits = np.random.default_rng(seed).normal(0, sure, (4, 4))
    text = likeliest(logits)
    if text is not None:
        chain = Chain(logits)
        every = (other for count in range(5) for other in itertools.product(range(1, 4), repeat=count))
        assert max(every, key=chain.score) == tuple(text)
        assert found(chain).tokens == tuple(text)


def test_a_text_is_followed_as_long_as_nothing_can_be_likelier() -> None:
    sure, unsure = np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]]), np.log([[0.3, 0.4, 0.3], [0.6, 0.2, 0.2]])
    assert likeliest(sure) == [1]
    assert likeliest(unsure) is None, "0.4 times 0.6 is less than 0.3"


def test_a_start_that_is_less_likely_is_taken_when_what_follows_is_certain() -> None:
    logits = np.full((4, 4), -20.0)
    logits[0, [1, 2]] = 1.0, 0.8  # 1 seems better …
    logits[1, [1, 2, 3, END]] = 0.0  # … but nothing is certain behind it
    logits[2, END] = 5.0
    chain = Chain(logits)
    assert found(chain).tokens == (2,)
    assert chain.widest <= WIDTH


def test_only_hypotheses_that_are_near_the_best_one_are_followed() -> None:
    logits = np.full((6, 6), 0.0)
    for before, token in itertools.pairwise([0, 1, 2, 3, 4, END]):
        logits[before, token] = 12.0  # beside each of them are five others that are hopeless
    chain = Chain(logits)
    assert found(chain, most=9).tokens == (1, 2, 3, 4)
    assert chain.widest == 1
    for before, token in itertools.pairwise([0, 1, 2, 3, 4, END]):
        logits[before, token] = 3.0
    chain = Chain(logits)
    assert found(chain, most=9).tokens == (1, 2, 3, 4)
    assert chain.widest == WIDTH


def test_no_sequence_is_longer_than_asked_for() -> None:
    logits = np.full((3, 3), -20.0)
    logits[:, 1:] = np.random.default_rng(1).normal(size=(3, 2))
    chain = Chain(logits)
    assert len(found(chain, most=5).tokens) == 5
    assert chain.steps == 5 - 1


def test_a_loop_ends_after_its_phrase() -> None:
    logits = np.full((4, 4), -20.0)
    for before, token in itertools.pairwise([0, 1, 2, 3, 1]):
        logits[before, token] = 5.0
    chain = Chain(logits)
    assert found(chain, most=200).tokens == (1, 2, 3)
    assert chain.steps < 3 * 6


def test_nothing_is_found_when_the_end_comes_first() -> None:
    logits = np.zeros((3, 3))
    logits[0, END] = 10.0
    assert found(Chain(logits)).tokens == ()
