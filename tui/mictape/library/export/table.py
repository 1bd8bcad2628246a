"""Comma-separated values (RFC 4180), for spreadsheets and programs."""

import csv
import io
from collections.abc import Iterator
from typing import Final

from mictape.library.export.document import Document
from mictape.plain_text import one_line
from mictape.units import RATE

COLUMNS: Final = ("start_s", "end_s", "time", "track", "speaker", "kind", "text", "marked", "mark_note")

_FORMULA: Final = ("=", "+", "-", "@")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV Injection); tabs and line ends are spaces already."""


def table(document: Document) -> Iterator[str]:
    """A row for each line, below a row with the names of the columns. Times are seconds, and as people read them."""
    names = {track.number: track.name for track in document.tracks}
    yield _row(COLUMNS)
    for line in document.lines:
        yield _row(
            (
                f"{line.start / RATE:.3f}",
                f"{line.end / RATE:.3f}",
                document.time_of(line),
                _cell(names.get(line.track, str(line.track))),
                _cell(line.speaker or ""),
                line.kind.name.lower(),
                _cell(line.text),
                "yes" if line.mark is not None else "",
                _cell(line.mark or ""),
            )
        )


def _row(cells: tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(text: str) -> str:
    """Text of which no spreadsheet makes a formula."""
    text = one_line(text)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
