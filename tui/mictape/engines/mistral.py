"""Mistral's Voxtral Realtime: text in deltas, segments with times, turns that the service ends.

The server speaks first (`session.created`); the settings go out before any sound and are acknowledged
(`session.updated`). Deltas append to the text; a segment says when it was spoken; `turn.end` ends an utterance.
`input_audio.end` asks for the rest, which ends with `transcription.done`. Words have no times.

Facts: the vendor's SDK 3.7.0 (`mistralai/extra/realtime`, `mistralai/client/models`). The service is a preview.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from websockets.asyncio.client import ClientConnection

from mictape.engines.base import Answered, Capabilities, EngineEvent, FinalTurn, Lost, Partial, Received, Request
from mictape.engines.bounds import samples
from mictape.engines.key_terms import Limits, Terms
from mictape.engines.remote import RemoteEngine, primary
from mictape.engines.urls import completed
from mictape.engines.verdicts import HTTP, Service, Verdict
from mictape.engines.websocket import Frame, SocketConnection
from mictape.units import RATE

VENDOR: Final = "wss://api.mistral.ai"
PATH: Final = "/v1/audio/transcriptions/realtime"

FLUSH: Final = '{"type":"input_audio.flush"}'
END: Final = '{"type":"input_audio.end"}'

USD_PER_HOUR: Final = 0.48
"""0.008 dollars a minute."""

_log = logging.getLogger(__name__)


class MistralOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.mistral]`. What is None or empty is left to the service."""

    url: str = VENDOR
    """Where the service is; a path is kept."""
    model: str = "voxtral-mini-transcribe-realtime-latest"
    language: str | None = None
    """ISO 639-1; the language asked for in a session goes first. None: detected."""
    target_streaming_delay_ms: Annotated[int, Meta(ge=80, le=2400)] | None = None
    """How long the model waits before it writes: later is more accurate."""
    context_bias: tuple[str, ...] = ()
    """Words and names to expect, besides the session's own."""
    diarize: bool | None = None
    """Distinguish speakers."""
    start_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    """How sure of speech to be for a turn to begin."""
    end_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    min_silence_ms: Annotated[int, Meta(ge=0)] | None = None
    """The pause that ends a turn."""


class _Format(msgspec.Struct, frozen=True):
    encoding: Literal["pcm_s16le"] = "pcm_s16le"
    sample_rate: int = RATE


class _Turns(msgspec.Struct, frozen=True):
    start_threshold: float | UnsetType = UNSET
    end_threshold: float | UnsetType = UNSET
    min_silence_ms: int | UnsetType = UNSET


class _Session(msgspec.Struct, frozen=True):
    audio_format: _Format
    turn_detection: _Turns
    language: str | UnsetType = UNSET
    target_streaming_delay_ms: int | UnsetType = UNSET
    context_bias: tuple[str, ...] | UnsetType = UNSET
    diarize: bool | UnsetType = UNSET


class _Update(msgspec.Struct, frozen=True, tag_field="type", tag="session.update"):
    session: _Session


class _Append(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio.append"):
    audio: bytes


class Created(msgspec.Struct, tag_field="type", tag="session.created"):
    """The connection has a session, not yet as asked for."""


class Updated(msgspec.Struct, tag_field="type", tag="session.updated"):
    """The settings hold from here on."""


class Delta(msgspec.Struct, tag_field="type", tag="transcription.text.delta"):
    """More text."""

    text: str


class Segment(msgspec.Struct, tag_field="type", tag="transcription.segment"):
    """A piece of the text that is over, and when it was spoken, in seconds of sound."""

    text: str
    start: float | None = None
    end: float | None = None
    speaker_id: str | None = None


class Spoken(msgspec.Struct, tag_field="type", tag="transcription.language"):
    """The language that was detected."""

    audio_language: str


class Began(msgspec.Struct, tag_field="type", tag="turn.start"):
    """A speaker begins; seconds of sound."""

    time_s: float = 0.0


class EagerEnd(msgspec.Struct, tag_field="type", tag="turn.eager_end"):
    """A turn may be over."""


class Resumed(msgspec.Struct, tag_field="type", tag="turn.resume"):
    """It was not."""


class Ended(msgspec.Struct, tag_field="type", tag="turn.end"):
    """A turn is over; seconds of sound."""

    time_s: float = 0.0


class Done(msgspec.Struct, tag_field="type", tag="transcription.done"):
    """The last message."""


class Trouble(msgspec.Struct):
    """What went wrong: words, or an object with words in it, and an HTTP status or a code of the service's."""

    message: msgspec.Raw = msgspec.Raw(b'""')
    code: int = 0


class Error(msgspec.Struct, tag_field="type", tag="error"):
    """The end of the session."""

    error: Trouble


_EVENT: Final = msgspec.json.Decoder(
    Created | Updated | Delta | Segment | Spoken | Began | EagerEnd | Resumed | Ended | Done | Error
)


class MistralConnection(SocketConnection):
    """A conversation with Voxtral; one turn is one of the service's in which something was said."""

    def __init__(self, socket: ClientConnection, service: Service, terms: Terms | None, *, patience_s: float) -> None:
        super().__init__(socket, service, terms, patience_s=patience_s)
        self._turn = 0
        self._text = ""
        self._segments: list[Segment] = []
        self._language: str | None = None
        self._start: int | None = None
        """Where the turn that is open began, by the service's voice detector."""

    async def configure(self, options: MistralOptions, request: Request) -> None:
        """Ask for the session and wait until it is there. Raises `Lost`."""
        await self.greeting()
        self._welcome = False
        terms = self._terms.taken if self._terms else ()
        await self._send((_encoded(_Update(session_of(options, request, terms))),))
        await self.greeting()

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block in one message; the service takes up to 262,144 bytes."""
        return (_encoded(_Append(pcm)),) if pcm else ()

    def endpoint_frames(self) -> Iterable[Frame]:
        """What makes the service write what it holds."""
        return (FLUSH,)

    def finish_frames(self) -> Iterable[Frame]:
        """What makes the service say the rest."""
        return (END,)

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """One message. Raises `Lost` when it is an error."""
        match self._read(message, _EVENT.decode):
            case Created() | Updated():
                self.greeted()
            case Delta(text=more):
                self._text += more
                if more:
                    yield Partial(self._turn, self._text.strip(), start=self._start)
            case Segment() as segment:
                self._segments.append(segment)
                if segment.end is not None:
                    yield Received(samples(segment.end))
            case Spoken(audio_language=language):
                self._language = language
            case Began(time_s=seconds):
                self._start = samples(seconds)
            case Ended(time_s=seconds):
                yield from self._end(samples(seconds))
            case Done():
                yield from self._end(self.reached)
                self.said_all()
            case Error(error=trouble):
                raise _lost_by(self._service, trouble)
            case _:
                pass

    def _end(self, until: int) -> Iterator[EngineEvent]:
        text = self._text.strip()
        if text:
            starts = [samples(each.start) for each in self._segments if each.start is not None]
            ends = [samples(each.end) for each in self._segments if each.end is not None]
            speakers = {each.speaker_id for each in self._segments}
            yield FinalTurn(
                self._turn,
                text,
                start=min(starts, default=self._start),
                end=max(ends, default=until),
                speaker=speakers.pop() if len(speakers) == 1 else None,
                language=self._language,
            )
            self._turn += 1
        elif self._text:
            yield Partial(self._turn, "")
        self._text, self._segments, self._start = "", [], None
        yield Answered(until)


def _lost_by(service: Service, trouble: Trouble) -> Lost:
    """Why the session ended. The service's words are text, or an object of which the raw form has to do."""
    verdict = HTTP.get(trouble.code, Verdict("{service} ended the session"))
    said = bytes(trouble.message).decode(errors="replace").strip('"')
    return service.lost(verdict, f"{trouble.code}: {said}")


def session_of(options: MistralOptions, request: Request, terms: tuple[str, ...]) -> _Session:
    """The session to ask for; `terms` are all key terms, those of the settings too."""

    def given(value: object) -> object:
        return UNSET if value in (None, ()) else value

    turns = {name: given(getattr(options, name)) for name in _Turns.__struct_fields__}
    settings = {
        "language": given(primary(request.language or options.language)),
        "target_streaming_delay_ms": given(options.target_streaming_delay_ms),
        "context_bias": given(terms),
        "diarize": given(options.diarize),
    }
    return _Session(_Format(), _Turns(**turns), **settings)  # pyright: ignore[reportArgumentType] (checked by Options)


def _encoded(message: _Update | _Append) -> Frame:
    return msgspec.json.encode(message).decode()


class MistralEngine(RemoteEngine[MistralOptions, MistralConnection]):
    """Mistral's streaming service."""

    Options: ClassVar = MistralOptions
    name = "mistral"
    vendor = "Mistral"
    domain = "mistral.ai"
    key_variable = "MISTRAL_API_KEY"
    key_terms = Limits(most=100)
    price_as_of = "2026-11"

    def _model(self) -> str:
        return self._options.model

    def _usd_per_hour(self) -> float | None:
        return USD_PER_HOUR

    def _able(self) -> Capabilities:
        return Capabilities(
            block_ms=(20, 1000),
            fastest_pace=1.0,
            speakers=False,
            takes_language=True,
        )

    def _own_terms(self) -> tuple[str, ...]:
        return self._options.context_bias

    async def _open(self, request: Request) -> MistralConnection:
        """It is open once the service has taken the settings."""
        url = completed(self.url, PATH, [("model", self._options.model)])
        socket = await self._socket(url, self._bearer())
        connection = MistralConnection(socket, self.service, self._terms(request), patience_s=self.patience_s)
        await connection.configure(self._options, request)
        return connection
