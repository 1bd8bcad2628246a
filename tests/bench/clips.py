"""Real speech to measure with: the recordings of the local engine's wheel, and those of a folder."""

import importlib.util
import os
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mictape.units import RATE
from support.references import BECKETT, TWO_CITIES

SPEECH_VARIABLE: Final = "MICTAPE_SPEECH"
"""The environment variable that names a folder of clips with their `manifest.tsv`."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, and what is said in it."""

    path: Path
    reference: str

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    def pcm(self) -> bytes:
        """The sound at 16 kHz."""
        with wave.open(str(self.path)) as file:
            pcm, rate = file.readframes(file.getnframes()), file.getframerate()
        if rate == RATE:
            return pcm
        import numpy as np
        import soxr

        return soxr.resample(np.frombuffer(pcm, "<i2"), rate, RATE).tobytes()


def clips_of_the_wheel() -> list[Clip]:
    """The recordings that the local engine's wheel carries; none where it has no wheel."""
    found = importlib.util.find_spec("moonshine_voice")
    if found is None or found.origin is None:
        return []
    assets = Path(found.origin).parent / "assets"
    return [Clip(assets / "two_cities.wav", TWO_CITIES), Clip(assets / "beckett.wav", BECKETT)]


def clips_of_the_folder() -> list[Clip]:
    """The WAV files that MICTAPE_SPEECH has a reference for: columns `file` and `reference`, tabs between them."""
    named = os.environ.get(SPEECH_VARIABLE)
    manifest = Path(named or ".") / "manifest.tsv"
    if named is None or not manifest.is_file():
        return []
    head, *rows = (line.split("\t") for line in manifest.read_text("utf-8").splitlines() if line)
    entries = [dict(zip(head, row, strict=False)) for row in rows]
    return [Clip(manifest.with_name(entry["file"]), entry["reference"]) for entry in entries if entry.get("reference")]
