"""Which audio backends can be tested on this machine."""

import importlib.util
import shutil

import pytest

from mictape.audio.messages import Backend


def available(backend: Backend) -> Backend:
    if backend == "pyaudio" and importlib.util.find_spec("pyaudio") is None:
        pytest.skip("PyAudio is not built here: it needs a compiler and the headers of PortAudio and Python")
    if backend == "parec" and shutil.which("parec") is None:
        pytest.skip("not installed: parec")
    return backend
