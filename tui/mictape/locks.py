"""A lock between processes that is gone with its process, also on file systems that have no locks."""

import sys
import tempfile
from errno import ENOLCK, EOPNOTSUPP
from pathlib import Path
from typing import Final

from filelock import BaseFileLock, FileLock, SoftFileLock

from mictape.paths import PRIVATE_FILE

SOFT: Final = ".soft"
"""Ends the name of a lock that is a file with its owner's process id: after a kill, the next one finds it stale."""

_POLL_S: Final = 0.02


def take_lock(path: Path, *, wait_s: float = 0) -> BaseFileLock:
    """Lock `path`, a file that is made, for this process, whichever of its threads asks; `release()` ends it.

    On NFS without a lock service and on some shared folders there are no locks (filelock itself goes on without them
    only where the whole system has none); a file beside `path` serves instead.

    Raises:
        filelock.Timeout: Another process has it, and still had it after `wait_s` seconds.
        OSError: It cannot be made.
    """
    try:
        return _taken(FileLock(path, mode=PRIVATE_FILE, thread_local=False), wait_s)
    except OSError as error:
        if error.errno not in (ENOLCK, EOPNOTSUPP):
            raise
    return _taken(SoftFileLock(path.with_name(path.name + SOFT), mode=PRIVATE_FILE, thread_local=False), wait_s)


def _taken(lock: BaseFileLock, wait_s: float) -> BaseFileLock:
    lock.acquire(timeout=wait_s, poll_interval=_POLL_S)
    return lock


def has_record_locks(folder: Path) -> bool:
    """Whether parts of a file in a folder can be locked, which SQLite needs.

    Raises OSError when no file can be made there.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    with tempfile.TemporaryFile(dir=folder) as file:  # closing a file of SQLite's own would end its locks
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in (ENOLCK, EOPNOTSUPP)
    return True
