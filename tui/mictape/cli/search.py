"""The command `search`: find words in everything that was recorded."""

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Final

from mictape.cli import output
from mictape.cli.options import Commands
from mictape.cli.sessions import reading
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.paths import Places
from mictape.plain_text import one_line

if TYPE_CHECKING:  # the library is loaded by the commands that use it
    from mictape.library.hits import Hit, SessionHits

LIMIT: Final = 100
"""Lines that are printed unless more are asked for."""

_MORE: Final = re.compile(r'"|\*(?!\S)|(?<!\S)(?:-|\w+:|marked(?!\S))')
"""What plain words have none of: quotes, the beginning of a word, something left out, a filter."""

DESCRIPTION: Final = """\
Words are found whole, in any case, with and without accents: word, "a phrase", begin*, -without.
Filters: speaker:NAME  after:DATE  before:DATE  in:TITLE  tag:TAG  in:trash  marked.
A date is 2026-11-23, 2026-11, 2026, today, yesterday or 7d; a time like 1:02:03 is one in the session.
Put -- before words that begin with a dash: mictape search -- budget -draft
"""


def add(commands: Commands) -> None:
    """Add the command."""
    search = commands.add_parser("search", help="find words in all sessions", description=DESCRIPTION)
    search.formatter_class = argparse.RawDescriptionHelpFormatter
    search.add_argument("words", metavar="WORDS", nargs="+", help="what to find")
    search.add_argument("--json", action="store_true", help="one JSON object per session and page")
    search.add_argument("--limit", metavar="N", type=int, default=LIMIT, help=f"lines at most; 0: all; default {LIMIT}")
    search.set_defaults(run=_search)


def _search(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library import export
    from mictape.library.hits import PAGE
    from mictape.library.query import parse
    from mictape.library.search import find

    query = parse(" ".join(map(_quoted, arguments.words)))
    if query.empty:
        what = "There is nothing to search for"
        raise MictapeError(Failure(what, "Name a word, or a filter with a value: speaker:anna", ExitCode.USAGE))
    left = arguments.limit or sys.maxsize
    found, page = False, None
    with reading(where) as store:
        while left > 0:
            result = find(store, query, page=page, limit=min(PAGE, left))
            for session in result.sessions:
                found = True
                left -= sum(hit.what in ("line", "note") for hit in session.hits)
                print(export.json_hits(session) if arguments.json else _text_of(session), flush=True)
            page = result.following
            if page is None:
                break
    if not found:
        output.note("Nothing found.")
    elif page is not None:
        output.note(f"There is more: --limit 0 prints everything, not only {arguments.limit} lines.")
    return ExitCode.DONE


def _quoted(word: str) -> str:
    """An argument of several words, which the shell has taken the quotes off, is a phrase; with a filter a search."""
    return f'"{word}"' if any(char.isspace() for char in word) and not _MORE.search(word) else word


def _text_of(session: "SessionHits") -> str:
    """A session and what was found in it, as lines of text."""
    from mictape.library.titles import title_of

    record = session.session
    head = "  ".join(filter(None, [record.id, f"{record.started:%a %Y-%m-%d %H:%M}", one_line(title_of(record))]))
    return "\n".join([head, *(f"  {_hit(hit)}" for hit in session.hits), ""])


def _hit(hit: "Hit") -> str:
    from mictape.library.export.text import STAR
    from mictape.units import clock

    if hit.start is None:
        return f"{hit.what}: {_marked_up(hit)}"
    voice = f"{one_line(hit.voice)}: " if hit.voice else ""
    what = f"{hit.what}: " if hit.what != "line" else ""
    star = f"{STAR} " if hit.mark is not None else ""
    note = f" [{one_line(hit.mark)}]" if hit.mark and hit.what == "line" else ""
    return f"{star}{clock(hit.start)}  {what}{voice}{_marked_up(hit)}{note}"


def _marked_up(hit: "Hit") -> str:
    """The text, on a terminal with what was found in bold."""
    bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    parts: list[str] = []
    at = 0
    for start, end in hit.spans if bold else ():
        parts += [one_line(hit.text[at:start]), f"\x1b[1m{one_line(hit.text[start:end])}\x1b[0m"]
        at = end
    return "".join([*parts, one_line(hit.text[at:])])
