"""What the models run in: ONNX Runtime on the CPU, with one thread, and without its telemetry.

One thread needs half the CPU of two for the same words in the same time: the matrices are small.
"""

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import numpy as np

Samples: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float32]]
"""Sound, mono, 16 kHz, full scale 1.0."""
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Network(Protocol):
    """A loaded model."""

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Array]) -> list[Array]:
        """Compute outputs, all of them for None, from the inputs by name."""
        ...


def load_network(path: Path, sizes: Mapping[str, int] | None = None) -> Network:
    """Load an `.onnx` or `.ort` file.

    Args:
        path: The file.
        sizes: Of all its dimensions that have a name, where each run has the same. What depends on nothing else is then
            computed here, once. Nothing can be computed of an `.ort` file.

    Raises:
        ImportError: ONNX Runtime does not run on this machine.
        Exception: Its own errors, when the file is no model (they have no common class but this).
    """
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; its warnings are about its own optimisations
    # Where every piece of sound has another length, the runtime's own pools would keep what the longest ones took and a
    # plan for each length: 345 MB after twelve minutes of sound, and growing. Without them it is about 200 MB, for 4 %
    # more CPU.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = sizes is not None
    for name, size in (sizes or {}).items():
        options.add_free_dimension_override_by_name(name, size)
    return cast("Network", onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))


def _runtime() -> Any:  # noqa: ANN401 (it has no types)
    """ONNX Runtime, kept from reporting to its makers about the machine and the models.

    Its official builds do so unless asked not to: since 1.29 on Linux and macOS, from a thread that begins with the
    import, so the variable has to be set before; on Windows through the system's tracing, which a call turns off.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    onnxruntime = cast("Any", importlib.import_module("onnxruntime"))
    onnxruntime.disable_telemetry_events()
    return onnxruntime
