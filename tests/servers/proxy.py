"""An HTTP proxy on 127.0.0.1 that tunnels with CONNECT, or refuses to, as those of companies do."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HEAD_BYTES = 64 << 10


@dataclass
class HttpProxy:
    """The proxy while it runs, and what it was asked for."""

    address: str
    """`127.0.0.1:PORT`."""
    login: str | None
    """`USER:PASSWORD` that a client has to show; None: none."""
    status: int
    """What it answers a client that may pass: 200 tunnels."""
    target: tuple[str, int] | None
    """Where tunnels lead, whatever was asked for; None: where it was asked for."""
    asked: list[str] = field(default_factory=list[str])
    """`HOST:PORT` of each CONNECT."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, place, _ = head.split(" ", 2)
        assert method == "CONNECT"
        self.asked.append(place)
        status = self.status
        if self.login is not None:
            shown = base64.b64encode(self.login.encode()).decode()
            status = status if f"Basic {shown}" in head else 407
        writer.write(f"HTTP/1.1 {status} said by the proxy\r\n\r\n".encode())
        if status != 200:
            return
        host, _, port = place.rpartition(":")
        behind, out = await asyncio.open_connection(*(self.target or (host, int(port))))
        ways = [asyncio.create_task(_carry(reader, out)), asyncio.create_task(_carry(behind, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            out.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(HEAD_BYTES):
        writer.write(chunk)
        await writer.drain()


@asynccontextmanager
async def http_proxy(
    *, login: str | None = None, status: int = 200, target: tuple[str, int] | None = None
) -> AsyncGenerator[HttpProxy]:
    """Stand between until the block ends."""
    made = HttpProxy("", login, status, target)
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def talk() -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                try:
                    await made.serve(reader, writer)
                finally:
                    writer.close()

        task = asyncio.create_task(talk())
        running.add(task)
        task.add_done_callback(running.discard)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        listening.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
