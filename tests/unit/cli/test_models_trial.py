"""What `models try` gives a model to recognize."""

from pathlib import Path

import numpy as np
import soundfile

from mictape.cli.models_trial import _samples_of
from mictape.units import RATE


def test_a_file_with_16_bits_is_recognized_sample_for_sample(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32768, RATE).astype("<i2")
    soundfile.write(tmp_path / "clip.wav", samples, RATE, "PCM_16")
    assert _samples_of(tmp_path / "clip.wav") == samples.tobytes()
