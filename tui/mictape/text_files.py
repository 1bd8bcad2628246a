"""Text files that a person may have written: settings, themes, lists. Whatever is in them, reading them ends."""

import os
from errno import EFBIG, EINVAL
from pathlib import Path
from stat import S_ISFIFO
from typing import Any, Final

LARGEST_BYTES: Final = 4_000_000
"""A larger file is no such text: a device without an end, or a recording that was named by mistake."""


def read_text(path: Path, *, pipe: bool = False) -> str:
    """All of a text file, without the mark that some editors put before it.

    Args:
        path: The file.
        pipe: Whether it may be a named pipe, whose writer is waited for: one that the person has just named.

    Raises:
        OSError: It cannot be read, is larger than `LARGEST_BYTES`, or is a pipe where it may be none.
        UnicodeDecodeError: It is not UTF-8.
    """
    if not pipe and S_ISFIFO(path.stat().st_mode):
        raise OSError(EINVAL, "it is a pipe", str(path))
    with path.open("rb") as file:
        found = file.read(LARGEST_BYTES + 1)
    if len(found) > LARGEST_BYTES:
        raise OSError(EFBIG, os.strerror(EFBIG), str(path))
    return found.decode("utf-8-sig")


def toml(text: str) -> dict[str, Any]:
    """What a text in TOML says.

    Raises:
        ValueError: It is not TOML, or no value that Python can make of it; with the reason.
    """
    import tomllib  # which a start without files of the person's needs for nothing

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError("too many brackets within brackets") from None
    except ValueError:  # of int()
        raise ValueError("a number has too many digits") from None
