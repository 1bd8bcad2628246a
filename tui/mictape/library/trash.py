"""Deleting sessions: to the trash first, with a way back, and for good when their time is up."""

import time
from typing import Final, Literal

from mictape.library import folders
from mictape.library.folders import SessionFolder
from mictape.library.listing import SessionFilter
from mictape.library.store import Store
from mictape.units import RATE

DAY_S: Final = 86_400.0
LEAST_KEPT: Final = 3 * RATE
"""A session that is shorter and has no line, no note and no mark is not kept."""
SILENT_KEPT: Final = 60 * RATE
"""A session in which an engine has found no word, nor the person done anything, goes to the trash when it is shorter:
it is a start by mistake or a trial. Sound of that length is wanted for its own sake."""

Kept = Literal["kept", "trash", "removed"]
"""What became of a session that has ended."""


def delete(store: Store, which: str) -> str:
    """Move a session to the trash and return its id. Its recording stays where it is until it is purged.

    Raises:
        MictapeError: as `Store.session`; (`ExitCode.USAGE`) a living process holds it.
    """
    id = store.session(which).id
    folder = store.sessions_folder / id
    if folder.exists():
        with SessionFolder(folder):
            _set_deleted(store, id, time.time())
    else:
        _set_deleted(store, id, time.time())
    return id


def restore(store: Store, which: str) -> str:
    """Take a session out of the trash and return its id. Raises MictapeError as `Store.session`."""
    id = store.session(which, trash=True).id
    _set_deleted(store, id, None)
    return id


def purge(store: Store, which: str, *, trash: bool = True) -> str:
    """Remove all of a session for good, its recording and its text, and return its id.

    Killed half-way it leaves the session in the list with what is left of it, to be purged again.

    Raises:
        MictapeError: as `Store.session`; (`ExitCode.USAGE`) a living process holds it; (`ExitCode.SOUND`) something
            of it cannot be removed, and then its row stays.
    """
    id = store.session(which, trash=trash).id
    # The sound first: were it the other way round, a crash in between would leave sound that nothing lists.
    folders.remove(store.sessions_folder / id)
    store.remove(id)
    return id


def expire(store: Store, days: float, *, now_utc_s: float | None = None) -> list[str]:
    """Purge what has been in the trash for longer than `days`, and return the ids."""
    latest = (time.time() if now_utc_s is None else now_utc_s) - days * DAY_S
    expired = [each for each in store.sessions(SessionFilter(trash=True)) if (each.deleted_utc_s or 0) < latest]
    return [purge(store, each.id) for each in expired if not folders.is_alive(store.sessions_folder / each.id)]


def put_away_if_empty(store: Store, session: str) -> Kept:
    """Remove a closed session in which nothing happened, or put it into the trash; its folder must have been released.

    Nothing happened in it when only devices were recorded and it has no line, also none that was removed, and no note,
    mark, tag or title of the person's.
    Then it is removed below `LEAST_KEPT`, and put into the trash below `SILENT_KEPT` if all of it was answered for. It
    may be gone already. Raises MictapeError as `purge`.
    """
    if not store.rows("SELECT 1 FROM sessions WHERE id = ? AND deleted_utc_s IS NULL", session):
        return "removed"
    if any(track.kind not in ("microphone", "computer sound") for track in store.tracks(session)):
        return "kept"
    found = store.session(session)
    worth = found.lines or found.marks or found.tags or found.titled
    if found.state != "closed" or worth or store.notes(session) or store.removed_lines(session):
        return "kept"
    if found.samples < LEAST_KEPT:
        purge(store, session, trash=False)
        return "removed"
    if found.samples < SILENT_KEPT and found.gaps < RATE:
        delete(store, session)
        return "trash"
    return "kept"


def _set_deleted(store: Store, session: str, at_utc_s: float | None) -> None:
    with store.writing(session) as key:
        store.execute("UPDATE sessions SET deleted_utc_s = ? WHERE key = ?", at_utc_s, key)
