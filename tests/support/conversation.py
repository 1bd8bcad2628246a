"""A conversation with an engine, as a follower has it: speaking and hearing at once."""

import asyncio
import re
from collections.abc import Iterable
from typing import Final

from mictape.engines.base import (
    Answered,
    Connection,
    Engine,
    EngineEvent,
    FinalTurn,
    Notice,
    Partial,
    Received,
    Request,
)
from mictape.units import RATE

SAMPLE_BYTES = 2
ADDRESS: Final = r"127\.0\.0\.1:\d+"
"""How sentences name a simulated server, as a pattern."""


def silence(seconds: float) -> bytes:
    return bytes(SAMPLE_BYTES * round(seconds * RATE))


async def recognize_all(
    engine: Engine,
    pcm: bytes,
    *,
    block: int = RATE // 10,
    endpoints: Iterable[int] = (),
    request: Request | None = None,
) -> list[EngineEvent]:
    """Everything that is said about `pcm` on one connection.

    Args:
        engine: Who is asked.
        pcm: 16 kHz, 16 bits, mono.
        block: Samples of a block.
        endpoints: Samples at which the utterance is ended.
        request: What is asked of the engine.
    """
    connection = await engine.connect(request or Request())
    borders = [*sorted(endpoints), len(pcm) // SAMPLE_BYTES]

    async def speak() -> None:
        at = 0
        for border in borders:
            while at < border:
                size = min(block, border - at)
                await connection.send(pcm[SAMPLE_BYTES * at : SAMPLE_BYTES * (at + size)])
                at += size
            if border is not borders[-1]:
                await connection.endpoint()
        await connection.finish()

    try:
        async with asyncio.TaskGroup() as both:
            receiving = both.create_task(listen(connection))
            both.create_task(speak())
        return receiving.result()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        await connection.close()


async def listen(connection: Connection) -> list[EngineEvent]:
    """What is said until all is said."""
    return [event async for event in connection]


def without_address(events: Iterable[EngineEvent]) -> list[EngineEvent]:
    """The same with `SERVER` in the notices for its address, whose port is never the same."""
    return [Notice(re.sub(ADDRESS, "SERVER", each.text)) if isinstance(each, Notice) else each for each in events]


def finals(events: Iterable[EngineEvent]) -> list[FinalTurn]:
    return [news for news in events if isinstance(news, FinalTurn)]


def partials(events: Iterable[EngineEvent]) -> list[tuple[int, str]]:
    """Turn and text of each."""
    return [(news.turn, news.text) for news in events if isinstance(news, Partial)]


def answered(events: Iterable[EngineEvent]) -> list[int]:
    return [news.until for news in events if isinstance(news, Answered)]


def received(events: Iterable[EngineEvent]) -> list[int]:
    return [news.until for news in events if isinstance(news, Received)]
