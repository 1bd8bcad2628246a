"""Search queries: parsing what was typed, and matching lines against it.

Text is found literally and in any case, as in the library. Regular expressions are those of the `regex` package,
because its searches take a time limit: Python's own can hold the interpreter for minutes on a bad one.
"""

import contextlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.transcript import times
from mictape.transcript.line import OF_ONE_TRACK, Line
from mictape.transcript.model import Transcript
from mictape.units import Span

_TOKENS: Final = r'(?<!\S)(?:(speaker):("[^"]*"?|\S*)|(after|before):(\S*)|(marked))(?!\S)|"[^"]*"'
"""A filter, or something in quotes, in which nothing is a filter. Compiled once something is searched for."""


LINE_LIMIT_S: Final = 0.02
"""Seconds that a regular expression may take on one line; usual ones take microseconds."""
MOST_SLOW_LINES: Final = 3
"""A pattern that exceeds the limit on so many lines is given up, so that no search holds up the screen for long."""


class QueryError(MictapeError):
    """What was typed cannot be searched for; `position` is the character of the line at which it goes wrong."""

    def __init__(self, what: str, remedy: str, position: int) -> None:
        super().__init__(Failure(f"{what} (character {position + 1})", remedy, ExitCode.USAGE))
        self.position = position


class Query(Struct, frozen=True):
    """What is searched for. A line is found when the text is in it and every filter holds."""

    text: str = ""
    regex: bool = False
    """Whether `text` is a regular expression."""
    whole: bool = False
    """Whether only whole words are found."""
    accents: bool = False
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

    def narrows(self, wider: "Query") -> bool:
        """Whether everything that it finds, `wider` finds, too: it is enough to look through those."""
        if wider.empty or wider.regex or wider.whole or self.regex:
            return self == wider
        return (
            _fold(wider)(wider.text) in _fold(wider)(self.text)
            and (not wider.accents or self.accents)
            and (wider.speaker is None or wider.speaker.casefold() in (self.speaker or "").casefold())
            and (wider.after is None or (self.after is not None and self.after >= wider.after))
            and (wider.before is None or (self.before is not None and self.before <= wider.before))
            and (self.marked or not wider.marked)
        )


_PLAIN: Final = Query()


def parse(line: str, toggles: Query = _PLAIN) -> Query:
    """Parse what was typed: `kettle speaker:You after:10:00 before:1:02:03 marked`.

    In quotes nothing is a filter: `"marked"` searches for the word. A filter without a value is not one yet.

    Args:
        line: as typed.
        toggles: gives `regex`, `whole` and `accents`.

    Raises:
        QueryError: a time is not valid.
    """
    query = replace(toggles, text="", speaker=None, after=None, before=None, marked=False)
    kept: list[str] = []
    behind = 0
    for token in re.finditer(_TOKENS, line):
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
        """Make it ready. Raises QueryError when the regular expression is not valid."""
        self.query = query
        self._fold = _fold(query)
        self._needle = self._fold(query.text)
        self._pattern = _Pattern(self._needle) if query.regex and query.text else None

    @property
    def failure(self) -> QueryError | None:
        """Why the search was given up: the pattern is too slow on these lines. None: it was not."""
        if self._pattern is None or not self._pattern.given_up:
            return None
        return QueryError("The pattern takes too long to search with", "Use fewer nested repetitions", 0)

    def keep(self, transcript: Transcript, ids: Sequence[int], texts: Sequence[str]) -> list[int]:
        """Those of `ids` whose lines match, in the same order; `texts` are their texts."""
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
            lines = (line for line in map(transcript.line_of, found) if line.kind in OF_ONE_TRACK)
            found = [line.id for line in lines if named in (_names(line) or alone).casefold()]
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
            both = [(id, text) for id, text in zip(ids, folded, strict=True) if self._pattern.matches(text)]
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


class _Pattern:
    """A regular expression of one line, with a limit on the time that a line may take."""

    def __init__(self, pattern: str) -> None:
        """Compile it. Raises QueryError when it is no regular expression."""
        # Imported when first asked for: most sessions never are.
        import regex

        try:
            self._regex = regex.compile(pattern, regex.IGNORECASE)
        except regex.error as error:
            reason, _, position = str(error).partition(" at position ")
            what = f"The pattern is not a regular expression: {reason}"
            at = int(position) if position.isdigit() else 0
            raise QueryError(what, "Correct it, or turn regular expressions off", at) from error
        self.slow_lines = 0
        """Lines that took longer than `LINE_LIMIT_S`; from `MOST_SLOW_LINES` on nothing matches any more."""

    @property
    def given_up(self) -> bool:
        """Whether the pattern is too slow to search on with."""
        return self.slow_lines >= MOST_SLOW_LINES

    def matches(self, text: str) -> bool:
        """Return whether a line matches, an empty match included."""
        if self.given_up:
            return False
        try:
            return self._regex.search(text, timeout=LINE_LIMIT_S) is not None
        except TimeoutError:
            self.slow_lines += 1
            return False

    def all(self, text: str) -> Iterator[Span]:
        """Yield where a line matches, as far as the time allows."""
        if self.given_up:
            return
        try:
            for match in self._regex.finditer(text, timeout=LINE_LIMIT_S):
                yield match.span()
        except TimeoutError:
            self.slow_lines += 1


def _names(line: Line) -> str:
    """The name of a line's track, where it is shown, and its speaker's."""
    return " ".join(filter(None, (line.track_name, line.speaker)))


def _fold(query: Query) -> Callable[[str], str]:
    """What makes texts equal that are the same to a query; character by character, so that places stay the same."""
    if query.regex:  # it ignores case by itself
        return str if query.accents else _bare
    return str.casefold if query.accents else _bare_folded


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
