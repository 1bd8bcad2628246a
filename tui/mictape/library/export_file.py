"""A transcript, or lines of it, written to a file while it grows."""

import asyncio
import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mictape.library.export import markdown, standing
from mictape.transcript.model import Transcript

SLICE: Final = 500
"""Lines that are made into text before others have a turn: 4 ms of work."""

_LONGEST_NAME: Final = 100
"""Characters of a file's name that are in the name of the one beside it, which must not get too long."""

MARKDOWN: Final = frozenset({".md", ".markdown"})


async def write(transcript: Transcript, ids: Sequence[int], path: Path, *, over: bool) -> int:
    """Write lines as they stand, and return how many it were.

    The file is whole or not there: it is written beside its place and then put into it.

    Args:
        transcript: whose lines.
        ids: which of them, in the order of the file; those that have gone meanwhile are left out.
        path: where to; a name that ends in .md gives Markdown, a paragraph a line, any other plain text.
        over: whether a file that is there may be replaced.

    Raises:
        FileExistsError: it is there and may not be replaced.
        OSError: as the system says.
    """
    form, end = (markdown, "\n\n") if path.suffix.lower() in MARKDOWN else (standing, "\n")
    written = 0
    with (
        placed(path, over=over) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="replace", newline="\n") as file,
    ):
        for first in range(0, len(ids), SLICE):
            lines = [transcript.line_of(id) for id in ids[first : first + SLICE] if id in transcript]
            file.write("".join(form(line) + end for line in lines))
            written += len(lines)
            await asyncio.sleep(0)
    return written


@contextmanager
def placed(path: Path, *, over: bool) -> Generator[Path]:
    """A file, beside its place, for the length of a `with` block; then it is put into its place, whole, or removed.

    Args:
        path: its place.
        over: whether a file that is there may be replaced.

    Raises:
        FileExistsError: it is there and may not be replaced.
        OSError: as the system says.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:_LONGEST_NAME]}-")
    os.close(descriptor)
    try:
        yield Path(name)
        _put(name, path, over=over)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _put(name: str, path: Path, *, over: bool) -> None:
    """Move a finished file to its place. Raises FileExistsError."""
    if over:
        Path(name).replace(path)
        return
    try:
        os.link(name, path)  # unlike a rename this never replaces
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with path.open("xb"):
            Path(name).replace(path)
    else:
        Path(name).unlink()
