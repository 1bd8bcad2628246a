"""Which package each runtime needs, and whether it is here. Nothing is imported."""

import importlib.util
from typing import Final

from mictape.failure import ExitCode, Failure
from mictape.models.catalogue import Runtime

PACKAGES: Final[dict[Runtime, tuple[str, str]]] = {
    "transcribe-cpp": ("transcribe_cpp", "pip install 'mictape[models]'"),
    "parakeet-onnx": ("onnxruntime", "pip install onnxruntime"),
}
"""The module that a runtime imports, and what installs it."""


def lacking(runtime: Runtime) -> Failure | None:
    """The sentence for a runtime whose package is not installed."""
    module, command = PACKAGES[runtime]
    if importlib.util.find_spec(module) is not None:
        return None
    what = f"The package {module.replace('_', '-')}, which runs this model, is not installed"
    return Failure(what, f"Type: {command}", ExitCode.ENGINE)
