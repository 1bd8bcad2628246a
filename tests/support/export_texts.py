"""Texts that are markup, formulas or commands somewhere, as an export has to write them."""

from mictape.library.export import Document
from mictape.library.records import LineRecord, TrackRecord
from mictape.units import RATE

HOSTILE = (
    "--> 00:00:01,000 --> 00:00:02,000",
    "one\n\n2\n00:00:03,000 --> 00:00:04,000\ntwo",
    "<script>alert(1)</script><b>bold</b> {\\an8}\\Nline",
    "=HYPERLINK(1)",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    'a,"b"\r\n;c',
    "NOTE this",
    "STYLE\n::cue{}",
    "# heading",
    "1. list",
    "- list",
    "\x1b[31mred\x00\x07\x9b",
    "&amp; &lt;",
    "\u2028two\x85rows",
    "</p></body>",
)


def hostile() -> Document:
    """Each of the texts as a line of its own, and as the note on its mark, by two voices in turn."""
    tracks = [TrackRecord(1, "You", "Blue Yeti"), TrackRecord(2, "Client", "Monitor", kind="computer sound")]
    lines = [
        LineRecord(at, 1 + at % 2, at * RATE * 5, (at * 5 + 4) * RATE, text, mark=text)
        for at, text in enumerate(HOSTILE)
    ]
    return Document(None, tracks, lines)
