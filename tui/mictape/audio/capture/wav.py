"""A WAV read from a pipe: libsndfile wants to seek, and who writes into a pipe does not know the length.

RIFF WAVE after Microsoft's and IBM's "Multimedia Programming Interface and Data Specifications 1.0"; RF64 after
EBU Tech 3306.
"""

import os
import struct
from io import BytesIO
from typing import Final

import numpy as np
import soundfile

from mictape.audio.capture.levels import Samples

_PCM: Final = 1
_FLOAT: Final = 3
_A_LAW: Final = 6
_MU_LAW: Final = 7
_EXTENSIBLE: Final = 0xFFFE
_SUBTYPES: Final = {
    (_PCM, 8): "PCM_U8",
    (_PCM, 16): "PCM_16",
    (_PCM, 24): "PCM_24",
    (_PCM, 32): "PCM_32",
    (_FLOAT, 32): "FLOAT",
    (_FLOAT, 64): "DOUBLE",
    (_A_LAW, 8): "ALAW",
    (_MU_LAW, 8): "ULAW",
}
_UNKNOWN_SIZE: Final = 0x7FFF_0000
"""A data size from here on, or 0, means `until the stream ends`: sox writes 0x7FFFF000, ffmpeg 0xFFFFFFFF."""
_LONGEST_HEADER: Final = 1 << 20


class WavStream:
    """The sound of a WAV that is read from a file descriptor from front to end."""

    def __init__(self, fd: int) -> None:
        """Read the header. Raises ValueError with the reason when it is no WAV that can be read."""
        self._fd = fd
        self._rest = b""
        self._size: int | None = None
        self._read_size = 0
        self.rate = 0
        self.channels = 0
        self._subtype = ""
        self._read_header()
        self._frame_bytes = self.channels * int(self._bits) // 8

    @property
    def declared_frames(self) -> int | None:
        """The frames its header says that it has; None when it does not say."""
        return None if self._size is None else self._size // self._frame_bytes

    def read(self, frames: int) -> Samples:
        """Up to `frames` frames, shape (frames, channels), int16 or float32; waits for the pipe; none at the end."""
        wanted = frames * self._frame_bytes
        if self._size is not None:
            wanted = min(wanted, self._size - self._read_size)
        data = self._rest
        while len(data) < max(wanted, 1) and wanted:
            piece = os.read(self._fd, wanted - len(data))
            if not piece:
                break
            data += piece
            if len(data) >= self._frame_bytes:
                break  # what is there now is better than a full block later
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        self._read_size += whole
        return self._decode(data[:whole])

    def warning(self) -> str:
        """What is missing, when the stream ended before its header said."""
        if self._size is None or self._read_size >= self._size - self._size % self._frame_bytes:
            return ""
        read_s = self._read_size / self._frame_bytes / self.rate
        all_s = self._size / self._frame_bytes / self.rate
        return f"Standard input is not whole: {read_s:.1f} s of {all_s:.1f} s came"

    def _decode(self, data: bytes) -> Samples:
        if self._subtype == "PCM_16":
            return np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False).reshape(-1, self.channels)
        with soundfile.SoundFile(
            BytesIO(data), samplerate=self.rate, channels=self.channels, format="RAW", subtype=self._subtype
        ) as raw:
            floats = np.frombuffer(raw.buffer_read(dtype="float32"), dtype=np.float32)
        return floats.reshape(-1, self.channels)

    def _read_header(self) -> None:
        riff = self._exactly(12)
        if riff[:4] not in {b"RIFF", b"RF64"} or riff[8:] != b"WAVE":
            raise ValueError("it does not begin with a RIFF header")
        long_size = None
        while True:
            name, size = struct.unpack("<4sI", self._exactly(8))
            if name == b"data":
                break
            if size > _LONGEST_HEADER:
                raise ValueError("its header is damaged")
            chunk = self._exactly(size + size % 2)
            if name == b"fmt ":
                self._read_format(chunk)
            elif name == b"ds64":
                long_size = int(struct.unpack_from("<Q", chunk, 8)[0])
        if not self._subtype:
            raise ValueError("its header has no format")
        if riff[:4] == b"RF64" and long_size is not None:
            size = long_size
            self._size = size or None
        else:
            self._size = size if 0 < size < _UNKNOWN_SIZE else None

    def _read_format(self, chunk: bytes) -> None:
        try:
            code, self.channels, self.rate, _, _, self._bits = struct.unpack_from("<HHIIHH", chunk)
            if code == _EXTENSIBLE:
                code = struct.unpack_from("<H", chunk, 24)[0]
        except struct.error as error:
            raise ValueError("its header is damaged") from error
        self._subtype = _SUBTYPES.get((code, self._bits), "")
        if not (self._subtype and self.channels and self.rate):
            raise ValueError(f"its format is not known ({code}, {self._bits} bits)")

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = os.read(self._fd, count - len(data))
            if not piece:
                raise ValueError("it ended within its header" if data or count != 12 else "nothing came")  # noqa: PLR2004
            data += piece
        return data
