"""Proxies on 127.0.0.1 as those of companies: HTTP with CONNECT, and SOCKS 5; they tunnel or refuse to."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from servers.relay import relay, tunnel

SUCCEEDED: Final = 0
NOT_ALLOWED: Final = 2
HOST_UNREACHABLE: Final = 4
"""Replies of RFC 1928 §6."""

NO_LOGIN: Final = 0
USER_AND_PASSWORD: Final = 2
NONE_ACCEPTED: Final = 0xFF
"""Methods of RFC 1928 §3."""

DOMAIN_NAME: Final = 3
"""The kind of address that holds a name (RFC 1928 §5); 1 is IPv4, 4 is IPv6."""


@dataclass
class Proxy:
    """A proxy while it runs, and what it was asked for."""

    login: str | None = None
    """`USER:PASSWORD` that a client has to show; None: none."""
    status: int = 200
    """What it answers a client that may pass: 200 tunnels, or SOCKS' 0."""
    target: tuple[str, int] | None = None
    """Where tunnels lead, whatever was asked for; None: where it was asked for."""
    address: str = ""
    """`127.0.0.1:PORT`."""
    asked: list[str] = field(default_factory=list[str])
    """`HOST:PORT` that each client wanted."""

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        await tunnel(reader, writer, *(self.target or (host, port)))


class HttpProxy(Proxy):
    """Speaks HTTP/1.1, and only CONNECT."""

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
        if status == 200:
            host, _, port = place.rpartition(":")
            await self._through(reader, writer, host, int(port))


class SocksProxy(Proxy):
    """Speaks SOCKS 5 (RFC 1928), with a user name and a password where it wants them (RFC 1929)."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        version, count = await reader.readexactly(2)
        assert version == 5
        wanted = NO_LOGIN if self.login is None else USER_AND_PASSWORD
        offered = wanted in await reader.readexactly(count)
        writer.write(bytes((5, wanted if offered else NONE_ACCEPTED)))
        if not offered or not await self._knows(reader, writer):
            return
        version, command, _, kind = await reader.readexactly(4)
        assert (version, command) == (5, 1), "only CONNECT"
        assert kind == DOMAIN_NAME, "names are looked up by the proxy"
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2))
        self.asked.append(f"{host}:{port}")
        writer.write(bytes((5, self.status, 0, 1, 0, 0, 0, 0, 0, 0)))
        if self.status == SUCCEEDED:
            await self._through(reader, writer, host, port)

    async def _knows(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.login is None:
            return True
        await reader.readexactly(1)
        user = await reader.readexactly((await reader.readexactly(1))[0])
        password = await reader.readexactly((await reader.readexactly(1))[0])
        known = f"{user.decode()}:{password.decode()}" == self.login
        writer.write(bytes((1, 0 if known else 1)))
        return known


@asynccontextmanager
async def http_proxy(
    *, login: str | None = None, status: int = 200, target: tuple[str, int] | None = None
) -> AsyncGenerator[HttpProxy]:
    """Stand between until the block ends."""
    made = HttpProxy(login, status, target)
    async with relay(made.serve) as made.address:
        yield made


@asynccontextmanager
async def socks_proxy(
    *, login: str | None = None, status: int = SUCCEEDED, target: tuple[str, int] | None = None
) -> AsyncGenerator[SocksProxy]:
    """Stand between until the block ends."""
    made = SocksProxy(login, status, target)
    async with relay(made.serve) as made.address:
        yield made
