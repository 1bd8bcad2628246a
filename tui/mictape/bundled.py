"""What every installed Mictape carries besides its code: a recording, and the models of engine and speech detector.

The models are not in the repository. `scripts/bundled_models.py` takes them from their makers' published wheels, for a
checkout and for Mictape's own wheel. This module imports the standard library only: that script runs before anything is
installed.
"""

from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).with_name("_models")
"""Where the files are, in a folder for each model, with its licence."""

DEMO: Final = Path(__file__).with_name("demo.ogg")
"""The recording of `mictape --demo`: half a minute of a synthetic voice, made by `scripts/make_demo.py`."""


class File(NamedTuple):
    """A file of a bundled model."""

    name: str
    """Its path below `FOLDER`."""
    bytes: int
    sha256: str

    @property
    def path(self) -> Path:
        """Where it is when it is installed."""
        return FOLDER / self.name

    def is_whole(self) -> bool:
        """Return whether the file is there with the right content. Reads all of it."""
        import hashlib  # with OpenSSL, which the first frame does not need

        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:
            return False


MOONSHINE: Final = "moonshine-tiny-en"
"""Moonshine tiny-en (MIT), of moonshine-voice 0.1.0: the last release that carries it."""
SILERO: Final = "silero-vad"
"""Silero's speech detector (MIT), of silero-vad 6.2.1."""

FILES: Final = (
    File(
        f"{MOONSHINE}/encoder_model.ort",
        13_281_600,
        "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    ),
    File(
        f"{MOONSHINE}/decoder_model_merged.ort",
        30_412_256,
        "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
    ),
    File(f"{MOONSHINE}/tokenizer.bin", 249_974, "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d"),
    File(f"{MOONSHINE}/LICENSE", 1_070, "5da20e09cad096fb153b6c80b26c270027f9601285c498e571fc74fee5ab7157"),
    File(
        f"{SILERO}/silero_vad_16k_op15.onnx",
        1_289_603,
        "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
    ),
    File(f"{SILERO}/LICENSE", 1_075, "2e63e9a38b6e8fc0c7bc37ce174caca1862870856c6daf5697cfb785e925520b"),
)


def missing() -> list[File]:
    """Return the files that are not there or have another size; content is not read (`File.is_whole` does)."""
    return [file for file in FILES if not file.path.is_file() or file.path.stat().st_size != file.bytes]
