"""Lists of sessions and of search hits as JSON. Times are seconds of session time, moments ISO 8601 in UTC."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from mictape.library.export.objects import VERSION, in_seconds, to_json
from mictape.library.hits import SessionHits
from mictape.library.records import SessionRecord
from mictape.units import Span


class ListObject(msgspec.Struct, frozen=True):
    """A session in the list that `sessions list --json` prints."""

    id: str
    """Its id, which every command takes."""
    title: str
    """As the person gave it, else as proposed; may be empty."""
    titled: bool
    """Whether the person gave the title."""
    started: str
    """When it began."""
    ended: str | None
    """When it ended; null while it is open."""
    state: Literal["open", "closed"]
    """`open` while it is recorded, and after that when it was interrupted."""
    duration_s: float
    """Its length, pauses left out."""
    without_text_s: float
    """Sound that no engine has answered for, over all tracks."""
    lines: int
    """How many lines were said."""
    marks: int
    """How many of them are marked."""
    devices: tuple[str, ...]
    """The devices or files of its tracks."""
    engines: tuple[str, ...]
    """The engine it was recorded with, and those of later versions of its text."""
    tags: tuple[str, ...]
    """In alphabetical order."""
    first_words: str
    """The beginning of its first line."""
    deleted: str | None
    """When it was moved to the trash; else null."""
    text_version: int
    """Which version of its text is shown (`sessions versions`)."""
    version: int = VERSION
    """Of this shape."""


class HitObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place that `search --json` has found."""

    what: Literal["line", "note", "mark", "title", "tag"]
    """What it was found in; `mark` is the note on one."""
    text: str
    """All of what it was found in."""
    spans: tuple[Span, ...] = ()
    """Where in `text`, in characters: start and end."""
    line: int | None = None
    """The id of the line."""
    start_s: float | None = None
    """The beginning of the line, session time."""
    voice: str = ""
    """Who speaks: the track, where there are several, and the speaker; empty for a note."""
    mark: str | None = None
    """The note on the line's mark, empty without one; left out when it is not marked."""
    before: str = ""
    """The text of the line before it."""
    after: str = ""
    """The text of the line after it."""


class HitsObject(msgspec.Struct, frozen=True):
    """What `search --json` has found in one session: one object a line."""

    id: str
    """Of the session."""
    title: str
    """Of the session."""
    started: str
    """When the session began."""
    hits: tuple[HitObject, ...]
    """In the order of the recording; titles, tags and marks' notes first."""
    version: int = VERSION
    """Of this shape."""


def json_list(sessions: Iterable[SessionRecord]) -> str:
    """Sessions as one indented JSON array of `ListObject`, without a line end."""
    return to_json([_listed(session) for session in sessions], indent=2)


def json_hits(found: SessionHits) -> str:
    """What was found in one session as one JSON object on one line, without its end: a `HitsObject`."""
    hits = tuple(
        HitObject(
            what=hit.what,
            text=hit.text,
            spans=hit.spans,
            line=hit.line,
            start_s=None if hit.start is None else in_seconds(hit.start),
            voice=hit.voice,
            mark=hit.mark,
            before=hit.before,
            after=hit.after,
        )
        for hit in found.hits
    )
    session = found.session
    return to_json(HitsObject(session.id, session.title, _utc(session.started_utc_s), hits))


def _listed(session: SessionRecord) -> ListObject:
    return ListObject(
        id=session.id,
        title=session.title,
        titled=session.titled,
        started=_utc(session.started_utc_s),
        ended=None if session.ended_utc_s is None or session.state == "open" else _utc(session.ended_utc_s),
        state=session.state,
        duration_s=in_seconds(session.samples),
        without_text_s=in_seconds(session.gaps),
        lines=session.lines,
        marks=session.marks,
        devices=session.devices,
        engines=session.engines,
        tags=session.tags,
        first_words=session.first_words,
        deleted=None if session.deleted_utc_s is None else _utc(session.deleted_utc_s),
        text_version=session.version,
    )


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()
