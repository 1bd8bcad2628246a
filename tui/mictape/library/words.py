"""The words of a text as the search index sees them, and where they are in it. Pure.

The index splits at everything that is no letter, digit or mark, and ignores case and accents. Scripts that put no
spaces between words (Chinese, Japanese, Thai …) are indexed character by character: a search for several characters is
then a search for a phrase, so that words of one and two characters are found, which an index of three-letter pieces
cannot do.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from mictape.units import Span

_UNSPACED: Final = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
    "\uac00-\ud7af"  # Korean, whose particles follow the word without a space
    "]"
)

_HANGUL: Final = re.compile("[\uac00-\ud7af]")
"""Indexed like the unspaced scripts, but written with spaces."""

_MARKS: Final = ("Mn", "Mc")
"""Accents and vowel signs."""


def search_words(text: str) -> str:
    """The text as it is indexed and searched: composed, without case, unspaced scripts one character a word."""
    text = text.replace("…", "...")  # at the end of most proposed titles
    if text.isascii():
        return text  # the index itself ignores the case of ASCII
    folded = unicodedata.normalize("NFKC", text).casefold()
    # SQLite's tables of what is a letter are older than Python's, and must not decide where a word ends.
    plain = "".join(char if char.isalnum() or unicodedata.category(char) in _MARKS else " " for char in folded)
    return _UNSPACED.sub(r" \g<0> ", plain)


def joined(first: str, second: str) -> str:
    """Two texts as one, with a space between them unless their script puts none there."""
    first, second = first.rstrip(), second.lstrip()
    meet = first[-1:], second[:1]
    unspaced = all(_UNSPACED.match(char) and not _HANGUL.match(char) for char in meet)
    return first + ("" if unspaced or not all(meet) else " ") + second


def word_starts(text: str) -> list[int]:
    """Where words begin in a text as it is written: behind spaces, and at each character of an unspaced script."""
    starts: list[int] = []
    space, unspaced = True, False
    """Whether a space stands before the character, and whether the word is of an unspaced script."""
    for at, char in enumerate(text):
        alone = bool(_UNSPACED.match(char)) and not _HANGUL.match(char) and unicodedata.category(char) not in _MARKS
        if alone or (space and not char.isspace()) or (unspaced and char.isalnum()):
            starts.append(at)
            unspaced = alone
        space = char.isspace()
    return starts


def has_words(text: str) -> bool:
    """Whether anything in a text can be searched for."""
    return any(char.isalnum() for char in text)


def places_of(text: str, terms: Iterable[tuple[str, bool]]) -> tuple[Span, ...]:
    """Where in a text the terms of a query are, from left to right, overlaps joined.

    Args:
        text: As it is shown.
        terms: Words or phrases, and whether the last word of each is only its beginning.
    """
    folded, places = _folded(text)
    spans: list[Span] = []
    for term, prefix in terms:
        words = [re.escape(word) for word in re.findall(r"\w+", _folded(term)[0])]
        if not words:
            continue
        open_start, open_end = _UNSPACED.match(term[0]), prefix or _UNSPACED.match(term[-1])
        pattern = ("" if open_start else r"(?<!\w)") + r"[\W_]+".join(words) + ("" if open_end else r"(?!\w)")
        for found in re.finditer(pattern, folded):
            end = places[found.end() - 1] + 1
            while end < len(text) and unicodedata.category(text[end]) in _MARKS:  # marks of its last letter
                end += 1
            spans.append((places[found.start()], end))
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def bare(text: str) -> str:
    """A name as it is looked for: without case and accents."""
    return _folded(text.replace("…", "..."))[0]


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """The text without case and accents, and for each of its characters the place in `text` it comes from."""
    if text.isascii():
        return text.lower(), range(len(text))
    chars: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        bare = (each for each in unicodedata.normalize("NFKD", char).casefold() if unicodedata.category(each) != "Mn")
        for each in bare if _UNSPACED.match(char) is None else char:
            chars.append(each)
            places.append(place)
    return "".join(chars), places
