"""Which package each runtime needs, and whether it is here. Nothing is imported."""

import importlib.util
from typing import Final

from mictape.extras import command_for
from mictape.failure import ExitCode, Failure
from mictape.models.catalogue import Runtime

MODULES: Final[dict[Runtime, str]] = {"transcribe-cpp": "transcribe_cpp", "parakeet-onnx": "onnxruntime"}
"""The module that a runtime imports."""


def lacking(runtime: Runtime) -> Failure | None:
    """The sentence for a runtime whose package is not installed."""
    module = MODULES[runtime]
    if importlib.util.find_spec(module) is not None:
        return None
    what = f"The package {module.replace('_', '-')}, which runs this model, is not installed"
    if runtime == "transcribe-cpp":
        return Failure(what, f"Type: {command_for('models')}", ExitCode.ENGINE)
    return Failure(what, "There is none for this system; choose another model", ExitCode.ENGINE)
