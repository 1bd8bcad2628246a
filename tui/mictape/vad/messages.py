"""What the app and the speech detector's process write to each other. The process loads no event loop for it."""

from struct import Struct
from typing import Final

HEAD: Final = Struct("<II")
"""Before a question: the stream and its bytes of PCM, 0 to forget the stream. Before an answer: the stream and how many
stretches of speech follow."""
SPAN: Final = Struct("<QQ")
"""A stretch of speech: its start and its end, samples since the stream began."""
