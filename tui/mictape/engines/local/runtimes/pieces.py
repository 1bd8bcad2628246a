"""From tokens to words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mictape.engines.local.recognizer.model import RecognizedWord, joint

SPACE: Final = "\u2581"
"""SentencePiece's mark of a space."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One token of a decode."""

    text: str
    token: int
    log_prob: float | None
    start: int
    end: int
    """Samples since the beginning of the sound."""


def words_of(pieces: Sequence[Piece]) -> tuple[RecognizedWord, ...]:
    """Tokens as words: a word begins with a piece that begins with a space, as a character or as SentencePiece's mark.

    What is written without spaces becomes one word.
    """
    starts = [at for at, piece in enumerate(pieces) if at == 0 or piece.text.startswith((SPACE, " "))]
    words: list[RecognizedWord] = []
    for first, last in zip(starts, [*starts[1:], len(pieces)], strict=True):
        within = pieces[first:last]
        if text := "".join(piece.text for piece in within).replace(SPACE, " ").strip():
            log_prob = joint(piece.log_prob for piece in within)
            tokens = tuple(piece.token for piece in within)
            words.append(RecognizedWord(text, log_prob, tokens, within[0].start, within[-1].end))
    return tuple(words)
