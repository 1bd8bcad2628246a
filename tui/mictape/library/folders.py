"""A session's folder and the lock that shows whether its process is still running."""

import contextlib
import logging
import os
import shutil
import stat
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from filelock import BaseFileLock, Timeout

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.locks import SOFT, take_lock
from mictape.paths import PRIVATE_FOLDER, is_there, make_folder

LOCK_NAME: Final = "lock"
TEMPORARY_PREFIX: Final = "mictape-temporary-"
"""Begins the name of a temporary folder of sessions that are not kept."""

_PROBE_WAIT_S: Final = 1.0
"""`is_alive` holds the lock for an instant; taking it waits that long."""

_LOCKED_AFTER_S: Final = 60.0
"""A temporary folder that was changed later than so long ago may be one that is not locked yet."""

_log = logging.getLogger(__name__)

_shared: Final[dict[Path, BaseFileLock]] = {}
"""The locks that this process holds shared."""
_sharing: Final = threading.Lock()


class SessionFolder:
    """A session's folder, held by this process until `release()`.

    The lock is the operating system's: it is gone with the process, however that ends.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        """Take the lock.

        Args:
            path: The folder.
            shared: Whether others in this process may hold it shared, too: those who read it.

        Raises:
            MictapeError: (`ExitCode.USAGE`) it is held already; (`ExitCode.SOUND`) it cannot be made.
        """
        make_folder(path)
        self.path = path
        self._held = True
        try:
            with _sharing:
                lock = _shared.get(path) if shared else None
                if lock is None:
                    lock = take_lock(path / LOCK_NAME, wait_s=_PROBE_WAIT_S)
                else:
                    lock.acquire()  # it counts
                if shared:
                    _shared[path] = lock
            self._lock = lock
        except Timeout as error:
            raise MictapeError(_held(path.name)) from error
        except OSError as error:
            raise MictapeError(_unusable(path, error)) from error

    @classmethod
    def create(cls, sessions: Path, wish: str) -> Self:
        """Make and hold a new folder named `wish`, or `wish-2`, `wish-3` … when that is taken.

        Raises:
            MictapeError: (`ExitCode.SOUND`) it cannot be made.
        """
        make_folder(sessions)
        number = 1
        while True:
            path = sessions / (wish if number == 1 else f"{wish}-{number}")
            try:
                # Making it is also what claims the name: of two processes only one succeeds.
                path.mkdir(mode=PRIVATE_FOLDER)
            except FileExistsError:
                number += 1
            except OSError as error:
                raise MictapeError(_unusable(path, error)) from error
            else:
                return cls(path)

    @property
    def session(self) -> str:
        """The session's id."""
        return self.path.name

    def release(self) -> None:
        """Release the lock; a second time does nothing."""
        with _sharing:
            if self._held:
                self._held = False
                self._lock.release()
                if not self._lock.is_locked and _shared.get(self.path) is self._lock:
                    del _shared[self.path]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_alive(folder: Path) -> bool:
    """Whether a living process holds the session in `folder`."""
    if not is_there(folder / LOCK_NAME):
        return False
    try:
        take_lock(folder / LOCK_NAME).release()
    except Timeout:
        return True
    except OSError:  # no lock can be taken there, so none is held
        pass
    return False


def remove(folder: Path) -> None:
    """Remove a session's folder with all that is in it; nothing happens when it is not there.

    Raises:
        MictapeError: (`ExitCode.USAGE`) a living process holds it; (`ExitCode.SOUND`) something cannot be removed.
    """
    if not is_there(folder):
        return
    with SessionFolder(folder):
        try:
            for entry in folder.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.name not in (LOCK_NAME, LOCK_NAME + SOFT):
                    entry.unlink()
        except OSError as error:
            raise MictapeError(_unusable(folder, error)) from error
    # Windows does not remove an open file, so the lock goes last, on its own.
    shutil.rmtree(folder, ignore_errors=True)


def temporary_sessions() -> SessionFolder:
    """A new temporary folder for sessions that are not kept, held; removes those that killed processes left behind."""
    for left in Path(tempfile.gettempdir()).glob(f"{TEMPORARY_PREFIX}*"):
        if _is_ours_and_old(left) and not is_alive(left):
            _log.info("removing %s, left by a process that was killed", left)
            shutil.rmtree(left, ignore_errors=True)
    return SessionFolder(Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX)))


def discard(folder: SessionFolder) -> None:
    """Remove a folder of `temporary_sessions()`; what cannot be removed now, a later start removes."""
    folder.release()
    shutil.rmtree(folder.path, ignore_errors=True)


def _is_ours_and_old(folder: Path) -> bool:
    """Whether it is a real folder of this user that its process has had the time to lock.

    Any user may put names into the temporary folder.
    """
    with contextlib.suppress(OSError):
        found = folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and (not hasattr(os, "getuid") or found.st_uid == os.getuid())
        return ours and abs(time.time() - found.st_mtime) > _LOCKED_AFTER_S
    return False


def _held(session: str) -> Failure:
    return Failure(
        what=f"Session {session} is being recorded or is open already",
        remedy="Close it there first",
        code=ExitCode.USAGE,
    )


def _unusable(folder: Path, error: OSError) -> Failure:
    return Failure(
        what=f"The session's folder {folder} cannot be used: {(error.strerror or str(error)).lower()}",
        remedy="See that it is writable and that the disk has room",
        code=ExitCode.SOUND,
    )
