"""The app's side of the local engine's process: starting it, its connections, and why it ended."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from mictape import subprocesses
from mictape.engines.base import Answered, Changes, EngineEvent, FinalTurn, Lost, Partial, Received, Unrecognized
from mictape.engines.local import ipc
from mictape.engines.local.spec import ModelSpec, to_text
from mictape.failure import ExitCode, Failure
from mictape.units import RATE

AHEAD: Final = 2 * RATE
"""Samples that may be on their way to the process; `send` waits while there are more."""

LOAD_S: Final = 60.0
"""Seconds that loading the model may take: twenty times what it takes on a busy machine."""

RESET_S: Final = 3.0
"""Seconds to forget a connection that was given up: the longest decode is half of it, on a machine half as fast."""

END_S: Final = 1.0
"""Seconds to end by itself before it is killed."""


class ModelProcess:
    """One process with the model in it. It carries any number of connections, at a time and in its life."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Follow `process`; use `start`."""
        self.lost: Lost | None = None
        """Why it ended, once it has."""
        self._process = process
        self._log = log
        self._loaded = False
        self._idle = asyncio.Event()
        self._stream = 0
        """The number of the newest connection."""
        self._connections: dict[int, LocalConnection] = {}
        self._measuring: dict[int, asyncio.Future[tuple[tuple[int, int], ...] | None]] = {}
        """Lines whose words are being measured."""
        self._dropped: set[int] = set()
        """Connections given up that the process has not forgotten yet."""
        self._broken: ipc.Broken | None = None
        self._ending = False
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, model: ModelSpec, log: Path, *options: str) -> "ModelProcess":
        """Start the process and let it load a model. Raises `Lost`.

        Args:
            model: Which one.
            log: The file that its stderr is appended to.
            *options: More of its command line.
        """
        try:
            arguments = ("--model", to_text(model), *options)
            process = await subprocesses.start("mictape.engines.local.process", *arguments, stderr=log)
        except OSError as error:
            what = f"The local recogniser could not be started: {error.strerror or error}"
            raise Lost(
                Failure(what, "Close other programs, or choose another engine with --engine", ExitCode.ENGINE)
            ) from error
        return cls(process, log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def in_use(self) -> bool:
        """Whether it has connections, or measures words."""
        return bool(self._connections or self._measuring)

    async def free(self) -> bool:
        """Wait until it can carry one more connection; False when it has ended or does not get there in time."""
        try:
            async with asyncio.timeout(RESET_S if self._loaded else LOAD_S):
                await self._idle.wait()
        except TimeoutError:
            return False
        return self.lost is None

    def open(self) -> "LocalConnection":
        """A new connection. Only when `free`."""
        self._stream += 1
        connection = self._connections[self._stream] = LocalConnection(self, self._stream)
        return connection

    async def measure(self, pcm: bytes, words: Sequence[str]) -> tuple[tuple[int, int], ...] | None:
        """When words are said; see `LocalEngine.measure`. Raises `Lost`."""
        self._stream += 1
        number, answer = self._stream, asyncio.get_running_loop().create_future()
        self._measuring[number] = answer
        try:
            self.write(ipc.Measure(number, pcm, tuple(words)))
            with suppress(Lost):  # the answer raises it, too
                await self.drain()
            return await answer
        finally:
            del self._measuring[number]

    def write(self, order: ipc.Order) -> None:
        """Put an order into the pipe. Raises `Lost` when the process has ended."""
        if self.lost is not None:
            raise self.lost
        assert self._process.stdin is not None
        self._process.stdin.write(ipc.frame(order))

    async def drain(self) -> None:
        """Wait while the pipe is full. Raises `Lost` when the process has ended."""
        assert self._process.stdin is not None
        try:
            await self._process.stdin.drain()
        except ConnectionError:
            await asyncio.shield(self._listener)
        if self.lost is not None:
            raise self.lost

    def release(self, stream: int) -> None:
        """Release a connection that is not read any more; the process forgets it."""
        if self._connections.pop(stream, None) is None:
            return
        with suppress(Lost):
            self.write(ipc.Drop(stream))
            self._dropped.add(stream)
            self._idle.clear()

    async def end(self) -> None:
        """End the process: by closing its stdin, and by force when that does not help."""
        self._ending = True
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await asyncio.shield(self._listener)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End the process by force."""
        self._ending = True
        with suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.shield(self._listener)

    async def _listen(self) -> None:
        """Take reports until the process ends, then pass the cause to every connection."""
        assert self._process.stdout is not None
        try:
            while True:
                (length,) = ipc.LENGTH.unpack(await self._process.stdout.readexactly(ipc.LENGTH.size))
                self._take(ipc.decode_report(await self._process.stdout.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it has ended
        except msgspec.DecodeError:
            self._process.kill()
        code = await self._process.wait()
        self.lost = self._cause(code)
        self._idle.set()
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            connection.deliver(self.lost)
        for answer in self._measuring.values():
            if not answer.done():
                answer.set_exception(self.lost)

    def _take(self, report: ipc.Report) -> None:
        match report:
            case ipc.Ready():
                self._loaded = True
                self._idle.set()
            case ipc.Broken():
                self._broken = report
            case ipc.Done(stream):
                self._dropped.discard(stream)
                if not self._dropped:
                    self._idle.set()
                if connection := self._connections.pop(stream, None):
                    connection.deliver(None)
            case ipc.Measured(number, spans):
                if (answer := self._measuring.get(number)) is not None and not answer.done():
                    answer.set_result(spans)
            case _:
                if connection := self._connections.get(report.stream):  # else it was given up
                    connection.deliver(event_of(report))

    def _cause(self, code: int) -> Lost:
        """Why the process ended, from its last report and its exit code (negative: a signal)."""
        remedy = f"Its log says more: {self._log}"
        if self._ending:
            return Lost(Failure("The local recogniser was closed", "", ExitCode.ENGINE))
        if self._broken is not None:
            return Lost(
                Failure(self._broken.what, self._broken.remedy or remedy, ExitCode.ENGINE), retry=self._broken.retry
            )
        how = f"exit code {code}" if code >= 0 else signal.strsignal(-code) or f"signal {-code}"
        what = "ended unexpectedly" if self._loaded else "ended while it was loading its model"
        return Lost(Failure(f"The local recogniser {what} ({how})", remedy, ExitCode.ENGINE))


class LocalConnection:
    """One connection to the local engine; see `mictape.engines.base.Connection`."""

    def __init__(self, process: ModelProcess, stream: int) -> None:
        """Begin on a free `process`, as its connection with the number `stream`."""
        self._process = process
        self._stream = stream
        self._events: asyncio.Queue[EngineEvent | Lost | None] = asyncio.Queue()
        self._sent = 0
        self._received = 0
        self._finished = False
        self._over: Lost | None = None
        self._moved = asyncio.Event()

    async def send(self, pcm: bytes) -> None:
        """Send 16-bit little-endian mono PCM, whole samples.

        Returns once less than two seconds (`AHEAD`) are on their way. Raises `Lost`.
        """
        if len(pcm) % 2:
            msg = f"{len(pcm)} bytes are no whole number of samples"
            raise ValueError(msg)
        self._order(ipc.Audio(self._stream, pcm))
        self._sent += len(pcm) // 2
        await self._process.drain()
        while self._sent - self._received >= AHEAD:
            self._moved.clear()
            await self._moved.wait()
            self._raise_if_over()

    async def endpoint(self) -> None:
        """End the utterance here. Raises `Lost`."""
        self._order(ipc.Endpoint(self._stream))
        await self._process.drain()

    async def update(self, changes: Changes) -> None:
        """Favour other key terms from the next words on. Raises `Lost`."""
        if changes.key_terms is not None:
            self._order(ipc.KeyTerms(self._stream, changes.key_terms))

    async def keep_alive(self) -> None:
        """Not needed: a pipe does not close by itself."""

    async def finish(self) -> None:
        """No more samples come: flush. The iterator ends after the last event. Raises `Lost`."""
        if self._finished:
            return
        self._order(ipc.Finish(self._stream))
        self._finished = True
        await self._process.drain()

    async def close(self) -> None:
        """Close at once; the process forgets what it was sent and serves the next connection."""
        self._process.release(self._stream)
        closed = Failure("The connection to the local recogniser was closed", "", ExitCode.ENGINE)
        self.deliver(Lost(closed))

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        """The events. Ends after `finish`; any other end raises `Lost`. For one reader."""
        while (event := await self._events.get()) is not None:
            if isinstance(event, Lost):
                raise event
            yield event

    def deliver(self, event: EngineEvent | Lost | None) -> None:
        """Queue something for the reader: an event, the reason why there are no more, or None after the last one."""
        if isinstance(event, Received):
            self._received = event.until
        elif isinstance(event, Lost):
            self._over = self._over or event
        self._moved.set()
        self._events.put_nowait(event)

    def _order(self, order: ipc.Order) -> None:
        self._raise_if_over()
        if self._finished:
            msg = f"{type(order).__name__} after finish()"
            raise RuntimeError(msg)
        self._process.write(order)

    def _raise_if_over(self) -> None:
        if self._over is not None:
            raise self._over


def event_of(report: ipc.EventReport) -> EngineEvent:
    """A report of the process as an event of its connection."""
    match report:
        case ipc.ReceivedReport(until=until):
            return Received(until)
        case ipc.AnsweredReport(until=until):
            return Answered(until)
        case ipc.UnrecognizedReport(start=start, end=end):
            return Unrecognized(start, end)
        case ipc.TurnReport():
            if report.final:
                return FinalTurn(report.turn, report.text, report.words, report.start, report.end)
            return Partial(report.turn, report.text, report.words, report.stable, report.start)
