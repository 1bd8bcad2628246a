"""Moonshine's tokens: from numbers to text, and which of them make a word."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

BEGIN: Final = 1
END: Final = 2
SPACE: Final = "\u2581".encode()
"""A token that begins a word begins with this (SentencePiece's mark of a space)."""
LONG: Final = 128
"""A length from here on takes two bytes: the low seven bits and this, then the rest."""


class Tokens:
    """The pieces of text that the model's numbers stand for."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces
        """The text of each token as bytes, in which U+2581 is a space."""
        # Single bytes come twice: as themselves, and before that for letters that have no token of their own.
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        self._bytes = {piece: number for number, piece in reversed(list(enumerate(pieces))) if len(piece) == 1}

    @classmethod
    def load(cls, path: Path) -> "Tokens":
        """Read `tokenizer.bin`: each piece after its length, in the order of the numbers.

        Raises:
            OSError: The file cannot be read.
            ValueError: It ends inside a piece.
        """
        data, at = path.read_bytes(), 0
        pieces: list[bytes] = []
        while at < len(data):
            length, at = data[at], at + 1
            if length >= LONG:
                if at == len(data):
                    raise ValueError(f"{path} ends inside a length")
                length, at = data[at] * LONG + length - LONG, at + 1
            if at + length > len(data):
                raise ValueError(f"{path} ends inside a piece")
            pieces.append(data[at : at + length])
            at += length
        return cls(pieces)

    def text(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`; bytes that are no UTF-8 become the replacement character.

        Of several commas in a row one stays: for short pieces the model sometimes writes two.
        """
        joined = b"".join(self.pieces[token] for token in tokens if token > END)
        return re.sub(",{2,}", ",", joined.replace(SPACE, b" ").decode("utf-8", "replace").strip())

    def encode(self, text: str) -> list[int]:
        """The tokens of a text that begins a word, as the model writes it.

        Byte-pair encoding: of two neighbours the pair with the lowest number is joined, as long as there is one.
        """
        parts = [letter.encode() for letter in f" {text.strip()}".replace(" ", SPACE.decode())]
        while True:
            pairs = [(self._numbers.get(one + two), at) for at, (one, two) in enumerate(pairwise(parts))]
            number, at = min(((number, at) for number, at in pairs if number is not None), default=(None, 0))
            if number is None:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return [number for part in parts for number in self._number_or_bytes(part)]

    def _number_or_bytes(self, part: bytes) -> list[int]:
        number = self._numbers.get(part)
        return [number] if number is not None else [self._bytes[bytes([byte])] for byte in part]

    def begins_word(self, token: int) -> bool:
        """Whether a new word begins with this token."""
        return self.pieces[token].startswith(SPACE)

    def words(self, tokens: Sequence[int]) -> list[tuple[int, int]]:
        """For each word the range of `tokens` that it is made of, first and behind the last."""
        starts = [at for at, token in enumerate(tokens) if at == 0 or self.begins_word(token)]
        spans = pairwise([*starts, len(tokens)])
        return [(first, last) for first, last in spans if self.text(tokens[first:last])]
