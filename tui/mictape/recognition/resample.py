"""Sound of the tape's rate for an engine that wants another one.

numpy and soxr are loaded when the first such engine is connected, long after the first frame.
"""

from typing import Any

from mictape.units import RATE


class Resampler:
    """One connection's sound, from 16 kHz to another rate, as one stream: no seams between blocks."""

    def __init__(self, rate: int) -> None:
        """Make ready for `rate` samples per second."""
        import numpy as np
        import soxr

        self._np: Any = np
        # HQ: aliases lie 87 dB and more below the speech in 16-bit output.
        self._stream: Any = soxr.ResampleStream(RATE, rate, 1, dtype="int16", quality="HQ")

    def feed(self, pcm: bytes) -> bytes:
        """The samples that are ready; 16-bit little-endian mono in and out."""
        return self._converted(pcm, last=False)

    def flush(self) -> bytes:
        """The rest of what was fed."""
        return self._converted(b"", last=True)

    def _converted(self, pcm: bytes, *, last: bool) -> bytes:
        out = self._stream.resample_chunk(self._np.frombuffer(pcm, dtype="<i2"), last=last)
        return out.astype("<i2", copy=False).tobytes()
