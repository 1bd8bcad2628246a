"""Which sessions a list shows, and in what order."""

from typing import Final, Literal

import msgspec

from mictape.transcript.line import SPEECH

SESSIONS: Final = f"""
    SELECT id, started_utc_s, ended_utc_s, state, title, app_version, settings, titled, version, deleted_utc_s, lines,
           (SELECT coalesce(max(origin + samples), 0) FROM tracks WHERE session = sessions.key) AS samples,
           (SELECT json_group_array(DISTINCT source) FROM tracks WHERE session = sessions.key) AS devices,
           (SELECT json_group_array(engine) FROM (
                SELECT json_extract(CAST(settings AS TEXT), '$.engine') AS engine
                UNION SELECT engine FROM versions WHERE session = sessions.key
            ) WHERE engine IS NOT NULL) AS engines,
           (SELECT json_group_array(tag) FROM (
                SELECT tag FROM tags WHERE session = sessions.key ORDER BY tag
            )) AS tags,
           (SELECT count(*) FROM marks WHERE session = sessions.key) AS marks,
           (SELECT coalesce(sum("end" - "start"), 0) FROM coverage
            WHERE session = sessions.key AND what = 'gap') AS gaps,
           coalesce((SELECT substr(text, 1, 200) FROM lines
            WHERE session = sessions.key AND version = sessions.version AND kind = {SPEECH:d}
            ORDER BY "start", id LIMIT 1), '') AS first_words
    FROM sessions
"""

LISTS: Final = ("devices", "engines", "tags")
"""Columns of it that are JSON arrays."""

Order = Literal["newest", "oldest", "title", "longest"]

ORDERS: Final[dict[Order, str]] = {
    "newest": "started_utc_s DESC, key DESC",
    "oldest": "started_utc_s, key",
    "title": "title = '', title COLLATE NOCASE, started_utc_s DESC",
    "longest": "(SELECT max(origin + samples) FROM tracks WHERE session = sessions.key) DESC, started_utc_s DESC",
}


def kept_or_trash(*, trash: bool) -> str:
    """The condition on `sessions` that they are in the trash, or are not."""
    return f"sessions.deleted_utc_s IS {'NOT ' if trash else ''}NULL"


class SessionFilter(msgspec.Struct, frozen=True):
    """Which sessions are meant: all that fit everything that is set."""

    trash: bool = False
    """Those in the trash; else those that are not."""
    unfinished: bool = False
    """Only those that were never closed."""
    title: str | None = None
    """Part of the title, with or without accents, in any case, or how the id begins."""
    tag: str | None = None
    """A tag, as the title."""
    device: str | None = None
    """Part of the name of a device or file, as the title."""
    engine: str | None = None
    """The name of an engine."""
    after_utc_s: float | None = None
    """Begun then or later."""
    before_utc_s: float | None = None
    """Begun earlier than that."""

    def where(self) -> tuple[str, tuple[object, ...]]:
        """The condition on `sessions` in SQL, and its values."""
        parts = self.conditions()
        fixed = [kept_or_trash(trash=self.trash)]
        fixed += ["state = 'open'"] if self.unfinished else []
        return " AND ".join([*fixed, *(sql for sql, _ in parts)]), tuple(each for _, values in parts for each in values)

    def conditions(self) -> list[tuple[str, tuple[object, ...]]]:
        """The conditions on `sessions` but for trash and state: SQL and values."""
        # instr and not LIKE, in which % and _ mean something else; +, so that a search does not begin with the sessions
        parts: list[tuple[str, tuple[object, ...] | None]] = [
            (
                "+sessions.key IN (SELECT key FROM sessions WHERE instr(bare(title), bare(?)) > 0 OR instr(id, ?) = 1)",
                None if self.title is None else (self.title, self.title),
            ),
            (
                "+sessions.key IN (SELECT session FROM tags WHERE bare(tag) = bare(?))",
                None if self.tag is None else (self.tag,),
            ),
            (
                "+sessions.key IN (SELECT session FROM tracks WHERE instr(bare(source), bare(?)) > 0)",
                None if self.device is None else (self.device,),
            ),
            (
                "+sessions.key IN (SELECT key FROM sessions WHERE json_extract(CAST(settings AS TEXT), '$.engine') = ?"
                " UNION SELECT session FROM versions WHERE engine = ?)",
                None if self.engine is None else (self.engine, self.engine),
            ),
            ("sessions.started_utc_s >= ?", None if self.after_utc_s is None else (self.after_utc_s,)),
            ("sessions.started_utc_s < ?", None if self.before_utc_s is None else (self.before_utc_s,)),
        ]
        return [(sql, values) for sql, values in parts if values is not None]


KEPT: Final = SessionFilter()
"""All sessions that are not in the trash."""
