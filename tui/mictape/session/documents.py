"""A session as an export takes it: its text from the library, its times and its sound from its folder."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from mictape.audio.tape import count_samples
from mictape.library.export import Document, Style
from mictape.library.export.document import several_voices
from mictape.library.records import NO_LINE, LineRecord, SessionRecord, TrackRecord
from mictape.library.store import Store
from mictape.session.divider_texts import gap_text, hole_text
from mictape.session.track_clock import FIRST, TapeClock, clock_of
from mictape.transcript.line import Kind, Line


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
    every = store.lines(session)
    wanted = [line for line in every if lines is None or line.id in lines]
    if lines is None:
        without = [line for track in tracks for line in _without_text(store, session, folder, track)]
        wanted = sorted([*wanted, *without], key=lambda line: line.start)
    record = store.session(session)
    if record.state == "open":  # the library has the length as far as there was text
        recorded = (track.origin + count_samples(folder, track.number) for track in tracks)
        record = msgspec.structs.replace(record, samples=max((record.samples, *recorded)))
    return _document(record, folder, tracks, wanted, style, several=several_voices(every))


def shown_document(
    record: SessionRecord,
    folder: Path,
    tracks: Sequence[TrackRecord],
    shown: Iterable[Line],
    style: Style,
    *,
    lines: Collection[int] | None = None,
) -> Document:
    """The same of a session whose library cannot be written, from all that is `shown`, without the words' times.

    Raises:
        MictapeError: The folder cannot be read.
    """
    records = [
        LineRecord(
            each.id, each.track, each.start, each.end, each.text, each.kind, speaker=each.speaker, mark=each.mark
        )
        for each in shown
    ]
    wanted = [line for line in records if lines is None or line.id in lines]
    return _document(record, folder, tracks, wanted, style, several=several_voices(records))


def _document(
    record: SessionRecord,
    folder: Path,
    tracks: Sequence[TrackRecord],
    lines: Sequence[LineRecord],
    style: Style,
    *,
    several: bool,
) -> Document:
    clock = TapeClock(folder, FIRST).now()
    ended_utc_s = clock.utc(count_samples(folder, FIRST), end=True)
    utc_of = clock.utc if style.wall_clock else None
    return Document(record, tracks, lines, style, utc_of, ended_utc_s, several=several)


def _without_text(store: Store, session: str, folder: Path, track: TrackRecord) -> Iterator[LineRecord]:
    """A line for each stretch of a track that has no text or no sound."""
    clock = clock_of(folder, track.number, track.origin, partial(count_samples, folder, FIRST))
    for stretch in store.coverage(session, track.number):
        if stretch.what != "covered":
            what = gap_text if stretch.what == "gap" else hole_text
            text = what(stretch.end - stretch.start, stretch.why)
            start, end = stretch.start, stretch.end
            if clock is not None:
                start, end = clock.session_time(start), clock.session_time(end, end=True)
            kind = Kind.GAP if stretch.what == "gap" else Kind.HOLE
            yield LineRecord(NO_LINE, track.number, start, end, text, kind)
