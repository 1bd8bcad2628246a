"""A service in a process of its own that speaks AssemblyAI's v3: the conformance server, made to talk for hours.

The one of the tests keeps every frame and adds up every block, which takes longer the longer it runs; here it forgets.
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from mictape.engines.assemblyai.options import AssemblyAIOptions
from mictape.engines.assemblyai.v3 import AssemblyAIEngine
from servers.assemblyai import KEY, Said, V3Server, V3Session
from servers.base import serve

TURN_MS: Final = 5000
"""A turn begins this often in the sound."""
WORDS: Final = 12
WORD_MS: Final = 330
"""From the start of a word to the next one's; a turn's words take 4 s, and the fifth is silent."""
BYTES_PER_MS: Final = 32


async def talk(session: V3Session) -> None:
    """A script: in every five seconds of sound a turn of twelve words, each heard when its sound came."""
    ms, order, said = 0.0, 0, 0
    while not session.terminating:
        news = await session.receive()
        ms += len(news) / BYTES_PER_MS if isinstance(news, bytes) else 0
        for kept in (session.blocks_ms, session.peer.received, session.peer.sent):
            kept.clear()
        while ms >= (order * TURN_MS) + (said + 1) * WORD_MS:
            if said < WORDS:
                said += 1
                await session.turn(order, words(order)[:said])
            elif ms >= (order + 1) * TURN_MS - 500:
                await session.turn(order, words(order), end=True, text=text(order))
                order, said = order + 1, 0
            else:
                break
    if said:
        await session.turn(order, words(order)[:said], end=True, text=text(order))


def words(order: int) -> list[Said]:
    """What is said in a turn, milliseconds since the connection's first sample."""
    starts = [order * TURN_MS + number * WORD_MS for number in range(WORDS)]
    return [Said(f"word{number}", start, start + WORD_MS - 30) for number, start in enumerate(starts)]


def text(order: int) -> str:
    """A turn's text once it is over."""
    return " ".join(word.text for word in words(order)).capitalize() + "."


@contextmanager
def serving(*, paced: bool) -> Generator[str]:
    """The service's url while the block runs; `paced`: it wants sound no faster than real time."""
    command = [sys.executable, "-m", "bench.service", *(["--paced"] if paced else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the service did not start"
        yield url
    finally:
        process.terminate()
        process.wait()


def engine_at(url: str, *, paced: bool) -> AssemblyAIEngine:
    """The engine of that service, followed as one in the cloud is; unpaced: as a server of one's own could be."""
    engine = AssemblyAIEngine(AssemblyAIOptions(url=url), Path("unused"), KEY)
    pace = engine.capabilities.fastest_pace if paced else None
    engine.capabilities = replace(engine.capabilities, fastest_pace=pace, offline=False)
    return engine


async def _serve(*, paced: bool) -> None:
    service = V3Server(talk, fastest=1.0 if paced else None)
    async with serve(service, admit=service.admit) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--paced", action="store_true")
    asyncio.run(_serve(paced=parser.parse_args().paced))
