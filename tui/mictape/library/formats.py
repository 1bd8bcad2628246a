"""The export formats, each declared once: what the screen, the command line, the settings and the docs offer.

The functions that write them are imported when something is written: the names are needed for the first frame.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from msgspec import Struct

from mictape.failure import ExitCode, Failure, MictapeError

if TYPE_CHECKING:
    from mictape.library.export.document import Document

FormatName = Literal["txt", "md", "srt", "vtt", "json", "csv", "html"]
"""The names, as a type for the settings."""


class Format(Struct, frozen=True):
    """One format."""

    name: FormatName
    title: str
    """What it is, in a word or two."""
    endings: tuple[str, ...]
    """Of file names, lower case, with the dot; the first one is what Mictape writes itself."""
    writer: str
    """`MODULE:FUNCTION` of `mictape.library.export`: from a document to the file's text."""

    def write(self, document: "Document") -> Iterable[str]:
        """The file's text, piece by piece, line ends included."""
        from pkgutil import resolve_name  # not before the first frame

        return resolve_name(f"mictape.library.export.{self.writer}")(document)


FORMATS: Final[Mapping[str, Format]] = {
    each.name: each
    for each in (
        Format("txt", "plain text", (".txt", ".text"), "text:txt"),
        Format("md", "Markdown", (".md", ".markdown"), "text:markdown"),
        Format("srt", "SubRip subtitles", (".srt",), "subtitles:subrip"),
        Format("vtt", "WebVTT subtitles", (".vtt",), "subtitles:webvtt"),
        Format("json", "JSON, with words and times", (".json",), "objects:json_document"),
        Format("csv", "a table for spreadsheets", (".csv",), "table:table"),
        Format("html", "a web page to read and print", (".html", ".htm"), "page:page"),
    )
}
"""Every format by name, in the order they are offered. To add one: its name in `FormatName`, and a row here."""

NAMES: Final[tuple[str, ...]] = get_args(FormatName)

LONGEST_TITLE: Final = 80
"""Characters of a session's title that are in a file's name."""

_UNSAFE: Final = re.compile(r'[\x00-\x20<>:"/\\|?*]+')
"""What some system does not take in a file's name."""


def in_file_name(title: str) -> str:
    """A session's title as a part of a file's name on any system; empty when nothing of it can be."""
    return _UNSAFE.sub(" ", title).strip()[:LONGEST_TITLE].strip(" .")


def format_of(path: Path) -> Format:
    """The format that a file's ending names.

    Raises:
        MictapeError: (`ExitCode.USAGE`) no format has this ending. It is never written as something else.
    """
    for each in FORMATS.values():
        if path.suffix.lower() in each.endings:
            return each
    what = f'"{path.name}" has no ending of a known format' if not path.suffix else f"No format ends in {path.suffix}"
    raise MictapeError(Failure(what, f"Use one of: {endings()}", ExitCode.USAGE))


def endings() -> str:
    """The endings that Mictape writes, for a message: `.txt, .md, …`."""
    return ", ".join(each.endings[0] for each in FORMATS.values())
