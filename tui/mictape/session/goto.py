"""Where on a tape a time is that a person typed."""

from bisect import bisect_left
from datetime import datetime, timedelta

from mictape.audio.clock import Clock
from mictape.audio.tape import read_journal
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.session.track import Track
from mictape.transcript.times import FromHere, OnTape, OnWall, Wish
from mictape.units import clock


def sample_of(wish: Wish, track: Track, here: int) -> int:
    """The session time that is meant.

    A time that the session has reached is a session time; only where it is shorter may the same digits be a time of
    the day.

    Args:
        wish: what was typed.
        track: the session's first, whose tape is session time.
        here: the session time of the line where one is.

    Raises:
        MictapeError: the session was not there yet, or is over by then.
    """
    match wish:
        case FromHere(samples):
            return min(max(0, here + samples), track.end)
        case OnTape(samples) if samples <= track.end:
            return samples
        case OnTape(samples, None):
            raise MictapeError(_outside(clock(samples), f"it is {clock(track.end)} long"))
        case OnTape(_, int(second), whole_minute):
            return _sample_at(second, track, whole_minute=whole_minute)
        case OnWall(second, whole_minute):
            return _sample_at(second, track, whole_minute=whole_minute)
        case _:
            raise AssertionError(wish)


def _sample_at(second: int, track: Track, *, whole_minute: bool) -> int:
    """The sample captured at a time of the day, by the journal of the tape."""
    times = Clock(read_journal(track.tape.folder, track.number).anchors)
    first, last = times.utc(0), times.utc(track.tape.samples)
    if first is None or last is None:
        raise MictapeError(_outside(_day(second), "it is not known when it was recorded"))
    began = datetime.fromtimestamp(first)
    wanted = began.replace(hour=second // 3600, minute=second // 60 % 60, second=second % 60, microsecond=0)
    if wanted + timedelta(minutes=1 if whole_minute else 0, seconds=0 if whole_minute else 1) <= began:
        wanted += timedelta(days=1)  # the session went on after midnight
    at = max(wanted.timestamp(), first)
    if at > last:
        ended = datetime.fromtimestamp(last)
        why = f"it is {clock(track.end)} long, from {began:%H:%M} to {ended:%H:%M}"
        raise MictapeError(_outside(_day(second), why))
    return bisect_left(range(track.tape.samples), at, key=lambda sample: times.utc(sample) or 0.0)


def _day(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}"


def _outside(time: str, why: str) -> Failure:
    return Failure(f"{time} is not in this session: {why}", "Type 12:30, -5m, +30s or @14:05", ExitCode.USAGE)
