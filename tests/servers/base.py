"""Websocket servers for tests: real sockets on 127.0.0.1, everything recorded.

A conformance server of a vendor's protocol is a handler given to `serve`: a coroutine that talks to one client and
raises `Wrong` when the client broke a rule.

    async def handler(peer: Peer) -> None:
        await peer.send({"type": "Begin"})
        if not isinstance(await peer.receive(), bytes):
            raise Wrong(3006, "sound comes in binary frames")
        await peer.close()

    async with serve(handler) as server:
        ...  # connect to server.url
    assert not server.violations
"""

import json
import socket
import ssl
import struct
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

TalkT = TypeVar("TalkT")

CERTIFICATE: Final = Path(__file__).with_name("localhost.pem")
"""A certificate for 127.0.0.1 and localhost, with its key, signed by itself, valid until 2126.

For tests only. A client accepts it with `ssl.create_default_context(cafile=CERTIFICATE)`, or, made by code of
others, where the environment's `SSL_CERT_FILE` names it.
"""

REASON_BYTES: Final = 123
"""The longest reason of a close frame (RFC 6455 §5.5: 125 bytes with the code)."""

MAX_MESSAGE: Final = 16 << 20
"""Bytes of the longest message that is read at all; a protocol's own limit is its handler's to check."""

Payload = str | bytes


class Wrong(Exception):  # noqa: N818 (what a client was, not an error of the server)
    """A client broke a rule: recorded as a violation, and the connection is closed with `code`."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an upgrade is answered with instead of 101."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Asked:
    """A client's request for an upgrade."""

    path: str
    query: Mapping[str, str]
    """Decoded; of a name given twice the last value."""
    headers: Mapping[str, str]
    """Names in lower case."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame and when it came or went, `time.monotonic()`."""

    at: float
    payload: Payload


class PaceMeter:
    """Tells how far ahead of the clock a client's sound is."""

    def __init__(
        self, fastest: float | None = 1.0, tolerance_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with the first block.

        Args:
            fastest: Seconds of sound per second of clock that a client may send; None: any pace.
            tolerance_s: Seconds of sound it may be ahead of that.
            clock: Seconds that pass; a test may give one that it steps.
        """
        self.sound_s = 0.0
        self.most_ahead_s = 0.0
        """The furthest ahead of real time it ever was, in seconds of sound."""
        self._fastest = fastest
        self._tolerance_s = tolerance_s
        self._clock = clock
        self._began: float | None = None

    def take(self, seconds: float) -> bool:
        """Count a block of so many seconds; False when with it the client is too fast."""
        now = self._clock()
        began = self._began = now if self._began is None else self._began
        self.sound_s += seconds
        self.most_ahead_s = max(self.most_ahead_s, self.sound_s - (now - began))
        return self._fastest is None or self.sound_s <= (now - began) * self._fastest + self._tolerance_s


class Peer:
    """A client, as the server has it."""

    def __init__(self, connection: ServerConnection, asked: Asked) -> None:
        self.asked = asked
        self.received: list[Frame] = []
        """Every frame the handler has read, in order."""
        self.sent: list[Frame] = []
        self.violation: Wrong | None = None
        self.closed: tuple[int, str] | None = None
        """Code and reason the connection ended with; 1006 without a close frame. None while it lives."""
        self._connection = connection

    async def receive(self) -> Payload:
        """The next frame. Raises websockets' `ConnectionClosed`, which a handler may let pass."""
        payload = await self._connection.recv()
        self.received.append(Frame(time.monotonic(), payload))
        return payload

    async def send(self, message: Payload | Mapping[str, Any]) -> None:
        """Send a text frame, a binary one, or a mapping as JSON."""
        payload = message if isinstance(message, str | bytes) else json.dumps(message)
        self.sent.append(Frame(time.monotonic(), payload))
        await self._connection.send(payload)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a code; a reason too long for a close frame is cut."""
        await self._connection.close(code, reason.encode()[:REASON_BYTES].decode(errors="ignore"))

    def drop(self) -> None:
        """Vanish: a TCP reset, without a close frame."""
        raw: socket.socket = self._connection.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.transport.abort()

    async def wait_closed(self) -> None:
        """Return when the connection has ended, from either side."""
        await self._connection.wait_closed()

    async def run(self, handler: "Handler") -> None:
        """Talk to the client until one of both ends it."""
        try:
            with suppress(ConnectionClosed):
                await handler(self)
        except Wrong as wrong:
            self.violation = wrong
            await self.close(wrong.code, wrong.text)
        finally:
            await self._connection.close()
            self.closed = (self._connection.close_code or 1006, self._connection.close_reason or "")


Handler = Callable[[Peer], Awaitable[None]]
"""Talks to one client. When it returns the connection is closed with 1000, if it still lives."""


@dataclass
class Server:
    """A server while it runs, and what it has seen, also afterwards."""

    url: str
    """`ws://127.0.0.1:PORT` or `wss://…`, without a path."""
    asked: list[Asked] = field(default_factory=list[Asked])
    """Every request for an upgrade, refused ones too."""
    peers: list[Peer] = field(default_factory=list[Peer])
    """Every client that got in, in that order."""
    failures: list[Exception] = field(default_factory=list[Exception])
    """What handlers raised besides `Wrong` and the connection's end: faults of the test itself."""

    @property
    def violations(self) -> list[str]:
        """Every rule broken by a client, in words."""
        return [f"{peer.violation.code} {peer.violation.text}" for peer in self.peers if peer.violation]

    @property
    def open(self) -> int:
        """How many connections live."""
        return sum(peer.closed is None for peer in self.peers)


@dataclass
class Realtime(Generic[TalkT]):
    """A server at `/v1/realtime` while it runs, and what it has seen."""

    server: Server
    talks: list[TalkT]
    """Each client's session, in the order in which they came."""

    @property
    def url(self) -> str:
        """For the setting `url`."""
        return f"{self.server.url}/v1/realtime"

    @property
    def violations(self) -> list[str]:
        """Every rule that a client broke."""
        return self.server.violations


@asynccontextmanager
async def serve(
    handler: Handler,
    *,
    admit: Callable[[Asked], Refusal | None] | None = None,
    tls: bool = False,
    port: int = 0,
) -> AsyncGenerator[Server]:
    """Serve websockets on 127.0.0.1 until the block ends; a handler that failed fails the test there.

    Args:
        handler: Talks to each client.
        admit: Looks at each request for an upgrade; a `Refusal` is sent instead of opening.
        tls: With `CERTIFICATE`.
        port: 0 takes a free one; give the number of an earlier server to come back at its address.
    """
    server = Server("")

    def look(connection: ServerConnection, request: Request) -> Response | None:
        asked = _asked(request)
        server.asked.append(asked)
        return _response(connection, admit(asked)) if admit else None

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        peer = Peer(connection, _asked(connection.request))
        server.peers.append(peer)
        try:
            await peer.run(handler)
        except Exception as failure:
            server.failures.append(failure)

    async with serve_websocket(
        talk,
        "127.0.0.1",
        port,
        ssl=_tls() if tls else None,
        process_request=look,
        compression=None,  # sizes on the wire are the sizes sent
        max_size=MAX_MESSAGE,
        max_queue=None,  # what a client has sent is never held back in its own buffers
        ping_interval=None,  # a client has to find out by itself
        close_timeout=1,
    ) as listening:
        number = next(iter(listening.sockets)).getsockname()[1]
        server.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{number}"
        yield server
    if server.failures:
        raise server.failures[0]


def _asked(request: Request) -> Asked:
    parts = urlsplit(request.path)
    headers = {name.lower(): value for name, value in request.headers.raw_items()}
    return Asked(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers)


def _response(connection: ServerConnection, refusal: Refusal | None) -> Response | None:
    if refusal is None:
        return None
    response = connection.respond(HTTPStatus(refusal.status), refusal.text)
    for name, value in refusal.headers.items():
        response.headers[name] = value
    return response


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context
