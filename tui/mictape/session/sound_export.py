"""The sound of a session as one file: all parts of its tapes, a channel for each track."""

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from mictape.audio.tape import Tape, count_samples
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.records import TrackRecord
from mictape.session.track_clock import FIRST, TrackClock, clock_of
from mictape.units import RATE, SAMPLE_BYTES

KINDS: Final = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Container and encoding, as libsndfile names them, by the ending of the file."""
LONGEST_WAV: Final = (1 << 32) - (1 << 16)
"""Bytes of sound beyond which a WAV has to be an RF64."""
PIECE: Final = 10 * RATE
APART: Final = RATE // 50
"""Two tapes may drift apart by 20 ms before one of them jumps: every jump can be heard."""


class _Channel:
    """A track, read in session time from one place on; silence where it was not recorded."""

    def __init__(self, tape: Tape, clock: TrackClock | None, at: int) -> None:
        """`at`: where to begin, session time."""
        self.tape = tape
        self.clock = clock
        self._at = at
        self._own = self._own_time(at)

    @property
    def end(self) -> int:
        """Session time at its end."""
        own = self.tape.origin + self.tape.samples
        return own if self.clock is None else max(self.clock.session_time(own, end=True), own)

    def read(self, count: int) -> bytes:
        """The next samples."""
        end, pieces = self._at + count, list[bytes]()
        own = self._own_time(self._at)
        if abs(own - self._own) > APART:
            self._own = own
        while self._at < end:
            pieces.append(self._piece(end - self._at))
            self._at += len(pieces[-1]) // SAMPLE_BYTES
        return b"".join(pieces)

    def _piece(self, most: int) -> bytes:
        """The next samples, as far as they were recorded without a pause, or the silence before them."""
        count = most
        if self.clock is not None:
            early = self.clock.session_time(self._own) - self._at
            if early > APART:
                return bytes(min(most, early) * SAMPLE_BYTES)
            run_end = self.clock.run_end(self._own)
            count = most if run_end is None else min(most, run_end - self._own)
        sound = self.tape.read(self._own - self.tape.origin, count)
        self._own += count
        return sound + bytes(count * SAMPLE_BYTES - len(sound))

    def _own_time(self, at: int) -> int:
        """The track's own time at a session time, not before its tape begins."""
        return at if self.clock is None else max(self.clock.own_time(at), self.tape.origin)


def kind_of(path: Path) -> tuple[str, str]:
    """Container and encoding for a file's name. Raises MictapeError (`ExitCode.USAGE`) for an ending without one."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        endings = ", ".join(KINDS)
        what = f"{path.name} does not say which kind of sound file it is to be"
        raise MictapeError(Failure(what, f"Use one of these endings: {endings}", ExitCode.USAGE))
    return kind


def write_sound(
    folder: Path,
    tracks: Sequence[TrackRecord],
    path: Path,
    start: int = 0,
    end: int | None = None,
    *,
    named: Path | None = None,
    wrote: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Write the sound of a session.

    Args:
        folder: The session's.
        tracks: Those whose sound is wanted, a channel each.
        path: The file, which is made or replaced.
        start: Session time, samples.
        end: The same; None: to the end of the longest tape.
        named: What says which kind of file it is, when its own name does not.
        wrote: Is called with the samples that are written and that will be.

    Returns:
        The samples of each channel.

    Raises:
        MictapeError: (`ExitCode.USAGE`) no such kind of file, or no sound there; (`ExitCode.SOUND`) a tape cannot be
            read or the file not be written.
    """
    container, encoding = kind_of(named or path)
    channels = [_channel(folder, track, start) for track in tracks]
    longest = max((channel.end for channel in channels), default=0)
    end = longest if end is None else min(end, longest)
    if start >= end:
        raise MictapeError(_no_sound(longest, tracks))
    if container == "WAV" and (end - start) * len(channels) * SAMPLE_BYTES > LONGEST_WAV:
        container = "RF64"
    try:
        with _soundfile().SoundFile(path, "w", RATE, len(channels), encoding, format=container) as file:
            for at in range(start, end, PIECE):
                count = min(PIECE, end - at)
                file.buffer_write(_interleaved(channels, count), dtype="int16")
                wrote(at + count - start, end - start)
    except (OSError, RuntimeError) as error:  # libsndfile's is a RuntimeError
        what = f"{(named or path).name} cannot be written: {error}"
        raise MictapeError(Failure(what, "Check that the disk has room")) from error
    return end - start


def sound_between(folder: Path, track: TrackRecord, start: int, end: int) -> bytes:
    """The sound of a track between two session times, as 16-bit PCM; silence where there is none.

    Raises:
        MictapeError: (`ExitCode.SOUND`) its tape cannot be read.
    """
    return _channel(folder, track, start).read(end - start)


def _no_sound(samples: int, tracks: Sequence[TrackRecord]) -> Failure:
    """Why there is nothing to write of a session with so many samples."""
    if samples:
        what = "There is no sound in that part of the session"
        return Failure(what, "Look at its length with mictape sessions list", ExitCode.USAGE)
    if any(track.samples for track in tracks):
        return Failure("The sound of the session was removed", "Export its text, which is still there", ExitCode.USAGE)
    return Failure("The session has no sound", "Choose another one", ExitCode.USAGE)


def _channel(folder: Path, track: TrackRecord, at: int) -> _Channel:
    clock = clock_of(folder, track.number, track.origin, partial(count_samples, folder, FIRST))
    return _Channel(Tape.finished(folder, track.number, track.origin), clock, at)


def _interleaved(channels: Sequence[_Channel], count: int) -> bytes:
    """The next piece of all channels."""
    sound = array("h", bytes(count * len(channels) * SAMPLE_BYTES))
    for number, channel in enumerate(channels):
        sound[number :: len(channels)] = array("h", channel.read(count))
    return sound.tobytes()


def _soundfile() -> Any:  # noqa: ANN401  (soundfile has few types; it is loaded only when sound is written)
    import soundfile

    return soundfile
