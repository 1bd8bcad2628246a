"""An independent judge: the own driver of Parakeet-TDT against onnx-asr, number by number, on the same weights."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import Speech
from mictape.engines.local.recognizer.model import completed
from mictape.engines.local.runtimes.parakeet import FRAME, Parakeet
from mictape.units import RATE
from support.judges import environment_with
from support.local_engine import samples_of
from support.parakeet_files import for_onnx_asr, random_parakeet
from support.recognizing import floats_of

PACKAGE, RUNS_ON = "onnx-asr==0.12.0", "onnxruntime>=1.32,<2"

SCRIPT = """
import json, sys
import numpy as np
import onnx_asr
from onnx_asr.preprocessors.numpy_preprocessor import NemoPreprocessorNumpy

samples = np.frombuffer(open(sys.argv[2], "rb").read(), "<i2").astype(np.float32) / 32768
model = onnx_asr.load_model("nemo-conformer-tdt", sys.argv[1]).with_timestamps()
result = model.recognize(samples, sample_rate=16000)
features, lengths = NemoPreprocessorNumpy("nemo128")(samples[None], np.array([len(samples)]))
np.save(sys.argv[3], features[0, :, :lengths[0]])
print(json.dumps([result.text, result.tokens, result.timestamps, [float(each) for each in result.logprobs]]))
"""

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(PACKAGE, tmp_path_factory.mktemp("judge") / "venv", RUNS_ON)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_features_tokens_times_and_probabilities_are_the_same(
    judge: Path, speech: Speech, tmp_path: Path, seed: int
) -> None:
    pcm = samples_of(speech.two_cities)[: 2 * 20 * RATE]
    (tmp_path / "sound").write_bytes(pcm)
    folder = for_onnx_asr(tmp_path / "theirs", seed=seed)
    command = [judge, "-c", SCRIPT, folder, tmp_path / "sound", tmp_path / "features.npy"]
    done = subprocess.run(command, capture_output=True, check=True)
    text, pieces, times, log_probs = json.loads(done.stdout)

    ours = random_parakeet(tmp_path / "ours", seed=seed)
    names = ("encoder.int8.onnx", "decoder.int8.onnx", "joiner.int8.onnx", "tokens.txt")
    model = Parakeet([ours / name for name in names], "en")
    sound = floats_of(pcm)
    theirs: Any = np.load(tmp_path / "features.npy")
    assert np.abs(model.features(sound) - theirs).max() < 1e-3
    words = completed(model.decoding(sound)).words
    assert " ".join(word.text for word in words) == text.strip()
    assert sum(len(word.tokens) for word in words) == len(pieces) > 50
    firsts = np.cumsum([0, *(len(word.tokens) for word in words)])[:-1]
    assert [word.start for word in words] == [round(times[at] * RATE / FRAME) * FRAME for at in firsts]
    for word, first in zip(words, firsts, strict=True):
        assert word.log_prob == pytest.approx(sum(log_probs[first : first + len(word.tokens)]), abs=1e-3)
