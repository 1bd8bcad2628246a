"""The export formats, each declared once: what the screen, the command line, the settings and the docs offer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.export.document import Document
from mictape.library.export.objects import json_document
from mictape.library.export.page import page
from mictape.library.export.subtitles import subrip, webvtt
from mictape.library.export.table import table
from mictape.library.export.text import markdown, txt

FormatName = Literal["txt", "md", "srt", "vtt", "json", "csv", "html"]
"""The names, as a type for the settings."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format."""

    name: FormatName
    title: str
    """What it is, in a word or two."""
    endings: tuple[str, ...]
    """Of file names, lower case, with the dot; the first one is what Mictape writes itself."""
    write: Callable[[Document], Iterable[str]]
    """The file's text, piece by piece, line ends included."""


FORMATS: Final[Mapping[str, Format]] = {
    each.name: each
    for each in (
        Format("txt", "plain text", (".txt", ".text"), txt),
        Format("md", "Markdown", (".md", ".markdown"), markdown),
        Format("srt", "SubRip subtitles", (".srt",), subrip),
        Format("vtt", "WebVTT subtitles", (".vtt",), webvtt),
        Format("json", "JSON, with words and times", (".json",), json_document),
        Format("csv", "a table for spreadsheets", (".csv",), table),
        Format("html", "a web page to read and print", (".html", ".htm"), page),
    )
}
"""Every format by name, in the order they are offered. To add one: its name in `FormatName`, and a row here."""

NAMES: Final[tuple[str, ...]] = get_args(FormatName)


def format_of(path: Path) -> Format:
    """The format that a file's ending names.

    Raises:
        MictapeError: (`ExitCode.USAGE`) no format has this ending. It is never written as something else.
    """
    for each in FORMATS.values():
        if path.suffix.lower() in each.endings:
            return each
    what = f"{path.name!r} has no ending of a known format" if not path.suffix else f"No format ends in {path.suffix}"
    raise MictapeError(Failure(what, f"Use one of: {endings()}", ExitCode.USAGE))


def endings() -> str:
    """The endings that Mictape writes, for a message: `.txt, .md, …`."""
    return ", ".join(each.endings[0] for each in FORMATS.values())
