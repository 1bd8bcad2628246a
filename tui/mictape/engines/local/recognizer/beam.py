"""Beam search: the likeliest sequence of tokens, several hypotheses being followed at a time. Pure.

With a beam of 4 a tenth of the words that greedy decoding gets wrong are right; 8 find no more.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mictape.engines.local.recognizer.key_terms import OUTSIDE, Bias, BiasState
from mictape.engines.local.recognizer.loops import loop_start
from mictape.vad.onnx import Array

WIDTH: Final = 4
"""Hypotheses that are followed."""

Advance = Callable[[Sequence[int], Sequence[int]], Array]
"""Decodes one more step: which hypotheses go on, by their places in the step before, and the token each is continued
with. Returns the logits of what follows, shape (hypotheses, tokens)."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A sequence of tokens and what the model thinks of it."""

    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    """Of each token, of the model alone."""
    score: float = 0.0
    """Their sum, with the bonus for key terms."""
    bias: BiasState = OUTSIDE

    def cut(self, count: int) -> "Hypothesis":
        """Its first tokens, with the score of all."""
        return Hypothesis(self.tokens[:count], self.log_probs[:count], self.score, self.bias)


def log_softmax(logits: Array) -> Array:
    """Log-probabilities along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def search(
    first: Array, advance: Advance, *, end: int, most: int, bias: Bias | None = None
) -> Generator[None, None, Hypothesis]:
    """Find the likeliest sequence, one token a step.

    Scores are plain sums of log-probabilities, without a length penalty. It is over when no open hypothesis scores
    better than the best one that has ended.

    Args:
        first: The logits of the first token, shape (1, tokens).
        advance: Decodes one more step.
        end: The token that ends a sequence.
        most: The most tokens that a sequence may have.
        bias: Key terms to favour.
    """
    rows, hypotheses, ended = log_softmax(first), [Hypothesis()], list[Hypothesis]()
    for _ in range(most + 1):
        hypotheses, parents, over = _extended(hypotheses, rows, end, bias)
        ended += over
        best = max((hypothesis.score for hypothesis in ended), default=-np.inf)
        if not hypotheses or best >= hypotheses[0].score:
            break
        if len(hypotheses[0].tokens) >= most:
            ended += hypotheses
            break
        yield
        rows = log_softmax(advance(parents, [hypothesis.tokens[-1] for hypothesis in hypotheses]))
    return max(ended, key=lambda hypothesis: _settled(hypothesis, bias), default=Hypothesis())


def _settled(hypothesis: Hypothesis, bias: Bias | None) -> float:
    """The score without the bonus for a term that was left unfinished."""
    return hypothesis.score - (bias.owed(hypothesis.bias) if bias else 0.0)


def _extended(
    hypotheses: Sequence[Hypothesis], rows: Array, end: int, bias: Bias | None
) -> tuple[list[Hypothesis], list[int], list[Hypothesis]]:
    """The best continuations, the places of the hypotheses that they continue, and those that have ended."""
    candidates: list[tuple[float, int, int]] = []
    for place, (hypothesis, row) in enumerate(zip(hypotheses, rows, strict=True)):
        scores = bias.adjusted(row, hypothesis.bias) if bias else row
        count = min(len(scores), WIDTH + 2)  # one of them may be the end, and one more a loop
        likeliest = np.argpartition(scores, -count)[-count:]
        candidates += [(hypothesis.score + float(scores[token]), place, int(token)) for token in likeliest]
    candidates.sort(key=lambda candidate: -candidate[0])
    going: list[Hypothesis] = []
    parents: list[int] = []
    over: list[Hypothesis] = []
    for score, place, token in candidates:
        parent = hypotheses[place]
        if token == end:
            over.append(Hypothesis(parent.tokens, parent.log_probs, score))
            continue
        state = bias.after(parent.bias, token) if bias else parent.bias
        log_probs = (*parent.log_probs, float(rows[place][token]))
        longer = Hypothesis((*parent.tokens, token), log_probs, score, state)
        if (kept := loop_start(longer.tokens)) is not None:
            over.append(longer.cut(kept))
            continue
        going.append(longer)
        parents.append(place)
        if len(going) == WIDTH:
            break
    return going, parents, over
