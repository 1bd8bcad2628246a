"""A random Parakeet-TDT in ONNX, 0.3 MB: in the files that Mictape drives, and in those of onnx-asr, same weights."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

BANDS, WIDTH, HIDDEN = 128, 32, 24
DURATIONS: Final = 5
SYLLABLES: Final = ("al", "be", "ce", "da", "el", "fa", "ga", "ha", "in", "jo", "ka", "lo")
PIECES: Final = ("<unk>", *(f"\u2581{each}" for each in SYLLABLES), *SYLLABLES, "<blk>")

onnx: Any = pytest.importorskip("onnx")


def random_parakeet(folder: Path, *, seed: int = 1) -> Path:
    """Write the files `encoder.int8.onnx`, `decoder.int8.onnx`, `joiner.int8.onnx`, `tokens.txt`."""
    weights = _weights(seed)
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / "encoder.int8.onnx", _encoder(weights))
    nodes, names = _predictor(["states.1", "states.2"])
    inputs = [*_TARGETS, _state("states.1"), _state("states.2")]
    outputs = [_float("predicted", 1, HIDDEN, 1), _integer("predicted_length", "INT32", 1), *map(_state, names)]
    _save(folder / "decoder.int8.onnx", _graph(nodes, inputs, outputs, weights, "embedding", "own", "other"))
    inputs = [_float("encoder_outputs", 1, WIDTH, 1), _float("decoder_outputs", 1, HIDDEN, 1)]
    outputs = [_float("logits", 1, 1, 1, len(PIECES) + DURATIONS)]
    joint = _joint("decoder_outputs")
    _save(folder / "joiner.int8.onnx", _graph(joint, inputs, outputs, weights, "heard", "said", "bias", "shape"))
    (folder / "tokens.txt").write_text("".join(f"{piece} {at}\n" for at, piece in enumerate(PIECES)), "utf-8")
    return folder


def for_onnx_asr(folder: Path, *, seed: int = 1) -> Path:
    """The same model as onnx-asr wants it: decoder and joiner in one file."""
    weights = _weights(seed)
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / "encoder-model.onnx", _encoder(weights))
    states = ["input_states_1", "input_states_2"]
    nodes, names = _predictor(states)
    helper = onnx.helper
    renamed = [helper.make_node("Identity", [name], [f"output_states_{at}"]) for at, name in enumerate(names, 1)]
    outputs = [_float("logits", 1, 1, 1, len(PIECES) + DURATIONS), _state("output_states_1"), _state("output_states_2")]
    outputs[0].name = "outputs"
    joint = _joint("predicted")
    joint[-1].output[0] = "outputs"
    inputs = [_float("encoder_outputs", 1, WIDTH, 1), *_TARGETS, *map(_state, states)]
    graph = _graph([*nodes, *renamed, *joint], inputs, outputs, weights, *(set(weights) - {"kernel"}))
    _save(folder / "decoder_joint-model.onnx", graph)
    (folder / "vocab.txt").write_text("".join(f"{piece} {at}\n" for at, piece in enumerate(PIECES)), "utf-8")
    (folder / "config.json").write_text('{"model_type": "nemo-conformer-tdt", "features_size": 128}')
    return folder


def _weights(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def random(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    bias = np.zeros(len(PIECES) + DURATIONS, np.float32)
    bias[len(PIECES) - 1] = 2.0  # silence is likely, and so are short steps
    bias[len(PIECES) :] = (0.5, 1.0, 0.5, 0.0, -0.5)
    return {
        "kernel": random(WIDTH, BANDS, 9),
        "embedding": 2 * random(len(PIECES), HIDDEN),
        "own": random(HIDDEN, HIDDEN),
        "other": random(HIDDEN, HIDDEN),
        "heard": 6 * random(len(PIECES) + DURATIONS, WIDTH).T.copy(),
        "said": 4 * random(len(PIECES) + DURATIONS, HIDDEN).T.copy(),
        "bias": bias,
        "shape": np.array([1, 1, 1, -1], np.int64),
    }


def _encoder(weights: dict[str, np.ndarray]) -> Any:
    make = onnx.helper.make_node
    constants = {"one": np.array([1], np.int64), "eight": np.array([8], np.int64)}
    nodes = [
        make("Conv", ["audio_signal", "kernel"], ["heard_raw"], kernel_shape=[9], strides=[8], pads=[4, 4]),
        make("Tanh", ["heard_raw"], ["outputs"]),
        make("Sub", ["length", "one"], ["before"]),
        make("Div", ["before", "eight"], ["steps"]),
        make("Add", ["steps", "one"], ["encoded_lengths"]),
    ]
    inputs = [_float("audio_signal", 1, BANDS, "frames"), _integer("length", "INT64", 1)]
    outputs = [_float("outputs", 1, WIDTH, "steps"), _integer("encoded_lengths", "INT64", 1)]
    return _graph(nodes, inputs, outputs, weights | constants, "kernel", "one", "eight")


def _predictor(states: list[str]) -> tuple[list[Any], list[str]]:
    """A small recurrent network: what it predicts, and its two new states."""
    make = onnx.helper.make_node
    first, second = states
    return [
        make("Gather", ["embedding", "targets"], ["embedded"]),
        make("MatMul", [first, "own"], ["from_own"]),
        make("MatMul", [second, "other"], ["from_other"]),
        make("Add", ["embedded", "from_own"], ["partly"]),
        make("Add", ["partly", "from_other"], ["inner"]),
        make("Tanh", ["inner"], ["new_state"]),
        make("Identity", [first], ["older_state"]),
        make("Transpose", ["new_state"], ["predicted"], perm=[0, 2, 1]),
        make("Identity", ["target_length"], ["predicted_length"]),
    ], ["new_state", "older_state"]


def _joint(predicted: str) -> list[Any]:
    make = onnx.helper.make_node
    return [
        make("Transpose", ["encoder_outputs"], ["encoder_row"], perm=[0, 2, 1]),
        make("Transpose", [predicted], ["predicted_row"], perm=[0, 2, 1]),
        make("MatMul", ["encoder_row", "heard"], ["from_sound"]),
        make("MatMul", ["predicted_row", "said"], ["from_text"]),
        make("Add", ["from_sound", "from_text"], ["both"]),
        make("Add", ["both", "bias"], ["biased"]),
        make("Reshape", ["biased", "shape"], ["logits"]),
    ]


def _float(name: str, *shape: int | str) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _integer(name: str, kind: str, *shape: int) -> Any:
    return onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape)


def _state(name: str) -> Any:
    return _float(name, 1, 1, HIDDEN)


_TARGETS: Final = [_integer("targets", "INT32", 1, 1), _integer("target_length", "INT32", 1)]


def _graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: dict[str, np.ndarray], *used: str) -> Any:
    tensors = [onnx.numpy_helper.from_array(weights[name], name) for name in used]
    return onnx.helper.make_graph(nodes, "random", inputs, outputs, tensors)


def _save(path: Path, graph: Any) -> None:
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
