"""What holds for every engine behind the protocol of DESIGN §5, on its own conformance server."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mictape.engines import catalog
from mictape.engines.base import Engine, FinalTurn, Lost, Partial, Request
from mictape.failure import ExitCode
from mictape.units import RATE
from servers import assemblyai as assemblyai_server
from servers import deepgram as deepgram_server
from servers import elevenlabs as elevenlabs_server
from servers import mistral as mistral_server
from servers import openai as openai_server
from servers import openai_http as openai_http_server
from servers import soniox as soniox_server
from servers import vllm as vllm_server
from servers.assemblyai_v2 import V2Server
from servers.base import Peer, serve
from servers.elevenlabs import ScribeServer
from servers.mistral import VoxtralServer
from servers.openai_http import transcription_server
from servers.sherpa import OfflineServer, OnlineServer
from servers.soniox import SonioxServer
from servers.vosk import VoskServer
from support.conversation import answered, finals, hear_all, received

SECONDS = 2


@asynccontextmanager
async def served(handler: object, path: str = "") -> AsyncGenerator[str]:
    """The url of a server of this handler."""
    admit = getattr(handler, "admit", None)
    async with serve(handler, admit=admit) as server:  # type: ignore[arg-type]
        yield server.url + path
    assert not server.violations


@asynccontextmanager
async def openai() -> AsyncGenerator[str]:
    async with openai_server.openai_server() as server:
        yield server.url
    assert not server.violations


@asynccontextmanager
async def vllm() -> AsyncGenerator[str]:
    async with vllm_server.vllm_server() as server:
        yield server.url
    assert not server.violations


@dataclass(frozen=True)
class Case:
    """An engine, its settings and a server to which nobody says anything."""

    name: str
    silent: Callable[[], AbstractAsyncContextManager[str]]
    key: str | None = None
    options: dict[str, object] = field(default_factory=dict[str, object])

    def engine(self, url: str, folder: Path) -> Engine:
        if self.name == "openai-http":
            url = url.replace("ws:", "http:")
        return catalog.create(self.name, {**self.options, "url": url}, folder / "log", key=self.key)


@asynccontextmanager
async def openai_http() -> AsyncGenerator[str]:
    with transcription_server() as server:
        yield server.url
    assert not server.violations


CASES = [
    Case("soniox", lambda: served(SonioxServer(), "/transcribe-websocket"), soniox_server.KEY),
    Case("elevenlabs", lambda: served(ScribeServer()), elevenlabs_server.KEY),
    Case("elevenlabs", lambda: served(ScribeServer()), elevenlabs_server.KEY, {"commit_strategy": "vad"}),
    Case("mistral", lambda: served(VoxtralServer()), mistral_server.KEY),
    Case("openai-http", openai_http, openai_http_server.KEY),
    Case("assemblyai", lambda: served(assemblyai_server.V3Server()), assemblyai_server.KEY),
    Case("assemblyai-v2", lambda: served(V2Server()), assemblyai_server.KEY),
    Case("deepgram", lambda: served(deepgram_server.V1Server()), deepgram_server.KEY),
    Case("deepgram", lambda: served(deepgram_server.FluxServer()), deepgram_server.KEY, {"api": "flux"}),
    Case("openai", openai, openai_server.KEY),
    Case("vllm", vllm, options={"model": vllm_server.MODEL}),
    Case("sherpa-onnx", lambda: served(OnlineServer())),
    Case("sherpa-onnx", lambda: served(OfflineServer()), options={"mode": "offline"}),
    Case("vosk", lambda: served(VoskServer())),
]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join([case.name, *map(str, case.options.values())]))


def silence(engine: Engine) -> tuple[bytes, int]:
    """Two seconds at the rate the engine wants, and a block of 50 to 100 ms that it takes."""
    rate = engine.capabilities.rate
    shortest, longest = engine.capabilities.block_ms
    return bytes(2 * SECONDS * rate), min(max(80, shortest), longest) * rate // 1000


def test_every_engine_but_the_embedded_one_is_here() -> None:
    # The embedded one has no server; its own tests hold it to the same.
    assert {case.name for case in CASES} | {"local"} == set(catalog.names()) - {"parrot"}


@each
async def test_it_says_truthfully_what_it_is(case: Case, tmp_path: Path) -> None:
    engine = case.engine("ws://127.0.0.1:1", tmp_path)
    able = engine.capabilities
    assert engine.name == case.name
    assert engine.title.startswith(case.name)
    assert not (able.billed and able.offline)
    assert able.usd_per_hour is None or able.billed
    assert 0 < able.block_ms[0] <= able.block_ms[1]
    assert able.word_times or not able.speakers
    assert case.key is None or case.key not in repr(engine)


@each
async def test_silence_ends_by_itself_and_gives_no_text(case: Case, tmp_path: Path) -> None:
    async with case.silent() as url:
        engine = case.engine(url, tmp_path)
        pcm, block = silence(engine)
        async with asyncio.timeout(30):
            heard = await hear_all(engine, pcm, block=block)
        await engine.close()
    assert [said.text for said in finals(heard) if said.text] == []
    assert answered(heard) == sorted(answered(heard))
    sent = SECONDS * RATE
    assert all(until <= sent + RATE // 4 for until in (*answered(heard), *received(heard))), "padding at the most"
    if answered(heard):
        assert answered(heard)[-1] >= sent - block


@each
async def test_a_connection_that_is_cut_is_lost_with_a_sentence_and_worth_another_one(
    case: Case, tmp_path: Path
) -> None:
    async def cut(peer: Peer) -> None:
        peer.drop()

    async with serve(cut) as server:
        engine = case.engine(server.url, tmp_path)
        pcm, block = silence(engine)
        async with asyncio.timeout(30):
            with pytest.raises(Lost) as lost:
                await hear_all(engine, pcm, block=block)
    assert lost.value.retry
    assert lost.value.cause.what
    assert lost.value.cause.code is ExitCode.ENGINE
    assert case.key is None or case.key not in str(lost.value)


@each
async def test_nobody_listening_is_lost_and_worth_another_attempt(case: Case, tmp_path: Path) -> None:
    engine = case.engine("ws://127.0.0.1:1", tmp_path)
    with pytest.raises(Lost) as lost:
        await engine.connect(Request())
    assert lost.value.retry
    assert lost.value.cause.code is ExitCode.ENGINE


@each
async def test_turns_are_counted_from_nought(case: Case, tmp_path: Path) -> None:
    async with case.silent() as url:
        engine = case.engine(url, tmp_path)
        pcm, block = silence(engine)
        heard = await hear_all(engine, pcm, block=block)
    turns = [said.turn for said in heard if isinstance(said, Partial | FinalTurn)]
    assert turns == sorted(turns)
    assert min(turns, default=0) == 0
