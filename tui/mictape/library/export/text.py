"""Plain text and Markdown."""

import re
from collections.abc import Iterator
from typing import Final, Protocol

from mictape.library.export.document import Document
from mictape.library.records import LineRecord
from mictape.plain_text import one_line
from mictape.transcript.line import NOTE, SPEECH, Kind, bracketed

STAR: Final = "★"
"""Before a line that is marked."""

_MARKDOWN: Final = re.compile(r"[\\`*_\[\]<>#|~&]")
"""What may begin or end something in CommonMark or its tables (https://spec.commonmark.org/0.31.2/#ascii-punctuation-character)."""

_LIST: Final = re.compile(r"^(\d+|)([.)+-]|=)")
"""What makes a paragraph a list or a heading when it stands at its beginning."""


class Shown(Protocol):
    """A line as it is shown: of the screen or of the library."""

    @property
    def text(self) -> str:
        """What is shown."""
        ...

    @property
    def kind(self) -> Kind:
        """What the line is."""
        ...

    @property
    def mark(self) -> str | None:
        """The note on its mark, empty without one; None when it is not marked."""
        ...


def txt(document: Document) -> Iterator[str]:
    """Plain text, a line for each line; by itself with no times."""
    for line in document.lines:
        time = document.time_of(line) if document.shows_times(False) else ""
        yield plain(line, time=time, voice=document.voice(line)) + "\n"


def plain(line: Shown, *, time: str = "", voice: str = "") -> str:
    """A line as plain text without its end: mark, time, who speaks, what was said, the note on the mark."""
    text = bracketed(line.kind, one_line(line.text))
    star = f"{STAR} " if line.mark is not None else ""
    note = f" [{one_line(line.mark)}]" if line.mark else ""
    return f"{star}{f'{time}  ' if time else ''}{f'{one_line(voice)}: ' if voice else ''}{text}{note}"


def markdown(document: Document) -> Iterator[str]:
    """Markdown: a head, and a paragraph for each line. Nothing that was said is read as markup."""
    yield f"# {_escaped(document.title)}\n\n"
    for name, text in document.facts():
        yield f"- {name}: {_escaped(text)}\n"
    yield "\n"
    for line in document.lines:
        yield f"{_paragraph(document, line)}\n\n"


def _paragraph(document: Document, line: LineRecord) -> str:
    time = f"`{document.time_of(line)}` " if document.shows_times(True) else ""
    voice = f"**{_escaped(name)}:** " if (name := document.voice(line)) else ""
    text = _escaped(line.text)
    if line.kind == NOTE:
        voice = ""
    elif line.kind != SPEECH:
        text = f"*{text}*"
    elif not time and not voice:
        text = _LIST.sub(lambda found: f"{found[1]}\\{found[2]}", text)
    quote = "> " if line.kind == NOTE else ""
    star = f"{STAR} " if line.mark is not None else ""
    note = f" — *{_escaped(line.mark)}*" if line.mark else ""
    return f"{quote}{star}{time}{voice}{text}{note}"


def _escaped(text: str) -> str:
    """Text of which Markdown makes nothing else."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text).strip())
