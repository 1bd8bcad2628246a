"""A transcript as text for other programs and for printing: the formats, and the file they are written to.

`library.formats` declares every format once; each is a function from a `Document` to text. What was recognised is
data: no format lets it become markup, a formula, a command for a terminal or the end of a record.
"""

from mictape.library.export.document import Document, Style
from mictape.library.export.file import check, placed, write
from mictape.library.export.lists import json_hits, json_list
from mictape.library.export.objects import json_line, json_partial
from mictape.library.export.text import plain
from mictape.library.formats import FORMATS, NAMES, Format, FormatName, endings, format_of

__all__ = [
    "FORMATS",
    "NAMES",
    "Document",
    "Format",
    "FormatName",
    "Style",
    "check",
    "endings",
    "format_of",
    "json_hits",
    "json_line",
    "json_list",
    "json_partial",
    "placed",
    "plain",
    "write",
]
