"""Sound that is read from front to end: through libsndfile from a file, or through it from a pipe that is fed.

libsndfile knows the length of a WAV, a FLAC or their like exactly. Of a lossy file it estimates it, and ends reading
there; from a pipe it reads all that comes.
"""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Protocol

import numpy as np
import soundfile

from mictape.audio.capture.decoding.view import COPY_BYTES, View
from mictape.audio.capture.levels import Samples

UNKNOWN_LENGTH: Final = 1 << 60
"""libsndfile gives a length beyond this when it knows none."""
_LOSSY: Final = ("MPEG", "VORBIS", "OPUS", "GSM", "NMS", "G72")
"""How the names of encodings begin whose decoders add up to some blocks of their own."""


class NotReadableError(Exception):
    """No decoder here reads it."""


class Sound(Protocol):
    """One piece of sound."""

    rate: int
    channels: int

    def read(self, frames: int) -> Samples:
        """Up to `frames` frames, shape (frames, channels), int16 or float32; none at the end or where it is damaged."""
        ...

    def declared(self, read: int) -> int:
        """The frames it says that it has, now that `read` of them could be read; `read` when it does not say."""
        ...

    @property
    def remark(self) -> str:
        """At the end: what is odd about it, else empty. A clause such as `it is damaged`."""
        ...

    def close(self) -> None:
        """Let its file go."""
        ...


class _Forward(soundfile.SoundFile):
    """A sound file read from front to end.

    `SoundFile.read` seeks to where it is after each piece, which libsndfile 1.2 answers with damaged sound in an
    MP3. It does not where the file cannot seek.
    """

    def seekable(self) -> bool:
        return False


class SndfileSound:
    """What libsndfile decodes from a view or a pipe. 16 bits stay as they are, all else becomes floats.

    Anything finer or lossy may reach beyond full scale, which only floats hold.
    """

    def __init__(self, file: View | int, *, share: float = 1.0) -> None:
        """Open it.

        Args:
            file: The bytes; the length of a descriptor is not known.
            share: How many times as long as its bytes here it says that it is.

        Raises:
            NotReadableError: libsndfile does not know it, or it is damaged where it begins.
        """
        try:
            self._file = _Forward(file if isinstance(file, int) else io.BufferedReader(file, COPY_BYTES), closefd=False)
        except soundfile.LibsndfileError as error:
            raise NotReadableError(str(error)) from error
        self.rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.format = str(self._file.format)
        self.remark = ""
        self._share = share
        lossy = self._file.subtype.startswith(_LOSSY)
        frames = int(self._file.frames)
        self._frames = None if lossy or frames > UNKNOWN_LENGTH else frames
        self._dtype: Final = "int16" if self._file.subtype == "PCM_16" else "float32"

    def read(self, frames: int) -> Samples:
        """See `Sound`."""
        try:
            samples: Samples = self._file.read(frames, dtype=self._dtype, always_2d=True)
        except soundfile.LibsndfileError:
            self.remark = "it is damaged there"
            samples = np.zeros((0, self.channels), dtype=self._dtype)
        return samples

    def declared(self, read: int) -> int:
        """See `Sound`."""
        return round((read if self._frames is None else max(self._frames, read)) * self._share)

    def close(self) -> None:
        """See `Sound`."""
        self._file.close()


class PipedSound:
    """What libsndfile decodes from bytes that are fed to it through a pipe, by a thread."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """Open it. Raises NotReadableError; then the chunks are used up."""
        self._reading, self._writing = os.pipe()
        self._chunks = chunks
        self._feeder = threading.Thread(target=self._feed, name="feeder", daemon=True)
        self._feeder.start()
        try:
            self._sound = SndfileSound(self._reading)
        except NotReadableError:
            self.close()
            raise
        self.rate = self._sound.rate
        self.channels = self._sound.channels

    def read(self, frames: int) -> Samples:
        """See `Sound`."""
        return self._sound.read(frames)

    def declared(self, read: int) -> int:
        """See `Sound`."""
        return read

    @property
    def remark(self) -> str:
        """See `Sound`."""
        return self._sound.remark

    def close(self) -> None:
        """See `Sound`; what was not read of the chunks is passed over."""
        os.close(self._reading)
        self._feeder.join()

    def _feed(self) -> None:
        with suppress(BrokenPipeError), os.fdopen(self._writing, "wb", buffering=0) as pipe:
            for chunk in self._chunks:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[pipe.write(rest) :]
        for _ in self._chunks:
            pass
