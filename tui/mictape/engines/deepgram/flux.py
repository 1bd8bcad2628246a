"""Deepgram's second protocol, `/v2/listen`, spoken by the Flux models, which end turns themselves.

Every `TurnInfo` holds the whole turn so far; `EndOfTurn` is its last. There is no word that keeps a connection alive:
it wants sound, and the follower sends it silence. `CloseStream` makes the server decode what it holds and close,
without a code and without an `EndOfTurn`: the last update is the turn's text then.

Facts: developers.deepgram.com, Turn-based Audio (Flux), Flux State Machine, Configure, Force End Turn and Close Stream
of Flux.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection

from mictape.engines.base import Answered, EngineEvent, FinalTurn, Notice, Partial, Received, Word
from mictape.engines.bounds import samples
from mictape.engines.deepgram.v1 import CLOSE_STREAM, ConfiguredConnection, ConfigureFailure, ConfigureSuccess, meaning
from mictape.engines.key_terms import Terms
from mictape.engines.verdicts import Service, Verdict
from mictape.engines.websocket import Frame
from mictape.units import RATE

FORCE_END_TURN: Final = '{"type":"ForceEndTurn"}'
"""Ends the turn with what has been transcribed; ignored where there is no speech."""

UNHEARD: Final = RATE // 4
"""Samples that may be missing in the last update: there is one for each quarter of a second."""

WITHOUT_CLOSE_FRAME: Final = 1006

_log = logging.getLogger(__name__)


class Numbered(msgspec.Struct):
    """What every message has, also those that are not known yet: its number, counted from 0."""

    sequence_id: int | None = None


class Connected(msgspec.Struct, tag="Connected"):
    """The first message."""


class Entry(msgspec.Struct):
    """A word; seconds of sound where the server says them."""

    word: str
    confidence: float | None = None
    start: float | None = None
    end: float | None = None


class TurnInfo(msgspec.Struct, tag="TurnInfo"):
    """The turn so far; seconds of sound.

    `event` is Update, StartOfTurn, EagerEndOfTurn, TurnResumed or EndOfTurn; others may come and are updates.
    """

    event: str
    turn_index: int
    audio_window_start: float
    audio_window_end: float
    transcript: str
    words: tuple[Entry, ...] = ()
    languages: tuple[str, ...] | None = None
    """Of multilingual models; the one with the most words first."""


class Warned(msgspec.Struct, tag="Warning"):
    """Something is not as it should be; everything goes on."""

    description: str


class Error(msgspec.Struct, tag="Error"):
    """The end."""

    code: str
    description: str


Message = Connected | TurnInfo | ConfigureSuccess | ConfigureFailure | Warned | Error
_NUMBERED: Final = msgspec.json.Decoder(Numbered)
_MESSAGE: Final = msgspec.json.Decoder(Message)


class FluxConnection(ConfiguredConnection):
    """A conversation with `/v2/listen`; one turn is one of the server's in which something was said."""

    def __init__(self, socket: ClientConnection, service: Service, terms: Terms | None, *, patience_s: float) -> None:
        super().__init__(socket, service, terms, patience_s=patience_s)
        self._turn = 0
        self._open: TurnInfo | None = None
        """The last update of a turn that has text and has not ended."""
        self._updated_until = 0
        """Samples before this are in an update."""
        self._number = -1

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block as it is; never an empty one."""
        return (pcm,) if pcm else ()

    def endpoint_frames(self) -> Iterable[Frame]:
        """End the turn."""
        return (FORCE_END_TURN,)

    def finish_frames(self) -> Iterable[Frame]:
        """What makes the server decode the rest and close."""
        return (CLOSE_STREAM,)

    def verdict(self, code: int, reason: str) -> Verdict | None:
        """Deepgram's own codes are those of `/v1/listen`."""
        return meaning(code, reason)

    def ended_well(self, code: int) -> bool:
        """A clean close, or the connection's end without a close frame once updates cover all that was sent."""
        all_updated = self._updated_until + UNHEARD >= self._sent
        return super().ended_well(code) or (code == WITHOUT_CLOSE_FRAME and all_updated)

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """One message. Raises `Lost` when it is an error."""
        yield from self._count(message)
        match self._read(message, _MESSAGE.decode):
            case TurnInfo() as info:
                yield from self._on_turn_info(info)
            case ConfigureSuccess() | ConfigureFailure() as answer:
                yield from self.configured(answer)
            case Warned(description=why):
                yield Notice(f"{self._service}: {why}")
            case Error(code=code, description=why):
                raise self.lost(Verdict("{service} ended the connection"), f"{code}: {why}")
            case _:
                pass

    def last_words(self) -> Iterator[EngineEvent]:
        """The turn that was open when the server closed; it has decoded all there was."""
        if self._open is not None:
            yield from self._end_turn(self._open)
        yield Answered(self._sent)

    def _count(self, message: Frame) -> Iterator[EngineEvent]:
        """A number that was left out is a message that was lost, perhaps with words in it."""
        numbered = self._read(message, _NUMBERED.decode)
        if numbered is None or numbered.sequence_id is None:
            return
        missing = numbered.sequence_id - self._number - 1
        self._number = numbered.sequence_id
        if missing:
            _log.warning("message %d of %s is not the next one: %d missing", self._number, self._service, missing)
            yield Notice(f"{self._service} left out a message; words may be missing here")

    def _on_turn_info(self, info: TurnInfo) -> Iterator[EngineEvent]:
        until = self._at(info.audio_window_end)
        self._updated_until = max(self._updated_until, until)
        yield Received(until)
        if self._open is not None and self._open.turn_index != info.turn_index:
            yield from self._end_turn(self._open)  # its end was lost: its last update stays
        if info.event == "EndOfTurn":
            yield from self._end_turn(info)
            yield Answered(until)
        elif info.transcript:
            self._open = info
            words = self._words(info)
            yield Partial(self._turn, info.transcript, words, start=self._span(info, words)[0])
        else:
            yield from self._take_back()

    def _end_turn(self, info: TurnInfo) -> Iterator[EngineEvent]:
        if not info.transcript:
            yield from self._take_back()
            return
        words = self._words(info)
        start, end = self._span(info, words)
        language = info.languages[0] if info.languages else None
        yield FinalTurn(self._turn, info.transcript, words, start=start, end=end, language=language)
        self._turn += 1
        self._open = None

    def _take_back(self) -> Iterator[EngineEvent]:
        """Nothing was said after all."""
        if self._open is not None:
            self._open = None
            yield Partial(self._turn, "")

    def _span(self, info: TurnInfo, words: tuple[Word, ...] | None) -> tuple[int, int]:
        """Where the turn's speech lies: its words, or else the stretch that was transcribed."""
        start = words[0].start if words else None
        end = words[-1].end if words else None
        window = self._at(info.audio_window_start), self._at(info.audio_window_end)
        return (window[0] if start is None else start), (window[1] if end is None else end)

    def _words(self, info: TurnInfo) -> tuple[Word, ...] | None:
        return (
            tuple(
                Word(
                    entry.word,
                    None if entry.start is None else self._at(entry.start),
                    None if entry.end is None else self._at(entry.end),
                    entry.confidence,
                )
                for entry in info.words
            )
            or None
        )

    def _at(self, seconds: float) -> int:
        """Seconds of sound in samples; the server's rounding never goes beyond what was sent."""
        return min(samples(seconds), self._sent)
