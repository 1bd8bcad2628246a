"""Loops: a decoder that repeats itself instead of listening. Pure."""

import zlib
from collections.abc import Sequence
from typing import Final

LONGEST: Final = 16
"""Tokens of the longest phrase that is looked for."""
SHORT: Final = 2
"""Phrases up to so many tokens ("no, no, no") are said more often than others."""
TIMES: Final = 4
TIMES_SHORT: Final = 6
"""A phrase, a short phrase that comes so often in a row is a loop."""
MOST_REPETITIVE: Final = 2.4
"""The compression ratio of text beyond which it is a loop. Speech reached 1.75 in 469 lines, loops begin at 2.9; 2.4 is
also Whisper's limit."""


def loop_start(tokens: Sequence[int]) -> int | None:
    """How many of the tokens to keep, its phrase once, when they end in a loop; None when they do not."""
    count = len(tokens)
    for length in range(1, LONGEST + 1):
        times = TIMES_SHORT if length <= SHORT else TIMES
        if count < length * times:
            break
        if all(tokens[at] == tokens[at - length] for at in range(count - length * (times - 1), count)):
            return count - length * (times - 1)
    return None


def repetitive(text: str) -> bool:
    """Whether a text repeats itself as only a loop does."""
    data = text.encode()
    return len(data) > MOST_REPETITIVE * len(zlib.compress(data))
