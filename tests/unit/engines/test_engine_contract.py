"""What holds for every engine behind the protocol of DESIGN §5, on its own conformance server."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mictape.engines import catalog
from mictape.engines.base import Engine, FinalTurn, Lost, Partial, Request
from mictape.engines.urls import host_and_port
from mictape.failure import ExitCode
from mictape.units import RATE
from servers.base import Peer, Refusal, serve
from support.conversation import answered, finals, received, recognize_all
from support.engine_cases import CASES, Case

SECONDS = 2

each = pytest.mark.parametrize("case", CASES, ids=str)


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
    async with case.serves(None) as server:
        engine = case.engine(server.url, tmp_path)
        pcm, block = silence(engine)
        async with asyncio.timeout(30):
            events = await recognize_all(engine, pcm, block=block)
        await engine.close()
    assert server.violations == []
    assert [said.text for said in finals(events) if said.text] == []
    assert answered(events) == sorted(answered(events))
    sent = SECONDS * RATE
    assert all(until <= sent + RATE // 4 for until in (*answered(events), *received(events))), "padding at the most"
    if answered(events):
        assert answered(events)[-1] >= sent - block


async def lost_at(case: Case, folder: Path, handler: Callable[[Peer], Awaitable[None]], **serving: Any) -> Lost:
    """How a conversation ends with a server that does this; it is named by its address, and the vendor is not."""
    async with serve(handler, **serving) as server:
        engine = case.engine(server.url, folder)
        pcm, block = silence(engine)
        async with asyncio.timeout(30):
            with pytest.raises(Lost) as lost:
                await recognize_all(engine, pcm, block=block)
    what = str(lost.value.cause)
    assert host_and_port(server.url) in what
    assert getattr(engine, "vendor", "") not in what.replace(case.name, "")
    return lost.value


@each
async def test_a_server_of_ones_own_is_named_and_not_the_vendor(case: Case, tmp_path: Path) -> None:
    async def cut(peer: Peer) -> None:
        peer.drop()

    async def closes(peer: Peer) -> None:
        await peer.close(1011, "out of memory")

    await lost_at(case, tmp_path, cut)
    await lost_at(case, tmp_path, closes)
    await lost_at(case, tmp_path, cut, admit=lambda _: Refusal(503))


@each
async def test_a_key_that_is_refused_names_the_engine_to_log_in(case: Case, tmp_path: Path) -> None:
    async def closes(peer: Peer) -> None:
        await peer.close(1008, "invalid API key")

    def names_the_engine(lost: Lost) -> bool:
        remedies = (f"mictape login {case.name}", "Use a server that asks for none, or another engine")
        return lost.cause.remedy.endswith(remedies) or f"{remedies[0]}," in lost.cause.remedy

    for status in (401, 403):
        refused = await lost_at(case, tmp_path, closes, admit=lambda _, status=status: Refusal(status))
        assert not refused.retry
        assert names_the_engine(refused), refused
    if case.name != "openai-http":  # it has no connection that could be closed
        closed = await lost_at(case, tmp_path, closes)
        assert not closed.retry
        assert names_the_engine(closed), closed


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
                await recognize_all(engine, pcm, block=block)
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
    async with case.serves(None) as server:
        engine = case.engine(server.url, tmp_path)
        pcm, block = silence(engine)
        events = await recognize_all(engine, pcm, block=block)
    turns = [said.turn for said in events if isinstance(said, Partial | FinalTurn)]
    assert turns == sorted(turns)
    assert min(turns, default=0) == 0
