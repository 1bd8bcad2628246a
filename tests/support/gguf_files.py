"""GGUF files made by the tests: a small writer of the public format, and a random model of the streaming kind.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

ALIGNMENT: Final = 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TENSOR_TYPES: Final = {"float32": 0, "float16": 1}
Q8_0: Final = 8
"""Blocks of 32 numbers: a scale in half precision, and eight bits for each."""
BLOCK: Final = 32


class Signed(int):
    """A number that is written as a signed one."""


Value = str | bool | int | float | Sequence[str] | Sequence[int]
Tensor = np.ndarray


@dataclass(frozen=True)
class Quantized:
    """A tensor in eight bits."""

    shape: tuple[int, ...]
    blocks: Tensor

    @classmethod
    def of(cls, tensor: Tensor) -> "Quantized":
        """Round a tensor whose rows are whole blocks."""
        rows = tensor.astype(np.float32).reshape(-1, BLOCK)
        scales = (np.abs(rows).max(axis=1) / 127).astype("<f2")
        blocks = np.zeros(len(rows), np.dtype([("scale", "<f2"), ("numbers", "i1", BLOCK)]))
        blocks["scale"] = scales
        divisors = np.where(scales == 0, 1, scales).astype(np.float32)
        blocks["numbers"] = np.clip(np.round(rows / divisors[:, None]), -127, 127)
        return cls(tensor.shape, blocks)


def write_gguf(
    path: Path, architecture: str, values: Mapping[str, Value], tensors: Mapping[str, Tensor | Quantized]
) -> None:
    """Write a model file: its values, then its tensors."""
    everything = {"general.architecture": architecture, **values}
    with path.open("wb") as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(everything)))
        for key, value in everything.items():
            file.write(_string(key) + _typed(value))
        offset = 0
        for name, tensor in tensors.items():
            shape = tensor.shape[::-1]
            file.write(_string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
            kind = Q8_0 if isinstance(tensor, Quantized) else TENSOR_TYPES[tensor.dtype.name]
            file.write(struct.pack("<IQ", kind, offset))
            offset += -(-_data(tensor).nbytes // ALIGNMENT) * ALIGNMENT
        _pad(file)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(_data(tensor)).tobytes())
            _pad(file)


def _data(tensor: Tensor | Quantized) -> Tensor:
    return tensor.blocks if isinstance(tensor, Quantized) else tensor


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % ALIGNMENT))


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _typed(value: Value) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", BOOL, value)
        case Signed():
            return struct.pack("<Ii", INT32, value)
        case int():
            return struct.pack("<II", UINT32, value)
        case float():
            return struct.pack("<If", FLOAT32, value)
        case str():
            return struct.pack("<I", STRING) + _string(value)
        case _:
            texts = bool(value) and isinstance(value[0], str)
            head = struct.pack("<IIQ", ARRAY, STRING if texts else INT32, len(value))
            return head + b"".join(_string(str(each)) if texts else struct.pack("<i", each) for each in value)


# A random model.

WORDS: Final = ("al", "be", "ce", "da", "el", "fa", "ga", "ha", "in", "jo", "ka", "lo", "mi", "no", "ol", "pa")
LOCALES: Final = ("en-US", "de-DE", "es-ES")
LAYERS, WIDTH, HEADS, INNER, KERNEL, CHANNELS, MELS = 2, 64, 4, 128, 9, 8, 128
HIDDEN, PROMPT = 64, 128


def random_streaming_model(path: Path, *, blank_bias: float = 4.2, seed: int = 2) -> Path:
    """A cache-aware streaming transducer like Nemotron's, with random weights: 1 MB, nonsense in three locales.

    Args:
        path: Where to write it.
        blank_bias: What speaks for silence: at 4.2 about every second frame has a token, at 50 none has.
        seed: Of the weights.
    """
    rng = np.random.default_rng(seed)

    def random(*shape: int) -> Tensor:
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    def ones(*shape: int) -> Tensor:
        return np.ones(shape, np.float32)

    def zeros(*shape: int) -> Tensor:
        return np.zeros(shape, np.float32)

    # The predictor remembers the last token and nothing else, and the joiner keeps that one from coming twice in a row:
    # else most random models say one word for ever.
    last = np.eye(HIDDEN, dtype=np.float32)
    gates = np.concatenate([zeros(HIDDEN) + 9, zeros(HIDDEN) - 9, zeros(HIDDEN), zeros(HIDDEN) + 9])

    pieces = ["<unk>", *(f"\u2581{word}" for word in WORDS), *WORDS]
    vocabulary = len(pieces) + 1
    frequency = CHANNELS * 17  # of 128 bands behind three strided, causal convolutions
    tensors = {
        "enc.pre_encode.conv.0.weight": random(CHANNELS, 1, 3, 3),
        "enc.pre_encode.conv.2.weight": random(CHANNELS, 1, 3, 3),
        "enc.pre_encode.conv.3.weight": random(CHANNELS, CHANNELS, 1, 1),
        "enc.pre_encode.conv.5.weight": random(CHANNELS, 1, 3, 3),
        "enc.pre_encode.conv.6.weight": random(CHANNELS, CHANNELS, 1, 1),
        **{f"enc.pre_encode.conv.{at}.bias": zeros(CHANNELS) for at in (0, 2, 3, 5, 6)},
        "enc.pre_encode.out.weight": random(WIDTH, frequency),
        "enc.pre_encode.out.bias": zeros(WIDTH),
        "pred.embed.weight": last[:vocabulary],
        "pred.lstm.0.Wx": np.concatenate([0 * last, 0 * last, 4 * last, 0 * last]),
        "pred.lstm.0.Wh": zeros(4 * HIDDEN, HIDDEN),
        "pred.lstm.0.bias": gates,
        "joint.enc.weight": np.concatenate([zeros(vocabulary, WIDTH), 2 * random(HIDDEN - vocabulary, WIDTH)]),
        "joint.enc.bias": zeros(HIDDEN),
        "joint.pred.weight": last * (np.arange(HIDDEN) < vocabulary),
        "joint.pred.bias": zeros(HIDDEN),
        "joint.out.weight": 4 * random(vocabulary, HIDDEN) * (np.arange(HIDDEN) >= vocabulary)
        - 30 * np.eye(vocabulary, HIDDEN, dtype=np.float32) * (np.arange(vocabulary) < vocabulary - 1)[:, None],
        "joint.out.bias": np.array([-50.0, *[0.0] * (vocabulary - 2), blank_bias], np.float32),
        "prompt.mlp.0.weight": random(HIDDEN, WIDTH + PROMPT),
        "prompt.mlp.0.bias": zeros(HIDDEN),
        "prompt.mlp.2.weight": random(WIDTH, HIDDEN),
        "prompt.mlp.2.bias": zeros(WIDTH),
    }
    norms = ("norm_ff1", "norm_attn", "norm_conv", "norm_ff2", "norm_out")
    for layer in range(LAYERS):
        block = {
            **{f"{norm}.weight": ones(WIDTH) for norm in norms},
            **{f"{norm}.bias": zeros(WIDTH) for norm in norms},
            **{f"{part}.linear1.weight": random(INNER, WIDTH) for part in ("ff1", "ff2")},
            **{f"{part}.linear2.weight": random(WIDTH, INNER) for part in ("ff1", "ff2")},
            **{f"attn.linear_{part}.weight": random(WIDTH, WIDTH) for part in ("q", "k", "v", "out", "pos")},
            "attn.pos_bias_u": random(HEADS, WIDTH // HEADS),
            "attn.pos_bias_v": random(HEADS, WIDTH // HEADS),
            "conv.pointwise1.weight": random(2 * WIDTH, WIDTH, 1),
            "conv.depthwise.weight": random(WIDTH, 1, KERNEL),
            "conv.pointwise2.weight": random(WIDTH, WIDTH, 1),
            "conv.bn.weight": ones(WIDTH),
            "conv.bn.bias": zeros(WIDTH),
        }
        tensors |= {f"enc.blocks.{layer}.{name}": tensor for name, tensor in block.items()}
    encoder: dict[str, Value] = {
        "n_layers": LAYERS,
        "d_model": WIDTH,
        "n_heads": HEADS,
        "d_ff": INNER,
        "conv_kernel": KERNEL,
        "subsampling_factor": 8,
        "subsampling_channels": CHANNELS,
        "pos_emb_max_len": 5000,
        "att_context_size_choices": [56, 13, 56, 6, 56, 3, 56, 1, 56, 0],
        "att_context_style": "chunked_limited",
        "conv_norm_type": "layer_norm",
    }
    numbers = {
        "att_context_left": 56,
        "att_context_right": 13,
        "conv_context_left": KERNEL - 1,
        "conv_context_right": 0,
        "streaming.pre_encode_cache_size": 9,
        "streaming.drop_extra_pre_encoded": 2,
        "streaming.sampling_frames_first": 1,
    }
    values: dict[str, Value] = {
        "general.languages": LOCALES,
        "stt.variant": "nemotron-3.5-asr-streaming-0.6b",
        "stt.capability.streaming": True,
        "stt.parakeet.head_kind": "rnnt",
        "stt.parakeet.predictor.hidden": HIDDEN,
        "stt.parakeet.predictor.n_layers": 1,
        "stt.parakeet.predictor.vocab": vocabulary,
        "stt.parakeet.joint.hidden": HIDDEN,
        "stt.parakeet.joint.num_extra_outputs": 0,
        "stt.parakeet.joint.activation": "relu",
        "stt.parakeet.prompt.num_prompts": PROMPT,
        "stt.parakeet.prompt.hidden": HIDDEN,
        "stt.parakeet.prompt.field": "target_lang",
        "stt.parakeet.prompt.activation": "relu",
        "stt.parakeet.prompt.dictionary.locales": LOCALES,
        "stt.parakeet.prompt.dictionary.indices": list(range(len(LOCALES))),
        "tokenizer.ggml.model": "bpe",
        "tokenizer.ggml.tokens": [*pieces, "<blank>"],
        "tokenizer.ggml.token_type": [2, *[1] * (len(pieces) - 1), 3],
        "tokenizer.ggml.unknown_token_id": 0,
        "stt.frontend.type": "mel",
        "stt.frontend.num_mels": MELS,
        "stt.frontend.sample_rate": 16000,
        "stt.frontend.n_fft": 512,
        "stt.frontend.win_length": 400,
        "stt.frontend.hop_length": 160,
        "stt.frontend.window": "hann",
        "stt.frontend.normalize": "none",
        "stt.frontend.dither": 0.0,
        "stt.frontend.pre_emphasis": 0.97,
        "stt.frontend.f_min": 0.0,
        "stt.frontend.f_max": 8000.0,
        **{f"stt.parakeet.encoder.{name}": value for name, value in encoder.items()},
    }
    signed = {f"stt.parakeet.encoder.{name}": Signed(value) for name, value in numbers.items()}
    write_gguf(path, "parakeet", values | signed, tensors)
    return path
