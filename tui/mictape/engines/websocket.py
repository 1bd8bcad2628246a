"""What every engine behind a websocket shares: opening, sending, reading, and why it ended.

An adapter derives from `SocketConnection` and says only what its frames are and mean. Facts on close codes and
half-open sockets: RFC 6455 §7.4 and each vendor's own list, which stands in its adapter.
"""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException
from websockets.protocol import State

from mictape.engines.base import Changes, EngineEvent, Lost
from mictape.failure import ExitCode, Failure

OPEN_S: Final = 10.0
"""Longest a handshake may take: DNS, TCP, TLS and the upgrade."""
PING_S: Final = 5.0
"""A ping this often, and its answer within as long: a half-open socket is found in 10 s."""
SEND_S: Final = 5.0
"""A send that takes longer has nobody at its other end."""
CLOSE_S: Final = 1.0
MAX_MESSAGE: Final = 4 << 20
"""Bytes of one message; a transcript's are a thousandth of it."""

_log = logging.getLogger(__name__)
_wire = logging.getLogger(f"{__name__}.wire")
_wire.setLevel(logging.INFO)  # below it websockets logs the request with its headers, and one of them is the key

Frame = str | bytes
"""A text frame or a binary one."""

Message = TypeVar("Message")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code means for the person and for the next attempt."""

    what: str
    """A sentence without its full stop."""
    remedy: str = ""
    retry: bool = True
    after_s: float = 0.0
    """Seconds to wait at least before the next attempt."""

    def lost(self, detail: str = "") -> Lost:
        """The end of a connection for this reason; `detail` is what the server says of it."""
        what = f"{self.what} ({detail})" if detail else self.what
        return Lost(Failure(what, self.remedy, ExitCode.ENGINE), retry=self.retry, after=self.after_s)


HTTP: Final[Mapping[int, Verdict]] = {
    400: Verdict("The service refused the request", "Check the engine's settings", retry=False),
    401: Verdict("The service does not accept the key", "Give it the right one with mictape login", retry=False),
    402: Verdict("The account has no funds", "Add funds to it, or choose another engine", retry=False),
    403: Verdict("The account may not use this", "Look at the account's plan, or choose another engine", retry=False),
    404: Verdict("The service has nothing at this address", "Check the engine's url", retry=False),
    429: Verdict("The service takes no more connections right now", after_s=10.0),
}
"""Refused upgrades; every other status is the server's own trouble and worth another attempt."""

CODES: Final[Mapping[int, Verdict]] = {
    1002: Verdict("The server found the protocol broken", "Check the engine's url"),  # a garbled line looks the same
    1003: Verdict("The server does not take this kind of data", "Check the engine's settings", retry=False),
    1007: Verdict("The server could not read what it was sent", "Check the engine's settings", retry=False),
    1008: Verdict("The service does not accept the key", "Give it the right one with mictape login", retry=False),
    1009: Verdict("The server found a message too large", "Check the engine's settings", retry=False),
}
"""Close codes that mean the same everywhere; an adapter's own go first, every other one is worth another attempt."""


def unusable(name: str, url: str) -> Failure | None:
    """Why nothing can be reached at this url, whoever listens; None when it can be one."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        fits = False
    if fits:
        return None
    # An url may hold a key, so it is not shown.
    return Failure(
        f"The url of {name} cannot be used", f"Give it one like ws://HOST:PORT in [engines.{name}]", ExitCode.ENGINE
    )


def place(url: str) -> str:
    """Host and port for the state line, without what else an url may hold; empty when it cannot be one."""
    return "" if unusable("", url) else urlsplit(url).netloc.rpartition("@")[2]


def is_local(url: str) -> bool:
    """Whether what is sent there stays on this machine."""
    host = "" if unusable("", url) else urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def open_socket(
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    name: str,
    http: Mapping[int, Verdict] | None = None,
    tls: ssl.SSLContext | None = None,
) -> ClientConnection:
    """Open a websocket; raises `Lost` with a sentence for everything that can stand in the way.

    Args:
        url: `ws://` or `wss://`.
        headers: The request's headers; may hold a key, so they are never logged.
        name: The service's name, for the sentences.
        http: What statuses of a refused upgrade mean, before those of `HTTP`.
        tls: A context of one's own, for a certificate that the system does not know.
    """
    with _why_not(name, {**HTTP, **(http or {})}):
        return await connect(
            url,
            additional_headers=headers,
            ssl=(tls or True) if url.startswith("wss:") else None,  # True: what the system trusts
            open_timeout=OPEN_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=CLOSE_S,
            max_size=MAX_MESSAGE,
            logger=_wire,
        )


@contextlib.contextmanager
def _why_not(name: str, table: Mapping[int, Verdict]) -> Generator[None]:
    """Say what stood in the way of a connection. Raises `Lost` for everything that opening one raises."""
    try:
        yield
    except InvalidStatus as error:
        raise _refused(error, table) from None
    except ssl.SSLError as error:
        raise _lost(f"No secure connection to {name}: {error.reason or error}", "Check the engine's url") from None
    except TimeoutError:
        raise _lost(f"{name} does not answer", "Check the network") from None
    except (InvalidURI, ValueError) as error:
        why = error.msg if isinstance(error, InvalidURI) else error  # the url itself may hold a token
        raise _lost(f"The url of {name} cannot be used: {why}", "Correct it", retry=False) from None
    except (InvalidHandshake, WebSocketException) as error:
        raise _lost(f"What answers for {name} speaks no websocket: {error}", "Check the engine's url") from None
    except OSError as error:
        raise _lost(f"{name} cannot be reached: {_reason(error)}", "Check the network") from None


def _reason(error: OSError) -> str:
    """What the system says; asyncio puts addresses in its place."""
    plain = error.errno is not None and error.errno > 0 and not isinstance(error, socket.gaierror)
    return os.strerror(error.errno).lower() if plain and error.errno is not None else str(error.strerror or error)


def _refused(error: InvalidStatus, table: Mapping[int, Verdict]) -> Lost:
    response = error.response
    verdict = table.get(response.status_code, Verdict(f"The service answered {response.status_code}"))
    lost = verdict.lost(f"HTTP {response.status_code}")
    with contextlib.suppress(ValueError):  # a date instead of seconds is not worth a parser
        lost.after = max(lost.after, float(response.headers.get("Retry-After", "0")))
    return lost


def _lost(what: str, remedy: str = "", *, retry: bool = True) -> Lost:
    return Lost(Failure(what, remedy, ExitCode.ENGINE), retry=retry)


class SocketConnection(ABC):
    """A `Connection` over a websocket.

    The adapter gives the frames and reads the messages; everything that can go wrong with a socket is here.
    """

    codes: Mapping[int, Verdict] = CODES
    """What the service's close codes mean; those of `CODES` where it has none of its own."""
    finish_s: float = 10.0
    """How long the service may take to answer for everything after `finish`."""

    def __init__(self, socket: ClientConnection, name: str) -> None:
        self._socket = socket
        self._name = name
        self._finishing = False
        self._over = False
        self._overdue = False
        self._welcome = False
        self._early: list[EngineEvent] = []
        self._why = ""
        self._limit: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()

    # What an adapter says.

    @abstractmethod
    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """What carries this block of 16-bit mono PCM."""

    @abstractmethod
    def hear(self, message: Frame) -> Iterable[EngineEvent]:
        """What a message says. Raises `Lost` when it is an error; calls `said_all` when it is the last one."""

    @abstractmethod
    def finish_frames(self) -> Iterable[Frame]:
        """What tells the server that no more sound comes."""

    def endpoint_frames(self) -> Iterable[Frame]:
        """What ends the utterance; nothing where the protocol has no word for it."""
        return ()

    def update_frames(self, changes: Changes) -> Iterable[Frame]:
        """What changes a living connection; nothing where the protocol has no word for it."""
        del changes
        return ()

    def keep_alive_frames(self) -> Iterable[Frame]:
        """What says that more will come; nothing where the protocol has no word for it."""
        return ()

    def last_words(self) -> Iterable[EngineEvent]:
        """What is left to be said when the server has closed after `finish`."""
        return ()

    def ended_well(self, code: int) -> bool:
        """Whether an end after `finish` with this code means that all was said; 1006: without a close frame."""
        return code in (1000, 1001, 1005)

    def verdict(self, code: int, reason: str) -> Verdict | None:
        """What the service means by this end, where its reason says more than its code."""
        del reason
        return self.codes.get(code)

    def said_all(self) -> None:
        """The server has said everything: the iterator ends."""
        self._over = True

    def greeted(self) -> None:
        """The server is ready: `greeting` returns."""
        self._welcome = True

    def closing(self, why: str) -> None:
        """The server has said why it will close, without a code: its close frame, soon to come, brings that."""
        self._why = why
        self._stop_timer()
        self._limit = asyncio.get_running_loop().call_later(CLOSE_S, self._socket.transport.abort)

    async def greeting(self) -> None:
        """Wait until the server is ready, for protocols in which it speaks first; what it says else is kept.

        Raises `Lost`, and lets go of the connection then.
        """
        try:
            async with asyncio.timeout(OPEN_S):
                while not self._welcome and (message := await self._receive()) is not None:
                    self._early += self.hear(message)
        except TimeoutError:
            await self.close()
            raise _lost(f"{self._name} takes the connection and says nothing", "Check the engine's url") from None
        except BaseException:
            await self.close()
            raise

    # The protocol of DESIGN §5.

    async def send(self, pcm: bytes) -> None:
        """Send a block; returns when the socket took it. Raises `Lost`."""
        await self._send(self.audio_frames(pcm))

    async def endpoint(self) -> None:
        """End the utterance here."""
        await self._send(self.endpoint_frames())

    async def update(self, changes: Changes) -> None:
        """Change what can be changed."""
        await self._send(self.update_frames(changes))

    async def keep_alive(self) -> None:
        """Say that more will come."""
        await self._send(self.keep_alive_frames())

    async def finish(self) -> None:
        """Say that no more comes."""
        self._finishing = True
        await self._send(self.finish_frames())
        self._limit = asyncio.get_running_loop().call_later(self.finish_s, self._give_up)

    async def close(self) -> None:
        """Let go at once."""
        self._stop_timer()
        with contextlib.suppress(TimeoutError, OSError, WebSocketException):
            await asyncio.wait_for(self._socket.close(), CLOSE_S)

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        """What is heard, until all is said."""
        for heard in self._early:
            yield heard
        while not self._over:
            message = await self._receive()
            if message is None:
                break
            for heard in self.hear(message):
                yield heard
            self._news.set()
        for heard in self.last_words():
            yield heard

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Wait until what was heard makes `ready` true: for protocols that acknowledge.

        Somebody has to iterate meanwhile. Raises `Lost` when the connection ends first.
        """
        while not ready():
            self._news.clear()
            waiting = [asyncio.ensure_future(self._news.wait()), asyncio.ensure_future(self._socket.wait_closed())]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()
            if self._socket.state is State.CLOSED and not ready():
                raise self._ended(self._socket.protocol.close_exc)

    def _read(self, message: Frame, decoder: msgspec.json.Decoder[Message]) -> Message | None:
        """What a message says; None, and a line in the log, when it is JSON of another shape.

        Raises `Lost` when it is no JSON: nothing that follows can be trusted.
        """
        try:
            return decoder.decode(message)
        except msgspec.ValidationError as error:  # names the place and the types, never what was said
            _log.warning("%s sent a message of another shape: %s", self._name, error)
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _lost(f"{self._name} sent something that is no message", "Check the engine's url") from None

    async def _receive(self) -> Frame | None:
        """The next message; None when the server closed properly after `finish`."""
        try:
            return await self._socket.recv()
        except ConnectionClosed as closed:
            if self._overdue:
                raise _lost(f"{self._name} did not finish within {self.finish_s:.0f} s") from None
            if self._finishing and not self._why and self.ended_well(closed.rcvd.code if closed.rcvd else 1006):
                return None
            raise self._ended(closed) from None

    async def _send(self, frames: Iterable[Frame]) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                for frame in frames:
                    await self._socket.send(frame)
        except TimeoutError:
            raise _lost(f"{self._name} takes no more sound", "Check the network") from None
        except ConnectionClosed as closed:
            raise self._ended(closed) from None

    def _stop_timer(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    def _give_up(self) -> None:
        """The server has had its time after `finish`: whoever waits for it is told so."""
        self._overdue = True
        self._socket.transport.abort()

    def _ended(self, closed: ConnectionClosed) -> Lost:
        """Why a connection ended that was not finished."""
        if closed.rcvd is None:
            if self._why:
                return Verdict(f"{self._name} ended the connection").lost(self._why)
            return _lost(f"The connection to {self._name} broke", "Check the network")
        code, reason = closed.rcvd.code, self._why or closed.rcvd.reason
        verdict = self.verdict(code, reason) or CODES.get(code) or Verdict(f"{self._name} closed the connection")
        return verdict.lost(f"{code} {reason}".rstrip())
