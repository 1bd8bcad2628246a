"""ElevenLabs' Scribe v2 Realtime: sound in base64, partial transcripts that replace each other, and commits.

Who commits an utterance is set when the connection opens: the service's voice detector or the client. Each commit is
answered twice, without and then with the times of words; the second one is taken. Less than 0.3 s of sound since the
last commit ends the session, so a commit is padded with silence. There is no message that ends a session.

Facts: the vendor's SDK 2.78.0 (`elevenlabs/realtime`) and its API reference.
"""

import asyncio
import json
import logging
import math
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta
from websockets.asyncio.client import ClientConnection

from mictape.engines.base import Answered, Capabilities, EngineEvent, FinalTurn, Partial, Request, Word
from mictape.engines.bounds import samples
from mictape.engines.key_terms import Limits, Terms
from mictape.engines.remote import RemoteEngine, primary
from mictape.engines.urls import completed, parameters
from mictape.engines.verdicts import BAD_KEY, HTTP, Service, Verdict
from mictape.engines.websocket import Frame, SocketConnection
from mictape.units import RATE, SAMPLE_BYTES

VENDOR: Final = "wss://api.elevenlabs.io"
PATH: Final = "/v1/speech-to-text/realtime"

SHORTEST_COMMIT: Final = RATE * 3 // 10
"""Samples between two commits at least; fewer end the session."""

USD_PER_HOUR: Final = 0.39

_REFUSED: Final = Verdict("{service} refused the request", "Check [engines.elevenlabs]", retry=False)
_BUSY: Final = Verdict("{service} is overloaded", after_s=5.0)

ERRORS: Final[Mapping[str, Verdict]] = {
    "auth_error": BAD_KEY,
    "quota_exceeded": HTTP[402],
    "unaccepted_terms": Verdict(
        "{service} wants its terms of service accepted", "Accept them in your account at elevenlabs.io", retry=False
    ),
    "input_error": _REFUSED,
    "invalid_request": _REFUSED,
    "chunk_size_exceeded": _REFUSED,
    "rate_limited": HTTP[429],
    "resource_exhausted": _BUSY,
    "queue_overflow": _BUSY,
    "transcriber_error": Verdict("{service} failed to transcribe"),
    "session_time_limit_exceeded": Verdict("The session reached the longest time that {service} allows"),
    "error": Verdict("{service} ended the session"),
}
"""Message types that end a session."""

PAUSE_S: Final = 1.5
"""The pause with which the service's voice detector ends an utterance, where nothing else is asked for."""

SETTLE_S: Final = 5.0
"""Where the service answers no commit of silence, that of the voice detector after which it is silent so long is the
last one."""

HARMLESS: Final = frozenset({"commit_throttled", "insufficient_audio_activity"})
"""Message types that say that there was nothing to commit."""

_log = logging.getLogger(__name__)


class ElevenLabsOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.elevenlabs]`. What is None or empty is left to the service."""

    url: str = VENDOR
    """Where the service is; another region has another host. A path is kept."""
    model: str = "scribe_v2_realtime"
    commit_strategy: Literal["vad", "manual"] = "manual"
    """Who ends utterances: the service's voice detector, or Mictape, which knows then what each answer is about."""
    language: str | None = None
    """ISO 639; the language asked for in a session goes first. None: detected."""
    secondary_languages: tuple[str, ...] = ()
    """Other languages that may be spoken."""
    keyterms: tuple[str, ...] = ()
    """Words and names to expect, besides the session's own."""
    vad_silence_threshold_secs: Annotated[float, Meta(ge=0.3, le=3.0)] | None = None
    """`vad`: the pause that ends an utterance; None: 1.5."""
    vad_threshold: Annotated[float, Meta(ge=0.1, le=0.9)] | None = None
    """`vad`: how sure of speech to be; None: 0.4."""
    min_speech_duration_ms: Annotated[int, Meta(ge=50, le=2000)] | None = None
    min_silence_duration_ms: Annotated[int, Meta(ge=50, le=2000)] | None = None
    no_verbatim: bool | None = None
    """True: filler words and false starts are left out."""


class Entry(msgspec.Struct):
    """A word, a space between words or a sound; seconds since the session began."""

    text: str
    start: float = 0.0
    end: float = 0.0
    type: str = "word"
    logprob: float | None = None


class Message(msgspec.Struct):
    """Every message; what it has depends on its type."""

    message_type: str
    text: str = ""
    words: tuple[Entry, ...] | None = None
    language_code: str | None = None
    error: str = ""


_MESSAGE: Final = msgspec.json.Decoder(Message)


class ElevenLabsConnection(SocketConnection):
    """A conversation with Scribe; one turn is one commit with text."""

    def __init__(
        self,
        socket: ClientConnection,
        service: Service,
        terms: Terms | None,
        *,
        pause_s: float | None,
        patience_s: float,
    ) -> None:
        """Take over a socket; `pause_s`: that with which the service commits, None: the client does."""
        super().__init__(socket, service, terms, patience_s=patience_s)
        self._pause_s = pause_s
        self._turn = 0
        self._settles = self._settled = False
        self._shown = False
        self._padded: list[tuple[int, int]] = []
        """Silence put in for a commit: at which sample of the service's, and how much."""
        self._committed = 0
        """Our samples at the last commit of the client's."""
        self._commits: list[int] = []
        """Our samples at each commit of the client's that is not answered."""

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block in one message."""
        return (_chunk(pcm),) if pcm else ()

    def endpoint_frames(self) -> Iterator[Frame]:
        """A commit, padded to the shortest there may be; where the service commits, so that all speech is before it.

        The answer to that one is without words then, and so is known to be the last one.
        """
        if self._sent == self._committed:
            return
        if self._pause_s is None:
            missing = SHORTEST_COMMIT - (self._sent - self._committed)
        else:
            missing = round(self._pause_s * RATE) + 2 * SHORTEST_COMMIT
        if missing > 0:
            self._padded.append((self._sent + sum(pad for _, pad in self._padded), missing))
            for at in range(0, missing, RATE):
                yield _chunk(bytes(SAMPLE_BYTES * min(RATE, missing - at)))
        self._committed = self._sent
        self._commits.append(self._sent)
        yield _chunk(b"", commit=True)

    def finish_frames(self) -> Iterable[Frame]:
        """The last commit; without one all is said."""
        frames = tuple(self.endpoint_frames())
        return frames if frames or self._commits else ()

    async def finish(self) -> None:
        """Commit the rest. Raises `Lost`."""
        await super().finish()
        if not self._commits:
            self.said_all()
            await self._socket.close()

    def keep_alive_frames(self) -> Iterable[Frame]:
        """Wanted every 10 s without sound."""
        return (_chunk(b""),)

    def terms_frames(self, terms: tuple[str, ...]) -> Iterable[Frame]:
        """The protocol has no word for it: they hold for the next connection."""
        del terms
        return ()

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """One message. Raises `Lost` when it is an error."""
        said = self._read(message, _MESSAGE.decode)
        if self._settles:
            self._wait_for_more()
        match said:
            case None:
                return
            case Message(message_type="session_started"):
                self.greeted()
            case Message(message_type="partial_transcript", text=text):
                yield from self._show(text)
            case Message(message_type="committed_transcript_with_timestamps"):
                yield from self._on_commit(said)
            case Message(message_type=kind, error=why) if kind in HARMLESS:
                _log.info("%s: %s %s", self._service, kind, why)
                yield from self._show("")
                yield from self._answer()
            case Message(message_type=kind, error=why) if kind in ERRORS or why:
                raise self.lost(ERRORS.get(kind, ERRORS["error"]), f"{kind}: {why}" if why else kind)
            case _:
                pass

    def _show(self, text: str) -> Iterator[EngineEvent]:
        if text or self._shown:
            yield Partial(self._turn, text)
        self._shown = bool(text)

    def _on_commit(self, said: Message) -> Iterator[EngineEvent]:
        words = tuple(self._word(entry) for entry in said.words or () if entry.type == "word")
        start, end = (words[0].start, words[-1].end) if words else (None, None)
        if said.text.strip():
            yield FinalTurn(self._turn, said.text.strip(), words or None, start, end, language=said.language_code)
            self._turn += 1
            self._shown = False
        yield from self._show("")
        if self._pause_s is None or (self._finishing and not words and not said.text.strip()):
            yield from self._answer()
            return
        if end is not None:
            yield Answered(end)
        if self._finishing and not self._settles:
            self._settles = True
            self._wait_for_more()

    def _wait_for_more(self) -> None:
        self._stop_timer()
        self._limit = asyncio.get_running_loop().call_later(SETTLE_S, self._settle)

    def _settle(self) -> None:
        self._settled = True
        self._socket.transport.abort()

    def ended_well(self, code: int) -> bool:
        """A clean close, or our own end after the last commit."""
        return self._settled or super().ended_well(code)

    def last_words(self) -> Iterator[EngineEvent]:
        """All that was sent is answered."""
        if self._settled:
            yield Answered(self.reached)

    def _answer(self) -> Iterator[EngineEvent]:
        """The oldest commit of ours is answered."""
        if self._commits:
            yield Answered(self._commits.pop(0))
        if self._finishing and not self._commits:
            self.said_all()

    def _word(self, entry: Entry) -> Word:
        sure = None if entry.logprob is None else math.exp(min(0.0, entry.logprob))
        return Word(entry.text.strip(), self._at(entry.start), self._at(entry.end), sure)

    def _at(self, seconds: float) -> int:
        """The service's time as one of ours: what was put in for commits is left out."""
        at = samples(seconds)
        return at - sum(min(pad, at - begin) for begin, pad in self._padded if begin < at)


def _chunk(pcm: bytes, *, commit: bool = False) -> Frame:
    return json.dumps(
        {
            "message_type": "input_audio_chunk",
            "audio_base_64": b64encode(pcm).decode("ascii"),
            "commit": commit,
            "sample_rate": RATE,
        }
    )


class ElevenLabsEngine(RemoteEngine[ElevenLabsOptions, ElevenLabsConnection]):
    """ElevenLabs' streaming service."""

    Options: ClassVar = ElevenLabsOptions
    name = "elevenlabs"
    vendor = "ElevenLabs"
    domain = "elevenlabs.io"
    key_variable = "ELEVENLABS_API_KEY"
    key_terms = Limits(most=50, longest=20)
    price_as_of = "2026-11"

    def _model(self) -> str:
        return self._options.model

    def _usd_per_hour(self) -> float | None:
        return USD_PER_HOUR

    def _able(self) -> Capabilities:
        manual = self._options.commit_strategy == "manual"
        return Capabilities(
            block_ms=(100, 1000),
            fastest_pace=1.0,
            keep_alive="message",
            endpointing="follower" if manual else "engine",
            word_times=True,
            confidence=True,
            takes_language=True,
        )

    def _own_terms(self) -> tuple[str, ...]:
        return self._options.keyterms

    async def _open(self, request: Request) -> ElevenLabsConnection:
        """It is open once the service has said so."""
        terms = self._terms(request)
        url = address(self._options, request, terms.taken if terms else ())
        socket = await self._socket(url, {"xi-api-key": self._key} if self._key else None)
        commits = self._options.commit_strategy == "vad"
        pause_s = (self._options.vad_silence_threshold_secs or PAUSE_S) if commits else None
        connection = ElevenLabsConnection(socket, self.service, terms, pause_s=pause_s, patience_s=self.patience_s)
        await connection.greeting()
        return connection


def address(options: ElevenLabsOptions, request: Request, terms: tuple[str, ...]) -> str:
    """The url to connect to, with every setting; lists as repeated names."""
    settings: dict[str, object] = {
        "model_id": options.model,
        "audio_format": f"pcm_{RATE}",
        "commit_strategy": options.commit_strategy,
        "include_timestamps": True,
        "language_code": primary(request.language or options.language),
        "secondary_languages": options.secondary_languages,
        "keyterms": terms,
        "vad_silence_threshold_secs": options.vad_silence_threshold_secs,
        "vad_threshold": options.vad_threshold,
        "min_speech_duration_ms": options.min_speech_duration_ms,
        "min_silence_duration_ms": options.min_silence_duration_ms,
        "no_verbatim": options.no_verbatim,
    }
    return completed(options.url, PATH, parameters(settings))
