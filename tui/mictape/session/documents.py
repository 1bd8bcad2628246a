"""A session as an export takes it: its text from the library, its times and its sound from its folder."""

from collections.abc import Collection
from pathlib import Path

from mictape.audio.tape import find_parts
from mictape.library.export import Document, Style
from mictape.library.store import Store
from mictape.session.track_clock import FIRST, TapeClock


def read_document(
    store: Store, session: str, folder: Path, style: Style, lines: Collection[int] | None = None
) -> Document:
    """Read a session, also one that is being recorded.

    Args:
        store: Where its text is.
        session: Its id.
        folder: Its own, where its sound is.
        style: What is shown beside the text.
        lines: The ids of the lines that are wanted; None: all.

    Raises:
        MictapeError: The library or the folder cannot be read.
    """
    tracks = store.tracks(session)
    wanted = [line for line in store.lines(session) if lines is None or line.id in lines]
    sounds = [part.path for track in tracks for part in find_parts(folder, track.number)]
    utc_of = TapeClock(folder, FIRST).now().utc if style.wall_clock else None
    return Document(store.session(session), tracks, wanted, style, utc_of, sounds)
