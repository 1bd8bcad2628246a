"""Sound made to measure with."""

import random
import wave
from array import array
from pathlib import Path

from mictape.units import RATE


def pattern() -> bytes:
    """Five seconds of 16-bit PCM: four loud ones and one of a quiet room.

    Our own gate counts half a second on either side of what is loud, so repeated it is speech without a pause.
    """
    chance = random.Random(1)
    loud = array("h", (chance.randrange(-6000, 6000) for _ in range(4 * RATE)))
    quiet = array("h", (chance.randrange(-8, 8) for _ in range(RATE)))
    return (loud + quiet).tobytes()


def write_wav(path: Path, pcm: bytes) -> Path:
    """A sound file of 16 kHz mono PCM."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(pcm)
    return path
