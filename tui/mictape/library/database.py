"""SQLite set up for the library: private, durable, and with sentences for its errors."""

import logging
import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library import schema
from mictape.library.words import bare, search_words
from mictape.locks import has_record_locks
from mictape.paths import PRIVATE_FILE, make_folder

_log = logging.getLogger(__name__)

_LOCAL: Final = "Name a folder on a local disk in MICTAPE_HOME"
_MOVE_AWAY: Final = "Move it away: Mictape begins a new one, and the recordings of old sessions stay"

_CHECKPOINT_PAGES: Final = 4_000
"""Pages of the log that are moved into the database at a time, 16 MB.

A line takes a dozen of them. With SQLite's own thousand one line of a hundred waits for that, which `make bench` shows.
"""
_NO_SHARED_MEMORY: Final = "SQLITE_IOERR_SHM"
_DAMAGED_INDEX: Final = ("SQLITE_CORRUPT_VTAB", "SQLITE_CONSTRAINT")
"""What FTS5 says when its own rows contradict each other. A constraint of a table of ours has a longer name.

It may also ask for as much memory as a damaged row says, which Python makes a MemoryError.
"""
_GONE: Final = ("has been moved or deleted", "Put it back, or export the text")
_MADE_AGAIN: Final = ("had a damaged search index, which has been made again", "Try again")

_TROUBLES: Final = {
    "SQLITE_CORRUPT_VTAB": ("has a damaged search index", "Start Mictape again: it is made again then"),
    "SQLITE_IOERR_SHM": ("lies on a file system that cannot share memory", _LOCAL),
    "SQLITE_IOERR_LOCK": ("lies on a file system that cannot lock files", _LOCAL),
    "SQLITE_PROTOCOL": ("lies on a file system that cannot lock files", _LOCAL),
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

    Before an older library is changed, a copy of it is written beside it.

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
        try:
            return _opened(path, busy_s)
        except sqlite3.OperationalError as error:
            if not getattr(error, "sqlite_errorname", "").startswith(_NO_SHARED_MEMORY):
                raise
            return _opened(path, busy_s, shares_memory=False)


def copied(path: Path) -> sqlite3.Connection:
    """A copy in memory of a database that may only be read, brought to the present version.

    Raises:
        MictapeError: (`ExitCode.SOUND`) it cannot be read, is damaged, or is of a newer Mictape.
    """
    with sqlite_errors(path):
        try:
            return _opened(None, 0, copy_of=f"{path.absolute().as_uri()}?mode=ro")
        except sqlite3.OperationalError:
            # A write-ahead log needs files beside the database. Where none can be made, there is no other writer.
            return _opened(None, 0, copy_of=f"{path.absolute().as_uri()}?immutable=1")


def _opened(path: Path | None, busy_s: float, *, shares_memory: bool = True, copy_of: str = "") -> sqlite3.Connection:
    """Open the database once, as `connect`; in memory with what is in another one when `copy_of` is its URI."""
    db = sqlite3.connect(path or ":memory:", timeout=busy_s, isolation_level=None)
    try:
        if copy_of:
            with closing(sqlite3.connect(copy_of, uri=True)) as original:
                original.backup(db)
        db.row_factory = sqlite3.Row
        db.create_function("search_words", 1, _of_text(search_words), deterministic=True)
        db.create_function("bare", 1, _of_text(bare), deterministic=True)
        db.execute("PRAGMA trusted_schema = ON")  # the triggers of the search indexes call it
        if not shares_memory:  # before anything is read: a lone process needs no shared memory for a write-ahead log
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
        schema.refuse_newer(db)  # before anything is written: such a library must not be touched
        _set_journal(db, shares_memory=shares_memory)
        if path is not None and 0 < schema.version_of(db) < len(schema.STEPS):
            _copy(db, path)
        schema.migrate(db)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not only forgotten
        _mend_indexes(db)
    except BaseException:
        db.close()
        raise
    return db


def _of_text(change: Callable[[str], str]) -> Callable[[str | None], str]:
    """A function of texts for SQL, in which no text is an empty one."""
    return lambda text: change(text or "")


def _set_journal(db: sqlite3.Connection, *, shares_memory: bool) -> None:
    """Use a write-ahead log, or a rollback journal on file systems that cannot share memory (9p, some NFS).

    With the log, readers never wait for the writer, and a commit outlives the death of the process, though not of the
    machine, without an fsync each (https://www.sqlite.org/pragma.html#pragma_synchronous).
    """
    if shares_memory:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    else:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA locking_mode = NORMAL")
    db.execute("SELECT count(*) FROM sqlite_master").fetchone()  # maps the memory, or gives the exclusive lock back
    db.execute("PRAGMA synchronous = NORMAL")


def _copy(db: sqlite3.Connection, path: Path) -> None:
    """Copy an older library to `library-version-N.db` beside it, unless that is there."""
    version = schema.version_of(db)
    target = path.with_name(f"{path.stem}-version-{version}{path.suffix}")
    if target.exists():
        return
    part = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE))
        with closing(sqlite3.connect(part)) as copy:
            db.backup(copy)
            whole = schema.version_of(copy) == version  # else another Mictape has migrated it meanwhile
            copy.execute("PRAGMA journal_mode = DELETE")
        if whole:
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _mend_indexes(db: sqlite3.Connection) -> None:
    """Make the search indexes again where they are missing or cannot be read."""
    try:
        for index in ("line_index", "session_index"):
            db.execute(f"SELECT rowid FROM {index} WHERE {index} MATCH 'a' LIMIT 1").fetchall()
    except (sqlite3.DatabaseError, MemoryError) as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR")):
            raise
        _log.warning("the search indexes are made again: %s", error)
        schema.rebuild_indexes(db)


@contextmanager
def transaction(db: sqlite3.Connection, path: Path | None) -> Generator[None]:
    """Write all of what the block does, or nothing of it.

    When a search index turns out to be damaged it is made again; the error says so, and a second try succeeds.
    """
    with sqlite_errors(path):
        if path is not None and not path.exists():  # SQLite would go on with the file that no name leads to any more
            raise MictapeError(_failure(path, *_GONE))
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException as error:
            if db.in_transaction:  # a full disk may have rolled it back already
                db.execute("ROLLBACK")
            if getattr(error, "sqlite_errorname", "") not in _DAMAGED_INDEX and not isinstance(error, MemoryError):
                raise
            _log.warning("the search indexes are made again: %s", error)
            schema.rebuild_indexes(db)
            raise MictapeError(_failure(path, *_MADE_AGAIN)) from error


@contextmanager
def sqlite_errors(path: Path | None) -> Generator[None]:
    """Turn errors of the database at `path` into sentences; what is a mistake of this program stays as it is."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        name: str = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_BUSY") and path is not None and not _has_locks(path.parent):
            name = "SQLITE_IOERR_LOCK"
        known = (trouble for front, trouble in _TROUBLES.items() if name.startswith(front))
        what, remedy = next(known, (f"fails: {error}", ""))
        raise MictapeError(_failure(path, what, remedy)) from error
    except MemoryError as error:
        raise MictapeError(_failure(path, *_TROUBLES["SQLITE_CORRUPT_VTAB"])) from error
    except OSError as error:
        raise MictapeError(_failure(path, f"cannot be opened: {(error.strerror or str(error)).lower()}", "")) from error


def _has_locks(folder: Path) -> bool:
    """Whether the file system of a folder has locks: for SQLite, one that has none is one where all is locked."""
    with suppress(OSError):
        return has_record_locks(folder)
    return True


def _failure(path: Path | None, what: str, remedy: str) -> Failure:
    where = "in memory" if path is None else str(path)
    return Failure(what=f"The library {where} {what}", remedy=remedy or "See the log", code=ExitCode.SOUND)
