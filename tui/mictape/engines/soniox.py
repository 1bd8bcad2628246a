"""Soniox: tokens over a websocket, final ones once, and the best acknowledgement of any service.

The first frame is the configuration, which is not answered; then come 16-bit mono PCM in binary frames. Each message
has the tokens that became final since the one before, and after them the whole tail that may still change. The tokens
`<end>` and `<fin>` end an utterance: the service detected a pause, or was sent `finalize`. An empty text frame asks for
the rest, and `finished` is the last message.

Facts: the vendor's SDK 2.10.0 (`soniox/types/realtime.py`, `soniox/realtime/async_stt.py`) and its API reference.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta
from websockets.asyncio.client import ClientConnection

from mictape.engines.base import (
    Answered,
    Capabilities,
    EngineEvent,
    FinalTurn,
    Lost,
    Partial,
    Received,
    Request,
    Word,
)
from mictape.engines.bounds import samples
from mictape.engines.key_terms import Limits, Terms
from mictape.engines.remote import RemoteEngine, primary
from mictape.engines.verdicts import HTTP, Service, Verdict
from mictape.engines.websocket import Frame, SocketConnection
from mictape.units import RATE, SAMPLE_BYTES

VENDOR: Final = "wss://stt-rt.soniox.com/transcribe-websocket"

LONGEST_S: Final = 300 * 60.0

ENDS: Final = frozenset({"<end>", "<fin>"})

FINALIZE: Final = '{"type":"finalize"}'
KEEP_ALIVE: Final = '{"type":"keepalive"}'
FINISH: Final = ""

SHORTEST: Final = bytes(SAMPLE_BYTES * RATE // 10)
"""Sent where nothing else was: an end without any sound is refused (pipecat-ai/pipecat#5402)."""

RESTART: Final = Verdict("{service} asks for a new session")

USD_PER_HOUR: Final = 0.12
"""The vendor's pricing page, speakers included."""


class SonioxOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.soniox]`. What is None or empty is left to the service."""

    url: str = VENDOR
    """Where the service is."""
    model: str = "stt-rt-v5"
    language_hints: tuple[str, ...] = ()
    """Languages to expect; the language asked for in a session goes first."""
    language_hints_strict: bool | None = None
    """True: no other languages."""
    terms: tuple[str, ...] = ()
    """Words and names to expect, besides the session's own."""
    speakers: bool = False
    """Distinguish speakers."""
    language_identification: bool = True
    """Report each token's language."""
    max_endpoint_delay_ms: Annotated[int, Meta(ge=500, le=3000)] | None = None
    """The longest pause before an utterance ends."""
    endpoint_sensitivity: Annotated[float, Meta(ge=-1, le=1)] | None = None
    """How soon an utterance is taken to be over."""


class Token(msgspec.Struct):
    """A piece of a word; milliseconds of sound."""

    text: str
    start_ms: float | None = None
    end_ms: float | None = None
    confidence: float | None = None
    is_final: bool = False
    speaker: str | None = None
    language: str | None = None


class Reply(msgspec.Struct):
    """Every message: tokens and how far the sound is processed, or an error."""

    tokens: tuple[Token, ...] = ()
    final_audio_proc_ms: float = 0.0
    total_audio_proc_ms: float = 0.0
    finished: bool = False
    error_code: int | None = None
    error_message: str = ""


_REPLY: Final = msgspec.json.Decoder(Reply)


class SonioxConnection(SocketConnection):
    """A conversation with Soniox; one turn is one utterance."""

    def __init__(self, socket: ClientConnection, service: Service, terms: Terms | None, *, patience_s: float) -> None:
        super().__init__(socket, service, terms, patience_s=patience_s)
        self._turn = 0
        self._final: list[Token] = []
        """The tokens of the open utterance that will not change."""
        self._shown = False

    async def configure(self, options: SonioxOptions, request: Request) -> None:
        """Say what is wanted: the first frame of every connection."""
        terms = self._terms.taken if self._terms else ()
        with contextlib.suppress(Lost):  # what the service said before it closed says more, and is received next
            await self._send((msgspec.json.encode(configuration(options, request, terms)).decode(),))

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block as it is; never an empty one, which ends the stream."""
        return (pcm,) if pcm else ()

    def endpoint_frames(self) -> Iterable[Frame]:
        """What ends the utterance."""
        return (FINALIZE,) if self._sent else ()

    def keep_alive_frames(self) -> Iterable[Frame]:
        """Wanted every 20 s without sound."""
        return (KEEP_ALIVE,)

    def finish_frames(self) -> Iterable[Frame]:
        """What makes the service say the rest."""
        return (FINISH,) if self._sent else (SHORTEST, FINISH)

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """One message. Raises `Lost` when it is an error."""
        reply = self._read(message, _REPLY.decode)
        if reply is None:
            return
        if reply.error_code is not None:
            verdict = RESTART if reply.error_code == 503 else HTTP.get(reply.error_code)  # noqa: PLR2004 (HTTP's)
            verdict = verdict or Verdict("{service} ended the session")
            raise self.lost(verdict, f"{reply.error_code}: {reply.error_message}")
        yield Received(samples(reply.total_audio_proc_ms / 1000))
        for token in reply.tokens:
            if token.is_final and token.text in ENDS:
                yield from self._end()
            elif token.is_final:
                self._final.append(token)
        yield from self._show([token for token in reply.tokens if not token.is_final])
        if reply.finished:
            yield from self._end()
            yield Answered(self.reached)
            self.said_all()
        elif not self._shown:
            yield Answered(samples(reply.final_audio_proc_ms / 1000))

    def _show(self, tail: Sequence[Token]) -> Iterator[EngineEvent]:
        """The utterance so far: what is final, then what is not."""
        words = words_of((*self._final, *tail))
        if not words and not self._shown:
            return
        self._shown = bool(words)
        text = " ".join(word.text for word in words)
        stable = len(" ".join(word.text for word in words_of(self._final)))
        yield Partial(self._turn, text, words or None, stable, start=words[0].start if words else None)

    def _end(self) -> Iterator[EngineEvent]:
        words = words_of(self._final)
        if words:
            yield FinalTurn(
                self._turn,
                " ".join(word.text for word in words),
                words,
                words[0].start,
                words[-1].end,
                speaker=_common([word.speaker for word in words]),
                language=_common([token.language for token in self._final]),
            )
            self._turn += 1
        elif self._shown:
            yield Partial(self._turn, "")
        self._final, self._shown = [], False


def configuration(options: SonioxOptions, request: Request, terms: tuple[str, ...]) -> dict[str, object]:
    """The first frame; `terms` are all key terms, those of the settings too."""
    hints = tuple(dict.fromkeys(filter(None, (primary(request.language), *options.language_hints))))
    optional: dict[str, object] = {
        "language_hints": hints,
        "language_hints_strict": options.language_hints_strict,
        "context": {"terms": terms} if terms else None,
        "max_endpoint_delay_ms": options.max_endpoint_delay_ms,
        "endpoint_sensitivity": options.endpoint_sensitivity,
    }
    return {
        "model": options.model,
        "audio_format": "pcm_s16le",
        "sample_rate": RATE,
        "num_channels": 1,
        "enable_endpoint_detection": True,
        "enable_speaker_diarization": options.speakers,
        "enable_language_identification": options.language_identification,
        **{name: value for name, value in optional.items() if value not in (None, ())},
    }


def words_of(tokens: Sequence[Token]) -> tuple[Word, ...]:
    """Words from pieces: one begins at a space or with another speaker."""
    words: list[Word] = []
    for token in tokens:
        text = token.text.strip()
        begins = not words or token.text[:1].isspace() or token.speaker != words[-1].speaker
        start, end = (None if ms is None else samples(ms / 1000) for ms in (token.start_ms, token.end_ms))
        if not text:
            continue
        if begins:
            words.append(Word(text, start, end, token.confidence, token.speaker))
            continue
        before = words[-1]
        sure = [each for each in (before.confidence, token.confidence) if each is not None]
        words[-1] = Word(before.text + text, before.start, end, min(sure, default=None), before.speaker)
    return tuple(words)


def _common(values: Iterable[str | None]) -> str | None:
    """The value that all have; None when they differ."""
    different = set(values)
    return different.pop() if len(different) == 1 else None


class SonioxEngine(RemoteEngine[SonioxOptions, SonioxConnection]):
    """Soniox's streaming service."""

    Options: ClassVar = SonioxOptions
    name = "soniox"
    vendor = "Soniox"
    domain = "soniox.com"
    key_variable = "SONIOX_API_KEY"
    key_terms = Limits(total=8000)
    """The service takes 10,000 characters of context."""
    price_counts = "connection"  # soniox.com/docs/stt/rt/connection-keepalive: the full stream, not only its sound
    price_as_of = "2026-11"

    def _model(self) -> str:
        return self._options.model

    def _usd_per_hour(self) -> float | None:
        return USD_PER_HOUR

    def _able(self) -> Capabilities:
        return Capabilities(
            block_ms=(20, 1000),
            fastest_pace=1.0,
            longest_s=LONGEST_S,
            connections_per_minute=100 if self.at_vendor else None,
            keep_alive="message",
            word_times=True,
            confidence=True,
            speakers=self._options.speakers,
            takes_language=True,
        )

    def _own_terms(self) -> tuple[str, ...]:
        return self._options.terms

    async def _open(self, request: Request) -> SonioxConnection:
        socket = await self._socket(self.url, self._bearer())
        connection = SonioxConnection(socket, self.service, self._terms(request), patience_s=self.patience_s)
        await connection.configure(self._options, request)
        return connection
