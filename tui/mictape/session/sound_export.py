"""The sound of a session as one file: all parts of its tapes, a channel for each track."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Channel:
    """A track, read in session time."""

    tape: Tape
    clock: TrackClock | None

    def position(self, at: int) -> int:
        """The tape position at a session time; below zero before the track joined."""
        own = at if self.clock is None or at < self.clock.origin else self.clock.own_time(at)
        return own - self.tape.origin

    def read(self, position: int, count: int) -> bytes:
        """So many samples from a tape position; silence where there is no tape."""
        before = min(max(-position, 0), count)
        sound = self.tape.read(position + before, count - before) if count > before else b""
        return bytes(before * SAMPLE_BYTES) + sound + bytes((count - before) * SAMPLE_BYTES - len(sound))


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
    channels = [_channel(folder, track) for track in tracks]
    longest = max((_end_of(channel) for channel in channels), default=0)
    end = longest if end is None else min(end, longest)
    if start >= end:
        what = "There is no sound in that part of the session" if longest else "The session has no sound"
        raise MictapeError(Failure(what, "Look at its length with mictape sessions list", ExitCode.USAGE))
    if container == "WAV" and (end - start) * len(channels) * SAMPLE_BYTES > LONGEST_WAV:
        container = "RF64"
    positions = [channel.position(start) for channel in channels]
    try:
        with _soundfile().SoundFile(path, "w", RATE, len(channels), encoding, format=container) as file:
            for at in range(start, end, PIECE):
                count = min(PIECE, end - at)
                file.buffer_write(_interleaved(channels, positions, at, count), dtype="int16")
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
    channel = _channel(folder, track)
    return channel.read(channel.position(start), end - start)


def _channel(folder: Path, track: TrackRecord) -> _Channel:
    clock = clock_of(folder, track.number, track.origin, partial(count_samples, folder, FIRST))
    return _Channel(Tape.finished(folder, track.number, track.origin), clock)


def _end_of(channel: _Channel) -> int:
    own = channel.tape.origin + channel.tape.samples
    return own if channel.clock is None else max(channel.clock.session_time(own), own)


def _interleaved(channels: Sequence[_Channel], positions: list[int], at: int, count: int) -> bytes:
    """The next piece of all channels; moves their positions on."""
    sound = array("h", bytes(count * len(channels) * SAMPLE_BYTES))
    for number, channel in enumerate(channels):
        true = channel.position(at)
        if abs(true - positions[number]) > APART:
            positions[number] = true
        sound[number :: len(channels)] = array("h", channel.read(positions[number], count))
        positions[number] += count
    return sound.tobytes()


def _soundfile() -> Any:  # noqa: ANN401  (soundfile has few types; it is loaded only when sound is written)
    import soundfile

    return soundfile
