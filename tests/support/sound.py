"""Generated sound: WAV files, counters, tones."""

import wave
from pathlib import Path

import numpy as np

from mictape.audio.capture.levels import Samples

RATE = 16_000


def wav(path: Path, data: bytes, *, rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(data)
    return path


def pcm(first: int, samples: int) -> bytes:
    """A 16-bit counter, so that a sample in the wrong place is seen."""
    return np.arange(first, first + samples).astype("<u2").tobytes()


RATES = (16_000, 44_100, 48_000)


def tone(rate: int, hertz: float, level_db: float, seconds: float = 1.0) -> Samples:
    """A sine as int16, shape (frames, 1)."""
    wave = np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate) * 10 ** (level_db / 20)
    return np.clip(np.rint(wave * 32_768), -32_768, 32_767).astype(np.int16).reshape(-1, 1)
