"""Make the recording that `mictape --demo` plays: a synthetic voice, so that it is ours to give away.

Needs espeak-ng. The file is committed, since a user's machine has no espeak-ng: run this after a change of `SCRIPT`.
"""

import io
import subprocess
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr

SCRIPT: Final = (
    "Welcome. This is a demonstration. You do not need a microphone.",
    "While I speak, the words appear on the screen. They can still change for a moment.",
    "The level meter at the top shows how loud I am.",
    "You can search the text, mark a line, and correct a word.",
    "Everything is kept on this computer.",
    "When you have seen enough, press the letter Q.",
)
"""What is said, one paragraph a line: sentences that the built-in model recognizes in this voice."""
VOICE: Final = "en-us+f2"
WORDS_A_MINUTE: Final = "145"
PAUSE_S: Final = 1.2
"""After each line, so that each is a line of text."""
PEAK: Final = 0.4
"""Of full scale: -8 dBFS, where the meter shows good speech."""
RATE: Final = 16_000
TARGET: Final = Path(__file__).parents[1] / "tui" / "mictape" / "demo.ogg"


def spoken(text: str) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Text in `VOICE`, at `RATE`, shape (samples,)."""
    command = ["espeak-ng", "-v", VOICE, "-s", WORDS_A_MINUTE, "-a", "100", "--stdout", text]
    sound, rate = soundfile.read(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout))
    return np.asarray(soxr.resample(sound, rate, RATE), np.float32)


def main() -> None:
    """Write the file."""
    pause = np.zeros(int(PAUSE_S * RATE), np.float32)
    sound = np.concatenate([piece for text in SCRIPT for piece in (spoken(text), pause)])
    soundfile.write(TARGET, sound * (PEAK / np.abs(sound).max()), RATE, format="OGG", subtype="VORBIS")
    print(f"{TARGET}: {len(sound) / RATE:.0f} s, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
