"""A Whisper model made by the tests: what it says depends on the place in the text alone, not on the sound."""

from pathlib import Path
from typing import Final

import numpy as np

from mictape.engines.local.runtimes.mel import mel_filters
from mictape.units import RATE
from support.gguf_files import Tensor, write_gguf
from support.whisper_weights import CONTROL, FFT, MELS, NORMAL, described

TEXT: Final = 50257
"""So many tokens are text in every Whisper with many languages."""
NAMED: Final = ("<|endoftext|>", "<|startoftranscript|>", "<|de|>", "<|en|>")
TASKS: Final = (
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
TIMES: Final = 1501
WIDTH: Final = 64
PLACES, FRAMES = 448, 1500
SURE: Final = 1.3
"""The length of the embeddings: the likeliest token has a probability of a fifth where it loops, else far less."""
LAST: Final = 24
"""The place at which the text ends; the first four are taken by the tokens for language and task."""


def unsure_whisper(path: Path, *, loops: bool) -> Path:
    """Write a model that is unsure of every word, 8 MB.

    Args:
        path: Where to write it.
        loops: Whether it says one word again and again, else a different one at each place.
    """
    rng = np.random.default_rng(5)
    tokens = [*(f"\u0120w{number}" for number in range(TEXT)), *NAMED, *TASKS, *(f"<|{at}|>" for at in range(TIMES))]
    embeddings = rng.normal(size=(len(tokens), WIDTH))
    embeddings *= SURE / np.linalg.norm(embeddings, axis=1, keepdims=True)
    places = np.zeros((PLACES, WIDTH)) if loops else 10 * rng.normal(size=(PLACES, WIDTH))
    places[LAST:] = 100 * embeddings[TEXT]
    tensors: dict[str, Tensor] = {
        "frontend.mel_filterbank": mel_filters(MELS, FFT, RATE),
        "frontend.window": np.hanning(FFT + 1)[:-1].astype(np.float32),
        "enc.pos_emb.weight": np.zeros((FRAMES, WIDTH), np.float32),
        "dec.pos_emb.weight": places.astype(np.float32),
        "dec.token_embd.weight": embeddings.astype(np.float16),
        "enc.conv.0.weight": np.zeros((WIDTH, MELS, 3), np.float16),
        "enc.conv.1.weight": np.zeros((WIDTH, WIDTH, 3), np.float16),
        "enc.conv.0.bias": np.zeros(WIDTH, np.float32),
        "enc.conv.1.bias": np.zeros(WIDTH, np.float32),
    }
    attention = {"enc.blocks.0": ("attn",), "dec.blocks.0": ("self_attn", "cross_attn")}
    for block, kinds in attention.items():
        for kind in kinds:
            for part in ("q", "k", "v", "out"):
                tensors[f"{block}.{kind}.{part}.weight"] = np.zeros((WIDTH, WIDTH), np.float16)
                if part != "k":
                    tensors[f"{block}.{kind}.{part}.bias"] = np.zeros(WIDTH, np.float32)
        for part, shape in (("fc1", (4 * WIDTH, WIDTH)), ("fc2", (WIDTH, 4 * WIDTH))):
            tensors[f"{block}.ffn.{part}.weight"] = np.zeros(shape, np.float16)
            tensors[f"{block}.ffn.{part}.bias"] = np.zeros(shape[0], np.float32)
    norms = ("enc.final_norm", "enc.blocks.0.norm_attn", "enc.blocks.0.norm_ffn", "dec.final_norm")
    for norm in (*norms, "dec.blocks.0.norm_self", "dec.blocks.0.norm_cross", "dec.blocks.0.norm_ffn"):
        tensors[f"{norm}.weight"] = np.ones(WIDTH, np.float32)
        tensors[f"{norm}.bias"] = np.zeros(WIDTH, np.float32)
    values = described(
        tokens, [NORMAL] * TEXT + [CONTROL] * (len(tokens) - TEXT), ["a b"], layers=1, width=WIDTH, heads=1
    )
    silent = list(range(TEXT + 1, len(tokens)))
    more = {"general.languages": ["de", "en"], "stt.whisper.suppress_tokens": silent}
    write_gguf(path, "whisper", {**values, **more, "stt.whisper.begin_suppress_tokens": [TEXT]}, tensors)
    return path
