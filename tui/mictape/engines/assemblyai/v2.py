"""AssemblyAI's protocol v2, that of its old tutorials, for servers that still speak it.

The vendor has retired it: its own server answers with an error. Sound goes out as base64 in JSON, 3200 samples a
message; back come partial transcripts, each in the place of the one before, and final ones that close an utterance.
Sources: the vendor's asyncapi.yml of v2 and its Python SDK 0.63.0, the last to speak it.
"""

import base64
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from websockets.asyncio.client import ClientConnection

from mictape.engines.assemblyai import messages
from mictape.engines.assemblyai.options import DOMAIN
from mictape.engines.base import Answered, Capabilities, EngineEvent, FinalTurn, Lost, Partial, Request, Word
from mictape.engines.bounds import samples
from mictape.engines.key_terms import Limits, Terms
from mictape.engines.remote import RemoteEngine
from mictape.engines.urls import completed, within
from mictape.engines.verdicts import Service, Verdict
from mictape.engines.websocket import Frame, SocketConnection
from mictape.failure import ExitCode, Failure
from mictape.units import RATE

VENDOR: Final = "wss://api.assemblyai.com/v2/realtime/ws"
PATH: Final = "/v2/realtime/ws"

BLOCK_MS: Final = 200
"""3200 samples, the tutorial's block. The protocol allows 100 to 2000 ms and advises 100 to 450."""

RETIRED: Final = "AssemblyAI has retired its protocol v2"
REFUSED: Final = Verdict("{service} refused the session", "Check the engine's settings", retry=False)
SUCCESSOR: Final = "Use --engine assemblyai, or set url to a server that still speaks v2"

_log = logging.getLogger(__name__)


class AssemblyAIV2Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[engines.assemblyai-v2]`. Sample rate and encoding are those of the tape."""

    url: str = VENDOR
    """A server that still speaks the protocol; the vendor's own does not."""
    authorize: Literal["header", "token"] = "header"
    """How the key is shown: as it is, or, when it is a temporary token, in the request's query as `token`."""
    word_boost: tuple[str, ...] = ()
    """Words to listen for, together at most 2500 characters."""
    disable_partial_transcripts: bool | None = None
    """Final text only."""
    enable_extra_session_information: bool | None = None
    """Let the server say at the end how much sound it got; goes to the log."""
    end_utterance_silence_threshold: Annotated[int, msgspec.Meta(ge=0, le=20_000)] | None = None
    """Silence in ms that ends an utterance; 700 by default."""


class _Begins(msgspec.Struct, tag_field="message_type", tag="SessionBegins"):
    session_id: str


class _Heard(msgspec.Struct):
    """A word; milliseconds since the session began."""

    text: str
    start: float
    end: float
    confidence: float | None = None


class _Transcript(msgspec.Struct, tag_field="message_type"):
    """What an utterance sounds like: milliseconds since the session began."""

    audio_start: float
    audio_end: float
    text: str
    words: tuple[_Heard, ...] = ()


class _Partial(_Transcript, tag="PartialTranscript"):
    """It replaces the one before; in silence it comes with no text."""


class _Final(_Transcript, tag="FinalTranscript"):
    """It closes the utterance."""


class _Information(msgspec.Struct, tag_field="message_type", tag="SessionInformation"):
    audio_duration_seconds: float


class _Terminated(msgspec.Struct, tag_field="message_type", tag="SessionTerminated"):
    pass


_Message = _Begins | _Partial | _Final | _Information | _Terminated

_MESSAGE: Final[msgspec.json.Decoder[_Message]] = msgspec.json.Decoder(_Message)


def _decoded(frame: Frame) -> _Message | messages.Untyped:
    """What a frame says; an error has nothing but its sentence. Raises msgspec's errors."""
    try:
        return _MESSAGE.decode(frame)
    except msgspec.ValidationError as error:
        try:
            return messages.UNTYPED.decode(frame)
        except msgspec.ValidationError:
            raise error from None


class AssemblyAIV2Connection(SocketConnection):
    """A conversation in protocol v2."""

    codes = messages.LEGACY_CODES

    def __init__(self, socket: ClientConnection, service: Service, terms: Terms | None, *, patience_s: float) -> None:
        super().__init__(socket, service, terms, patience_s=patience_s)
        self._turn = 0
        self._shown = False
        """Whether there is live text of the utterance that goes on."""
        self._begun = False
        self._answered = 0

    async def configure(self, options: AssemblyAIV2Options) -> None:
        """Say what the query has no word for. Raises `Lost`."""
        if options.end_utterance_silence_threshold is not None:
            threshold = options.end_utterance_silence_threshold
            await self._send([json.dumps({"end_utterance_silence_threshold": threshold})])

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block as base64 in JSON: a text frame, as every server of this protocol takes it."""
        return (json.dumps({"audio_data": base64.b64encode(pcm).decode("ascii")}),)

    def endpoint_frames(self) -> Iterable[Frame]:
        """What ends the utterance."""
        return ('{"force_end_utterance": true}',)

    def finish_frames(self) -> Iterable[Frame]:
        """What makes the server say the rest."""
        return ('{"terminate_session": true}',)

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """What a message says. Raises `Lost` when it is an error instead of a session."""
        match self._read(message, _decoded):
            case messages.Untyped(error=error):
                self._on_failed(error)
            case _Partial() as partial:
                yield from self._on_partial(partial)
            case _Final() as final:
                yield from self._on_final(final)
            case _Begins():
                self._begun = True
                self.greeted()
            case _Information(audio_duration_seconds=seconds):
                _log.info("AssemblyAI v2 got %.1f s of sound", seconds)
            case _Terminated():
                self.said_all()
            case None:
                pass

    def _on_failed(self, error: str) -> None:
        """An error has no code: in a session the close frame brings it; instead of one nothing more comes."""
        if self._begun:
            self.closing(error)
            return
        if "deprecated" in error.lower():
            raise Lost(Failure(f"{RETIRED} ({error})", SUCCESSOR, ExitCode.ENGINE), retry=False)
        raise self.lost(REFUSED, error)

    def _on_partial(self, said: _Transcript) -> Iterator[EngineEvent]:
        if not said.text:
            return
        self._shown = True
        words = _words(said)
        yield Partial(self._turn, said.text, words, start=words[0].start if words else _samples(said.audio_start))

    def _on_final(self, said: _Transcript) -> Iterator[EngineEvent]:
        end = _samples(said.audio_end)
        if said.text or self._shown:
            words = _words(said)
            start, until = (words[0].start, words[-1].end) if words else (_samples(said.audio_start), end)
            yield FinalTurn(self._turn, said.text, words, start, until)
            self._turn += 1
        self._shown = False
        if end > self._answered:
            self._answered = end
            yield Answered(end)


def _samples(ms: float) -> int:
    return samples(ms / 1000)


def _words(said: _Transcript) -> tuple[Word, ...] | None:
    words = (Word(word.text, _samples(word.start), _samples(word.end), word.confidence) for word in said.words)
    return tuple(words) or None


class AssemblyAIV2Engine(RemoteEngine[AssemblyAIV2Options, AssemblyAIV2Connection]):
    """A server that still speaks AssemblyAI's protocol v2."""

    Options: ClassVar = AssemblyAIV2Options
    name = "assemblyai-v2"
    vendor = "AssemblyAI v2"
    key_variable = "ASSEMBLYAI_API_KEY"
    key_terms = Limits(total=2500)

    def _able(self) -> Capabilities:
        return Capabilities(
            block_ms=(BLOCK_MS, BLOCK_MS),
            fastest_pace=1.0,
            keep_alive="silence",  # a minute without sound ends the session with 4031
            partials=not self._options.disable_partial_transcripts,
            word_times=True,
            confidence=True,
            languages=("en",),
            retired=within(self.url, DOMAIN),
        )

    def _own_terms(self) -> tuple[str, ...]:
        return self._options.word_boost

    def _objection(self, request: Request) -> Failure | None:
        """The vendor's own server speaks v2 no more."""
        return Failure(RETIRED, SUCCESSOR, ExitCode.ENGINE) if within(self.url, DOMAIN) else None

    async def _open(self, request: Request) -> AssemblyAIV2Connection:
        """It is open once the server has said `SessionBegins`."""
        token = self._key if self._options.authorize == "token" else None
        headers = {"Authorization": self._key} if self._key is not None and token is None else {}
        terms = self._terms(request)
        socket = await self._socket(address(self._options, terms.taken if terms else (), token), headers)
        connection = AssemblyAIV2Connection(socket, self.service, terms, patience_s=self.patience_s)
        await connection.greeting()
        await connection.configure(self._options)
        return connection


def address(options: AssemblyAIV2Options, boost: Sequence[str], token: str | None) -> str:
    """The url to connect to, with every parameter; with a `token` it is a secret."""
    parameters: dict[str, str] = {"sample_rate": str(RATE)}
    if boost:
        parameters["word_boost"] = json.dumps(list(boost))
    if options.disable_partial_transcripts is not None:
        parameters["disable_partial_transcripts"] = json.dumps(options.disable_partial_transcripts)
    if options.enable_extra_session_information is not None:
        parameters["enable_extra_session_information"] = json.dumps(options.enable_extra_session_information)
    if token is not None:
        parameters["token"] = token
    return completed(options.url, PATH, parameters.items())
