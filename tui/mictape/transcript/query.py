"""What is searched for: a line that somebody types, taken apart, and which text it finds.

Text is found literally and in smart case: a query without capitals finds any case. Regular expressions are
RE2's, which take time in proportion to the text whatever the pattern; Python's own can hold the interpreter
for seconds on a bad one.
"""

import contextlib
import importlib
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, Protocol, cast

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.transcript import times
from mictape.transcript.model import Transcript
from mictape.units import Span

_TOKENS: Final = re.compile(r'(?<!\S)(?:(speaker):("[^"]*"?|\S*)|(after|before):(\S*)|(marked))(?!\S)|"[^"]*"')
"""A filter, or something in quotes, in which nothing is a filter."""


class QueryError(MictapeError):
    """What was typed cannot be searched for; `position` is the character of the line at which it goes wrong."""

    def __init__(self, what: str, remedy: str, position: int) -> None:
        super().__init__(Failure(f"{what} (character {position + 1})", remedy, ExitCode.USAGE))
        self.position = position


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. A line is found when the text is in it and every filter holds."""

    text: str = ""
    regex: bool = False
    """Whether `text` is a regular expression."""
    whole: bool = False
    """Whether only whole words are found."""
    accents: bool = True
    """Whether letters with accents differ from those without."""
    speaker: str | None = None
    """Part of the name that a line carries, its track's or its speaker's, in any case."""
    after: int | None = None
    """Lines that start no earlier: session time, samples at 16 kHz."""
    before: int | None = None
    """Lines that start earlier than this."""
    marked: bool = False
    """Only lines with a mark."""

    @property
    def empty(self) -> bool:
        """Whether it says nothing, so that nothing is found."""
        return not self.text and not self.marked and (self.speaker, self.after, self.before) == (None, None, None)

    @property
    def any_case(self) -> bool:
        """Smart case: whether capitals and small letters are the same."""
        # An escaped letter (\W, \B) says nothing about case.
        said = re.sub(r"\\.", "", self.text) if self.regex else self.text
        return said == said.lower()

    def narrows(self, wider: "Query") -> bool:
        """Whether everything that it finds, `wider` finds, too: it is enough to look through those."""
        if wider.empty or wider.regex or wider.whole or self.regex:
            return self == wider
        return (
            _fold(wider)(wider.text) in _fold(wider)(self.text)
            and (wider.any_case or not self.any_case)
            and (not wider.accents or self.accents)
            and (wider.speaker is None or wider.speaker.casefold() in (self.speaker or "").casefold())
            and (wider.after is None or (self.after is not None and self.after >= wider.after))
            and (wider.before is None or (self.before is not None and self.before <= wider.before))
            and (self.marked or not wider.marked)
        )


def parse(line: str, toggles: Query = Query()) -> Query:
    """Take apart what was typed: `kettle speaker:You after:10:00 before:1:02:03 marked`.

    In quotes nothing is a filter: `"marked"` searches for the word. A filter without a value is not one yet.

    Args:
        line: as typed.
        toggles: gives `regex`, `whole` and `accents`.

    Raises:
        QueryError: a time is none.
    """
    query = replace(toggles, text="", speaker=None, after=None, before=None, marked=False)
    kept: list[str] = []
    behind = 0
    for token in _TOKENS.finditer(line):
        speaker, name, bound, time, marked = token.groups()
        if not (speaker or bound or marked):
            continue
        kept.append(line[behind : token.start()])
        behind = token.end()
        if marked:
            query = replace(query, marked=True)
        elif speaker:
            query = replace(query, speaker=name.strip('"') or None)
        elif time:
            samples = _samples(time, token.start(4))
            query = replace(query, after=samples) if bound == "after" else replace(query, before=samples)
    kept.append(line[behind:])
    # A space may be searched for, but not the one that a filter was set apart by.
    text = " ".join(part.strip() for part in kept if part.strip()) if len(kept) > 1 else line
    quoted = len(text) > 1 and text[0] == text[-1] == '"' and not query.regex
    return replace(query, text=text[1:-1] if quoted else text)


class Matcher:
    """A query made ready: which of many lines it finds, and where in one of them."""

    def __init__(self, query: Query) -> None:
        """Make it ready. Raises QueryError when the regular expression is none, or none of RE2's."""
        self.query = query
        self._fold = _fold(query)
        self._needle = self._fold(query.text)
        self._pattern = _compiled(self._needle, any_case=query.any_case) if query.regex and query.text else None

    def keep(self, transcript: Transcript, ids: Sequence[int], texts: Sequence[str]) -> list[int]:
        """Those of `ids` whose lines are found, in the same order; `texts` are theirs."""
        query = self.query
        if query.empty:
            return []
        found: Sequence[int] = ids
        if query.text:
            found = self._found(ids, texts)
        if query.marked:
            marks = transcript.marks
            found = [id for id in found if id in marks]
        if query.after is not None or query.before is not None:
            first, behind = query.after or 0, query.before
            found = [
                id for id in found if (start := transcript.start_of(id)) >= first and (behind is None or start < behind)
            ]
        if query.speaker is not None:
            named = query.speaker.casefold()
            alone = transcript.alone
            found = [id for id in found if named in (transcript.line_of(id).voice or alone).casefold()]
        return list(found)

    def spans(self, text: str) -> list[Span]:
        """Where in a text it is found, from left to right, none empty; nothing when only filters were asked for."""
        if not self.query.text:
            return []
        folded = self._fold(text)
        found = [span for span in self._occurrences(folded) if span[0] < span[1]]
        if self.query.whole:
            found = [span for span in found if _is_whole(folded, *span)]
        if folded == text or not found:
            return found
        places = _places(text, self._fold)
        return [(places[start], places[end - 1] + 1) for start, end in found]

    def _found(self, ids: Sequence[int], texts: Sequence[str]) -> list[int]:
        """By the text alone."""
        fold, needle = self._fold, self._needle
        if not needle:  # an accent alone, where accents do not count
            return []
        if self._pattern is not None:
            folded = [fold(text) for text in texts]
            both = [(ids[at], folded[at]) for at in self._pattern.among(folded)]
        else:
            # One look through many lines at once is several times faster than one through each.
            together = fold("\n".join(texts))
            if needle not in together:
                return []
            folded = together.split("\n")
            if len(folded) != len(texts):  # a line break within a line
                folded = [fold(text) for text in texts]
            both = [(id, text) for id, text in zip(ids, folded, strict=True) if needle in text]
        if self.query.whole:
            both = [(id, text) for id, text in both if any(_is_whole(text, *span) for span in self._occurrences(text))]
        return [id for id, _ in both]

    def _occurrences(self, folded: str) -> Iterator[Span]:
        if self._pattern is not None:
            yield from self._pattern.all(folded)
            return
        start = folded.find(self._needle) if self._needle else -1
        while start >= 0:
            end = start + len(self._needle)
            yield start, end
            # A whole word may begin within something that is none.
            start = folded.find(self._needle, start + 1 if self.query.whole else end)


class _Re2Match(Protocol):
    def span(self) -> Span: ...


class _Re2Pattern(Protocol):
    """A pattern of google-re2, as far as it is used; the library has no types."""

    def search(self, text: bytes, pos: int = 0) -> _Re2Match | None: ...
    def finditer(self, text: str) -> Iterator[_Re2Match]: ...


class _Re2Options(Protocol):
    case_sensitive: bool
    log_errors: bool


class _Re2(Protocol):
    """The module."""

    error: type[Exception]
    Options: Callable[[], _Re2Options]

    def compile(self, pattern: str, options: _Re2Options) -> _Re2Pattern: ...


class _Pattern:
    """A regular expression of one line."""

    def __init__(self, one: _Re2Pattern, many: _Re2Pattern | None) -> None:
        self._one = one
        self._many = many
        """The same for lines joined together; None when what it says depends on the ends of the text."""

    def among(self, texts: Sequence[str]) -> list[int]:
        """Which of the lines match, an empty match included: places in `texts`, ascending."""
        # RE2 works on UTF-8; one pass through all of them at once finds the few that are worth a look.
        encoded = [text.encode(errors="replace") for text in texts]
        one, many = self._one, self._many
        if many is None:
            return [at for at, line in enumerate(encoded) if one.search(line)]
        together = b"\n".join(encoded)
        starts = list(accumulate((len(line) + 1 for line in encoded), initial=0))
        found: list[int] = []
        begin = 0
        while begin <= len(together) and (match := many.search(together, begin)) is not None:
            at = min(bisect_right(starts, match.span()[0]), len(encoded)) - 1
            if one.search(encoded[at]):
                found.append(at)
            begin = starts[at + 1]
        return found

    def all(self, text: str) -> Iterator[Span]:
        """Where a line matches."""
        return (match.span() for match in self._one.finditer(text))


def _compiled(pattern: str, *, any_case: bool) -> _Pattern:
    try:
        # Imported when first asked for: most sessions never are, and some platforms have no wheel of it.
        re2 = cast(_Re2, cast(object, importlib.import_module("re2")))
    except ImportError as error:
        remedy = "Search for plain text; filters and whole words work"
        raise QueryError("Regular expressions need google-re2, which this platform has not", remedy, 0) from error
    options = re2.Options()
    options.case_sensitive = not any_case
    options.log_errors = False
    try:
        one = re2.compile(pattern, options)
        depends = re.search(r"\\[AzC]|\(\?[a-zA-Z]*-?[a-zA-Z]*m", pattern)
        return _Pattern(one, None if depends else re2.compile(f"(?m){pattern}", options))
    except re2.error as error:
        raise _pattern_error(pattern, error) from error


def _pattern_error(pattern: str, error: Exception) -> QueryError:
    """RE2 says what is wrong and which piece of the pattern it is."""
    said = cast(object, error.args[0]) if error.args else b""
    what, _, piece = (said.decode(errors="replace") if isinstance(said, bytes) else str(said)).partition(": ")
    position = _odd_parenthesis(pattern) if piece == pattern else max(0, pattern.find(piece))
    if re.match(r"\\[1-9]|\(\?(?:<?[=!]|P=)", pattern[position:]):
        remedy = "Searching in linear time has no look-around and no back-references; write it without"
        return QueryError(f"The pattern has {piece}, which cannot be searched for", remedy, position)
    return QueryError(f"The pattern is not complete: {what}", "Correct it, or turn regular expressions off", position)


def _odd_parenthesis(pattern: str) -> int:
    """Where a parenthesis is that has no partner, which RE2 does not tell; 0 when all have one."""
    opened: list[int] = []
    # An escaped character and a class hold none.
    for token in re.finditer(r"\\.|\[\^?\]?[^\]]*\]|[()]", pattern):
        if token[0] == "(":
            opened.append(token.start())
        elif token[0] == ")" and not opened:
            return token.start()
        elif token[0] == ")":
            opened.pop()
    return opened[-1] if opened else 0


def _fold(query: Query) -> Callable[[str], str]:
    """What makes texts equal that are the same to a query; character by character, so that places can be told."""
    # RE2 ignores case by itself.
    folds_case = query.any_case and not query.regex
    if query.accents:
        return str.casefold if folds_case else str
    return _bare_folded if folds_case else _bare


def _bare(text: str) -> str:
    """Without accents: `é` as `e`."""
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def _bare_folded(text: str) -> str:
    return _bare(text).casefold()


def _places(text: str, fold: Callable[[str], str]) -> list[int]:
    """For each character of the folded text, the character of `text` that it came from."""
    return [place for place, char in enumerate(text) for _ in fold(char)]


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no word goes on at either end."""
    goes_on = "".join((text[start - 1 : start], text[start : start + 1])), text[end - 1 : end + 1]
    return not any(len(pair) > 1 and all(char.isalnum() or char == "_" for char in pair) for pair in goes_on)


def _samples(time: str, position: int) -> int:
    """A time on the tape, `10:00` (minutes) or `1:02:03`, as samples."""
    with contextlib.suppress(MictapeError):
        if isinstance(wish := times.parse(time), times.OnTape):
            return wish.samples
    raise QueryError(f"{time} is no time on the tape", "Write one like 10:00 or 1:02:03", position)
