"""Lists of sessions and of search hits as JSON. Times are seconds of session time, moments ISO 8601 in UTC."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from mictape.library.export.objects import in_seconds, to_json
from mictape.library.records import SessionRecord
from mictape.library.search import SessionHits
from mictape.units import Span


class ListObject(msgspec.Struct, frozen=True):
    """A session in the list that `sessions list --json` prints."""

    id: str
    title: str
    titled: bool
    """Whether the person gave the title; else it was proposed."""
    started: str
    """ISO 8601, UTC."""
    ended: str | None
    """None while it is open."""
    state: Literal["open", "closed"]
    """`open` while it is recorded, and after that when it was interrupted."""
    duration_s: float
    without_text_s: float
    """Sound that no engine has answered for, over all tracks."""
    lines: int
    marks: int
    devices: tuple[str, ...]
    engines: tuple[str, ...]
    tags: tuple[str, ...]
    first_words: str
    deleted: str | None
    """When it was moved to the trash."""


class HitObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place that `search --json` has found."""

    what: Literal["line", "note", "mark", "title", "tag"]
    text: str
    spans: tuple[Span, ...] = ()
    """Where in `text`, in characters: start and end."""
    line: int | None = None
    """The id of the line."""
    start_s: float | None = None
    voice: str = ""
    mark: str | None = None
    before: str = ""
    """The text of the line before it."""
    after: str = ""
    """The text of the line after it."""


class HitsObject(msgspec.Struct, frozen=True):
    """What `search --json` has found in one session: one object a line."""

    id: str
    title: str
    started: str
    hits: tuple[HitObject, ...]


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
    )


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()
