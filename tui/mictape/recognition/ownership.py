"""Who owns which sample and which word where two connections meet. Pure."""

from dataclasses import replace
from typing import Final

from msgspec import structs

from mictape.engines.base import Answered, EngineEvent, FinalTurn, Partial, Received, Unrecognized, Word
from mictape.units import RATE

CONTEXT: Final = RATE
"""A connection whose engine gives word times is sent one second more on either side of what it owns."""


class Timeline:
    """From a connection's own samples to session time.

    A connection counts what it was sent. That is the tape from `start` on, but now and then silence that is on no
    tape is put in to keep it alive, and silence that is on the tape is left out to catch up.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._jumps: list[tuple[int, int]] = []
        """After so many samples of the connection: samples put in (positive) or left out (negative)."""

    def insert(self, at: int, samples: int) -> None:
        """Silence that is on no tape was sent after `at` samples of the connection."""
        self._jumps.append((at, samples))

    def skip(self, at: int, samples: int) -> None:
        """So much of the tape was left out after `at` samples of the connection."""
        self._jumps.append((at, -samples))

    def session_time(self, sample: int) -> int:
        """Where on the tape a sample of the connection comes from; inside put-in silence, where that was put in."""
        shift = 0
        for at, samples in self._jumps:
            if sample <= at:
                break
            shift += min(samples, sample - at)
        return self._start + sample - shift


def in_session_time(event: EngineEvent, timeline: Timeline) -> EngineEvent:
    """The same with every time in session time."""

    def at(sample: int | None) -> int | None:
        return None if sample is None else timeline.session_time(sample)

    match event:
        case Received(until) | Answered(until):
            return replace(event, until=timeline.session_time(until))
        case Unrecognized(start, end):
            return Unrecognized(timeline.session_time(start), timeline.session_time(end))
        case Partial() | FinalTurn():
            words = event.words and tuple(
                structs.replace(word, start=at(word.start), end=at(word.end)) for word in event.words
            )
            if isinstance(event, FinalTurn):
                return replace(event, start=at(event.start), end=at(event.end), words=words)
            return replace(event, start=at(event.start), words=words)
        case _:
            return event


def owned(event: EngineEvent, start: int, end: int | None) -> EngineEvent | None:
    """What of a turn belongs to the stretch `[start, end)`: exactly the words whose middle lies in it.

    A turn without word times was sent to no other connection, so it is kept whole. None when nothing is left of it.
    """
    if not isinstance(event, Partial | FinalTurn) or not event.words:
        return event
    if any(word.start is None or word.end is None for word in event.words):
        return event
    kept = tuple(word for word in event.words if _owns(word, start, end))
    if len(kept) == len(event.words):
        return event
    if not kept:
        return None
    text = " ".join(word.text for word in kept)
    if isinstance(event, FinalTurn):
        return replace(event, text=text, words=kept, start=kept[0].start, end=kept[-1].end)
    return replace(event, text=text, words=kept, start=kept[0].start, stable=min(event.stable, len(text)))


def _owns(word: Word, start: int, end: int | None) -> bool:
    middle = ((word.start or 0) + (word.end or 0)) // 2
    return start <= middle and (end is None or middle < end)
