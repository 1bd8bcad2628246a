"""Ends utterances for an engine that leaves it to us."""

from typing import Final

from mictape.recognition.speech_activity import LEAST_SPEECH, SpeechActivity
from mictape.units import RATE

LONGEST_UTTERANCE: Final = 20 * RATE
"""Offline models decode up to about half a minute at once; a border in the middle of a word is the lesser evil."""


class Utterances:
    """Says where utterances end, block by block."""

    def __init__(self, start: int) -> None:
        self._activity = SpeechActivity(start)
        self._began = start

    def over_after(self, pcm: bytes) -> bool:
        """Whether the utterance ends behind this block: in a pause, or because it has become too long."""
        self._activity.feed(pcm)
        activity = self._activity
        length = activity.position - self._began
        spoken = activity.speaks(self._began, activity.position)
        # It counts half a second behind what is loud as speech, so a whole pause is that much longer.
        over = length >= LONGEST_UTTERANCE or (spoken >= LEAST_SPEECH and activity.silent_for() > 0)
        if over:
            self._began = activity.position
        return over
