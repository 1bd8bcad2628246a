"""Which model the local engine's process is to load, as the app gives it on the command line."""

from typing import Literal

import msgspec

from mictape.subprocesses import json_argument

Runtime = Literal["moonshine", "transcribe-cpp", "parakeet-onnx"]


class ModelSpec(msgspec.Struct, frozen=True):
    """One model, ready to be loaded."""

    name: str
    runtime: Runtime
    paths: tuple[str, ...]
    """Its files, in the order of the catalogue; for Moonshine its folder."""
    language: str
    """A code, `de` or `pt-BR`."""
    streaming: bool = False
    look_ahead_ms: tuple[int, ...] = ()
    """The look-aheads of a stream to choose from, ms, the most accurate first."""


def to_text(spec: ModelSpec) -> str:
    """The specification as one argument."""
    return json_argument(spec)


def from_text(text: str) -> ModelSpec:
    """The specification that an argument holds. Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(text, type=ModelSpec)
