"""What proxies on 127.0.0.1 share: one task a client, and two ways that end together."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

CHUNK: Final = 16 << 10
"""Bytes that are passed on at a time, at most."""

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one client to its end."""


@asynccontextmanager
async def relay(talk: Talk) -> AsyncGenerator[str]:
    """Listen until the block ends; gives `127.0.0.1:PORT`. Clients that are still there are cut off then.

    What else `talk` raises fails the test at the end of the block.
    """
    running: set[asyncio.Task[None]] = set()
    failures: list[Exception] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # a client may leave at any time
        except Exception as failure:
            failures.append(failure)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    if failures:
        raise failures[0]


async def join(*ways: Coroutine[Any, Any, None]) -> None:
    """Run both directions of a connection until one of them ends; the other one ends with it."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on one direction to its end."""
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    """Join a client with a server until one of them leaves."""
    behind, out = await asyncio.open_connection(host, port)
    try:
        await join(carry(reader, out), carry(behind, writer))
    finally:
        out.close()
