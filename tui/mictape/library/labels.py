"""Titles and tags that the person gives to sessions."""

import re
from collections.abc import Iterable
from typing import Final

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.rows import storable
from mictape.library.store import Store
from mictape.library.titles import proposed_title

LONGEST_LABEL: Final = 200
"""Characters of a title or tag: more would be text."""

_TAG_ENDS: Final = re.compile(r",|(?:^|(?<=\s))#")


def rename_session(store: Store, which: str, title: str) -> str:
    """Give a session a title and return its id; an empty one takes the person's title away.

    Raises:
        MictapeError: as `Store.session`; (`ExitCode.USAGE`) the title is too long.
    """
    id, title = store.session(which).id, _one_line(title)
    if not title:
        title, titled = proposed_title(store.tracks(id), store.first_texts(id)), False
    else:
        titled = True
    with store.writing(id) as key:
        store.execute("UPDATE sessions SET title = ?, titled = ? WHERE key = ?", *storable(title, titled, key))
    return id


def tags_in(text: str) -> list[str]:
    """The tags that a person has typed: a comma ends one, and `#` begins one."""
    return [tag for each in _TAG_ENDS.split(text) if (tag := each.strip())]


def tag_session(store: Store, which: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> str:
    """Add and remove tags of a session, in any case, and return its id.

    Raises:
        MictapeError: as `Store.session`; (`ExitCode.USAGE`) a tag is empty or too long, or one to remove is not there.
    """
    session = store.session(which)
    id, added, removed = session.id, [_tag(tag) for tag in add], [_tag(tag) for tag in remove]
    known = {tag.lower() for tag in session.tags}
    if missing := [tag for tag in removed if tag.lower() not in known]:
        its = f"Its tags: {', '.join(session.tags)}" if session.tags else "It has no tags"
        raise MictapeError(Failure(f'Session {id} has no tag "{missing[0]}"', its, ExitCode.USAGE))
    with store.writing(id) as key:
        for tag in added:
            store.execute("INSERT OR IGNORE INTO tags (session, tag) VALUES (?, ?)", *storable(key, tag))
        for tag in removed:
            store.execute("DELETE FROM tags WHERE session = ? AND tag = ?", *storable(key, tag))
    return id


def _tag(tag: str) -> str:
    tag = _one_line(tag).lstrip("#")
    if not tag:
        raise MictapeError(Failure("A tag cannot be empty", "Name one", ExitCode.USAGE))
    return tag


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > LONGEST_LABEL:
        what = f"A title or tag has at most {LONGEST_LABEL} characters, not {len(text)}"
        raise MictapeError(Failure(what, "Shorten it", ExitCode.USAGE))
    return text
