"""Any server with OpenAI's `POST /v1/audio/transcriptions`: one request an utterance.

OpenAI's own, Groq, speaches, faster-whisper-server, whisper.cpp's server, LocalAI. Mictape ends the utterances and
sends each as a WAV file, one after the other; there is no text during speech.
"""

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Final, Literal, cast

import httpx
import msgspec
from msgspec import Meta

from mictape.engines.base import Answered, Capabilities, Changes, EngineEvent, FinalTurn, Lost, Notice, Request, Word
from mictape.engines.bounds import Bounds, samples
from mictape.engines.key_terms import Limits, Terms
from mictape.engines.network import MAX_MESSAGE, OPEN_S, proxy_refused, refused, tls_context, usable_proxy, why_not
from mictape.engines.remote import RemoteEngine, primary
from mictape.engines.urls import HTTP as HTTP_SCHEMES
from mictape.engines.urls import within
from mictape.engines.verdicts import HTTP, Service, lost
from mictape.units import RATE, SAMPLE_BYTES

VENDOR: Final = "https://api.openai.com/v1"

AHEAD: Final = 1
"""Utterances that may wait behind the one that is being recognised."""

SHORTEST: Final = RATE // 10
"""Samples of an utterance at least; OpenAI refuses shorter ones, so they are padded."""

USER_AGENT: Final = "mictape"
"""Cloudflare turns away clients without a name of their own (gsd-build/gsd-2#366)."""

USD_PER_HOUR: Final[Mapping[str, float]] = {"gpt-transcribe": 0.27}
"""OpenAI's, by model: 0.0045 dollars a minute."""


class OpenAIHttpOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.openai-http]`."""

    url: str = VENDOR
    """The service, up to what comes before `/audio/transcriptions`: Groq's is `https://api.groq.com/openai/v1`."""
    model: str = "gpt-transcribe"
    """The model, under the server's name for it: `whisper-large-v3-turbo` at Groq."""
    language: str | None = None
    """ISO 639-1; the language asked for in a session goes first. None: detected."""
    prompt: str | None = None
    """A text that leads the model's style; key terms are put behind it."""
    words: bool = False
    """Ask for the times of words (`verbose_json`), where the server and the model know them."""
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    longest_utterance_s: Annotated[float, Meta(gt=0, le=300)] = 30.0
    """An utterance is cut after so many seconds. Whisper takes 30 s at a time."""


class _Entry(msgspec.Struct):
    """A word; seconds since the utterance began."""

    word: str
    start: float
    end: float


class _Reply(msgspec.Struct):
    """The text of an utterance."""

    text: str
    language: str | None = None
    """`en`, or `english`: servers differ."""
    words: tuple[_Entry, ...] | None = None


_REPLY: Final = msgspec.json.Decoder(_Reply)
_CODE: Final = 3
"""Letters of a language's code at most."""


@dataclass(frozen=True, slots=True)
class _Utterance:
    """Samples `[start, end)` of a connection."""

    start: int
    end: int
    pcm: bytes
    prompt: str
    """What leads the model: of the settings, and the key terms there were."""

    @property
    def wav(self) -> bytes:
        """As a file."""
        pcm = self.pcm.ljust(SAMPLE_BYTES * SHORTEST, b"\0")
        format_ = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE * SAMPLE_BYTES, SAMPLE_BYTES, 16)
        data = struct.pack("<4sI", b"data", len(pcm))
        size = 4 + len(format_) + len(data) + len(pcm)
        return struct.pack("<4sI4s", b"RIFF", size, b"WAVE") + format_ + data + pcm


class HttpConnection:
    """Requests to one server, as a connection: utterances out, one answer each."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        service: Service,
        url: str,
        options: OpenAIHttpOptions,
        *,
        request: Request,
        terms: Terms,
    ) -> None:
        """Take over a client."""
        self._client = client
        self._service = service
        self._url = url
        self._options = options
        self._request = request
        self._terms = terms
        self._sent = 0
        self._turn = 0
        self._collected = bytearray()
        self._waiting: deque[_Utterance] = deque()
        self._events: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self._news = asyncio.Event()
        self._finishing = False
        self._bounds = Bounds(service.name)
        self._lost: Lost | None = None
        self._report_left_out()
        self._asking = asyncio.create_task(self._ask())

    async def send(self, pcm: bytes) -> None:
        """Collect a block; sends only where an utterance has grown too long. Raises `Lost`."""
        self._fail()
        self._sent += len(pcm) // SAMPLE_BYTES
        self._collected += pcm
        if len(self._collected) >= SAMPLE_BYTES * RATE * self._options.longest_utterance_s:
            await self.endpoint()

    async def endpoint(self) -> None:
        """Send what was collected, or queue it; returns when at most `AHEAD` wait. Raises `Lost`."""
        self._collect()
        while len(self._waiting) > AHEAD and self._lost is None:
            self._news.clear()
            await self._news.wait()
        self._fail()

    async def update(self, changes: Changes) -> None:
        """The next utterance is asked for with other key terms."""
        if changes.key_terms is not None:
            self._terms = self._terms.with_others(changes.key_terms)
            self._report_left_out()

    async def keep_alive(self) -> None:
        """A request has nothing to keep alive."""

    async def finish(self) -> None:
        """Send what was collected. Raises `Lost`."""
        self._fail()
        self._collect()
        self._finishing = True
        self._news.set()

    async def close(self) -> None:
        """Let go at once."""
        self._asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._asking
        await self._client.aclose()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        """The events, until the last one."""
        while (event := await self._events.get()) is not None:
            within_bounds = self._bounds.within(event, self._sent)
            if within_bounds is not None:
                yield within_bounds
        self._fail()

    def _fail(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _report_left_out(self) -> None:
        if self._terms.left_out:
            self._events.put_nowait(Notice(self._terms.left_out))

    def _collect(self) -> None:
        if self._collected:
            start = self._sent - len(self._collected) // SAMPLE_BYTES
            prompt = ", ".join(filter(None, (self._options.prompt, *self._terms.taken)))
            self._waiting.append(_Utterance(start, self._sent, bytes(self._collected), prompt))
            self._collected.clear()
            self._news.set()

    async def _ask(self) -> None:
        """Send one utterance after the other, as long as there are any."""
        try:
            while self._waiting or not self._finishing:
                if not self._waiting:
                    self._news.clear()
                    await self._news.wait()
                    continue
                utterance = self._waiting.popleft()
                self._say(utterance, await self._answer(utterance))
                self._news.set()
        except Lost as lost:
            self._lost = lost
        finally:
            self._events.put_nowait(None)
            self._news.set()

    def _say(self, utterance: _Utterance, reply: _Reply) -> None:
        if text := reply.text.strip():
            words = tuple(
                Word(each.word.strip(), utterance.start + samples(each.start), utterance.start + samples(each.end))
                for each in reply.words or ()
            )
            language = reply.language if reply.language and len(reply.language) <= _CODE else None
            # Without times of its own a line gets the stretch it answers for: the utterance.
            start, end = (words[0].start, words[-1].end) if words else (utterance.start, utterance.end)
            self._events.put_nowait(FinalTurn(self._turn, text, words or None, start, end, language=language))
            self._turn += 1
        self._events.put_nowait(Answered(utterance.end))

    async def _answer(self, utterance: _Utterance) -> _Reply:
        file = {"file": ("utterance.wav", utterance.wav, "audio/wav")}
        url = f"{self._url}/audio/transcriptions"
        status, headers, body = await _exchange(
            self._client, self._service, "POST", url, files=file, data=self._fields(utterance.prompt)
        )
        if status != HTTPStatus.OK:
            raise refused(self._service, HTTP, status, headers, body)
        try:
            return _REPLY.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise lost(f"{self._service} sent something that is no transcript", "Check the engine's url") from None

    def _fields(self, prompt: str) -> dict[str, str | list[str]]:
        options = self._options
        fields: dict[str, str | list[str] | None] = {
            "model": options.model,
            "language": primary(self._request.language or options.language),
            "prompt": prompt,
            "response_format": "verbose_json" if options.words else "json",
            "temperature": None if options.temperature is None else str(options.temperature),
            "timestamp_granularities[]": ["word"] if options.words else None,
        }
        return {name: value for name, value in fields.items() if value}


_Answer = tuple[int, httpx.Headers, bytes]
"""Status, headers and body."""


async def _exchange(
    client: httpx.AsyncClient,
    service: Service,
    method: Literal["GET", "POST"],
    url: str,
    **parts: Any,  # noqa: ANN401 (httpx's)
) -> _Answer:
    """What the server answers. Raises `Lost` when it does not, or without end."""
    with why_not(service, url, HTTP):
        try:
            async with client.stream(method, url, **parts) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_MESSAGE:
                        raise lost(f"{service} sent more than a transcript can be", "Check the engine's url")
                return response.status_code, response.headers, bytes(body)
        except httpx.ProxyError as error:
            raise proxy_refused(url, str(error)) from None
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.HTTPError as error:
            raise _cause(error) from None
        except httpx.InvalidURL as error:
            raise ValueError(str(error)) from None


def _cause(error: BaseException) -> Exception:
    """The system's own error inside of the library's, which says what was in the way."""
    found: OSError | None = None
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, BaseExceptionGroup):
            inner = cast("BaseExceptionGroup[BaseException]", inner).exceptions[0]
        if isinstance(inner, OSError):
            found = inner
        inner = inner.__cause__ or inner.__context__
    return found or OSError(str(error) or "the connection was closed")


class OpenAIHttpEngine(RemoteEngine[OpenAIHttpOptions, HttpConnection]):
    """A server with OpenAI's endpoint for sound files."""

    Options: ClassVar = OpenAIHttpOptions
    name = "openai-http"
    vendor = "OpenAI"
    key_variable = "OPENAI_HTTP_API_KEY"
    schemes = HTTP_SCHEMES
    domain = "openai.com"
    key_terms = Limits(total=600)
    """Whisper reads the last 224 tokens of a prompt."""
    price_as_of = "2026-11"

    def _url(self) -> str:
        return self._options.url.rstrip("/")

    def _model(self) -> str:
        return self._options.model

    def _usd_per_hour(self) -> float | None:
        return USD_PER_HOUR.get(self._options.model)

    def _demands_key(self) -> bool:
        return self.at_vendor or within(self.url, "groq.com")

    def _able(self) -> Capabilities:
        return Capabilities(
            block_ms=(20, 1000),
            endpointing="follower",
            partials=False,
            word_times=self._options.words,
            takes_language=True,
        )

    async def _open(self, request: Request) -> HttpConnection:
        """It is open once the server has answered, and not refused the key; not every server lists its models."""
        terms = self._terms(request)
        assert terms is not None
        client = self._client()
        try:
            status, headers, body = await _exchange(client, self.service, "GET", f"{self.url}/models")
            if (
                status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
                or (self.service.own and status == HTTPStatus.FORBIDDEN)
                or status >= HTTPStatus.INTERNAL_SERVER_ERROR
            ):
                raise refused(self.service, HTTP, status, headers, body)
        except BaseException:
            await client.aclose()
            raise
        return HttpConnection(client, self.service, self.url, self._options, request=request, terms=terms)

    def _client(self) -> httpx.AsyncClient:
        headers = {"User-Agent": USER_AGENT, **self._bearer()}
        secure = self.url.startswith("https:")
        with why_not(self.service, self.url, HTTP):
            return httpx.AsyncClient(
                headers=headers,
                verify=tls_context() if secure else False,
                proxy=usable_proxy(self.url),
                trust_env=False,
                timeout=httpx.Timeout(max(30.0, self.patience_s), connect=OPEN_S),
                follow_redirects=False,
            )
