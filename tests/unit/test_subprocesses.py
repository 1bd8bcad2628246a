"""What is passed to child processes on their command line and in their environment."""

import os
import subprocess
import sys

import msgspec
import pytest

from mictape import subprocesses
from mictape.audio.devices import Device
from mictape.audio.source_spec import DeviceSource, options_of
from mictape.engines.local.spec import ModelSpec, from_text, to_text

NAME = "Zoé’s_Mic_日本"
DEVICE = Device("PulseAudio:zoe", NAME, "PulseAudio", 1, 16_000, False, "microphone", "zoe")

PASSING_IT_ON = """
import subprocess, sys
sys.stdout.write(subprocess.run([sys.executable, "-c", "import sys; print(sys.argv[1])", {text!r}],
    capture_output=True, text=True, check=True).stdout)
"""


@pytest.mark.skipif(os.name == "nt", reason="there command lines are Unicode")
def test_names_of_any_language_reach_a_child_in_any_locale() -> None:
    options = options_of(DeviceSource(DEVICE))
    argument = options[options.index("--device") + 1]
    surroundings = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", PASSING_IT_ON.format(text=argument)]
    done = subprocess.run(command, env=surroundings, capture_output=True, check=True, text=True)
    assert msgspec.json.decode(done.stdout, type=Device) == DEVICE


def test_a_models_path_of_any_language_reaches_its_process() -> None:
    spec = ModelSpec("model", "moonshine", (f"/home/{NAME}",), "en")
    assert to_text(spec).isascii()
    assert from_text(to_text(spec)) == spec


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_numpy_starts_no_threads_in_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    command = [sys.executable, "-c", "import numpy, os; print(len(os.listdir('/proc/self/task')))"]
    assert subprocess.check_output(command, env=subprocesses.environment()) == b"1\n"
