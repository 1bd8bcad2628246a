"""A connection over a websocket: sending, reading, and why it ended.

An adapter derives from `SocketConnection` and says only what its frames are and mean.
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import ClassVar, Final, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.protocol import State

from mictape.engines.base import Answered, Changes, EngineEvent, Lost, Notice, Received
from mictape.engines.bounds import Bounds
from mictape.engines.key_terms import Terms
from mictape.engines.network import CLOSE_S, OPEN_S
from mictape.engines.verdicts import CODES, Service, Verdict, lost
from mictape.units import RATE, SAMPLE_BYTES

SEND_S: Final = 5.0
"""A send that takes longer has no receiver any more; a server of one's own gets its engine's patience."""

_log = logging.getLogger(__name__)

Frame = str | bytes
"""A text frame or a binary one."""

Message = TypeVar("Message")


class SocketConnection(ABC):
    """A `Connection` over a websocket.

    The adapter gives the frames and reads the messages; everything that can go wrong with a socket is here.
    """

    codes: Mapping[int, Verdict] = CODES
    """What the service's close codes mean; those of `CODES` where it has none of its own."""
    rate: ClassVar[int] = RATE
    """Samples per second that `send` is given; times are at 16 kHz like everywhere."""
    finish_s: ClassVar[float] = 10.0
    """How long the service may take after `finish` until it has got any further; a server that may be busy for longer
    (`patience_s`) gets as long as that."""

    def __init__(
        self, socket: ClientConnection, service: Service, terms: Terms | None = None, *, patience_s: float = SEND_S
    ) -> None:
        """Take over a socket.

        Args:
            socket: An open one.
            service: What answers there, for sentences.
            terms: The key terms that the connection was opened with, where the protocol has any.
            patience_s: How long the server may take to accept a frame.
        """
        self._socket = socket
        self._service = service
        self._terms = terms
        self._patience_s = patience_s
        self._finish_s = max(self.finish_s, patience_s)
        self._sent = 0
        """Samples handed over so far, at `rate`."""
        self._bounds = Bounds(service.name)
        self._finishing = False
        self._over = False
        self._overdue = False
        self._welcome = False
        self._early: list[EngineEvent] = []
        """What is said before the next message."""
        if terms is not None and terms.left_out:
            self._early.append(Notice(terms.left_out))
        self._why = ""
        self._limit: asyncio.TimerHandle | None = None
        self._got = 0
        """The service has said that it got so far, in samples at 16 kHz."""
        self._got_s = 0.0
        """When it said so, by the loop's clock."""
        self._news = asyncio.Event()
        self._reading = False
        """Whether an iteration is reading the messages."""
        self._read_out = asyncio.Event()
        """Set once they were read to the end."""
        self._said: Lost | None = None
        """Why it ended, as far as messages said so."""

    # What an adapter says.

    @abstractmethod
    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """What carries this block of 16-bit mono PCM."""

    @abstractmethod
    def handle(self, message: Frame) -> Iterable[EngineEvent]:
        """What a message says. Raises `Lost` when it is an error; calls `said_all` when it is the last one."""

    @abstractmethod
    def finish_frames(self) -> Iterable[Frame]:
        """What says to the server that no more sound comes."""

    def endpoint_frames(self) -> Iterable[Frame]:
        """What ends the utterance; nothing where the protocol has no word for it."""
        return ()

    def terms_frames(self, terms: tuple[str, ...]) -> Iterable[Frame]:
        """What changes the key terms of a living connection; nothing where the protocol has no word for it.

        Args:
            terms: All of them, those of the settings first, as many as the service takes.
        """
        del terms
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

    def lost(self, verdict: Verdict, detail: str = "") -> Lost:
        """The end of this connection for a reason; `detail` is what the service says of it."""
        return self._service.lost(verdict, detail)

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
            async with asyncio.timeout(max(OPEN_S, self._patience_s)):
                while not self._welcome and (message := await self._receive()) is not None:
                    self._early += self.handle(message)
                    await asyncio.sleep(0)
        except TimeoutError:
            await self.close()
            raise lost(f"{self._service} takes the connection and says nothing", "Check the engine's url") from None
        except BaseException:
            await self.close()
            raise

    # What the follower calls.

    async def send(self, pcm: bytes) -> None:
        """Send a block; returns when the socket took it. Raises `Lost`."""
        self._sent += len(pcm) // SAMPLE_BYTES
        await self._send(self.audio_frames(pcm))

    async def endpoint(self) -> None:
        """End the utterance here."""
        await self._send(self.endpoint_frames())

    async def update(self, changes: Changes) -> None:
        """Change what can be changed."""
        if changes.key_terms is None or self._terms is None:
            return
        self._terms = self._terms.with_others(changes.key_terms)
        if self._terms.left_out:
            self._early.append(Notice(self._terms.left_out))
        await self._send(self.terms_frames(self._terms.taken))

    async def keep_alive(self) -> None:
        """Say that more will come."""
        await self._send(self.keep_alive_frames())

    async def finish(self) -> None:
        """Say that no more comes."""
        self._finishing = True
        await self._send(self.finish_frames())
        loop = asyncio.get_running_loop()
        self._got_s = loop.time()
        self._limit = loop.call_later(self._finish_s, self._give_up)

    async def close(self) -> None:
        """Let go at once."""
        self._stop_timer()
        with contextlib.suppress(TimeoutError, OSError, WebSocketException):
            await asyncio.wait_for(self._socket.close(), CLOSE_S)

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        """The events, until the last one."""
        self._reading = True
        try:
            async for event in self._all():
                yield event
        except Lost as lost:
            self._said = lost
            raise
        finally:
            self._read_out.set()

    async def _all(self) -> AsyncIterator[EngineEvent]:
        while not self._over:
            for event in self._bounded(self._say_early()):
                yield event
            message = await self._receive()
            if message is None:
                break
            for event in self._bounded(self.handle(message)):
                yield event
            self._news.set()
            await asyncio.sleep(0)  # a server that never stops talking leaves others their turn
        for last in (self._say_early(), self.last_words()):
            for event in self._bounded(last):
                yield event

    def _say_early(self) -> list[EngineEvent]:
        early, self._early = self._early, []
        return early

    def _bounded(self, events: Iterable[EngineEvent]) -> Iterator[EngineEvent]:
        for event in events:
            within = self._bounds.within(event, self.reached)
            if isinstance(within, Received | Answered) and within.until > self._got:
                self._got, self._got_s = within.until, asyncio.get_running_loop().time()
            if within is not None:
                yield within

    @property
    def reached(self) -> int:
        """Samples handed over so far, at 16 kHz."""
        return self._sent * RATE // self.rate

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Wait until a message makes `ready` true: for protocols that acknowledge.

        The connection has to be iterated meanwhile. Raises `Lost` when the connection ends first.
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

    def _read(self, message: Frame, decode: Callable[[Frame], Message]) -> Message | None:
        """What a message says; None, and a line in the log, when it is JSON of another shape.

        Raises `Lost` when it is no JSON: nothing that follows can be trusted.
        """
        try:
            return decode(message)
        except msgspec.ValidationError as error:  # names the place and the types, never what was said
            _log.warning("%s sent a message of another shape: %s", self._service, error)
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise lost(f"{self._service} sent something that is no message", "Check the engine's url") from None

    async def _receive(self) -> Frame | None:
        """The next message; None when the server closed properly after `finish`."""
        try:
            return await self._socket.recv()
        except ConnectionClosed as closed:
            if self._overdue:
                raise lost(f"{self._service} did not finish within {self._finish_s:.0f} s") from None
            if self._finishing and not self._why and self.ended_well(closed.rcvd.code if closed.rcvd else 1006):
                return None
            raise self._ended(closed) from None

    async def _send(self, frames: Iterable[Frame]) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                for frame in frames:
                    await self._socket.send(frame)
        except TimeoutError:
            raise lost(f"{self._service} takes no more sound", "Check the network") from None
        except ConnectionClosed as closed:
            raise await self._why_closed(closed) from None

    async def _why_closed(self, closed: ConnectionClosed) -> Lost:
        """What the server said before it closed says more than the close, and may not be read yet."""
        if self._reading:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._read_out.wait()
        return self._said or self._ended(closed)

    def _stop_timer(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    def _give_up(self) -> None:
        """The server has had its time after `finish`: what waits for it gets an error.

        One that is far behind and still gets on has it again; there is only so much sound that it can get on in.
        """
        loop = asyncio.get_running_loop()
        left_s = self._got_s + self._finish_s - loop.time()
        if left_s > 0:
            self._limit = loop.call_later(left_s, self._give_up)
            return
        self._overdue = True
        self._socket.transport.abort()

    def _ended(self, closed: ConnectionClosed) -> Lost:
        """Why a connection ended that was not finished."""
        if closed.rcvd is None:
            if self._why:
                return self.lost(Verdict("{service} ended the connection"), self._why)
            return lost(f"The connection to {self._service} broke", "Check the network")
        code, reason = closed.rcvd.code, self._why or closed.rcvd.reason
        verdict = self.verdict(code, reason) or CODES.get(code) or Verdict("{service} closed the connection")
        return self.lost(verdict, f"{code} {reason}".rstrip())
