"""The audio of one connection, kept as long as it is needed."""

import numpy as np

from mictape.vad.onnx import Samples


class AudioBuffer:
    """Samples that may still be needed; positions count from the beginning of the connection."""

    def __init__(self) -> None:
        self.begin = self.end = 0
        """The samples received so far end at `end`; those before `begin` were dropped."""
        self._room: Samples = np.empty(0, np.float32)
        """The samples that are kept, and room for those that come: else each block would copy all of them."""
        self._origin = 0
        """Where the room begins."""

    def append(self, pcm: bytes) -> None:
        """Append 16-bit little-endian PCM."""
        samples = np.frombuffer(pcm, "<i2")
        end = self.end + len(samples)
        if end - self._origin > len(self._room):
            room = np.empty(2 * (end - self.begin), np.float32)
            room[: self.end - self.begin] = self.piece(self.begin, self.end)
            self._room, self._origin = room, self.begin
        np.divide(samples, np.float32(32768), out=self._room[self.end - self._origin : end - self._origin])
        self.end = end

    def piece(self, start: int, end: int) -> Samples:
        """The samples `[start, end)`, as far as they are kept. They do not change when others come or are dropped."""
        first, last = (min(max(self.begin, at), self.end) - self._origin for at in (start, end))
        return self._room[first:last]

    def drop(self, before: int) -> None:
        """Drop the samples before this one."""
        self.begin = min(max(self.begin, before), self.end)
