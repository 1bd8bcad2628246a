"""OpenAI's Realtime API as a transcriber: one transcription session a connection.

Events and settings: OpenAI's API reference, "Realtime", in the shape of its general availability (the service refuses
the beta's since May 2026). The server's voice detector cuts the sound into items; it, or the client, commits each.
Deltas append to an item's text and `completed` replaces it. Items are transcribed side by side and may complete out of
order; `previous_item_id` gives the order of speech. Sound itself is never acknowledged.
"""

import contextlib
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import UNSET
from websockets.asyncio.client import ClientConnection

from mictape.engines.base import Capabilities, EngineEvent, Lost, Notice, Received, Request, Word
from mictape.engines.key_terms import Limits, Terms
from mictape.engines.openai import messages as wire
from mictape.engines.openai.items import Items
from mictape.engines.remote import RemoteEngine, primary
from mictape.engines.verdicts import HTTP, Service, Verdict
from mictape.engines.websocket import Frame, SocketConnection
from mictape.failure import Failure
from mictape.units import RATE, SAMPLE_BYTES

WIRE_RATE: Final = 24_000
"""Samples per second that the service takes; no other rate is allowed for PCM."""


SMALLEST_COMMIT: Final = WIRE_RATE // 10
"""Samples at the service's rate: it refuses to commit less than 100 ms."""

LONGEST_S: Final = 3600.0
"""A session's longest duration; the service ends it with `session_expired`."""

VENDOR: Final = "wss://api.openai.com/v1/realtime"

WITHOUT_VAD: Final = ("gpt-live-transcribe", "gpt-realtime-whisper")
"""Beginnings of the names of models that take no turn detection: the client commits (guide "Realtime transcription",
openwhispr/openwhispr#2077)."""

WITHOUT_KEYWORDS: Final = ("whisper-1", "gpt-4o-", "gpt-realtime-whisper")
"""Beginnings of the names of models that take no keywords."""

SEVERAL_LANGUAGES: Final = ("gpt-live-transcribe", "gpt-transcribe")
"""Beginnings of the names of models that take `languages` and refuse `language` beside it (livekit/agents#6613)."""

WITHOUT_LOGPROBS: Final = ("whisper-1",)

ENDING: Final = ("whisper-1", "gpt-4o-")
ENDS_ON: Final = "26 February 2027"
"""When OpenAI shuts these models down (its SDK 3.57, `audio_transcription.py`)."""

TERMS: Final = Limits(forbidden="<>\r\n")
"""Keywords with one of these signs are refused (livekit/agents#6613)."""

USD_PER_HOUR: Final = {"gpt-live-transcribe": 1.02, "gpt-realtime-whisper": 1.02, "gpt-transcribe": 0.27}
"""0.017 and 0.0045 dollars a minute: the models' own pages at developers.openai.com."""

ERRORS: Final[Mapping[str, Verdict]] = {
    "session_expired": Verdict("The session reached the longest time that {service} allows"),
    "rate_limit_exceeded": HTTP[429],
    "invalid_api_key": HTTP[401],
    "insufficient_quota": HTTP[402],
    "model_not_found": Verdict(
        "{service} does not know the model", "Set another model in [engines.openai]", retry=False
    ),
    "beta_api_shape_disabled": HTTP[400],
}
"""Error codes that end a connection; most others leave it as it is, says the service's own reference."""

REFUSED: Final = Verdict("{service} refused the settings", "Check [engines.openai]", retry=False)

FAILED: Final = Verdict("{service} failed to begin the session")

COMMIT_EMPTY: Final = "input_audio_buffer_commit_empty"
"""The code of the harmless error: nothing was left to commit."""

_log = logging.getLogger(__name__)


class OpenAIOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.openai]`."""

    url: str = VENDOR
    """The service, or a server that speaks the same protocol. `intent=transcription` is added to it."""
    model: str = "gpt-live-transcribe"
    """The model. `gpt-live-transcribe` and `gpt-realtime-whisper` write while speech goes on, others after it."""
    language: str | None = None
    """The language spoken, ISO 639-1; a language asked for at the start goes first."""
    languages: tuple[str, ...] = ()
    """Languages that may be spoken, ISO 639-1; for `gpt-transcribe` and `gpt-live-transcribe`."""
    keywords: tuple[str, ...] = ()
    """Words to be expected, beside the session's key terms; for the same two models."""
    prompt: str | None = None
    """A text that leads the model's style; not for `gpt-realtime-whisper`."""
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    """How long `gpt-live-transcribe` and `gpt-realtime-whisper` wait before they write: later is more accurate."""
    noise_reduction: Literal["near_field", "far_field"] | None = None
    """For a headset or for a microphone in the room; None: the sound is left as it is."""
    noise_reduction_strength: float | None = None
    """How much of the noise is taken away; None: 1, the service's default."""
    turn_detection: Literal["server_vad", "semantic_vad", "none"] | None = None
    """Who ends an utterance: silence, the sense of what was said, or Mictape ("none").

    None: `server_vad`, and "none" for the models that have no voice detector.
    """
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """`server_vad`: how loud speech is, 0 to 1; None: 0.5."""
    prefix_padding_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """`server_vad`: sound taken along before speech; None: 300."""
    silence_duration_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """`server_vad`: silence that ends an utterance; None: 500."""
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    """`semantic_vad`: how soon an utterance is taken to be over: at most 8, 4 or 2 s; None: medium."""

    def detection(self) -> Literal["server_vad", "semantic_vad", "none"]:
        """Who ends an utterance with these settings."""
        return self.turn_detection or ("none" if self.model.startswith(WITHOUT_VAD) else "server_vad")


def session_of(
    options: OpenAIOptions, request: Request, terms: tuple[str, ...] = (), *, logprobs: bool = True
) -> wire.Session:
    """The session to ask for; what is not set is left to the service's defaults.

    Args:
        options: The settings.
        request: Its language goes before the settings'.
        terms: All key terms, those of the settings too.
        logprobs: Whether to ask how sure the model is.
    """
    language = primary(request.language or options.language)
    several = options.model.startswith(SEVERAL_LANGUAGES)
    languages = tuple(dict.fromkeys((*([language] if language else ()), *options.languages)))
    knows_terms = not options.model.startswith(WITHOUT_KEYWORDS)
    transcription = wire.Transcription(
        options.model,
        language=UNSET if several else wire.if_set(language),
        languages=languages if several and languages else UNSET,
        keywords=terms if terms and knows_terms else UNSET,
        prompt=wire.if_set(options.prompt),
        delay=wire.if_set(options.delay),
    )
    noise = options.noise_reduction
    sound = wire.Input(
        wire.Format(WIRE_RATE),
        transcription,
        _turn_detection(options),
        wire.NoiseReduction(noise, wire.if_set(options.noise_reduction_strength)) if noise else UNSET,
    )
    included = (wire.LOGPROBS,) if logprobs and not options.model.startswith(WITHOUT_LOGPROBS) else UNSET
    return wire.Session(wire.Audio(sound), included)


def _turn_detection(options: OpenAIOptions) -> wire.ServerVad | wire.SemanticVad | None:
    match options.detection():
        case "server_vad":
            return wire.ServerVad(
                wire.if_set(options.threshold),
                wire.if_set(options.prefix_padding_ms),
                wire.if_set(options.silence_duration_ms),
            )
        case "semantic_vad":
            return wire.SemanticVad(wire.if_set(options.eagerness))
        case "none":
            return None


class OpenAIConnection(SocketConnection):
    """A transcription session; `send` takes PCM at `WIRE_RATE`, times are at 16 kHz like everywhere."""

    codes: Mapping[int, Verdict] = {4000: HTTP[400]}
    """The service closes so after an error that ends the session before it began."""

    rate: ClassVar[int] = WIRE_RATE

    def __init__(
        self,
        socket: ClientConnection,
        service: Service,
        options: OpenAIOptions,
        request: Request,
        terms: Terms | None,
        *,
        patience_s: float,
    ) -> None:
        super().__init__(socket, service, terms, patience_s=patience_s)
        if options.model.startswith(ENDING) and not service.own:
            self._early.append(Notice(f"OpenAI shuts down the model {options.model} on {ENDS_ON}"))
        self._options = options
        self._request = request
        self._opened = False
        self._configured = False
        self._logprobs = True
        """Whether the model says how sure it is, as far as is known."""
        self._committed = 0
        """How many of them were sent when the client last committed."""
        self._commits: dict[str, int] = {}
        """The client's commits not answered yet: until which sample, at 16 kHz."""
        self._speech: int | None = None
        """Where the speech began that the voice detector finds now."""
        self._ends: dict[str, int] = {}
        """Where the voice detector ended items that are about to be committed."""
        self._items = Items()
        self._flushed = False
        self._reported: set[str] = set()

    def verdict(self, code: int, reason: str) -> Verdict | None:
        """What the service means by an end: its reasons are `TYPE.CODE`, with the codes of `ERRORS`."""
        return ERRORS.get(reason.rpartition(".")[2]) or super().verdict(code, reason)

    async def configure(self) -> None:
        """Ask for the session and wait until it is there. Raises `Lost`."""
        while not self._configured:
            self._welcome = False
            with contextlib.suppress(Lost):  # what the service said before it closed says more
                await self._send((self._update(),))
            await self.greeting()

    # What is said.

    def _update(self) -> Frame:
        terms = self._terms.taken if self._terms else ()
        return wire.encoded(wire.Update(session_of(self._options, self._request, terms, logprobs=self._logprobs)))

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block in one event; the service takes up to 15 MiB and advises small ones."""
        return (wire.encoded(wire.Append(pcm)),) if pcm else ()

    def endpoint_frames(self) -> Iterator[Frame]:
        """What commits the utterance. The voice detector may have been quicker: the service says so then."""
        samples = self._sent - self._committed
        if not samples:
            return
        if self._options.detection() == "none" and samples < SMALLEST_COMMIT:
            # Beside a voice detector this would shift every time that it reports, and make an item of nothing.
            yield wire.encoded(wire.Append(bytes(SAMPLE_BYTES * (SMALLEST_COMMIT - samples))))
        name = f"commit-{self._sent}"
        self._commits[name] = self.reached
        self._committed = self._sent
        yield wire.encoded(wire.Commit(name))

    def finish_frames(self) -> Iterator[Frame]:
        """A commit, and a question that is always answered: with its answer every item there will be is known."""
        yield from self.endpoint_frames()
        yield wire.encoded(wire.Clear())

    def terms_frames(self, terms: tuple[str, ...]) -> Iterable[Frame]:
        """The session again, with other key terms."""
        del terms
        return (self._update(),)

    # Receiving.

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """What an event says. Raises `Lost` when it is an error that ends the session."""
        if not self._opened:
            self._opened = wire.recognise(message, "openai", self._service)
        yield from self._on_event(self._read(message, wire.EVENT.decode))
        if self._flushed and not self._items.open:
            yield from self._items.answer(self.reached)
            self.said_all()

    def _on_event(self, event: wire.Event | None) -> Iterator[EngineEvent]:
        match event:
            case wire.SpeechStarted(audio_start_ms=ms):
                self._speech = self._at(ms)
                yield Received(self._speech)
            case wire.SpeechStopped(audio_end_ms=ms, item_id=item_id):
                self._ends[item_id] = self._at(ms)
                yield Received(self._ends[item_id])
            case wire.Committed(item_id=item_id, previous_item_id=previous):
                yield from self._on_committed(item_id, previous)
            case wire.Delta(item_id=item_id, delta=more):
                yield from self._items.delta(item_id, more or "", self._speech)
            case wire.Completed(item_id=item_id, transcript=text, languages=languages, logprobs=tokens):
                language = languages[0].code if languages and len(languages) == 1 else None
                yield from self._items.complete(item_id, text, language, words_of(text, tokens or ()))
            case wire.Failed(error=error):
                raise self._lost_by(error)
            case wire.Error(error=error):
                yield from self._on_error(error)
            case wire.Updated():
                self._configured = True
                self.greeted()
            case wire.Cleared():
                self._flushed = True
            case _:
                pass

    def _on_committed(self, item_id: str, previous: str | None) -> Iterator[EngineEvent]:
        """An item of the voice detector's, whose end it reported before, or else of the client's oldest commit."""
        until = self._ends.pop(item_id, None)
        if until is None and self._commits:
            until = self._commits.pop(next(iter(self._commits)))
        self._items.commit(item_id, previous, self._speech, until)
        self._speech = None
        if until is not None:
            yield Received(until)

    def _lost_by(self, error: wire.Trouble) -> Lost:
        """An utterance that has no text is not answered: it is sent again, and is a gap when that fails, too."""
        verdict = ERRORS.get(error.code or "")
        if verdict and not verdict.retry:
            return self.lost(verdict)  # it would be the same with every item
        return self.lost(Verdict("{service} could not transcribe an utterance"), error.message or error.code or "")

    def _on_error(self, error: wire.Trouble) -> Iterator[EngineEvent]:
        code, said = error.code or error.type or "", error.message or ""
        if code == COMMIT_EMPTY:
            self._commits.pop(error.event_id or "", None)
            return
        if verdict := ERRORS.get(code):
            raise self.lost(verdict, code)  # the code alone: what the service says of a wrong key shows parts of it
        if not self._configured and self._logprobs and "logprobs" in f"{error.param} {said}":
            self._logprobs = False
            self.greeted()  # `configure` asks again, without
            return
        if not self._configured:
            verdict = FAILED if error.type == "server_error" else REFUSED
            raise self.lost(verdict, said or code)
        _log.warning("%s reports an error: %s", self._service, said or code)
        if code not in self._reported:
            self._reported.add(code)
            yield Notice(f"{self._service}: {said or code}")

    def _at(self, ms: int) -> int:
        """The service's milliseconds as samples: of those sent, whatever it says."""
        return min(max(0, ms) * RATE // 1000, self.reached)


def words_of(text: str, tokens: Sequence[wire.Token]) -> tuple[Word, ...] | None:
    """The words of a text, each as sure as its least sure token; None when the tokens are not those of the text."""
    words: list[Word] = []
    for token in tokens:
        sure = math.exp(min(0.0, token.logprob))
        if words and not token.token.startswith(" "):
            words[-1] = Word(words[-1].text + token.token, confidence=min(sure, words[-1].confidence or 0.0))
        elif token.token.strip():
            words.append(Word(token.token.strip(), confidence=sure))
    return tuple(words) if words and [word.text for word in words] == text.split() else None


class OpenAIEngine(RemoteEngine[OpenAIOptions, OpenAIConnection]):
    """OpenAI's transcription sessions, or a server of one's own that speaks them."""

    Options: ClassVar = OpenAIOptions
    name = "openai"
    vendor = "OpenAI"
    domain = "openai.com"
    key_variable = "OPENAI_API_KEY"
    key_terms = TERMS
    price_as_of = "2026-11"

    def _model(self) -> str:
        return self._options.model

    def _usd_per_hour(self) -> float | None:
        return USD_PER_HOUR.get(self._options.model)

    def _able(self) -> Capabilities:
        options = self._options
        return Capabilities(
            block_ms=(20, 1000),
            longest_s=LONGEST_S,
            rate=WIRE_RATE,
            endpointing="follower" if options.detection() == "none" else "engine",
            confidence=not options.model.startswith(WITHOUT_LOGPROBS),
            takes_language=True,
        )

    def _own_terms(self) -> tuple[str, ...]:
        return self._options.keywords

    def _objection(self, request: Request) -> Failure | None:
        """Settings that exclude each other."""
        options = self._options
        if options.model.startswith(WITHOUT_VAD) and options.detection() != "none":
            remedy = f"Remove turn_detection from [engines.{self.name}], or choose another model"
            return self._failure(f"The model {options.model} has no turn detection", remedy)
        return None

    async def _open(self, request: Request) -> OpenAIConnection:
        """It is open once the service has taken the settings."""
        socket = await self._socket(_transcribing(self.url), self._bearer())
        terms = self._terms(request)
        connection = OpenAIConnection(socket, self.service, self._options, request, terms, patience_s=self.patience_s)
        await connection.configure()
        return connection


def _transcribing(url: str) -> str:
    """The url with the intent in its query; the model must not be there, says the service."""
    query = urlsplit(url).query
    if "intent" in parse_qs(query):
        return url
    return f"{url}{'&' if query else '?'}intent=transcription"
