"""The audio of one connection, kept as long as it is needed."""

import numpy as np

from mictape.vad.onnx import Samples


class AudioBuffer:
    """Samples that may still be needed; positions count from the beginning of the connection."""

    def __init__(self) -> None:
        self.begin = 0
        """Samples before it were dropped."""
        self._kept: Samples = np.zeros(0, np.float32)

    @property
    def end(self) -> int:
        """The samples received so far, dropped ones included."""
        return self.begin + len(self._kept)

    def append(self, pcm: bytes) -> None:
        """Append 16-bit little-endian PCM."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        self._kept = np.concatenate([self._kept, samples])

    def piece(self, start: int, end: int) -> Samples:
        """The samples `[start, end)`, as far as they are kept."""
        return self._kept[max(0, start - self.begin) : max(0, end - self.begin)]

    def drop(self, before: int) -> None:
        """Drop the samples before this one."""
        if before > self.begin:
            self._kept = self._kept[before - self.begin :].copy()
            self.begin = before
