"""SQLite set up for the library: private, durable, and with sentences for its errors."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.schema import migrate
from mictape.paths import PRIVATE_FILE, make_folder

_MOVE_AWAY: Final = "Move it away: Mictape begins a new one, and the sound of old sessions stays"

_TROUBLES: Final = {
    "SQLITE_CORRUPT": ("is damaged", _MOVE_AWAY),
    "SQLITE_NOTADB": ("is not a library", _MOVE_AWAY),
    "SQLITE_BUSY": ("is held by another program", "End the other program, or try again"),
    "SQLITE_LOCKED": ("is held by another program", "End the other program, or try again"),
    "SQLITE_FULL": ("cannot grow, the disk is full", "Make room on the disk"),
    "SQLITE_READONLY": ("cannot be written to", "Make it writable, or name another folder in MICTAPE_HOME"),
    "SQLITE_CANTOPEN": ("cannot be opened", "See that it is a file of yours, or name another folder in MICTAPE_HOME"),
    "SQLITE_IOERR": ("cannot be read or written, the disk reports an error", "Make room on the disk and check it"),
}
"""By the front of SQLite's error names, https://www.sqlite.org/rescode.html: extended codes go on after it."""


def connect(path: Path | None, *, busy_s: float) -> sqlite3.Connection:
    """Open the database, in memory when `path` is None, and bring it to the present version.

    Args:
        path: made when it is not there, readable by its owner only.
        busy_s: seconds that a statement waits for another process.

    Raises:
        MictapeError: (`ExitCode.SOUND`) it cannot be opened, is damaged, or is of a newer Mictape; then nothing
            was touched.
    """
    if path is not None:
        make_folder(path.parent)
    with sqlite_errors(path):
        if path is not None:
            # SQLite gives its -wal and -shm files the mode of the database.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))
        db = sqlite3.connect(path or ":memory:", timeout=busy_s, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            migrate(db)  # first: it is what refuses a library that must not be touched
            # Readers never wait for the writer; a commit outlives the death of the process, though not of the
            # machine, without an fsync each (https://www.sqlite.org/pragma.html#pragma_synchronous).
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not only forgotten
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection, path: Path | None) -> Generator[None]:
    """Write all of what the block does, or nothing of it."""
    with sqlite_errors(path):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk may have rolled it back already
                db.execute("ROLLBACK")
            raise


@contextmanager
def sqlite_errors(path: Path | None) -> Generator[None]:
    """Turn errors of the database at `path` into sentences; what is a mistake of this program stays as it is."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        name: str = getattr(error, "sqlite_errorname", "")
        known = (trouble for front, trouble in _TROUBLES.items() if name.startswith(front))
        what, remedy = next(known, (f"fails: {error}", ""))
        raise MictapeError(_failure(path, what, remedy)) from error
    except OSError as error:
        raise MictapeError(_failure(path, f"cannot be opened: {(error.strerror or str(error)).lower()}", "")) from error


def _failure(path: Path | None, what: str, remedy: str) -> Failure:
    where = "in memory" if path is None else str(path)
    return Failure(what=f"The library {where} {what}", remedy=remedy or "See the log", code=ExitCode.SOUND)
