"""Key terms: words that the person expects, favoured while the decoder searches, and spelled as they spell them. Pure.

Each term is a path of the model's own tokens; every token on the way earns a bonus, and a term that is left unfinished
gives it back. Only a beam search can use it: a greedy decoder cannot give up a term that it has begun.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mictape.engines.local.recognizer.model import RecognizedWord
from mictape.vad.onnx import Array

BONUS: Final = 1.5
"""Nats for each token of a term: from 2.5 on terms are written that were not said."""
MOST: Final = 4.0
"""Nats for a whole term at most, so that a long one is not forced."""


@dataclass(frozen=True, slots=True)
class BiasState:
    """How far a hypothesis has come in a term."""

    node: int = 0
    """The node of the path; 0 outside of any term."""
    base: float = 0.0
    """The bonus of a shorter term on the same path that is finished: "New" on the way to "New York"."""
    last: int | None = None
    """The term that came just before: no term earns a bonus twice in a row."""


OUTSIDE: Final = BiasState()
"""In no term."""


@dataclass(slots=True)
class _Node:
    depth: int
    following: dict[int, int]
    """The next node for each token that goes on."""
    term: int | None = None
    """The term that ends here."""
    only: int | None = None
    """The one term that can still be meant here; None when there are several."""


class Bias:
    """The bonus for each next token."""

    def __init__(self, terms: Iterable[str], encode: Callable[[str], Sequence[int]], pieces: Sequence[bytes]) -> None:
        """Prepare terms.

        Args:
            terms: As the person spells them.
            encode: The model's tokens of a text that begins a word.
            pieces: The text of each of the model's tokens, in which a leading space is U+2581.
        """
        self._nodes = [_Node(0, {})]
        for number, term in enumerate(terms):
            for spelled in {term, term.lower(), term[:1].upper() + term[1:].lower()}:
                self._add(number, encode(spelled))
        self._first = np.array(list(self._nodes[0].following), np.int64)
        self._starts_word = np.array([piece.startswith("\u2581".encode()) for piece in pieces])
        # What may follow a whole term: a space, punctuation, an apostrophe, the end; "Ann" is not whole in "Anna".
        self._may_follow = self._starts_word | np.array([not _text(piece)[:1].isalnum() for piece in pieces])

    def _add(self, number: int, tokens: Sequence[int]) -> None:
        at = 0
        for token in tokens:
            node = self._nodes[at]
            if token not in node.following:
                node.following[token] = len(self._nodes)
                self._nodes.append(_Node(node.depth + 1, {}, only=number))
            at = node.following[token]
            if self._nodes[at].only != number:
                self._nodes[at].only = None
        if tokens:
            self._nodes[at].term = number

    def adjusted(self, log_probs: Array, state: BiasState) -> Array:
        """The log-probabilities of the next token with bonuses added and given back."""
        node, scores, owed = self._nodes[state.node], log_probs.copy(), self.owed(state)
        if owed:
            # A term that is whole keeps its bonus in front of what may follow one.
            scores -= np.where(self._may_follow, 0.0, owed) if node.term is not None else owed
        outside = self._outside(state, whole=node.term is not None)
        scores[self._first] += BONUS
        if outside.last is not None:
            for token, child in self._nodes[0].following.items():
                scores[token] += self._bonus(child, outside.last) - BONUS
        for token, child in node.following.items() if state.node else ():
            scores[token] = log_probs[token] + self._bonus(child, state.last) - self._bonus(state.node, state.last)
        return scores

    def after(self, state: BiasState, token: int) -> BiasState:
        """The state behind one more token."""
        node = self._nodes[state.node]
        whole = node.term is not None and bool(self._may_follow[token])
        if state.node and token in node.following:
            base = self._bonus(state.node, state.last) if whole else state.base
            return BiasState(node.following[token], base, state.last)
        outside = self._outside(state, whole=whole)
        if not self._starts_word[token]:
            return outside
        child = self._nodes[0].following.get(token)
        return OUTSIDE if child is None else replace(outside, node=child)

    def owed(self, state: BiasState) -> float:
        """The bonus that was given for the term that is not finished."""
        return self._bonus(state.node, state.last) - state.base

    def _outside(self, state: BiasState, *, whole: bool) -> BiasState:
        """The state when the path is left: behind a whole term, in the middle of one, or before one."""
        if not state.node:
            return state
        return BiasState(last=self._nodes[state.node].term if whole else None)

    def _bonus(self, at: int, last: int | None) -> float:
        """The bonus on the way to a node in all."""
        node = self._nodes[at]
        if last is not None and last in (node.term, node.only):
            return 0.0
        return min(MOST, BONUS * node.depth)


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "ignore")


def respelled(words: Sequence[RecognizedWord], terms: Iterable[str]) -> tuple[RecognizedWord, ...]:
    """The words with every key term spelled as the person spells it; punctuation and a possessive "'s" stay.

    A term that begins with a small letter has a capital at the beginning of a sentence. Terms with symbols at the
    border of a word (C++) are left out: compared without them they would be other words.
    """
    parts = [term.split() for term in terms]
    spellings = {
        tuple(map(bare, term)): term
        for term in parts
        if term and all(part[0].isalnum() and part[-1].isalnum() for part in term)
    }
    longest = max(map(len, spellings), default=0)
    bares = [bare(word.text[slice(*_core(word.text))]) for word in words]
    result, at = list(words), 0
    while at < len(words):
        lengths = range(min(longest, len(words) - at), 0, -1)
        length = next((length for length in lengths if tuple(bares[at : at + length]) in spellings), 0)
        for place, part in enumerate(spellings[tuple(bares[at : at + length])] if length else (), start=at):
            begins = place == 0 or words[place - 1].text.endswith((".", "?", "!"))
            text = words[place].text
            first, last = _core(text)
            spelled = part[:1].upper() + part[1:] if begins and text[first].isupper() else part
            result[place] = replace(words[place], text=text[:first] + spelled + text[last:])
        at += max(1, length)
    return tuple(result)


def bare(text: str) -> str:
    """A word without case and punctuation, for comparing."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _core(text: str) -> tuple[int, int]:
    """Where a word is without the punctuation around it and a possessive "'s"."""
    places = [at for at, letter in enumerate(text) if letter.isalnum()]
    if not places:
        return 0, 0
    last = places[-1] + 1
    possessive = text[last - 2 : last] in ("'s", "’s") and last - 2 > places[0]
    return places[0], last - 2 if possessive else last
