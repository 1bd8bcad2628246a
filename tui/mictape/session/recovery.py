"""A stored session, put together from everything that outlived its process: library, tapes and journals."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from mictape.audio.tape import count_samples, find_tracks, read_journal
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.library import Library, Store
from mictape.library.records import LineRecord, SessionRecord, TrackChange, TrackRecord
from mictape.recognition.coverage import Coverage, Gap
from mictape.session.coverage_records import records_of
from mictape.session.line_records import show_line
from mictape.session.track_clock import FIRST, TapeClock, clock_of
from mictape.transcript.line import Kind
from mictape.transcript.model import Transcript

CUT_OFF: Final = "the session was cut off"


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """One track of it."""

    track: TrackRecord
    samples: int
    """Length of its tape as it lies on disk."""
    coverage: Coverage
    in_library: bool = True
    """Whether the library has the track; False: only its tape is there."""
    gaps: tuple[Gap, ...] = ()
    """What the library has as a gap."""

    @property
    def end(self) -> int:
        """The end of its tape, in the track's own time."""
        return self.track.origin + self.samples


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session of the library, with its tracks as they are on disk."""

    session: SessionRecord
    lines: tuple[LineRecord, ...]
    tracks: tuple[StoredTrack, ...]
    next_line: int = 0
    """The first id that is free for a line."""

    @property
    def samples(self) -> int:
        """Session time at its end."""
        return max((track.end for track in self.tracks), default=0)

    @property
    def connections(self) -> int:
        """How many connections to engines it has had."""
        return max((1 + line.connection for line in self.lines if line.connection is not None), default=0)

    def show_in(self, transcript: Transcript) -> None:
        """Add its lines to a transcript, by their ids."""
        for line in self.lines:
            show_line(transcript, line)
        transcript.reserve(self.next_line)

    @property
    def added(self) -> list[TrackRecord]:
        """The devices beside the first one that were not removed, each once."""
        devices = [left.track for left in self.tracks[1:] if left.track.host_api and not left.track.removed]
        return list({(track.source, track.host_api): track for track in devices}.values())

    @property
    def open(self) -> int:
        """Samples that no engine has answered for, of the track that has most of them."""
        opens = (track.coverage.open(track.end) for track in self.tracks)
        return max((sum(end - start for start, end in each) for each in opens), default=0)


async def load_session(library: Library, which: str) -> StoredSession:
    """Read a session; nothing is changed. Raises MictapeError when it cannot be read."""
    session = await library.run(Store.session, which)
    folder = library.sessions_folder / session.id
    lines = await library.run(Store.lines, session.id)
    tracks = await library.run(Store.tracks, session.id)
    known = [track.number for track in tracks]
    # A track may be missing when the library could not be written while it was recorded.
    tracks += [TrackRecord(number, f"Track {number}", "") for number in find_tracks(folder) if number not in known]
    stored = [
        await _stored_track(library, folder, session.id, track, lines, in_library=track.number in known)
        for track in tracks
    ]
    return StoredSession(session, tuple(lines), tuple(stored), await library.run(Store.next_line, session.id))


async def newest_interrupted(library: Library) -> StoredSession | None:
    """The newest session that was cut off and has sound; all others that were cut off are closed as they are.

    Raises MictapeError when the library cannot be read or written.
    """
    newest: StoredSession | None = None
    for unfinished in await library.run(Store.unfinished):
        remains = await load_session(library, unfinished.id)
        if newest is None and remains.samples and remains.tracks:
            newest = remains
        else:
            await close_as_is(library, remains)
    return newest


async def load_to_continue(library: Library, which: str) -> StoredSession:
    """Read a session to go on with.

    Raises:
        MictapeError: (`ExitCode.USAGE`) there is none of that name, or its sound was removed.
    """
    stored = await load_session(library, which)
    if stored.session.samples and not stored.samples:
        what = f"The sound of session {stored.session.id} was removed, so it cannot be continued"
        raise MictapeError(Failure(what, "Start a new session", ExitCode.USAGE))
    return stored


async def close_as_is(library: Library, remains: StoredSession) -> None:
    """Close an interrupted session: what no engine has answered for becomes a gap. Raises MictapeError."""
    id = remains.session.id
    folder = await library.run(Store.resume_session, id)
    try:
        for left in remains.tracks:
            left.coverage.give_up(left.track.origin, left.end, CUT_OFF)
            if not left.in_library:
                await library.run(Store.add_track, id, left.track)
            state = tuple(records_of(left.coverage))
            change = TrackChange(left.track.number, left.samples, left.coverage.holes.total, state)
            await library.run(Store.change_track, id, change)
        ended_utc_s = TapeClock(folder.path, FIRST).now().utc(count_samples(folder.path, FIRST), end=True)
        await library.run(partial(Store.close_session, recorded=False, ended_utc_s=ended_utc_s), id)
    finally:
        folder.release()


async def _stored_track(
    library: Library, folder: Path, session: str, track: TrackRecord, lines: list[LineRecord], *, in_library: bool
) -> StoredTrack:
    coverage, gaps, lost = Coverage(track.origin), list[Gap](), dict[int, str]()
    clock = clock_of(folder, track.number, track.origin, partial(count_samples, folder, FIRST))
    for interval in await library.run(Store.coverage, session, track.number):
        if interval.what == "covered":
            coverage.cover(interval.start, interval.end)
        elif interval.what == "gap":
            gaps.append(Gap(interval.start, interval.end, interval.why))
        elif interval.what == "hole" and interval.why != "lost":  # which it was for every one, once
            lost[interval.start] = interval.why
    for line in lines:
        # A line proves that its stretch was answered, even if its coverage was never stored.
        if line.track == track.number and line.kind is Kind.SPEECH:
            at = (line.start, line.end) if clock is None else map(clock.own_time, (line.start, line.end))
            coverage.cover(*at)
    for hole in read_journal(folder, track.number).holes:
        start = track.origin + hole.start  # the session may have known better why: that the device was gone
        coverage.hole(start, track.origin + hole.end, lost.get(start, hole.why))
    samples = count_samples(folder, track.number)
    return StoredTrack(track, samples, coverage, in_library, tuple(gaps))
