"""A TCP proxy on 127.0.0.1 that does what bad lines do: delays, throttles, goes deaf and dumb, garbles.

async with proxy(server.url, Line(swallow_after=60_000)) as lines:
    ...  # connect to lines.url: the first connection goes silent after 60,000 bytes, later ones are good
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from servers.relay import CHUNK, join, relay

FLIP: Final = bytes(each ^ 0x80 for each in range(256))
"""The first bit of every byte turned over: of a frame's head as well, so that it is always noticed."""


@dataclass
class Line:
    """What one connection suffers, and what went through it. Numbers of bytes count the handshake."""

    delay_s: float = 0.0
    """Each chunk comes so much later."""
    bytes_per_s: float | None = None
    """What goes through in either direction."""
    refuses: int | None = None
    """The first request is answered with this HTTP status, by what stands between."""
    cut_after: int | None = None
    """After so many bytes, both directions together, it is closed."""
    cut_after_s: float | None = None
    """After so many seconds it is closed."""
    swallow_after: int | None = None
    """After so many bytes, both directions together, nothing goes through any more, and neither end notices."""
    garble_up_after: int | None = None
    """What the client sends after so many bytes is garbled."""
    garble_down_after: int | None = None
    """And what the server sends."""
    up: int = 0
    """Bytes that the client has sent."""
    down: int = 0
    """Bytes that the server has sent."""

    @property
    def swallows(self) -> bool:
        """Whether it is half-open by now."""
        return self.swallow_after is not None and self.up + self.down > self.swallow_after

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        """Pass on one direction to its end."""
        while chunk := await reader.read(CHUNK):
            await asyncio.sleep(self.delay_s + (len(chunk) / self.bytes_per_s if self.bytes_per_s else 0.0))
            chunk = self._pass(chunk, up=up)
            if self.cut_after is not None and self.up + self.down > self.cut_after:
                return
            if not self.swallows:
                writer.write(chunk)
                await writer.drain()
        if self.swallows:
            await asyncio.Event().wait()

    def _pass(self, chunk: bytes, *, up: bool) -> bytes:
        before, after = (self.up, self.garble_up_after) if up else (self.down, self.garble_down_after)
        self.up, self.down = self.up + up * len(chunk), self.down + (not up) * len(chunk)
        if after is None:
            return chunk
        good = max(0, after - before)
        return chunk[:good] + chunk[good:].translate(FLIP)


@dataclass
class Proxy:
    """The proxy while it runs."""

    url: str
    """Where clients connect."""
    coming: list[Line]
    """What the next connections suffer, in order."""
    then: Callable[[], Line]
    """What each of those after them suffers."""
    lines: list[Line] = field(default_factory=list[Line])
    """Every connection there was."""


@asynccontextmanager
async def proxy(url: str, *coming: Line, then: Callable[[], Line] = Line) -> AsyncGenerator[Proxy]:
    """Stand before the server at `url` until the block ends."""
    behind = urlsplit(url)
    made = Proxy("", list(coming), then)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = made.coming.pop(0) if made.coming else made.then()
        made.lines.append(line)
        if line.refuses is not None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {line.refuses} said between\r\nContent-Length: 0\r\n\r\n".encode())
            return
        server_reader, server_writer = await asyncio.open_connection(behind.hostname, behind.port)
        try:
            async with asyncio.timeout(line.cut_after_s):
                await join(line.carry(reader, server_writer, up=True), line.carry(server_reader, writer, up=False))
        except TimeoutError:
            pass
        finally:
            server_writer.close()

    async with relay(talk) as address:
        made.url = f"{behind.scheme}://{address}{behind.path}"
        yield made
