"""One written form for English numbers. Pure and deterministic.

Whether a model writes "1970" or "nineteen seventy" hangs on how much of the sentence it sees, so that one transcript
would have both.

- Single digits are words ("press one"), numbers from 10 on are digits, with a word from a million on ("25 million").
- Three or more digits one behind the other are one number ("8500"), unless they count ("one, two, three").
- Years are digits: "nineteen oh five", "twenty twenty-six", "nineteen seventies".
- Ordinals, names ("Ocean's Eleven") and numbers beside one another that make no single one stay as they are.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Final

from mictape.engines.local.recognizer.lines import ends_sentence
from mictape.engines.local.recognizer.model import RecognizedWord, joint

DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS: Final = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
VALUES: Final = (
    {name: value for value, name in enumerate(DIGITS)}
    | {name: 10 + at for at, name in enumerate(_TEENS.split())}
    | {name: 20 + 10 * at for at, name in enumerate(_TENS.split())}
)
PLURALS: Final = {f"{name.removesuffix('y')}ies": VALUES[name] for name in _TENS.split()}
UNITS: Final = range(1, 10)
WHOLE_TENS: Final = range(20, 100, 10)
HUNDRED: Final = 100
THOUSAND: Final = 1000
LARGE: Final = frozenset({"million", "billion", "trillion"})
_ORDINALS: Final = "first second third fourth fifth sixth seventh eighth ninth"
ORDINALS: Final = frozenset(_ORDINALS.split())
ZERO: Final = frozenset({"oh", "o"})
"""How a zero among digits is said."""
CENTURIES: Final = range(13, 21)
"""A number that can begin a year: "twelve fifty" is as likely a price."""
STRING: Final = 3
"""Digits from which on they are one number: "two, three times" is not 23."""

_WORD: Final = re.compile(r"(\W*)(.*?)(\W*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Part:
    """A word taken apart."""

    lead: str
    core: str
    trail: str
    value: int | None
    """Below 100, of a word; None when it is none or a name."""
    begins: bool
    """Whether a sentence begins with it."""

    @property
    def name(self) -> str:
        """Its letters, small."""
        return self.core.lower()

    @property
    def digit(self) -> str | None:
        """The digit that it is."""
        if self.value is not None and self.value < len(DIGITS):
            return str(self.value)
        return self.core if re.fullmatch("[0-9]", self.core) else None


@dataclass(frozen=True, slots=True)
class _Found:
    """A number: its text, and behind which word it ends."""

    text: str
    end: int


def written(words: Sequence[RecognizedWord]) -> tuple[RecognizedWord, ...]:
    """The words of a line with its numbers in their one form; words that make one number become one word."""
    parts = [_part(words, at) for at in range(len(words))]
    result: list[RecognizedWord] = []
    at = 0
    while at < len(parts):
        found = _digits(parts, at) or _year(parts, at) or _cardinal(parts, at) or _digit(parts, at)
        if found is not None and _alone(parts, found):
            text = parts[at].lead + found.text + parts[found.end - 1].trail
            result.append(_joined(words[at : found.end], text))
            at = found.end
        else:  # numbers that could be parted in several ways stay
            end = max(at + 1, _run_end(parts, at))
            result += words[at:end]
            at = end
    return tuple(result)


def _part(words: Sequence[RecognizedWord], at: int) -> _Part:
    text = words[at].text
    match = _WORD.fullmatch(text)
    lead, core, trail = match.groups() if match else ("", text, "")
    begins = at == 0 or ends_sentence(words[at - 1].text)
    name = core[:1].isupper() and not begins
    tens, _, unit = core.lower().partition("-")
    value = VALUES.get(tens)
    if unit:
        one = VALUES.get(unit, 0)
        value = (value or 0) + one if value in WHOLE_TENS and one in UNITS else None
    return _Part(lead, core, trail, None if name else value, begins)


def _joined(words: Sequence[RecognizedWord], text: str) -> RecognizedWord:
    tokens = reduce(lambda all_, word: all_ + word.tokens, words, ())
    return RecognizedWord(text, joint(word.log_prob for word in words), tokens, words[0].start, words[-1].end)


def _goes_on(parts: Sequence[_Part], at: int, allowed: str = "") -> bool:
    """Whether there is a word at `at` that nothing parts from the one before but the characters allowed."""
    return at < len(parts) and parts[at - 1].trail in ("", allowed) and not parts[at].lead


def _run_end(parts: Sequence[_Part], at: int) -> int:
    """Behind the last of the number words that begin at `at`, whatever punctuation is between."""
    while at < len(parts) and (parts[at].value is not None or parts[at].digit is not None):
        at += 1
    return at


def _alone(parts: Sequence[_Part], found: _Found) -> bool:
    """Whether no other number, and no ordinal, follows at once: "twenty-four seven", "twenty first"."""
    if found.end == len(parts):
        return True
    following = parts[found.end]
    is_number = following.value is not None or following.digit is not None
    return not (is_number or (following.name in ORDINALS and _goes_on(parts, found.end)))


def _digits(parts: Sequence[_Part], at: int) -> _Found | None:
    digits: list[str] = []
    end = at
    while end == at or _goes_on(parts, end, allowed=","):
        digit = parts[end].digit or ("0" if digits and parts[end].name in ZERO else None)
        if digit is None:
            break
        digits.append(digit)
        end += 1
    steps = {int(two) - int(one) for one, two in pairwise(digits)}
    counts = len(steps) == 1 and steps <= {1, -1}
    return None if len(digits) < STRING or counts else _Found("".join(digits), end)


def _year(parts: Sequence[_Part], at: int) -> _Found | None:
    century = parts[at].value
    if century not in CENTURIES or not _goes_on(parts, at + 1):
        return None
    following = parts[at + 1]
    if following.name in PLURALS:
        return _Found(f"{century}{PLURALS[following.name]}s", at + 2)
    if following.name in ZERO and _goes_on(parts, at + 2) and (digit := parts[at + 2].digit):
        return _Found(f"{century}0{digit}", at + 3)
    found = _below_hundred(parts, at + 1)
    if found is None or found[0] < len(DIGITS):
        return None
    year, end = f"{century}{found[0]}", found[1]
    if year.endswith("0") and _goes_on(parts, end) and parts[end].name == "s":
        return _Found(f"{year}s", end + 1)
    return _Found(year, end)


_Parser = Callable[[Sequence[_Part], int], tuple[int, int] | None]


def _below_hundred(parts: Sequence[_Part], at: int) -> tuple[int, int] | None:
    """A number from 0 to 99 in words, and behind which word it ends."""
    value = parts[at].value
    if value is None:
        return None
    unit = (parts[at + 1].value or 0) if _goes_on(parts, at + 1) else 0
    if value in WHOLE_TENS and unit in UNITS:
        return value + unit, at + 2
    return value, at + 1


def _below_thousand(parts: Sequence[_Part], at: int) -> tuple[int, int] | None:
    """The same up to "nine hundred and ninety-nine", and "nineteen hundred"."""
    found = _below_hundred(parts, at)
    if found is None or not found[0] or not _goes_on(parts, found[1]) or parts[found[1]].name != "hundred":
        return found
    return _with_rest(parts, found[0] * HUNDRED, found[1] + 1, _below_hundred)


def _with_rest(parts: Sequence[_Part], value: int, end: int, rest: _Parser) -> tuple[int, int]:
    """What follows "hundred" or "thousand", with an "and" or without."""
    at = end + 1 if _goes_on(parts, end) and parts[end].name == "and" else end
    if not _goes_on(parts, at) or (at > end and parts[end].trail):
        return value, end
    found = rest(parts, at)
    return (value + found[0], found[1]) if found and found[0] else (value, end)


def _cardinal(parts: Sequence[_Part], at: int) -> _Found | None:
    found = _below_thousand(parts, at)
    if found is None:
        return None
    value, end = found
    if value and _goes_on(parts, end) and parts[end].name == "thousand":
        value, end = _with_rest(parts, value * THOUSAND, end + 1, _below_thousand)
    if _goes_on(parts, end + 1) and _goes_on(parts, end) and parts[end].name == "point":
        decimals = end + 1
        while decimals < len(parts) and (decimals == end + 1 or _goes_on(parts, decimals)) and parts[decimals].digit:
            decimals += 1
        if decimals > end + 1:
            return _Found(
                f"{value}." + "".join(parts[place].digit or "" for place in range(end + 1, decimals)), decimals
            )
    return None if value < len(DIGITS) else _Found(str(value), end)


def _digit(parts: Sequence[_Part], at: int) -> _Found | None:
    part = parts[at]
    if not re.fullmatch("[0-9]", part.core) or part.lead or part.trail.strip('.,?!;:"”'):
        return None
    name = DIGITS[int(part.core)]
    return _Found(name.capitalize() if part.begins else name, at + 1)
