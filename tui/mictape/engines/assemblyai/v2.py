"""AssemblyAI's protocol v2, that of its old tutorials, for servers that still speak it.

The vendor has retired it: its own server answers with an error. Sound goes out as base64 in JSON, 3200 samples a
message; back come partial transcripts, each in the place of the one before, and final ones that close an utterance.
Sources: the vendor's asyncapi.yml of v2 and its Python SDK 0.63.0, the last to speak it.
"""

import base64
import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection

from mictape.engines.assemblyai import messages
from mictape.engines.assemblyai.options import is_vendor
from mictape.engines.base import Answered, Capabilities, EngineEvent, FinalTurn, Lost, Notice, Partial, Request, Word
from mictape.engines.websocket import Frame, SocketConnection, Verdict, is_local, open_socket, place, unusable
from mictape.failure import ExitCode, Failure
from mictape.units import RATE

VENDOR: Final = "wss://api.assemblyai.com/v2/realtime/ws"
PATH: Final = "/v2/realtime/ws"

BLOCK_MS: Final = 200
"""3200 samples, the tutorial's block. The protocol allows 100 to 2000 ms and advises 100 to 450."""

MOST_BOOST: Final = 2500
"""Characters of all words to listen for."""

RETIRED: Final = "AssemblyAI has retired its protocol v2"
SUCCESSOR: Final = "Use --engine assemblyai, or set url to a server that still speaks v2"

SAMPLES_PER_MS: Final = RATE // 1000

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


class AssemblyAIV2Connection(SocketConnection):
    """A conversation in protocol v2."""

    codes = messages.LEGACY_CODES

    def __init__(self, socket: ClientConnection, left_out: str = "") -> None:
        """Take over a socket; `left_out` says what of the request the server could not be asked for."""
        super().__init__(socket, "AssemblyAI v2")
        self._early += [Notice(left_out)] if left_out else []
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

    def hear(self, message: Frame) -> Iterator[EngineEvent]:
        """What a message says. Raises `Lost` when it is an error instead of a session."""
        failed = self._read(message, messages.FAILED)
        if failed is not None and failed.error is not None:
            self._on_failed(failed.error)
            return
        match self._read(message, _MESSAGE):
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
        raise Verdict("AssemblyAI v2 refused the session", "Check the engine's settings", retry=False).lost(error)

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
    return round(ms * SAMPLES_PER_MS)


def _words(said: _Transcript) -> tuple[Word, ...] | None:
    words = (Word(word.text, _samples(word.start), _samples(word.end), word.confidence) for word in said.words)
    return tuple(words) or None


class AssemblyAIV2Engine:
    """A server that still speaks AssemblyAI's protocol v2."""

    Options: ClassVar = AssemblyAIV2Options
    name: str = "assemblyai-v2"
    key_variable: ClassVar[str | None] = "ASSEMBLYAI_API_KEY"

    def __init__(self, options: AssemblyAIV2Options, log: Path, key: str | None = None) -> None:
        """Prepare; nothing is connected. `log` is not needed; a server of one's own may need no `key`."""
        del log
        self._options = options
        self._key = key
        self.url = options.url
        self.title = f"assemblyai-v2 · {place(options.url)}"
        self.capabilities = Capabilities(
            block_ms=(BLOCK_MS, BLOCK_MS),
            fastest_pace=1.0,
            keep_alive="silence",  # a minute without sound ends the session with 4031
            partials=not options.disable_partial_transcripts,
            word_times=True,
            confidence=True,
            languages=("en",),
            offline=is_local(options.url),
        )

    async def check(self, request: Request) -> Failure | None:
        """What stands in the way: the url, that the vendor's own speaks v2 no more, the language."""
        if failure := unusable(self.name, self._options.url):
            return failure
        if is_vendor(self._options.url):
            return Failure(RETIRED, SUCCESSOR, ExitCode.ENGINE)
        if request.language is not None and request.language.split("-")[0].lower() != "en":
            what = f"AssemblyAI's protocol v2 knows English only, not {request.language}"
            return Failure(what, "Choose another engine with --engine", ExitCode.ENGINE)
        return None

    async def connect(self, request: Request) -> AssemblyAIV2Connection:
        """Open a connection, once the server has said `SessionBegins`. Raises `Lost`."""
        if failure := await self.check(request):
            raise Lost(failure, retry=False)
        token = self._key if self._options.authorize == "token" else None
        headers = {"Authorization": self._key} if self._key is not None and token is None else {}
        boost, left_out = boosted((*self._options.word_boost, *request.key_terms))
        url = address(self._options, boost, token)
        socket = await open_socket(url, headers, name="AssemblyAI v2", http={401: messages.NOT_AUTHORIZED})
        connection = AssemblyAIV2Connection(socket, left_out)
        await connection.greeting()
        await connection.configure(self._options)
        return connection

    async def close(self) -> None:
        """Nothing is kept between connections."""


def boosted(words: tuple[str, ...]) -> tuple[list[str], str]:
    """The words to listen for that fit into a request, and a sentence when not all do."""
    taken: list[str] = []
    for word in dict.fromkeys(words):
        if sum(map(len, taken)) + len(word) <= MOST_BOOST:
            taken.append(word)
    left_out = len(dict.fromkeys(words)) - len(taken)
    said = f"AssemblyAI v2 cannot listen for {left_out} of the words: all together have over {MOST_BOOST} characters"
    return taken, said if left_out else ""


def address(options: AssemblyAIV2Options, boost: list[str], token: str | None) -> str:
    """The url to connect to, with every parameter; with a `token` it is a secret."""
    parameters: dict[str, str] = {"sample_rate": str(RATE)}
    if boost:
        parameters["word_boost"] = json.dumps(boost)
    if options.disable_partial_transcripts is not None:
        parameters["disable_partial_transcripts"] = json.dumps(options.disable_partial_transcripts)
    if options.enable_extra_session_information is not None:
        parameters["enable_extra_session_information"] = json.dumps(options.enable_extra_session_information)
    if token is not None:
        parameters["token"] = token
    parts = urlsplit(options.url)
    path = PATH if parts.path in ("", "/") else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(dict(parse_qsl(parts.query)) | parameters), ""))
