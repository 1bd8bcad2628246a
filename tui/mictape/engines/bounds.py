"""What a server says is kept within what can have been spoken, whatever the server is.

A transcript that claims a million words, or a word at second 10^300, would stop the screen and fill the library.
"""

import math
from dataclasses import replace
from typing import Final

import msgspec

from mictape.engines.base import (
    Answered,
    EngineEvent,
    FinalTurn,
    Notice,
    Partial,
    Received,
    Speakers,
    Unrecognized,
    Word,
)
from mictape.engines.verdicts import lost, printable
from mictape.units import RATE

FREE: Final = 2000
"""Characters that may come with hardly any sound: the rest of what was said before, a greeting."""
PER_S: Final = 100
"""Characters of one turn per second of sound; fast speech has 25."""
ALL_PER_S: Final = 400
"""Characters of all final turns together per second: many come twice, without and with punctuation."""
FREE_TURNS: Final = 100
TURNS_PER_S: Final = 10
MOST_NOTICES: Final = 50
"""Of one connection; later ones are not shown."""
LONGEST_NAME: Final = 64
"""Characters of a speaker's or a language's name."""


class Bounds:
    """Holds everything that is said on one connection against the sound that was sent on it."""

    def __init__(self, name: str) -> None:
        """Begin a connection to the service of this name."""
        self._name = name
        self._text = 0
        self._notices = 0

    def within(self, event: EngineEvent, sent: int) -> EngineEvent | None:
        """The same with times inside the samples that were `sent`; None when it is not worth showing.

        Raises:
            Lost: It is more than can have been spoken.
        """
        match event:
            case Received(until) | Answered(until):
                return event if 0 <= until <= sent else type(event)(_inside(until, sent))
            case Partial() | FinalTurn():
                return self._turn(event, sent)
            case Unrecognized(start, end):
                return Unrecognized(_inside(start, sent), max(_inside(start, sent), _inside(end, sent)))
            case Notice(text):
                self._notices += 1
                return Notice(printable(text)) if self._notices <= MOST_NOTICES else None
            case Speakers(turns):
                return Speakers({turn: label[:LONGEST_NAME] for turn, label in turns.items()})

    def _turn(self, event: Partial | FinalTurn, sent: int) -> Partial | FinalTurn:
        seconds = sent / RATE
        size = max(len(event.text), len(event.words or ()))
        self._text += len(event.text) if isinstance(event, FinalTurn) else 0
        if (
            size > FREE + PER_S * seconds
            or self._text > FREE + ALL_PER_S * seconds
            or event.turn > FREE_TURNS + TURNS_PER_S * seconds
        ):
            raise lost(f"{self._name} sent more text than can have been spoken", "Try another engine")
        words = event.words and tuple(_word(word, sent) for word in event.words)
        start = None if event.start is None else _inside(event.start, sent)
        if isinstance(event, Partial):
            return replace(event, words=words, start=start, stable=min(event.stable, len(event.text)))
        end = None if event.end is None else max(start or 0, _inside(event.end, sent))
        speaker, language = (value and value[:LONGEST_NAME] for value in (event.speaker, event.language))
        return replace(event, words=words, start=start, end=end, speaker=speaker, language=language)


def samples(seconds: float) -> int:
    """Seconds as samples; a number that none can be is 0 or the most there is."""
    return round(min(max(seconds, 0.0), 1e9) * RATE) if math.isfinite(seconds) else 0


def _inside(at: int, sent: int) -> int:
    return min(max(0, at), sent)


def _word(word: Word, sent: int) -> Word:
    start = None if word.start is None else _inside(word.start, sent)
    end = None if word.end is None else max(start or 0, _inside(word.end, sent))
    sure = word.confidence
    confidence = None if sure is None or not math.isfinite(sure) else min(max(sure, 0.0), 1.0)
    speaker = word.speaker and word.speaker[:LONGEST_NAME]
    if (start, end, confidence, speaker) == (word.start, word.end, word.confidence, word.speaker):
        return word
    return msgspec.structs.replace(word, start=start, end=end, confidence=confidence, speaker=speaker)
