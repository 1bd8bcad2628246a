"""The tables of the library, and how an older library becomes a present one.

`line_index` and `session_index` are FTS5 tables that hold no text of their own: what they index are the views
`line_documents` and `session_documents`. Triggers keep them in step, in the same transaction as the row. They call the
SQL function `search_words` (`mictape.library.words`); when that function changes, a step has to rebuild both.
"""

import sqlite3
from collections.abc import Sequence
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
        kind          INTEGER NOT NULL,         -- transcript.line.Kind
        text          TEXT NOT NULL,            -- what is shown
        heard         TEXT,                     -- what the engine said, once a person has edited `text`
        speaker       TEXT,
        language      TEXT,
        engine        TEXT,
        connection    INTEGER,
        turn          INTEGER,
        words         BLOB,                     -- MessagePack, see engines.base.Word
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

TOKENS: Final = "unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''"
"""Vowel signs of Indian scripts are parts of words, which unicode61 alone does not know."""

INDEXES: Final = (
    f"""
    CREATE VIRTUAL TABLE line_index USING fts5 (
        text, content = 'line_documents', content_rowid = 'key', tokenize = '{TOKENS}'
    )
    """,
    f"""
    CREATE VIRTUAL TABLE session_index USING fts5 (
        text, content = 'session_documents', content_rowid = 'key', tokenize = '{TOKENS}'
    )
    """,
    "INSERT INTO line_index (line_index) VALUES ('rebuild')",
    "INSERT INTO session_index (session_index) VALUES ('rebuild')",
)
"""Makes the search indexes from the rows that there are."""

MERGED_BETWEEN: Final = ("INSERT INTO line_index (line_index, rank) VALUES ('automerge', 0)",)
"""The pieces of the index are merged by `Store.tidy`, between two transactions.

FTS5 would merge every 64th line with a hundred pages and more, in the transaction of that line: 30 ms in a library of a
million lines.
"""


def _indexed(index: str, table: str, key: str, text: str, when: str) -> tuple[str, ...]:
    """The triggers that keep an index in step with a column: `key` and `text` with `row` for the row's name."""

    def change(row: str, *, removal: bool) -> str:
        columns, values = f"({index}, rowid, text)", f"('delete', {key}, search_words({text}))"
        if not removal:
            columns, values = "(rowid, text)", f"({key}, search_words({text}))"
        filled = f"INSERT INTO {index} {columns} SELECT * FROM (VALUES {values}) WHERE {when}"
        return filled.replace("row.", f"{row}.")

    column = text.removeprefix("row.")
    name = f"{index}_{table}"
    added, removed = change("new", removal=False), change("old", removal=True)
    return (
        f"CREATE TRIGGER {name}_added AFTER INSERT ON {table} BEGIN {added}; END",
        f"CREATE TRIGGER {name}_removed AFTER DELETE ON {table} BEGIN {removed}; END",
        f"CREATE TRIGGER {name}_changed AFTER UPDATE OF {column} ON {table} BEGIN {removed}; {added}; END",
    )


_LIBRARY: Final = (
    "ALTER TABLE lines RENAME COLUMN heard TO original",
    "ALTER TABLE lines ADD COLUMN version INTEGER NOT NULL DEFAULT 1",  # 0: belongs to every version of the text
    "UPDATE lines SET version = 0 WHERE kind IN (4, 5)",  # notes and dividers are no engine's text
    "ALTER TABLE sessions ADD COLUMN version INTEGER NOT NULL DEFAULT 1",  # the version that is shown
    "ALTER TABLE sessions ADD COLUMN titled INTEGER NOT NULL DEFAULT 0",  # whether the person gave the title
    "ALTER TABLE sessions ADD COLUMN deleted_utc_s REAL",  # when it was moved to the trash
    "UPDATE sessions SET titled = 1 WHERE title <> ''",
    """
    CREATE TABLE versions (
        session       INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
        number        INTEGER NOT NULL,
        engine        TEXT NOT NULL,
        created_utc_s REAL NOT NULL,
        complete      INTEGER NOT NULL DEFAULT 0, -- whether all of it was transcribed
        PRIMARY KEY (session, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE tags (
        key     INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
        tag     TEXT NOT NULL COLLATE NOCASE,
        UNIQUE (session, tag)
    )
    """,
    "CREATE INDEX tags_by_name ON tags (tag)",
    "CREATE INDEX lines_by_kind ON lines (session, version, kind)",
    "CREATE INDEX sessions_by_start ON sessions (started_utc_s)",
    """
    CREATE VIEW line_documents AS
    SELECT key, search_words(text) AS text FROM lines WHERE kind IN (1, 4)
    """,
    """
    CREATE VIEW session_documents AS
    SELECT 4 * key AS key, search_words(title) AS text FROM sessions WHERE title <> ''
    UNION ALL SELECT 4 * key + 1, search_words(tag) FROM tags
    UNION ALL SELECT 4 * key + 2, search_words(note) FROM marks WHERE note <> ''
    """,
    *INDEXES,
    *_indexed("line_index", "lines", "row.key", "row.text", "row.kind IN (1, 4)"),
    *_indexed("session_index", "sessions", "4 * row.key", "row.title", "row.title <> ''"),
    *_indexed("session_index", "tags", "4 * row.key + 1", "row.tag", "1"),
    *_indexed("session_index", "marks", "4 * row.key + 2", "row.note", "row.note <> ''"),
)

_VERSIONS: Final = (
    "ALTER TABLE versions ADD COLUMN title TEXT NOT NULL DEFAULT ''",  # what people call the engine and its model
    "UPDATE versions SET title = engine",
    "ALTER TABLE versions ADD COLUMN coverage BLOB",  # MessagePack, library.versions; NULL for the one that is shown
)

_SPEAKERS: Final = (
    # The names of all speakers are looked up in it, one behind the other.
    "CREATE INDEX lines_by_speaker ON lines (speaker) WHERE speaker IS NOT NULL",
    *MERGED_BETWEEN,
)

_LINE_COUNTS: Final = (
    "ALTER TABLE sessions ADD COLUMN lines INTEGER NOT NULL DEFAULT 0",  # of speech, in the version that is shown
    "UPDATE sessions SET lines = (SELECT count(*) FROM lines"
    " WHERE session = sessions.key AND version = sessions.version AND kind = 1)",
    # A list of sessions would else count the lines of each: 40 ms for fifty sessions of an hour.
    "CREATE TRIGGER lines_counted_added AFTER INSERT ON lines WHEN new.kind = 1 BEGIN"
    " UPDATE sessions SET lines = lines + 1 WHERE key = new.session AND version = new.version; END",
    "CREATE TRIGGER lines_counted_removed AFTER DELETE ON lines WHEN old.kind = 1 BEGIN"
    " UPDATE sessions SET lines = lines - 1 WHERE key = old.session AND version = old.version; END",
    "DROP INDEX lines_by_kind",
)

_REMOVED_LINES: Final = (
    """
    CREATE TABLE removed_lines (
        key     INTEGER PRIMARY KEY,            -- in the order in which they were removed
        session INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
        id      INTEGER NOT NULL,               -- the line's; no other one gets it
        version INTEGER NOT NULL,               -- of the text, as in `lines`
        line    BLOB NOT NULL,                  -- MessagePack, see library.records.LineRecord
        UNIQUE (session, id)
    )
    """,
)

_DEVICES: Final = (
    "ALTER TABLE tracks ADD COLUMN device TEXT",  # recorded last; NULL: `source`
    "ALTER TABLE tracks ADD COLUMN removed INTEGER NOT NULL DEFAULT 0",  # whether the device was removed
    # Only dividers said so: "microphone: …", "no longer recorded: …", and "recorded again: …" on the first track.
    """
    UPDATE tracks SET device = nullif(
        (SELECT substr(text, 13) FROM lines WHERE session = tracks.session AND track = tracks.number AND kind = 5
         AND text GLOB 'microphone: *' ORDER BY id DESC LIMIT 1), source)
    """,
    """
    UPDATE tracks SET removed = 1 WHERE EXISTS (
        SELECT 1 FROM lines AS gone WHERE session = tracks.session AND track = tracks.number AND kind = 5
        AND text GLOB 'no longer recorded: *' AND NOT EXISTS (
            SELECT 1 FROM lines WHERE session = tracks.session AND kind = 5 AND id > gone.id
            AND text = 'recorded again: ' || tracks.source))
    """,
)

STEPS: Final[tuple[tuple[str, ...], ...]] = (
    _FIRST,
    _ONE_MARK_A_LINE,
    _LIBRARY,
    _VERSIONS,
    _SPEAKERS,
    _LINE_COUNTS,
    _REMOVED_LINES,
    _DEVICES,
)
"""Step n takes a library from version n to n + 1. A step that was ever released is never changed again."""


def migrate(connection: sqlite3.Connection, steps: tuple[tuple[str, ...], ...] = STEPS) -> None:
    """Bring a library to the present version, a transaction a step.

    Args:
        connection: in autocommit mode (`isolation_level=None`), with `search_words`.
        steps: what leads to the present version.

    Raises:
        sqlite3.Error: as SQLite says.
    """
    while (version := version_of(connection)) < len(steps):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another Mictape may have done this step while we waited for the lock.
            if version_of(connection) == version:
                run_all(connection, steps[version])
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def refuse_newer(connection: sqlite3.Connection, steps: tuple[tuple[str, ...], ...] = STEPS) -> None:
    """Raise MictapeError (`ExitCode.SOUND`) when the library is newer than this program."""
    if (version := version_of(connection)) > len(steps):
        raise MictapeError(
            Failure(
                what=f"The library is of a newer Mictape: its version is {version}, this one knows {len(steps)}",
                remedy="Update Mictape, or name another folder in MICTAPE_HOME",
                code=ExitCode.SOUND,
            )
        )


def rebuild_indexes(connection: sqlite3.Connection) -> None:
    """Make the search indexes again, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        _drop_indexes(connection)
        run_all(connection, (*INDEXES, *MERGED_BETWEEN))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _drop_indexes(connection: sqlite3.Connection) -> None:
    """Remove the indexes. One too damaged to be dropped as a table is taken out of the schema."""
    for index in ("line_index", "session_index"):
        try:
            connection.execute(f"DROP TABLE IF EXISTS {index}")
        except (sqlite3.DatabaseError, MemoryError):
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("DELETE FROM sqlite_master WHERE type = 'table' AND name = ?", (index,))
            connection.execute("PRAGMA writable_schema = RESET")
        shadows = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB ?", (f"{index}_*",)
        ).fetchall()
        for (name,) in shadows:
            connection.execute(f'DROP TABLE "{name}"')


def run_all(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    """Execute statements in order."""
    for statement in statements:
        connection.execute(statement)


def version_of(connection: sqlite3.Connection) -> int:
    """The version the library says it has; 0 when it is new."""
    return connection.execute("PRAGMA user_version").fetchone()[0]
