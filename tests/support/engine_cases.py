"""Every engine with its conformance server, for what has to hold for all of them."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from mictape.engines import catalog
from mictape.engines.base import Engine
from mictape.engines.remote import RemoteEngine
from servers import assemblyai, assemblyai_v2, deepgram, elevenlabs, mistral, openai, openai_http, soniox, vllm
from servers.base import serve
from servers.ear import Recognize
from servers.sherpa import OfflineServer, OnlineServer
from servers.vosk import VoskServer


@dataclass(frozen=True)
class Served:
    """A conformance server while it runs."""

    url: str
    """For the setting of that name."""
    violations: list[str]
    """Every rule that a client broke."""


Serves = Callable[[Recognize | None], AbstractAsyncContextManager[Served]]


@dataclass(frozen=True)
class Case:
    """An engine, its settings and a server for it."""

    name: str
    serves: Serves
    """The server: it says what `recognize` finds; None: nothing."""
    key: str | None = None
    options: dict[str, object] = field(default_factory=dict[str, object])
    bytes_per_s: int = 32_000
    """What a second of sound is on the wire."""

    def __str__(self) -> str:
        """For the test's name."""
        return "-".join([self.name, *map(str, self.options.values())])

    def engine(self, url: str, folder: Path, pace: float | None = None) -> Engine:
        """The engine at this address; with a `pace`, it sends so fast and connects as often as it has to."""
        if self.name == "openai-http":
            url = url.replace("ws:", "http:")
        made = catalog.create(self.name, {**self.options, "url": url}, folder / "log", key=self.key)
        if pace is not None:
            able = replace(made.capabilities, fastest_pace=pace, connections_per_minute=None)
            cast("RemoteEngine[Any, Any]", made).capabilities = able
        return made


@asynccontextmanager
async def _served(serving: AbstractAsyncContextManager[Any], path: str = "") -> AsyncGenerator[Served]:
    async with serving as server:
        served = Served(server.url + path, [])
        yield served
    served.violations.extend(server.violations)


def _handler(
    make: Callable[[Recognize | None], object], path: str = ""
) -> Callable[[Recognize | None], AbstractAsyncContextManager[Served]]:
    def serves(recognize: Recognize | None) -> AbstractAsyncContextManager[Served]:
        handler = make(recognize)
        return _served(serve(handler, admit=getattr(handler, "admit", None)), path)  # type: ignore[arg-type]

    return serves


@asynccontextmanager
async def _openai_http(recognize: Recognize | None) -> AsyncGenerator[Served]:
    with openai_http.transcription_server(recognize or ()) as server:
        served = Served(server.url, [])
        yield served
    served.violations.extend(server.violations)


def _v3(recognize: Recognize | None) -> assemblyai.V3Server:
    return assemblyai.V3Server(assemblyai.by_ear(recognize) if recognize else assemblyai.silence, fastest=None)


BASE64: Final = 43_000
"""Bytes of a second of sound in base64, with what is around it."""

CASES: Final = [
    Case(
        "soniox", _handler(lambda recognize: soniox.SonioxServer(recognize or ()), "/transcribe-websocket"), soniox.KEY
    ),
    Case(
        "elevenlabs", _handler(lambda recognize: elevenlabs.ScribeServer(recognize or ())), elevenlabs.KEY, {}, BASE64
    ),
    Case(
        "elevenlabs",
        _handler(lambda recognize: elevenlabs.ScribeServer(recognize or ())),
        elevenlabs.KEY,
        {"commit_strategy": "vad"},
        BASE64,
    ),
    Case("mistral", _handler(lambda recognize: mistral.VoxtralServer(recognize or ())), mistral.KEY, {}, BASE64),
    Case("openai-http", _openai_http, openai_http.KEY),
    Case("assemblyai", _handler(_v3), assemblyai.KEY),
    Case(
        "assemblyai-v2",
        _handler(lambda recognize: assemblyai_v2.V2Server(fastest=None, recognize=recognize)),
        assemblyai.KEY,
        {},
        BASE64,
    ),
    Case("deepgram", _handler(lambda recognize: deepgram.V1Server(recognize=recognize)), deepgram.KEY),
    Case(
        "deepgram", _handler(lambda recognize: deepgram.FluxServer(recognize=recognize)), deepgram.KEY, {"api": "flux"}
    ),
    Case("openai", lambda recognize: _served(openai.openai_server(recognize or ())), openai.KEY, {}, BASE64 * 3 // 2),
    Case("vllm", lambda recognize: _served(vllm.vllm_server(recognize or ())), None, {"model": vllm.MODEL}, BASE64),
    Case("sherpa-onnx", _handler(lambda recognize: OnlineServer(recognize=recognize)), None, {}, 64_000),
    Case(
        "sherpa-onnx", _handler(lambda recognize: OfflineServer(recognize=recognize)), None, {"mode": "offline"}, 64_000
    ),
    Case("vosk", _handler(lambda recognize: VoskServer(recognize=recognize))),
]
