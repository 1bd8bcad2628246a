"""The tables of the library, and how an older library becomes a present one.

Full-text search is to come as an FTS5 table whose external content is `lines` (`content_rowid = key`), which is
why `lines` has an integer key of its own beside the line's id.
"""

import sqlite3
from typing import Final

from mictape.failure import ExitCode, Failure, MictapeError

_FIRST: Final = (
    """
    CREATE TABLE sessions (
        key           INTEGER PRIMARY KEY,
        id            TEXT NOT NULL UNIQUE,     -- also the name of its folder
        started_utc_s REAL NOT NULL,
        ended_utc_s   REAL,
        state         TEXT NOT NULL CHECK (state IN ('open', 'closed')),
        title         TEXT NOT NULL,
        app_version   TEXT NOT NULL,
        settings      BLOB NOT NULL             -- JSON: the settings it was recorded with
    )
    """,
    """
    CREATE TABLE tracks (
        session  INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
        number   INTEGER NOT NULL,
        name     TEXT NOT NULL,
        source   TEXT NOT NULL,                 -- human name of the device, or the file
        host_api TEXT NOT NULL,
        kind     TEXT NOT NULL,
        origin   INTEGER NOT NULL,              -- session time of the tape's first sample
        samples  INTEGER NOT NULL,
        lost     INTEGER NOT NULL,              -- samples of it that are holes
        PRIMARY KEY (session, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE lines (
        key           INTEGER PRIMARY KEY,
        session       INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
        id            INTEGER NOT NULL,         -- never changes, whatever is put in above
        track         INTEGER NOT NULL,
        "start"       INTEGER NOT NULL,         -- session time
        "end"         INTEGER NOT NULL,
        kind          INTEGER NOT NULL,         -- transcript.model.Kind
        text          TEXT NOT NULL,            -- what is shown
        heard         TEXT,                     -- what the engine said, once a person has edited `text`
        speaker       TEXT,
        language      TEXT,
        engine        TEXT,
        connection    INTEGER,
        turn          INTEGER,
        words         BLOB,                     -- MessagePack, see transcript.kept.Word
        created_utc_s REAL NOT NULL,
        UNIQUE (session, id)
    )
    """,
    'CREATE INDEX lines_in_order ON lines (session, "start", id)',
    """
    CREATE TABLE coverage (
        session INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
        track   INTEGER NOT NULL,
        "start" INTEGER NOT NULL,
        "end"   INTEGER NOT NULL,
        what    TEXT NOT NULL CHECK (what IN ('covered', 'gap', 'hole')),
        why     TEXT NOT NULL,
        PRIMARY KEY (session, track, "start")
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE marks (
        key           INTEGER PRIMARY KEY,
        session       INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
        at            INTEGER NOT NULL,         -- session time
        line          INTEGER,                  -- id of the line it is on
        note          TEXT NOT NULL,
        created_utc_s REAL NOT NULL
    )
    """,
    "CREATE INDEX marks_in_order ON marks (session, at)",
)

_ONE_MARK_A_LINE: Final = ("CREATE UNIQUE INDEX mark_of_line ON marks (session, line)",)

STEPS: Final[tuple[tuple[str, ...], ...]] = (_FIRST, _ONE_MARK_A_LINE)
"""Step n takes a library from version n to n + 1. A step that was ever released is never changed again."""


def migrate(connection: sqlite3.Connection, steps: tuple[tuple[str, ...], ...] = STEPS) -> None:
    """Bring a library to the present version, a transaction a step.

    Args:
        connection: in autocommit mode (`isolation_level=None`).
        steps: what leads to the present version.

    Raises:
        MictapeError: (`ExitCode.SOUND`) the library is newer than this program; nothing was touched.
        sqlite3.Error: as SQLite says.
    """
    while (version := _version(connection)) < len(steps):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another Mictape may have done this step while we waited for the lock.
            if _version(connection) == version:
                for statement in steps[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    if version > len(steps):
        raise MictapeError(
            Failure(
                what=f"The library is of a newer Mictape: its version is {version}, this one knows {len(steps)}",
                remedy="Update Mictape, or name another folder in MICTAPE_HOME",
                code=ExitCode.SOUND,
            )
        )


def _version(connection: sqlite3.Connection) -> int:
    """The version the library says it has; 0 when it is new."""
    row: tuple[int] = connection.execute("PRAGMA user_version").fetchone()
    return row[0]
