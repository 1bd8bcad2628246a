"""Conversion between the time of each track and session time.

A tape is a plain count of its own device's samples, and no two devices count equally fast: 50 ppm apart, two tapes of
an hour differ by 180 ms. The first track's tape *is* session time. For every other track the anchors of both tapes
say which moment of the monotonic clock a sample belongs to, so a position goes from its own tape to that moment, and
from the moment to the first tape. Samples are never stretched.

A track's own time is `origin` + tape position; coverage, follower and connections live in it. Whatever a person or
another program sees is session time; `Track.session_time` and `Track.own_time` convert.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mictape.audio.clock import Clock
from mictape.audio.tape import journal_path, read_journal

FIRST: Final = 1
"""The number of the track whose tape is session time."""
STALE_S: Final = 0.05
"""Seconds for which a clock is taken as it was read."""


class TapeClock:
    """The clock of a tape that may still be written: its journal, read again when it has grown.

    It grows by a line every 10 s; the lines of twelve hours are read in 4 ms. The file is looked at every `STALE_S` at
    most, so that a screen full of times costs one look.
    """

    def __init__(self, folder: Path, track: int) -> None:
        self._folder = folder
        self._track = track
        self._size = 0
        self._clock = Clock()
        self._looked_s = -STALE_S

    def now(self) -> Clock:
        """The clock as far as it is known. Raises TapeError when the journal cannot be read."""
        now_s = time.monotonic()
        if now_s - self._looked_s < STALE_S:
            return self._clock
        self._looked_s = now_s
        path = journal_path(self._folder, self._track)
        size = path.stat().st_size if path.exists() else 0
        if size != self._size:
            self._size = size
            self._clock = Clock(read_journal(self._folder, self._track).anchors)
        return self._clock


class TrackClock:
    """Converts between a track's own time and session time; both are samples at 16 kHz."""

    def __init__(
        self, own: Callable[[], Clock], first: Callable[[], Clock], first_end: Callable[[], int], origin: int
    ) -> None:
        """Prepare.

        Args:
            own: Gives the anchors of the track's tape as they are known now.
            first: Gives those of the session's first tape, whose origin is 0.
            first_end: Gives the length of that tape.
            origin: Where the track's own time begins.
        """
        self._own = own
        self._first = first
        self._first_end = first_end
        self.origin = origin
        """Where the track's own time begins, session time."""

    def session_time(self, at: int, *, end: bool = False) -> int:
        """The session time of a sample in the track's own time; the same where anchors are missing.

        With `end` that of the end of what lies before it: where the track was recorded again later, that is before the
        time in which it was not.

        Not before the session and not after its present end: while the first track stands still, so does session time,
        and what is said meanwhile is placed there in the order in which it was said.
        """
        sample = _same_moment(self._own(), self._first(), at - self.origin, end=end)
        return at if sample is None else max(0, min(sample, self._first_end()))

    def own_time(self, at: int) -> int:
        """The track's own time at a session time, not before its tape begins; the same where anchors are missing."""
        sample = _same_moment(self._first(), self._own(), at)
        return at if sample is None else self.origin + max(0, sample)

    def run_end(self, at: int) -> int | None:
        """Where, in the track's own time, a sample's run ends: what follows was recorded later. None: at the end."""
        end = self._own().run_end(at - self.origin)
        return None if end is None else self.origin + end


def _same_moment(of: Clock, on: Clock, sample: int, *, end: bool = False) -> int | None:
    """The sample of one tape that was captured when that of another was; None where anchors are missing."""
    moment, utc = of.monotonic(sample, end=end), of.utc(sample, end=end)
    return None if moment is None else on.sample_at(moment, utc)


def clock_of(folder: Path, track: int, origin: int, first_end: Callable[[], int]) -> TrackClock | None:
    """The clock of a tape in a session's folder; None for the first one, whose time is session time.

    Args:
        folder: Where the tapes are.
        track: The number of the tape.
        origin: Where its own time begins.
        first_end: Gives the length of the first tape.
    """
    if track == FIRST:
        return None
    return TrackClock(TapeClock(folder, track).now, TapeClock(folder, FIRST).now, first_end, origin)
