"""A file from front to end, whatever it is: its pieces one after the other, and at the end what was missing."""

import os
import shlex
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import soxr

from mictape.audio.capture.decoding import ffmpeg
from mictape.audio.capture.decoding.chunks import chunk_sounds
from mictape.audio.capture.decoding.kinds import HEAD_BYTES, WAV_HEAD_BYTES, Kind, kind_of
from mictape.audio.capture.decoding.mp3 import mp3_sounds, skip_id3
from mictape.audio.capture.decoding.ogg import ogg_sounds
from mictape.audio.capture.decoding.sound import NotReadableError, SndfileSound, Sound
from mictape.audio.capture.decoding.view import COPY_BYTES, Stream, View
from mictape.audio.capture.decoding.wav import wav_sounds
from mictape.audio.capture.levels import Samples
from mictape.units import RATE

SLOWEST: Final = 1_000
FASTEST: Final = 1_000_000
"""A file whose header says less or more samples a second is damaged: telephones have 8000, ultrasound 384,000."""
_NOTICED_S: Final = 0.25
"""A length that is wrong by less is nothing to speak of: a lossy file's last block is as long."""
_FLAC_START: Final = b"fLaC\x00\x00\x00\x22"
"""A FLAC's mark and the head of its first block, which is always this one and 34 bytes long."""


class UnreadableError(Exception):
    """A file cannot be opened; with what happened and what to do, as in `Failure`."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class FileDecoder:
    """A sound file of any kind, a pipe, or several files that were joined; see `Decoder`."""

    def __init__(self, source: Path | int, name: str, folder: Path, skip: int = 0) -> None:
        """Open it.

        Args:
            source: Its path, or an open descriptor.
            name: What to call it.
            folder: Where a pipe may be kept that has to be read to its end first.
            skip: Samples at 16 kHz to pass over.

        Raises:
            UnreadableError: It cannot be opened, or is no sound that can be read.
        """
        self._name = name
        try:
            self._pieces = _pieces(source, name, folder)
            first = next(self._pieces, None)
        except NotReadableError as error:
            what = f"{name} is not a sound file that can be read: {error}"
            raise UnreadableError(what, "Choose another file") from error
        if first is None:
            raise UnreadableError(f"{name} has no sound in it", "Choose another file")
        if not SLOWEST <= first.rate <= FASTEST:
            what = f"The header of {name} is damaged: it says {first.rate} samples a second"
            raise UnreadableError(what, "Choose another file")
        self.rate = first.rate
        self.channels = first.channels
        self._piece: _Fitted | None = _Fitted(first, self.rate, self.channels)
        self._seconds = 0.0
        self._said_s = 0.0
        self._remarks: list[str] = []
        self._begun = self._read(self.rate // 50)
        if not len(self._begun) and not self._remarks:
            raise UnreadableError(f"{name} has no sound in it", "Choose another file")
        self._skip(skip * self.rate // RATE)

    def read(self, frames: int) -> Samples:
        """Up to `frames` frames; none at the end or where it is damaged."""
        if len(self._begun):
            begun, self._begun = self._begun, self._begun[:0]
            return begun
        return self._read(frames)

    def warning(self) -> str:
        """At the end: what is missing, or odd, when something is."""
        if self._said_s > self._seconds + _NOTICED_S:
            return f"{self._name} is truncated: {self._seconds:.1f} s of {self._said_s:.1f} s could be read"
        if self._said_s < self._seconds - _NOTICED_S:
            said = f"the header of {self._name} says {self._said_s:.1f} s"
            return f"All {self._seconds:.1f} s were read, although {said}"
        if self._remarks:
            return f"{self._name} may be truncated: {self._remarks[0]}. {self._seconds:.1f} s were read"
        return ""

    def _read(self, frames: int) -> Samples:
        while self._piece is not None:
            if len(samples := self._piece.read(frames)):
                return samples
            self._finish(self._piece)
        return np.zeros((0, self.channels), dtype=np.int16)

    def _finish(self, piece: "_Fitted") -> None:
        """Take down what a piece had, and go on to the next one."""
        sound = piece.sound
        self._seconds += piece.frames / sound.rate
        self._said_s += sound.declared(piece.frames) / sound.rate
        self._remarks.extend(filter(None, [sound.remark]))
        sound.close()
        self._piece = None
        try:
            following = next(self._pieces, None)
        except NotReadableError as error:
            self._remarks.append(f"what follows cannot be read ({error})")
            return
        if following is not None and SLOWEST <= following.rate <= FASTEST:
            self._piece = _Fitted(following, self.rate, self.channels)

    def _skip(self, frames: int) -> None:
        """Read past `frames` frames: in a lossy file, seeking ends somewhere near."""
        while frames > 0 and (passed := len(self.read(min(frames, self.rate)))):
            frames -= passed


class _Fitted:
    """A piece at the rate and channel count of the first one."""

    def __init__(self, sound: Sound, rate: int, channels: int) -> None:
        self.sound = sound
        self.frames = 0
        """Those of its own that were read."""
        self._channels = channels
        self._ratio = sound.rate / rate
        self._mixes = sound.channels != channels
        self._resampler = soxr.ResampleStream(sound.rate, rate, channels) if sound.rate != rate else None

    def read(self, frames: int) -> Samples:
        """Up to about `frames` frames; none at the end."""
        while True:
            samples = self.sound.read(max(round(frames * self._ratio), 1))
            self.frames += len(samples)
            if self._mixes or self._resampler is not None:
                fitted = self._fit(samples)
                if len(samples) and not len(fitted):
                    continue  # the resampler gives it later
                return fitted
            return samples

    def _fit(self, samples: Samples) -> Samples:
        floats = samples.astype(np.float32) / (32_768 if samples.dtype == np.int16 else 1)
        if self._mixes:
            floats = np.repeat(floats.mean(axis=1, keepdims=True), self._channels, axis=1)
        if self._resampler is None:
            return floats
        resampler, last = self._resampler, not len(samples)
        if last:
            self._resampler = None
        return resampler.resample_chunk(floats, last=last).reshape(-1, self._channels)


def _pieces(source: Path | int, name: str, folder: Path) -> Iterator[Sound]:
    fd = os.dup(source) if isinstance(source, int) else _open(source)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        if os.fstat(fd).st_size == 0:
            raise UnreadableError(f"{name} is empty", "Choose a file with sound in it")
        return _of_file(fd, name, source)
    return _of_pipe(Stream(fd), name, folder)


def _open(path: Path) -> int:
    try:
        if path.is_dir():
            raise UnreadableError(f"{path} is a folder", "Choose a file in it")
        return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UnreadableError(f"{path} cannot be opened: {reason}", "Check the name of the file") from error


def _of_pipe(stream: Stream, name: str, folder: Path) -> Iterator[Sound]:
    """What a pipe gives, as it comes where the format allows it."""
    skip_id3(stream)
    if kind_of(stream.peek(WAV_HEAD_BYTES)) == "wav":  # live sound may be that, and no more may have come yet
        return wav_sounds(stream)
    match kind_of(stream.peek(HEAD_BYTES)):
        case "mp3":
            return mp3_sounds(stream)
        case "ogg":
            return ogg_sounds(stream)
        case None:
            if not stream.peek(1):
                raise UnreadableError(f"Nothing came through {name}", "Check the command that writes into it")
            raise UnreadableError(f"What comes through {name} is not sound that can be read", _PIPE_WAV)
        case _:
            return _of_file(_spooled(stream, folder), name, None)


_PIPE_WAV: Final = "Pipe a sound file into it, for example: ffmpeg -i FILE -f wav - | mictape transcribe -"


def _spooled(stream: Stream, folder: Path) -> int:
    """All of a pipe in a file without a name: its format has to be read at several places at once."""
    with tempfile.TemporaryFile(dir=folder) as spool:
        while piece := stream.read_some(COPY_BYTES):
            spool.write(piece)
        spool.flush()
        return os.dup(spool.fileno())


def _of_file(fd: int, name: str, path: object) -> Iterator[Sound]:
    begin = Stream(View(fd))
    skip_id3(begin)
    view = View(fd, begin.position)
    kind = kind_of(view.at(0, HEAD_BYTES))
    try:
        return _chained(_read_by(kind, view))
    except NotReadableError as error:
        if kind is None:
            what = f"{name} is not a sound file that can be read"
            raise UnreadableError(what, "Choose a sound file, or convert it with ffmpeg") from error
        if not ffmpeg.is_installed():
            convert = shlex.join(["ffmpeg", "-i", name, f"{Path(name).stem}.flac"])
            remedy = f"{ffmpeg.how_to_install()}, or convert the file elsewhere: {convert}"
            raise UnreadableError(f"{name} can be read with ffmpeg only, which is not installed", remedy) from error
        return _chained(iter([ffmpeg.FfmpegSound(fd, str(path))]))


def _read_by(kind: Kind | None, view: View) -> Iterator[Sound]:
    match kind:
        case "wav" | "chunks":
            return chunk_sounds(view)
        case "flac":
            return _flac_sounds(view)
        case "ogg":
            return ogg_sounds(Stream(view))
        case "mp3":
            return mp3_sounds(Stream(view))
        case "ffmpeg":
            raise NotReadableError("only ffmpeg reads it")
        case None:
            sound = SndfileSound(view)
            return mp3_sounds(Stream(view)) if sound.format in {"MP3", "MPEG"} else iter([sound])


def _flac_sounds(view: View) -> Iterator[Sound]:
    """A FLAC, and those that were joined to it."""
    begin: int | None = 0
    while begin is not None:
        following = view.find(_FLAC_START, begin + 1)
        yield SndfileSound(view.part(begin, following))
        begin = following


def _chained(sounds: Iterator[Sound]) -> Iterator[Sound]:
    """The same, the first one opened now. Raises NotReadableError."""
    first = next(sounds, None)
    if first is None:
        raise NotReadableError("it has no sound in it")

    def rest() -> Iterator[Sound]:
        yield first
        yield from sounds

    return rest()
