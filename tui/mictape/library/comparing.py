"""What differs between two versions of a text, word by word. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby
from typing import Final

from mictape.library.records import LineRecord
from mictape.transcript.line import SPEECH

AROUND: Final = 4
"""Words that are shown before and after what differs."""

_PLAIN: Final = re.compile(r"[^\w]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that both versions have, or what each has in place of the other's."""

    old: str
    new: str
    same: bool
    """Whether the words are the same but for case and punctuation."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines of both versions that belong together, and differ."""

    track: int
    start: int
    """Session time, samples at 16 kHz."""
    pieces: tuple[Piece, ...]

    def shortened(self) -> "Passage":
        """The same, of long stretches that do not differ only the words beside those that do."""
        last = len(self.pieces) - 1
        pieces = (
            _shortened(piece, first=place == 0, last=place == last) if piece.same else piece
            for place, piece in enumerate(self.pieces)
        )
        return replace(self, pieces=tuple(pieces))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions."""

    passages: tuple[Passage, ...]
    """Those that differ, in tape order."""
    words: int
    """How many words the old version has."""
    differing: int
    """How many of them the new one has otherwise or not at all, and how many it has besides."""


def compare(old: Iterable[LineRecord], new: Iterable[LineRecord]) -> Comparison:
    """Compare two versions. Case and punctuation make no difference."""
    passages: list[Passage] = []
    words = differing = 0
    for track, before, after in _passages(old, new):
        left, right = _words(before), _words(after)
        pieces = tuple(_pieces(left, right))
        words += len(left)
        differing += sum(max(len(piece.old.split()), len(piece.new.split())) for piece in pieces if not piece.same)
        if not all(piece.same for piece in pieces):
            passages.append(Passage(track, min(line.start for line in (*before, *after)), pieces))
    return Comparison(tuple(sorted(passages, key=lambda each: each.start)), words, differing)


def _passages(
    old: Iterable[LineRecord], new: Iterable[LineRecord]
) -> Iterator[tuple[int, list[LineRecord], list[LineRecord]]]:
    """Lines of both versions, track by track, cut where neither of them has a line."""
    both = [(line, False) for line in old] + [(line, True) for line in new]
    speech = sorted((each for each in both if each[0].kind is SPEECH), key=lambda each: (each[0].track, each[0].start))
    for track, lines in groupby(speech, key=lambda each: each[0].track):
        sides: tuple[list[LineRecord], list[LineRecord]] = ([], [])
        end = 0
        for line, is_new in lines:
            if line.start >= end and any(sides):
                yield track, *sides
                sides = ([], [])
            sides[is_new].append(line)
            end = max(end, line.end)
        yield track, *sides


def _words(lines: Iterable[LineRecord]) -> list[str]:
    return [word for line in lines for word in line.text.split()]


def _pieces(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, list(map(_plain, old)), list(map(_plain, new)), autojunk=False)
    for what, first, last, other_first, other_last in matcher.get_opcodes():
        yield Piece(" ".join(old[first:last]), " ".join(new[other_first:other_last]), what == "equal")


def _shortened(piece: Piece, *, first: bool, last: bool) -> Piece:
    words = piece.new.split()
    before, after = words[:AROUND] if not first else [], words[-AROUND:] if not last else []
    short = words if len(words) <= len(before) + len(after) else [*before, "…", *after]
    return Piece(piece.old, " ".join(short), same=True)


def _plain(word: str) -> str:
    return _PLAIN.sub("", word.casefold()) or word
