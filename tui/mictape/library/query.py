"""What is typed to search the library: `budget "opening hours" -draft speaker:Anna after:2026-11 marked`. Pure."""

import contextlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.listing import SessionFilter
from mictape.library.words import has_words, search_words
from mictape.transcript import query as of_one
from mictape.transcript import times
from mictape.units import clock

_TOKENS: Final = re.compile(
    r"""(?P<minus>-?)(?:(?P<name>speaker|after|before|in|tag|device|engine):)?(?:"(?P<quoted>[^"]*)"?|(?P<plain>\S+))""",
    re.IGNORECASE,
)

_BETWEEN_WORDS: Final = re.compile(r"[\s!-/:-@\[-^`{-~\u2019]+")


class Term(msgspec.Struct, frozen=True):
    """A word or a phrase."""

    text: str
    prefix: bool = False
    """Whether its last word is only the beginning of one."""

    def match(self) -> str:
        """The term in FTS5's own query language, in which everything in double quotes is literal."""
        literal = search_words(self.text).replace('"', " ").replace("\0", " ")
        return f'"{literal}"' + ("*" if self.prefix else "")


class LibraryQuery(msgspec.Struct, frozen=True):
    """What is searched for: every term and every filter has to hold."""

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    """Terms that must not be there."""
    speaker: str | None = None
    """Part of the name of a speaker or track."""
    after_utc_s: float | None = None
    """Said then or later, by the clock on the wall."""
    before_utc_s: float | None = None
    """Said earlier than that."""
    after: int | None = None
    """Lines that start there or later in their session, samples at 16 kHz."""
    before: int | None = None
    """Lines that start earlier than that."""
    title: str | None = None
    """Part of the session's title, or how its id begins."""
    tag: str | None = None
    device: str | None = None
    """Part of the name of a device or file."""
    engine: str | None = None
    """The name of an engine."""
    marked: bool = False
    trash: bool = False
    """What is in the trash; else what is not."""

    @property
    def empty(self) -> bool:
        """Whether it says nothing, so that nothing is found."""
        return self == LibraryQuery(without=self.without)

    @property
    def filtered(self) -> bool:
        """Whether it leaves out lines that have all of its terms."""
        return self != LibraryQuery(self.terms, self.without)

    @property
    def has_beginnings(self) -> bool:
        """Whether it asks for beginnings of words, or for lines without them."""
        return any(term.prefix for term in (*self.terms, *self.without))

    @property
    def of_lines(self) -> bool:
        """Whether only lines can be found: it asks for something that titles and tags do not have."""
        return self.marked or (self.speaker, self.after, self.before) != (None, None, None)

    @property
    def sessions(self) -> SessionFilter | None:
        """The sessions that are meant, where nothing in their text is asked for; None where something is."""
        if self.terms or self.without or self.of_lines:
            return None
        return SessionFilter(
            trash=self.trash,
            tag=self.tag,
            device=self.device,
            engine=self.engine,
            title=self.title,
            after_utc_s=self.after_utc_s,
            before_utc_s=self.before_utc_s,
        )

    def in_session(self) -> tuple[str, of_one.Query]:
        """What finds the same in one session: what is typed there, and the switches for it.

        Lines that have any one of several terms are found there, not only those that have all of them.
        """
        terms = [[word for word in _BETWEEN_WORDS.split(term.text.lower()) if word] for term in self.terms]
        regex = sum(map(len, terms)) > 1
        escape = re.escape if regex else str
        found = "|".join(r"\W+".join(map(escape, words)) for words in terms)
        if found and of_one.parse(found).text != found:
            found = f'"{found}"'  # such as the word "marked"
        times = (("after", self.after), ("before", self.before))
        parts = [
            found,
            *([f'speaker:"{self.speaker}"'] if self.speaker else []),
            *(f"{name}:{clock(bound)}" for name, bound in times if bound is not None),
            *(["marked"] if self.marked else []),
        ]
        return " ".join(filter(None, parts)), of_one.Query(regex=regex, accents=False)

    def match(self) -> str:
        """The terms in FTS5's query language; empty without any."""
        if not self.terms:
            return ""
        wanted = " AND ".join(term.match() for term in self.terms)
        return f"({wanted})" + "".join(f" NOT {term.match()}" for term in self.without)


def parse(line: str, *, typing: bool = False, now: Callable[[], datetime] = datetime.now) -> LibraryQuery:
    """Take apart what was typed. In quotes nothing is a filter; a filter without a value is not one yet.

    Args:
        line: Words, `"a phrase"`, `begin*`, `-without`, `speaker:`, `after:` and `before:` (a date, `today`,
            `yesterday`, `7d`, or a time in the session), `in:` (title or id), `tag:`, `device:`, `engine:`, `marked`,
            `in:trash`.
        typing: Whether it is being typed: then the last word may go on.
        now: Gives the present local time.

    Raises:
        MictapeError: (`ExitCode.USAGE`) a date or time is none.
    """
    fields: dict[str, object] = {}
    terms: list[Term] = []
    without: list[Term] = []
    tokens = list(_TOKENS.finditer(line))
    for token in tokens:
        quoted, plain = token["quoted"], token["plain"]
        value = plain if quoted is None else quoted
        name = (token["name"] or "").lower()
        if name in ("after", "before"):
            fields |= _bound(name, value, now())
        elif name == "in" and plain is not None and plain.lower() == "trash":
            fields["trash"] = True
        elif name:
            fields["title" if name == "in" else name] = value
        elif plain is not None and plain.lower() == "marked" and not token["minus"]:
            fields["marked"] = True
        elif plain is not None and re.fullmatch("(?:speaker|after|before|in|tag|device|engine):", plain, re.IGNORECASE):
            continue
        elif has_words(value):
            last = typing and token is tokens[-1] and not line[-1:].isspace() and not (token[0].endswith('"'))
            term = Term(value.rstrip("*") if quoted is None else value, last or (quoted is None and value[-1:] == "*"))
            (without if token["minus"] else terms).append(term)
    return msgspec.convert({**fields, "terms": tuple(terms), "without": tuple(without)}, LibraryQuery)


def _bound(name: str, value: str, now: datetime) -> dict[str, object]:
    """What `after:` or `before:` means: a date, or a time in the session."""
    if (day := _day(value.lower(), now)) is not None:
        return {f"{name}_utc_s": day.timestamp()}
    with contextlib.suppress(MictapeError):
        if isinstance(wish := times.parse(value), times.OnTape):
            return {name: wish.samples}
    what = f"{name}:{value} is neither a date nor a time"
    raise MictapeError(
        Failure(what, "Write 2026-11-23, yesterday, 7d, or a time in the session: 1:02:03", ExitCode.USAGE)
    )


def _day(value: str, now: datetime) -> datetime | None:
    """The local midnight at which a day, month or year begins; None when it is none."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if value in ("today", "yesterday"):
        return midnight - timedelta(days=value == "yesterday")
    if ago := re.fullmatch(r"(\d{1,5})d", value):
        return midnight - timedelta(days=int(ago[1]))
    if date := re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", value):
        with contextlib.suppress(ValueError):
            return datetime(int(date[1]), int(date[2] or 1), int(date[3] or 1))
    return None
