"""What is left of a session that was cut off, from all that outlived its process."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from mictape.audio.tape import count_samples, read_journal
from mictape.library.library import Library
from mictape.library.records import CoverageRecord, LineRecord, SessionRecord, TrackRecord
from mictape.recognition.coverage import Coverage
from mictape.session.track_clock import FIRST, placement_on
from mictape.transcript.model import Kind
from mictape.units import RATE

TOGETHER: Final = 5 * RATE
"""Tracks whose tapes end within so much of each other were recorded until the session was cut off."""
CUT_OFF: Final = "the session was cut off"


@dataclass(frozen=True, slots=True)
class RemainingTrack:
    """One track of it."""

    track: TrackRecord
    samples: int
    """Length of its tape as it lies on disk."""
    coverage: Coverage

    @property
    def end(self) -> int:
        """Session time at the end of its tape."""
        return self.track.origin + self.samples


@dataclass(frozen=True, slots=True)
class Remains:
    """A session that nobody closed."""

    session: SessionRecord
    lines: tuple[LineRecord, ...]
    tracks: tuple[RemainingTrack, ...]

    @property
    def samples(self) -> int:
        """Session time at its end."""
        return max((track.end for track in self.tracks), default=0)

    @property
    def added(self) -> list[TrackRecord]:
        """The devices beside the first one that were recorded until the end."""
        return [left.track for left in self.tracks[1:] if left.track.host_api and self.samples - left.end < TOGETHER]

    @property
    def open(self) -> int:
        """Samples that no engine has answered for."""
        return sum(end - start for track in self.tracks for start, end in track.coverage.open(track.end))


async def remains_of(library: Library, which: str) -> Remains:
    """Look at what is left of a session; nothing is changed. Raises MictapeError when it cannot be read."""
    session = await library.session(which)
    folder = library.sessions_folder / session.id
    lines = await library.lines(session.id)
    tracks = [await _remaining(library, folder, session.id, track, lines) for track in await library.tracks(session.id)]
    return Remains(session, tuple(lines), tuple(tracks))


async def put_away(library: Library, remains: Remains) -> None:
    """Close it as it is: what no engine has answered for is a gap from now on. Raises MictapeError."""
    id = remains.session.id
    folder = await library.resume_session(id)
    try:
        for left in remains.tracks:
            left.coverage.give_up(left.track.origin, left.end, CUT_OFF)
            await library.set_coverage(id, left.track.number, intervals_of(left.coverage))
            lost = left.coverage.holes.total
            await library.update_track(id, left.track.number, samples=left.samples, lost=lost)
        await library.close_session(id)
    finally:
        folder.release()


def intervals_of(coverage: Coverage) -> list[CoverageRecord]:
    """A track's coverage as the library keeps it."""
    return [
        *(CoverageRecord(start, end, "covered") for start, end in coverage.covered),
        *(CoverageRecord(start, end, "hole", "lost") for start, end in coverage.holes),
        *(CoverageRecord(gap.start, gap.end, "gap", gap.why) for gap in coverage.gaps),
    ]


async def _remaining(
    library: Library, folder: Path, session: str, track: TrackRecord, lines: list[LineRecord]
) -> RemainingTrack:
    coverage = Coverage(track.origin)
    placement = placement_on(folder, track.number, track.origin, partial(count_samples, folder, FIRST))
    for interval in await library.coverage(session, track.number):
        if interval.what == "covered":
            coverage.cover(interval.start, interval.end)
    for line in lines:
        # Written before its coverage was: a line is proof that its stretch was answered.
        if line.track == track.number and line.kind is Kind.SPEECH:
            at = (line.start, line.end) if placement is None else map(placement.own_time, (line.start, line.end))
            coverage.cover(*at)
    for hole in read_journal(folder, track.number).holes:
        coverage.hole(track.origin + hole.start, track.origin + hole.end)
    return RemainingTrack(track, count_samples(folder, track.number), coverage)
