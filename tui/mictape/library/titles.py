"""Proposes a title for a session. Pure."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Final

from mictape.library.records import SessionRecord, TrackRecord
from mictape.plain_text import counted, one_line

LONGEST_PROPOSAL: Final = 50
"""Characters of a proposed title, which has to fit beside the other columns of a list."""

_SENTENCE_END: Final = re.compile("[.!?](?=\\s|$)|[\u3002\uff01\uff1f]")

_UNENDED: Final = ",;:—– "
"""What ends no title."""

_ABBREVIATION: Final = re.compile(
    r"\b(?:[b-df-hj-np-tv-xz]+|[^\W\d_]|Prof|Rev|Gen|Col|Capt|Messrs|Mme|Mlle|Sra|etc|approx)$", re.IGNORECASE
)
"""Before a point that ends no sentence: a word without vowels (`Mr`, `St`, `vs`), or a letter."""


def proposed_title(tracks: Iterable[TrackRecord], texts: Sequence[str]) -> str:
    """A title for a session without one: its file's name, else its first words; empty without either.

    Args:
        tracks: Its tracks; the first one that is a file gives the name.
        texts: The texts of its first lines.
    """
    file = next((track.source for track in tracks if track.kind == "file"), "")
    if stem := PurePath(file).stem:
        return stem
    said = " ".join(" ".join(texts).split())
    ends = _SENTENCE_END.finditer(said)
    end = next((end for end in ends if end[0] != "." or not _ABBREVIATION.search(said[: end.start()])), None)
    if end is not None and end.start() <= LONGEST_PROPOSAL:
        return said[: end.start()]
    if len(said) <= LONGEST_PROPOSAL:
        return said.rstrip(_UNENDED)
    cut = said[: LONGEST_PROPOSAL + 1]
    return f"{(cut[: cut.rfind(' ')] if ' ' in cut else said[:LONGEST_PROPOSAL]).rstrip(_UNENDED)}…"


def file_of(session: SessionRecord) -> str:
    """The name, without its ending, of the file whose name is a session's title; empty where it is none."""
    return session.title if session.title in (PurePath(source).stem for source in session.devices) else ""


def title_of(session: SessionRecord) -> str:
    """What a list calls a session: its title, else its first words; empty without either."""
    return session.title or proposed_title((), [session.first_words])


def tags_of(session: SessionRecord) -> str:
    """The tags of a session in a list, as `#work #"opening hours"`."""
    return " ".join(f'#"{tag}"' if " " in tag else f"#{tag}" for tag in map(one_line, session.tags))


def name_of(session: SessionRecord) -> str:
    """What a session is called in a list or a sentence; never empty."""
    return one_line(title_of(session)) or (f"({counted(session.lines, 'line')})" if session.lines else "(no text)")
