"""Every engine against a server that is hostile: bounded, reported, and nothing else is kept from the loop.

The short form; the campaign with every combination is `make proof`.
"""

import asyncio
import gc
import itertools
import resource
import sys
import time
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import pytest

from mictape.engines import catalog, remote
from mictape.engines.base import Answered, Connection, EngineEvent, FinalTurn, Lost, Notice, Partial, Received, Request
from mictape.engines.bounds import ALL_PER_S, FREE, LONGEST_NAME
from mictape.units import RATE
from servers.base import Server, serve
from servers.hostile import ATTACKS, SPEECH, elsewhere, hostile, junk_close

KEY = "a-key-that-nobody-else-may-see"
SECONDS = 1.0
DEADLINE_S = 60.0
"""Of one conversation, on a busy machine; a hang is what it is for."""


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on this machine is given up as soon as a service is."""
    monkeypatch.setattr(remote, "OWN_SERVER_S", 5.0)


SHORT = list(itertools.product(SPEECH, ATTACKS))[
    ::5
]  # five is prime to the number of attacks, so that each of them is there
ALL = list(itertools.product(SPEECH, ATTACKS))


async def events_from(server: AbstractAsyncContextManager[Server], name: str) -> tuple[list[EngineEvent], Lost | None]:
    """Everything that is said by an engine of this name on one connection, and why it ended."""
    engine, _, api = name.partition(" ")
    events: list[EngineEvent] = []
    async with server as running, asyncio.timeout(DEADLINE_S):
        options = {"url": running.url, **({"api": api} if api else {})}
        key = KEY if catalog.key_variable(engine) else None
        made = catalog.create(engine, options, Path("log"), key=key)
        try:
            connection = await made.connect(Request())
        except Lost as lost:
            return events, lost
        speaking = asyncio.create_task(speak(connection))
        try:
            async for event in connection:
                events.append(event)
                if len(events) > 5_000:  # without end, and each of them within bounds: leaving is what is tried then
                    return events, None
        except Lost as lost:
            return events, lost
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            await connection.close()
    return events, None


async def speak(connection: Connection) -> None:
    with suppress(Lost):
        for _ in range(round(SECONDS * 10)):
            await connection.send(b"\1\0" * (RATE // 10))
        await connection.endpoint()
        await connection.finish()


def check_bounds(events: list[EngineEvent]) -> None:
    """Nothing is longer, later or surer than it can be."""
    sent = round(SECONDS * RATE) * 3 // 2  # OpenAI's rate is higher: the same samples are less time there
    for event in events:
        match event:
            case Received(until) | Answered(until):
                assert 0 <= until <= sent
            case Partial() | FinalTurn():
                assert len(event.text) <= FREE + ALL_PER_S * SECONDS
                times = [event.start, *(at for word in event.words or () for at in (word.start, word.end))]
                assert all(at is None or 0 <= at <= sent for at in times)
                assert all(word.confidence is None or 0 <= word.confidence <= 1 for word in event.words or ())
                if isinstance(event, FinalTurn):
                    assert event.end is None or (event.start or 0) <= event.end <= sent
                    assert len(event.speaker or "") <= LONGEST_NAME
            case Notice(text):
                assert len(text) <= 500
            case _:
                pass
    finals = [event for event in events if isinstance(event, FinalTurn)]
    assert sum(len(final.text) for final in finals) <= FREE + ALL_PER_S * SECONDS * 2


async def attacked(name: str, attack: str) -> None:
    longest_s = 0.0

    async def others() -> None:
        """What else is on the loop: it gets its turn, however much is said."""
        nonlocal longest_s
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.01)
            longest_s = max(longest_s, time.thread_time() - before)

    beside = asyncio.create_task(others())
    try:
        events, lost = await events_from(hostile(SPEECH[name], ATTACKS[attack]), name)
    finally:
        beside.cancel()
    check_bounds(events)
    if attack in ("nested", "huge"):
        assert lost is not None, "it is reported"
    if lost is not None:
        assert lost.cause.what
        assert KEY not in str(lost)
    assert longest_s < 5.0, f"{longest_s:.1f} s of this process's time passed before others had a turn"


@pytest.mark.parametrize(("name", "attack"), SHORT)
async def test_what_no_server_should_say_is_bounded_and_reported(name: str, attack: str) -> None:
    await attacked(name, attack)


@pytest.mark.proof
@pytest.mark.parametrize(("name", "attack"), ALL)
async def test_every_attack_on_every_engine(name: str, attack: str) -> None:
    await attacked(name, attack)
    gc.collect()
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024)
    assert used < 1 << 20, f"{used / 1024:.0f} MB"


@pytest.mark.parametrize("name", SPEECH)
async def test_junk_in_a_close_frame_is_shown_as_one_line(name: str) -> None:
    junk = "\x1b[2J[red]\r\nclosed\x07" + "ä" * 40
    _, lost = await events_from(junk_close(SPEECH[name], 4999, junk), name)
    assert lost is not None
    assert "closed" in lost.cause.what
    assert lost.cause.what.isprintable()


@pytest.mark.parametrize("name", SPEECH)
async def test_a_redirect_takes_the_key_nowhere(name: str) -> None:
    async def hello(peer: object) -> None:
        del peer

    async with serve(hello) as thief:
        _, lost = await events_from(elsewhere(f"{thief.url}/take"), name)
        assert thief.asked == []
    assert lost is not None
    assert not lost.retry
