"""Where is speech? Asked of a process that has the speech detector, one for all tracks of a session.

A process of its own because the app does without numpy and models. It is started by the first question. Without it, or
when it has ended or does not answer, the answer is None, "not known"; the log has the reason.
"""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Final

from mictape import subprocesses
from mictape.intervals import Interval
from mictape.vad.messages import HEAD, SPAN

ANSWER_S: Final = 30.0
"""Seconds that an answer may take; the first one waits for the model, ten times what that takes on a busy machine."""

_log = logging.getLogger(__name__)


class Listening:
    """The process, and who waits for its answers. Belongs to the event loop it is asked in."""

    def __init__(self, log: Path) -> None:
        """Nothing is started yet; `log` is what the process's stderr is appended to."""
        self._log = log
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._broken = False
        self._reader: asyncio.Task[None] | None = None
        self._streams = 0
        self._waiting: dict[int, asyncio.Future[list[Interval] | None]] = {}

    @property
    def pid(self) -> int | None:
        """The process id; None before the first question."""
        return None if self._process is None else self._process.pid

    def stream(self) -> "SpeechStream":
        """Sound to be listened to from here on."""
        self._streams += 1
        return SpeechStream(self, self._streams)

    async def ask(self, stream: int, pcm: bytes) -> list[Interval] | None:
        """What is found in the next samples of a stream; None when it is not known."""
        async with self._starting:
            process = await self._start()
        if process is None or process.stdin is None:
            return None
        answer = self._waiting[stream] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_S):
                process.stdin.write(HEAD.pack(stream, len(pcm)) + pcm)
                await process.stdin.drain()
                return await answer
        except (TimeoutError, ConnectionError) as error:
            self._give_up(f"gave no answer: {error!r}")
            return None
        finally:
            self._waiting.pop(stream, None)

    def forget(self, stream: int) -> None:
        """Nothing more comes of a stream."""
        if self._process is not None and self._process.stdin is not None and not self._broken:
            with suppress(ConnectionError):
                self._process.stdin.write(HEAD.pack(stream, 0))

    async def close(self) -> None:
        """End the process."""
        self._broken = True
        if self._process is not None and self._reader is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._reader

    async def _start(self) -> asyncio.subprocess.Process | None:
        if self._broken or self._process is not None:
            return None if self._broken else self._process
        try:
            self._process = await subprocesses.start("mictape.vad.process", stderr=self._log)
        except OSError as error:
            self._give_up(f"could not be started: {error}")
            return None
        self._reader = asyncio.create_task(self._read(self._process))
        return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while True:
                stream, count = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
                spans = await process.stdout.readexactly(count * SPAN.size)
                if (answer := self._waiting.get(stream)) is not None and not answer.done():
                    answer.set_result([(start, end) for start, end in SPAN.iter_unpack(spans)])
        except (asyncio.IncompleteReadError, ConnectionError):
            self._give_up(f"ended with code {await process.wait()}")

    def _give_up(self, why: str) -> None:
        if not self._broken:
            _log.warning("The speech detector %s; speech is found by level", why)
        self._broken = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)


class SpeechStream:
    """One stream of sound that is listened to, in order."""

    def __init__(self, listening: Listening, number: int) -> None:
        """Use `Listening.stream`."""
        self._listening = listening
        self._number = number

    async def find(self, pcm: bytes) -> list[Interval] | None:
        """Where speech is in the samples that follow (16-bit little-endian mono), in samples since the stream began.

        What is found may begin before them. None when it is not known, now and from now on.
        """
        return await self._listening.ask(self._number, pcm)

    def close(self) -> None:
        """Nothing more comes."""
        self._listening.forget(self._number)
