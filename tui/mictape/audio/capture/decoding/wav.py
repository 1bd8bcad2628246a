"""A WAV read from a pipe: libsndfile wants to seek, and what is written into a pipe often does not know its length.

RIFF WAVE after Microsoft's and IBM's "Multimedia Programming Interface and Data Specifications 1.0"; RF64 after
EBU Tech 3306.
"""

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Final

import numpy as np
import soundfile

from mictape.audio.capture.decoding.sound import NotReadableError
from mictape.audio.capture.decoding.view import Stream
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
UNKNOWN_SIZE: Final = 0x7FFF_0000
"""A data size from here on, or 0, means `until the stream ends`: sox writes 0x7FFFF000, ffmpeg 0xFFFFFFFF."""
_LONGEST_FORMAT: Final = 1 << 16
_RIFFS: Final = frozenset({b"RIFF", b"RF64", b"BW64"})


class WavStream:
    """The sound of a WAV that is read from front to end; a `Sound`."""

    def __init__(self, stream: Stream) -> None:
        """Read the header. Raises NotReadableError with the reason when it is no WAV that can be read."""
        self._stream = stream
        self._said: int | None = None
        """Bytes of sound that the header says there are; None when it does not say."""
        self._left: int | None = None
        """Those of them still to come; None: until the stream ends."""
        self.rate = 0
        self.channels = 0
        self._subtype = ""
        self.remark = ""
        self._read_header()
        self._frame_bytes = self.channels * int(self._bits) // 8

    def read(self, frames: int) -> Samples:
        """See `Sound`; what is there now is better than a full block later."""
        wanted = frames * self._frame_bytes
        if self._left is not None:
            wanted = min(wanted, self._left)
            if wanted < self._frame_bytes and self._goes_on():
                self._left, wanted = None, frames * self._frame_bytes
        data = b""
        while len(data) < min(self._frame_bytes, wanted) and (piece := self._stream.read_some(wanted - len(data))):
            data += piece
        if (rest := len(data) % self._frame_bytes) and len(data) > self._frame_bytes:
            data += self._stream.read(self._frame_bytes - rest)
        if self._left is not None:
            self._left -= len(data)
        return self._decode(data[: len(data) - len(data) % self._frame_bytes])

    def declared(self, read: int) -> int:
        """See `Sound`."""
        return read if self._said is None else self._said // self._frame_bytes

    def close(self) -> None:
        """See `Sound`: it has no file of its own."""
        return

    def _goes_on(self) -> bool:
        """Whether sound follows where the header says that it ends: a recorder that was killed wrote it before."""
        if self._left:
            self._stream.read(self._left)
        following = self._stream.peek(4)
        return len(following) == 4 and not (following.isascii() and following.decode().isprintable())  # noqa: PLR2004

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
        if riff[:4] not in _RIFFS or riff[8:] != b"WAVE":
            raise NotReadableError("it does not begin with a RIFF header")
        long_size = None
        while True:
            name, size = struct.unpack("<4sI", self._exactly(8))
            if name == b"data":
                break
            if name == b"fmt " and size <= _LONGEST_FORMAT:
                self._read_format(self._exactly(size + size % 2))
            elif name == b"ds64" and size <= _LONGEST_FORMAT:
                long_size = int.from_bytes(self._exactly(size)[8:16], "little")
            else:
                self._stream.skip(size + size % 2)
        if not self._subtype:
            raise NotReadableError("its header has no format")
        if long_size is not None and size >= UNKNOWN_SIZE:
            self._said = long_size or None
        else:
            self._said = size if 0 < size < UNKNOWN_SIZE else None
        self._left = self._said

    def _read_format(self, chunk: bytes) -> None:
        try:
            code, self.channels, self.rate, _, _, self._bits = struct.unpack_from("<HHIIHH", chunk)
            if code == _EXTENSIBLE:
                code = struct.unpack_from("<H", chunk, 24)[0]
        except struct.error as error:
            raise NotReadableError("its header is damaged") from error
        self._subtype = _SUBTYPES.get((code, self._bits), "")
        if not (self._subtype and self.channels and self.rate):
            raise NotReadableError(f"its format is not known ({code}, {self._bits} bits)")

    def _exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise NotReadableError("it ended within its header")
        return data


def wav_sounds(stream: Stream) -> Iterator[WavStream]:
    """The WAV that comes, and those that were joined to it. Raises NotReadableError."""
    while stream.peek(4) in _RIFFS:
        yield WavStream(stream)
        while len(head := stream.peek(8)) == 8 and head[:4] not in _RIFFS:  # noqa: PLR2004  (a chunk behind the sound)
            stream.skip(8 + int.from_bytes(head[4:], "little") + head[4] % 2)
