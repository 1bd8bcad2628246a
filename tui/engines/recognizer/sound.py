"""The sound of one connection: kept as long as it is needed, and no quieter than the models can hear."""

from typing import Final

import numpy as np

from tui.onnx import Samples

LOUD_DB: Final = -35.0
"""A stretch whose loudest frame is at this RMS, dBFS, or above is taken as it is: the model hears it well."""
MOST_DB: Final = 30.0
"""What quiet sound is raised by at most: beyond it even a silent room hums."""
SILENCE_DB: Final = -100.0


def level_db(samples: Samples) -> float:
    """RMS in dBFS, a sine at full scale being −3."""
    return 10 * float(np.log10(max(float(np.mean(samples**2)), 1e-10))) if len(samples) else SILENCE_DB


def raised(samples: Samples, loudest_db: float) -> Samples:
    """The samples, louder if the loudest frame around them is quiet; never beyond full scale."""
    gain_db = min(MOST_DB, LOUD_DB - loudest_db)
    return samples if gain_db <= 0 else np.clip(samples * np.float32(10 ** (gain_db / 20)), -1, 1)


class Sound:
    """What was received and may still be needed; positions are samples since the connection began."""

    def __init__(self) -> None:
        self.begin = 0
        """What is before it was forgotten."""
        self._kept: Samples = np.zeros(0, np.float32)

    @property
    def end(self) -> int:
        """Everything before it was received."""
        return self.begin + len(self._kept)

    def append(self, pcm: bytes) -> None:
        """Take 16-bit little-endian PCM."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        self._kept = np.concatenate([self._kept, samples])

    def piece(self, start: int, end: int) -> Samples:
        """The samples `[start, end)`, as far as they are kept."""
        return self._kept[max(0, start - self.begin) : max(0, end - self.begin)]

    def forget(self, before: int) -> None:
        """What is before this sample is not needed any more."""
        if before > self.begin:
            self._kept = self._kept[before - self.begin :].copy()
            self.begin = before
