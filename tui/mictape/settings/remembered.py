"""Choices made in the app, remembered in `state.toml`. Whatever is in that file, it never stops anything."""

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from mictape.failure import Failure, MictapeError
from mictape.paths import make_folder
from mictape.text_files import read_text, toml

_log = logging.getLogger(__name__)


class ChosenDevice(msgspec.Struct, frozen=True):
    """A device that was chosen in the app: remembered by name and host API, never by an index."""

    name: str
    host_api: str


class Choices(msgspec.Struct, frozen=True):
    """What `state.toml` remembers."""

    device: ChosenDevice | None = None
    engine: str | None = None
    theme: str | None = None
    language: str | None = None
    model: str | None = None
    """Of the local engine; empty: the best one for the language."""
    meters_folded: bool | None = None
    """Whether each meter has one row only."""
    paragraphs: bool | None = None
    """Whether lines of one voice are shown as paragraphs."""


def recall(path: Path) -> Choices:
    """What `state.toml` remembers. A broken one is set aside with a line in the log and counts as empty."""
    return _recall(path)[0]


def remember(
    path: Path,
    *,
    device: ChosenDevice | None = None,
    engine: str | None = None,
    theme: str | None = None,
    language: str | None = None,
    model: str | None = None,
    meters_folded: bool | None = None,
    paragraphs: bool | None = None,
) -> None:
    """Write choices to `state.toml`, at once and as a whole; what is None stays as it was.

    Raises:
        MictapeError: (`ExitCode.SOUND`) it cannot be written; the old one stays.
    """
    _, values = _recall(path)
    changes = {
        "device": msgspec.to_builtins(device),
        "engine": engine,
        "theme": theme,
        "language": language,
        "model": model,
        "meters_folded": meters_folded,
        "paragraphs": paragraphs,
    }
    values |= {key: value for key, value in changes.items() if value is not None}
    try:
        import tomli_w  # not before the first frame

        _write(path, tomli_w.dumps(values))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise MictapeError(
            Failure(f"The choice cannot be remembered in {path}: {why}", "Make room there, or make it writable")
        ) from error


def _recall(path: Path) -> tuple[Choices, dict[str, Any]]:
    """The choices, and all that the file holds: keys of a newer Mictape are to be carried over."""
    try:
        values = toml(read_text(path))
        return msgspec.convert(values, Choices), values
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, not TOML, not the right types
        aside = path.with_name(f"{path.name}.broken")
        _log.warning("%s cannot be used (%s); it is set aside as %s", path, error, aside)
        try:
            path.replace(aside)
        except OSError as second:
            _log.warning("%s cannot be set aside: %s", path, second)
    return Choices(), {}


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, so that a kill leaves the old one or the new one."""
    make_folder(path.parent)
    # mkstemp makes it readable by its owner only.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
