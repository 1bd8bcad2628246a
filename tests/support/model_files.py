"""Models for tests: small files with true hashes, and a catalogue that names them."""

import random
from hashlib import sha256

from mictape.models.catalogue import Model, ModelFile

SIZE = 300_000


def content(size: int = SIZE, seed: int = 1) -> bytes:
    """Bytes that do not compress and are the same each time."""
    return random.Random(seed).randbytes(size)


def file_of(data: bytes, *urls: str, name: str = "weights.gguf", hashed: bool = True) -> ModelFile:
    return ModelFile(name, len(data), urls, sha256(data).hexdigest() if hashed else None)


def model_of(*files: ModelFile, name: str = "sample", **fields: object) -> Model:
    values = {
        "title": "Sample",
        "runtime": "transcribe-cpp",
        "languages": ("de",),
        "licence": "MIT",
        "attribution": "Sample by nobody",
        **fields,
    }
    return Model(name=name, files=files, **values)  # pyright: ignore[reportArgumentType]  (fields by name)
