"""Deepgram's first protocol, `/v1/listen`, spoken by the Nova models.

The server recognises in segments. Interim results for a segment replace each other until one `is_final` freezes it;
the frozen segments in a row are an utterance, which ends with `speech_final` (a pause was detected), `from_finalize`
(we asked for its end) or an `UtteranceEnd` (no word for a while, although there was no pause). Times are seconds
of sound since the first byte. After `CloseStream` come the last results, then `Metadata`, then close code 1000.

Facts: developers.deepgram.com, Live Audio, Understand Endpointing and Interim Results, Utterance End, Finalize,
Audio Keep Alive, Configure, Close Stream; error codes from STT Troubleshooting WebSocket, NET, and DATA Errors.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection

from mictape.engines.base import Answered, Changes, EngineEvent, FinalTurn, Notice, Partial, Received, Word
from mictape.engines.bounds import samples
from mictape.engines.key_terms import Terms
from mictape.engines.verdicts import BAD_KEY, Service, Verdict
from mictape.engines.websocket import Frame, SocketConnection
from mictape.units import RATE

ROUNDING: Final = RATE // 10
"""How far a time may be from the sample we count: the server's frames are some hundredths of a second."""

KEEP_ALIVE: Final = '{"type":"KeepAlive"}'
"""A text frame; in a binary one it would be taken for sound. It is not answered."""
FINALIZE: Final = '{"type":"Finalize"}'
CLOSE_STREAM: Final = '{"type":"CloseStream"}'

CONFIGURE_S: Final = 5.0
"""How long the answer to a `Configure` is waited for before the next one; some servers never answer."""

BAD_SOUND: Final = 1008
"""With a reason that begins with DATA; for everybody else the code means that the key is not accepted."""

CODES: Final[Mapping[int, Verdict]] = {
    BAD_SOUND: Verdict("{service} could not decode the sound", "Check the engine's settings", retry=False),
    1011: Verdict("{service} gave the connection up"),
}
"""DATA-0000 and, for everything on the server's side, NET-0000."""

STARVED: Final = ("net-0001", "net0001", "did not receive audio data")
"""What the reason of another 1011 has one of (deepgram/deepgram-python-sdk#319, #478)."""

UNSUPPORTED: Final = 4400
"""How a server that speaks only a part of the protocol (QuentinFuxa/WhisperLiveKit) answers what it does not know."""

_log = logging.getLogger(__name__)


class Configure(msgspec.Struct, tag="Configure"):
    """Changes a living connection; both protocols know it. The list replaces the one before, empty removes all."""

    keyterms: tuple[str, ...]


class Entry(msgspec.Struct):
    """A word; seconds of sound."""

    word: str
    start: float
    end: float
    confidence: float | None = None
    punctuated_word: str | None = None
    speaker: int | None = None


class Alternative(msgspec.Struct):
    """One reading of a segment."""

    transcript: str
    words: tuple[Entry, ...] = ()
    languages: tuple[str, ...] | None = None
    """With `language=multi`; the one with the most words first."""


class Channel(msgspec.Struct):
    """The readings of a channel, the best one first."""

    alternatives: tuple[Alternative, ...]


class Results(msgspec.Struct, tag="Results"):
    """A segment: what `duration` seconds from `start` sound like so far, or for good."""

    start: float
    duration: float
    channel: Channel
    is_final: bool | None = None
    speech_final: bool | None = None
    from_finalize: bool | None = None


class UtteranceEnd(msgspec.Struct, tag="UtteranceEnd"):
    """No word for `utterance_end_ms` after this one; −1 when the server cannot say which."""

    last_word_end: float


class SpeechStarted(msgspec.Struct, tag="SpeechStarted"):
    """Speech was detected; says nothing that the results do not."""


class Metadata(msgspec.Struct, tag="Metadata"):
    """The last message."""

    duration: float


class ConfigureSuccess(msgspec.Struct, tag="ConfigureSuccess"):
    """A `Configure` was obeyed, in both protocols."""


class ConfigureFailure(msgspec.Struct, tag="ConfigureFailure"):
    """A `Configure` was not obeyed, in both protocols; everything else goes on."""

    description: str | None = None


class Error(msgspec.Struct, tag="Error"):
    """A message of ours was not understood; the connection goes on, or is closed with a code."""

    description: str


Message = Results | UtteranceEnd | SpeechStarted | Metadata | ConfigureSuccess | ConfigureFailure | Error
_MESSAGE: Final = msgspec.json.Decoder(Message)
_NOTHING: Final = Alternative("")


def meaning(code: int, reason: str) -> Verdict | None:
    """What a close means, in both protocols: the codes are few, so the reason names the error."""
    said = reason.lower()
    if code == BAD_SOUND and not said.startswith("data-"):
        return BAD_KEY
    if any(words in said for words in STARVED):
        return Verdict("{service} was sent nothing for 10 s and closed the connection")
    return CODES.get(code)


@dataclass(slots=True)
class Server:
    """What is known of a server, beyond one connection."""

    finalizes: bool = True
    """Whether it knows `Finalize`; one that does not ends the connection at it."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A piece of an utterance that will not change."""

    text: str
    words: tuple[Word, ...]
    start: int
    end: int
    language: str | None


class ConfiguredConnection(SocketConnection):
    """A conversation in which `Configure` changes the key terms.

    Until it is answered the service refuses the next one (`CONFIGURE_ALREADY_PENDING`).
    """

    _configuring = False
    """Whether one is not answered."""

    async def update(self, changes: Changes) -> None:
        """Change the key terms, once the last change is answered."""
        if self._reading:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONFIGURE_S):
                    await self._until(lambda: not self._configuring)
        await super().update(changes)

    def terms_frames(self, terms: tuple[str, ...]) -> Iterable[Frame]:
        """New key terms, in the place of all before; models other than Nova-3 and Flux refuse them."""
        self._configuring = True
        return (msgspec.json.encode(Configure(terms)).decode(),)

    def configured(self, answer: ConfigureSuccess | ConfigureFailure) -> Iterator[EngineEvent]:
        """What the answer to the change says."""
        self._configuring = False
        if isinstance(answer, ConfigureFailure):
            why = answer.description or "it does not say why"
            yield Notice(f"{self._service} did not take the new settings: {why}")


class DeepgramConnection(ConfiguredConnection):
    """A conversation with `/v1/listen`; one turn is one utterance."""

    def __init__(
        self,
        socket: ClientConnection,
        service: Service,
        terms: Terms | None,
        server: Server,
        *,
        speakers: bool,
        patience_s: float,
    ) -> None:
        """Take over a socket; `speakers`: whether they were asked for, since other servers send some unasked."""
        super().__init__(socket, service, terms, patience_s=patience_s)
        self._server = server
        self._speakers = speakers
        self._turn = 0
        self._segments: list[_Segment] = []
        self._frozen = 0
        """Samples before this are in segments that will not change."""
        self._shown = False
        """A partial of this turn is out."""
        self._endpoint: int | None = None
        """Where we asked for the utterance's end."""

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block as it is. Never an empty one, which is an older word for the end of the stream."""
        return (pcm,) if pcm else ()

    def endpoint_frames(self) -> Iterable[Frame]:
        """Freeze what was sent. Too little sound gets no answer: see `_over_endpoint`."""
        self._endpoint = self._sent
        return (FINALIZE,) if self._server.finalizes else ()

    def keep_alive_frames(self) -> Iterable[Frame]:
        """Wanted every 3 to 5 s without sound; takes no place in the stream's time."""
        return (KEEP_ALIVE,)

    def finish_frames(self) -> Iterable[Frame]:
        """What makes the server say the rest, then `Metadata`."""
        return (CLOSE_STREAM,)

    def verdict(self, code: int, reason: str) -> Verdict | None:
        """As `meaning`; what a server does not know is remembered."""
        if code == UNSUPPORTED and "finalize" in reason.lower():
            self._server.finalizes = False
            return Verdict("{service} does not know how to end an utterance")
        if code == UNSUPPORTED and "invalid" in reason.lower():
            return Verdict("{service} refused the session", "Check [engines.deepgram]", retry=False)
        return meaning(code, reason)

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """One message."""
        match self._read(message, _MESSAGE.decode):
            case Results() as results:
                yield from self._on_results(results)
            case UtteranceEnd(last_word_end=seconds) if self._closes(seconds):
                yield from self._close_utterance()
            case Metadata() if self._finishing:
                self._frozen = self._sent
                yield from self._close_utterance()
                self.said_all()
            case ConfigureSuccess() | ConfigureFailure() as answer:
                yield from self.configured(answer)
            case Error(description=why):
                _log.warning("%s: %s", self._service, why)
                yield Notice(f"{self._service}: {why}")
            case _:
                pass

    def last_words(self) -> Iterator[EngineEvent]:
        """Closed without `Metadata`: what is frozen is said, the rest has to be recognized again."""
        if self._over:
            return
        yield from self._close_utterance()
        raise self.lost(Verdict("{service} closed the connection before it had said everything"))

    def _on_results(self, results: Results) -> Iterator[EngineEvent]:
        end = self._at(results.start + results.duration)
        yield Received(end)
        if self._over_endpoint(self._at(results.start)):
            yield from self._close_utterance()
        best = results.channel.alternatives[0] if results.channel.alternatives else _NOTHING
        if not results.is_final:
            yield from self._show(best.transcript, self._words(best))
            return
        self._frozen = max(self._frozen, end)
        if best.transcript:
            self._segments.append(self._segment(best, self._at(results.start), end))
        if results.speech_final or results.from_finalize or not self._segments:
            yield from self._close_utterance()
        else:
            yield from self._show("", ())

    def _over_endpoint(self, start: int) -> bool:
        """Whether a segment begins behind an endpoint of ours whose `Finalize` was not answered.

        It is not when little sound was waiting, and an utterance must not go on across a pause.
        """
        return self._endpoint is not None and bool(self._segments) and start >= self._endpoint - ROUNDING

    def _closes(self, last_word_end: float) -> bool:
        """Whether an `UtteranceEnd` is about the open utterance: it follows `speech_final` too, late."""
        return bool(self._segments) and not 0 <= last_word_end * RATE < self._segments[0].start

    def _show(self, text: str, words: tuple[Word, ...]) -> Iterator[EngineEvent]:
        """The utterance so far: what is frozen, then what is not."""
        frozen = " ".join(segment.text for segment in self._segments)
        whole = " ".join(part for part in (frozen, text) if part)
        if not whole and not self._shown:
            return
        self._shown = bool(whole)
        known = (*(word for segment in self._segments for word in segment.words), *words)
        start = self._segments[0].start if self._segments else known[0].start if known else None
        yield Partial(self._turn, whole, known or None, stable=len(frozen), start=start)

    def _close_utterance(self) -> Iterator[EngineEvent]:
        """The utterance is over, everything frozen is answered."""
        if segments := self._segments:
            words = tuple(word for segment in segments for word in segment.words)
            yield FinalTurn(
                self._turn,
                " ".join(segment.text for segment in segments),
                words or None,
                start=segments[0].start,
                end=segments[-1].end,
                speaker=_common(word.speaker for word in words),
                language=_common(segment.language for segment in segments),
            )
            self._turn += 1
        elif self._shown:
            yield Partial(self._turn, "")
        self._segments, self._shown, self._endpoint = [], False, None
        yield Answered(self._frozen)

    def _segment(self, best: Alternative, start: int, end: int) -> _Segment:
        if best.words:
            start, end = self._at(best.words[0].start), self._at(best.words[-1].end)
        return _Segment(best.transcript, self._words(best), start, end, best.languages[0] if best.languages else None)

    def _words(self, best: Alternative) -> tuple[Word, ...]:
        rated = any(entry.confidence for entry in best.words)  # a server that rates nothing says 0 of every word
        return tuple(
            Word(
                entry.punctuated_word or entry.word,
                self._at(entry.start),
                self._at(entry.end),
                entry.confidence if rated else None,
                str(entry.speaker) if self._speakers and entry.speaker is not None else None,
            )
            for entry in best.words
        )

    def _at(self, seconds: float) -> int:
        """Seconds of sound in samples; the server's rounding never goes beyond what was sent."""
        return min(samples(seconds), self._sent)


def _common(values: Iterable[str | None]) -> str | None:
    """The value that all have; None when they differ."""
    different = set(values)
    return different.pop() if len(different) == 1 else None
