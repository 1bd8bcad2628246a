"""`mictape login` tries a key in a conversation without sound: each service tells a right one from a wrong one."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from mictape.engines.assemblyai.options import AssemblyAIOptions
from mictape.engines.assemblyai.v3 import AssemblyAIEngine
from mictape.engines.deepgram.engine import DeepgramEngine, DeepgramOptions
from mictape.engines.openai.realtime import OpenAIEngine, OpenAIOptions
from mictape.engines.readiness import tried
from servers import assemblyai as assemblyai_server
from servers import deepgram as deepgram_server
from servers import openai as openai_server
from servers.base import Server, serve

LOG = Path("log")
WRONG = "a-key-that-nobody-knows"

Rig = tuple[Server, Callable[[str], Any]]
"""A conformance server, and what makes an engine with a key for it."""

Service = Callable[[], AbstractAsyncContextManager[Rig]]


@asynccontextmanager
async def assemblyai(
    refusal: Literal["http", "close"] = "http",
) -> AsyncGenerator[Rig]:
    v3 = assemblyai_server.V3Server(refusal=refusal)
    async with serve(v3, admit=v3.admit) as server:
        options = AssemblyAIOptions(url=f"{server.url}{assemblyai_server.PATH}")
        yield server, lambda key: AssemblyAIEngine(options, LOG, key)


def assemblyai_that_closes() -> AbstractAsyncContextManager[Rig]:
    return assemblyai("close")


@asynccontextmanager
async def deepgram_v1() -> AsyncGenerator[Rig]:
    v1 = deepgram_server.V1Server()
    async with serve(v1, admit=v1.admit) as server:
        yield server, lambda key: DeepgramEngine(DeepgramOptions(url=server.url), LOG, key)


@asynccontextmanager
async def deepgram_flux() -> AsyncGenerator[Rig]:
    flux = deepgram_server.FluxServer()
    async with serve(flux, admit=flux.admit) as server:
        yield server, lambda key: DeepgramEngine(DeepgramOptions(api="flux", url=server.url), LOG, key)


@asynccontextmanager
async def openai() -> AsyncGenerator[Rig]:
    async with openai_server.openai_server() as opened:
        yield opened.server, lambda key: OpenAIEngine(OpenAIOptions(url=opened.url), LOG, key)


KEYS = {
    assemblyai: assemblyai_server.KEY,
    assemblyai_that_closes: assemblyai_server.KEY,
    deepgram_v1: deepgram_server.KEY,
    deepgram_flux: deepgram_server.KEY,
    openai: openai_server.KEY,
}


@pytest.mark.parametrize("service", KEYS)
async def test_the_right_key_is_accepted_and_a_wrong_one_refused_for_good(service: Service) -> None:
    async with service() as (server, engine):
        assert await tried(engine(KEYS[service])) is None
        assert server.violations == []
        lost = await tried(engine(WRONG))
    assert lost is not None
    assert not lost.retry
    assert "key" in str(lost.cause)
    assert WRONG not in str(lost.cause)


@pytest.mark.parametrize("service", KEYS)
async def test_a_service_that_cannot_be_reached_proves_nothing(service: Service) -> None:
    async with service() as (_, engine):
        pass
    lost = await tried(engine(KEYS[service]))
    assert lost is not None
    assert lost.retry
