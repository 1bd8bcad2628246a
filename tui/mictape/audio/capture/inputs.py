"""Where sound comes from: a device through PortAudio, a file, or a WAV on standard input.

Each input opens itself, then puts `Block`s into an inbox from a thread of its own, and `Exhausted` when there
is no more. In the capture process only. Opening raises `InputError`.
"""

import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Literal, Protocol

import numpy as np
import soundfile

from mictape.audio.capture.levels import Samples
from mictape.audio.capture.recorder import Block
from mictape.audio.capture.wav import WavStream
from mictape.audio.messages import Failed, TrueRate
from mictape.units import RATE

Pace = Literal["real", "fast"]
"""A file as if it were live, by the monotonic clock; or as fast as it goes."""

_BLOCK_S: Final = {"real": 0.02, "fast": 0.1}
_AHEAD: Final = 8
"""Blocks that may wait to be written; the next one is read when one of them is done."""


class Exhausted(str):
    """The input has no more sound; a sentence when it was not whole, else empty."""

    __slots__ = ()


class InputError(Exception):
    """An input cannot be opened or has gone; carries the message for the app."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.what)
        self.failed = failed


Item = Block | TrueRate | Exhausted | InputError | str
"""What lies in the inbox: sound, what was found of its rate, its end, what ended it, or a command word."""
Inbox = SimpleQueue[Item]


class Input(Protocol):
    """An open source of sound."""

    name: str
    rate: int
    channels: int
    live: bool
    """True: sound that is not taken now is lost."""

    def start(self, inbox: Inbox) -> None:
        """Begin to deliver."""
        ...

    def taken(self) -> None:
        """A block was taken out of the inbox."""
        ...

    def hold(self, held: bool) -> None:
        """Read on or not; a live input goes on in any case."""
        ...


class Decoder(Protocol):
    """Sound that is read at one's own pace."""

    rate: int
    channels: int

    def read(self, frames: int) -> Samples:
        """Up to `frames` frames, shape (frames, channels); none at the end."""
        ...

    def warning(self) -> str:
        """At the end: a sentence when it was not whole, else empty."""
        ...


class ReadInput:
    """A decoder read by a thread: in real time or as fast as its blocks are taken."""

    live = False

    def __init__(self, decoder: Decoder, name: str, pace: Pace, *, held: bool) -> None:
        self.name = name
        self.rate = decoder.rate
        self.channels = decoder.channels
        self._decoder = decoder
        self._pace: Pace = pace
        self._room = threading.Semaphore(_AHEAD)
        self._flowing = threading.Event()
        self.hold(held)

    def start(self, inbox: Inbox) -> None:
        """Begin to read."""
        threading.Thread(target=self._run, args=(inbox,), name="reader", daemon=True).start()

    def taken(self) -> None:
        """Make room for one more block."""
        self._room.release()

    def hold(self, held: bool) -> None:
        """Stop reading, or read on."""
        if held:
            self._flowing.clear()
        else:
            self._flowing.set()

    def _run(self, inbox: Inbox) -> None:
        try:
            self._read(inbox)
        except (OSError, ValueError) as error:
            inbox.put(Exhausted(f"{self.name} could not be read further: {error}"))

    def _read(self, inbox: Inbox) -> None:
        block_frames = max(round(self.rate * _BLOCK_S[self._pace]), 1)
        due: float | None = None
        while True:
            self._room.acquire()
            if not self._flowing.is_set():
                self._flowing.wait()
                due = None
            samples = _finite(self._decoder.read(block_frames))
            if not len(samples):
                inbox.put(Exhausted(self._decoder.warning()))
                return
            seconds = len(samples) / self.rate
            now = time.monotonic()
            if self._pace == "real":  # a block is there when its last frame would have been heard
                due = (now if due is None else due) + seconds
                time.sleep(max(due - now, 0))
            else:
                due = now + seconds
            inbox.put(Block(samples, due - seconds))


def _finite(samples: Samples) -> Samples:
    """Floats that are no number become silence, infinite ones full scale: neither levels nor resampling know them."""
    return samples if samples.dtype == np.int16 else np.nan_to_num(samples, nan=0, posinf=1, neginf=-1)


class _Forward(soundfile.SoundFile):
    """A sound file read from front to end.

    `SoundFile.read` seeks to where it is after each piece, which libsndfile 1.2 answers with damaged sound in an
    MP3. It does not where the file cannot seek.
    """

    def seekable(self) -> bool:
        return False


class FileDecoder:
    """A sound file of any kind that libsndfile reads."""

    def __init__(self, path: Path, skip: int = 0) -> None:
        """Open it behind `skip` samples at 16 kHz. Raises InputError."""
        self._name = path.name
        try:
            if path.stat().st_size == 0:
                raise _file_failed(f"{path.name} is empty", "Choose a file with sound in it")
            self._file = _Forward(path)
        except OSError as error:
            reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
            raise _file_failed(f"{path} cannot be opened: {reason}", "Check the name of the file") from error
        except soundfile.LibsndfileError as error:
            remedy = "Use WAV, FLAC, OGG or MP3, or convert it with ffmpeg"
            raise _file_failed(f"{path.name} is not a sound file that can be read", remedy) from error
        self.rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self._frames = _declared_frames(path, int(self._file.frames))
        if not self._frames:
            raise _file_failed(f"{path.name} has no sound in it", "Choose another file")
        # 16 bits stay as they are; anything finer or lossy may reach beyond full scale, which only floats hold.
        self._dtype: Final = "int16" if self._file.subtype == "PCM_16" else "float32"
        self._position = 0
        self._broken = False
        self._skip(min(skip * self.rate // RATE, int(self._file.frames)))

    def read(self, frames: int) -> Samples:
        """Up to `frames` frames; none at the end or where it is damaged."""
        try:
            samples: Samples = self._file.read(frames, dtype=self._dtype, always_2d=True)
        except soundfile.LibsndfileError:
            self._broken = True
            samples = np.zeros((0, self.channels), dtype=self._dtype)
        self._position += len(samples)
        return samples

    def _skip(self, frames: int) -> None:
        """Read past `frames` frames: in a lossy file, seeking ends somewhere near."""
        while self._position < frames and len(self.read(min(frames - self._position, self.rate))):
            pass

    def warning(self) -> str:
        """What is missing, when something is."""
        missing = self._frames - self._position
        # A lossy file's length is an estimate, wrong by a few of its own blocks of some 1000 samples.
        estimated = self._file.format in {"MP3", "OGG", "MPEG"}
        if self._broken or missing > (self.rate // 4 if estimated else 0):
            read_s, all_s = self._position / self.rate, self._frames / self.rate
            return f"{self._name} is not whole: {read_s:.1f} s of {all_s:.1f} s could be read"
        return ""


def open_file(path: Path, pace: Pace, *, skip: int = 0) -> ReadInput:
    """Open a file behind `skip` samples at 16 kHz; it is held until told to flow. Raises InputError."""
    return ReadInput(FileDecoder(path, skip), path.name, pace, held=True)


def open_stdin() -> ReadInput:
    """Open the WAV on standard input, which flows at once. Raises InputError."""
    try:
        decoder = WavStream(0)
    except ValueError as error:
        remedy = "Pipe a WAV into it, for example: ffmpeg -i FILE -f wav - | mictape transcribe -"
        raise _file_failed(f"Standard input is not a WAV stream: {error}", remedy) from error
    return ReadInput(decoder, "standard input", "fast", held=False)


def _declared_frames(path: Path, frames: int) -> int:
    """The frames a file says that it has; libsndfile cuts a WAV's number to what is there."""
    with path.open("rb", buffering=0) as file:
        try:
            return WavStream(file.fileno()).declared_frames or frames
        except ValueError:
            return frames


def _file_failed(what: str, remedy: str) -> InputError:
    return InputError(Failed(what, remedy, "file"))
