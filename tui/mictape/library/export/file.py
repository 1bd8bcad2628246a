"""An export in its file: whole or not at all."""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mictape.failure import ExitCode, Failure, MictapeError

_LONGEST_NAME: Final = 100
"""Characters of a file's name that are in the name of the one beside it, which must not get too long."""


def write(pieces: Iterable[str], path: Path, *, over: bool) -> None:
    """Write text to a file, as UTF-8. Arguments and errors are those of `placed`."""
    with (
        placed(path, over=over) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        file.writelines(pieces)


@contextmanager
def placed(path: Path, *, over: bool) -> Generator[Path]:
    """A file, beside its place, for the length of a `with` block; then it is put into its place, whole, or removed.

    Links are followed, and a file that is replaced keeps its mode. A new one can be read by its owner only, as the
    library can.

    Args:
        path: Its place.
        over: Whether a file that is there may be replaced.

    Raises:
        MictapeError: (`ExitCode.USAGE`) a folder, a pipe or a device is there; (`ExitCode.SOUND`) a file is there and
            may not be replaced, or it cannot be written.
    """
    target, mode = check(path, over=over)
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:_LONGEST_NAME]}-")
        os.close(descriptor)
        try:
            yield Path(name)
            if mode is not None:
                Path(name).chmod(mode)
            _put(name, target, over=over)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise _unwritable(path, error) from error


def check(path: Path, *, over: bool) -> tuple[Path, int | None]:
    """What `placed` would write: the file that links lead to, and its mode if it exists. Raises as `placed` does."""
    try:
        target = path.resolve()
        mode = _mode_of(target)
    except (OSError, RuntimeError) as error:  # which of them links in a circle are depends on the Python
        raise _unwritable(path, error) from error
    if mode is not None and not over:
        raise _exists(target)
    return target, mode


def _unwritable(path: Path, error: OSError | RuntimeError) -> MictapeError:
    if isinstance(error, FileNotFoundError):
        return MictapeError(Failure(f"There is no folder {path.parent}", "Make it, or use another one"))
    reason = getattr(error, "strerror", None) or str(error)
    room = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    remedy = "Make room there, or use another folder" if room else "Use another folder"
    return MictapeError(Failure(f"{path} cannot be written: {reason.lower()}", remedy))


def _mode_of(target: Path) -> int | None:
    """The mode of a file that exists; None when there is none. Raises MictapeError when it is no regular file."""
    try:
        found = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found):
        what = "a folder" if stat.S_ISDIR(found) else "no regular file"
        raise MictapeError(Failure(f"{target} is {what}", "Use the name of a file", ExitCode.USAGE))
    return stat.S_IMODE(found)


def _exists(target: Path) -> MictapeError:
    return MictapeError(Failure(f"{target} exists", "Use another name, or replace it (--force on the command line)"))


def _put(name: str, target: Path, *, over: bool) -> None:
    """Move a finished file to its place. Raises FileExistsError."""
    if over:
        Path(name).replace(target)
        return
    try:
        os.link(name, target)  # unlike a rename this never replaces
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with target.open("xb"):
            Path(name).replace(target)
    else:
        Path(name).unlink()
