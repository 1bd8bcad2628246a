"""HTML: one file, to read and to print. It runs no script and loads nothing but the sound beside it."""

from collections.abc import Iterator
from html import escape
from typing import Final
from urllib.parse import quote

from mictape.library.export.document import Document
from mictape.library.export.text import STAR
from mictape.library.records import LineRecord
from mictape.plain_text import one_line
from mictape.transcript.line import NOTE, SPEECH

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; media-src *"

STYLE: Final = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }
dt, time, .other { opacity: .7; }
dd { margin: 0; }
p { margin: .5rem 0; break-inside: avoid; }
time { font-variant-numeric: tabular-nums; margin-right: .5rem; }
.marked { border-left: .25rem solid; padding-left: .5rem; }
.note { border-left: .25rem dotted; padding-left: .5rem; }
audio { width: 100%; }
@media print { audio { display: none; } body { margin: 0; max-width: none; } }
"""


def page(document: Document) -> Iterator[str]:
    """The page: a head, a player where the sound is beside it, and a paragraph for each line."""
    title = escape(document.title)
    yield "<!DOCTYPE html>\n"
    yield f'<html>\n<head>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<dl>\n"
    for name, text in document.facts():
        yield f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>\n"
    yield "</dl>\n"
    if document.sound:
        yield f'<audio controls preload="none" src="{escape(quote(document.sound))}"></audio>\n'
    for line in document.lines:
        yield _paragraph(document, line)
    yield "</body>\n</html>\n"


def _paragraph(document: Document, line: LineRecord) -> str:
    time = f"<time>{escape(document.time_of(line))}</time>" if document.shows_times(True) else ""
    voice = f"<b>{escape(name)}:</b> " if (name := document.voice(line)) else ""
    text = escape(one_line(line.text))
    if line.kind == NOTE:
        voice = "<i>Note:</i> "
    kind, star = ("marked", f"{STAR} ") if line.mark is not None else ("", "")
    if line.kind != SPEECH:
        kind = "note" if line.kind == NOTE else "other"
    opening = f'<p class="{kind}">' if kind else "<p>"
    note = f" <i>({escape(one_line(line.mark))})</i>" if line.mark else ""
    return f"{opening}{star}{time}{voice}{text}{note}</p>\n"
