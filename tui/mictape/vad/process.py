"""The process that listens for speech: `python -m mictape.vad.process`, Silero behind a pair of pipes.

Questions come on stdin, answers go to stdout, in the form of `mictape.vad.messages`; stderr is the log. It gives way to
everything else on the machine, and ends when stdin closes.
"""

import os
import signal
import sys
from typing import BinaryIO

from mictape.vad.messages import HEAD, SPAN
from mictape.vad.silero import SpeechDetector, SpeechFinder


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until no more questions come.

    Raises:
        ImportError: The detector does not run on this machine.
    """
    network = SpeechDetector.load()
    streams: dict[int, SpeechFinder] = {}
    while len(head := questions.read(HEAD.size)) == HEAD.size:
        stream, length = HEAD.unpack(head)
        if not length:
            streams.pop(stream, None)
            continue
        finder = streams.setdefault(stream, SpeechFinder(network))
        found = finder.feed(questions.read(length))
        answers.write(HEAD.pack(stream, len(found)) + b"".join(SPAN.pack(*span) for span in found))
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(10)
    serve(sys.stdin.buffer, sys.stdout.buffer)
