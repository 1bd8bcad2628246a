"""Where the words of a known text begin in its recording, by another recogniser: what word times are compared with.

PocketSphinx aligns the text with the sound, in steps of 10 ms. Nothing else needs it, so this file is also what runs in
an environment of its own: `aligned.py WORD ... < PCM` prints where each word begins, samples, as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

PACKAGE: Final = "pocketsphinx==5.1.1"
RATE: Final = 16_000
STEP: Final = RATE // 100


def starts_of(pcm: bytes, words: Sequence[str]) -> list[int]:
    """Where each of `words`, in lower case, begins in 16-bit mono PCM at 16 kHz; empty when it cannot tell.

    Raises:
        subprocess.CalledProcessError: PocketSphinx cannot be installed here.
    """
    alone = ["uv", "run", "--quiet", "--no-project", "--python", sys.executable, "--with", PACKAGE, "python"]
    command = [sys.executable, "-m", *alone, __file__, *words]
    return json.loads(subprocess.run(command, input=pcm, stdout=subprocess.PIPE, check=True).stdout)


def main(words: Sequence[str]) -> None:
    """Align `words` with stdin."""
    from pocketsphinx import Decoder  # pyright: ignore[reportMissingImports] (only in that environment)

    decoder: Any = Decoder(samprate=RATE, bestpath=False, loglevel="FATAL")
    found: list[tuple[str, int]] = []
    if all(decoder.lookup_word(word) for word in words):
        decoder.set_align_text(" ".join(words))
        decoder.start_utt()
        decoder.process_raw(sys.stdin.buffer.read(), full_utt=True)
        decoder.end_utt()
        found = [(part.word.split("(")[0], part.start_frame * STEP) for part in decoder.seg()]
    spoken = [(word, start) for word, start in found if not word.startswith(("<", "[", "+"))]
    print(json.dumps([start for _, start in spoken] if [word for word, _ in spoken] == list(words) else []))


if __name__ == "__main__":
    main(sys.argv[1:])
