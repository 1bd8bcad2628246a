"""The output of a live recording: its reader may pause for as long as it likes, as a pager or Ctrl-S does.

Written directly, a line without a reader would hold up the event loop, and with it the recognition and the signals.
"""

import asyncio
import contextlib
import os
import select
import sys
from collections.abc import Callable, Generator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import IO

from mictape.cli.output import Output


class Pump(Thread):
    """Writes to a descriptor in a thread. What has not been read yet is kept."""

    def __init__(self, stream: IO[str], gone: Callable[[], None]) -> None:
        """Prepare the thread.

        Args:
            stream: Whose descriptor is written to; it stays the caller's.
            gone: Called in the loop when it cannot be written any more.
        """
        super().__init__(name="output", daemon=True)
        self.error: OSError | None = None
        """Why it cannot be written any more."""
        self.empty = asyncio.Event()
        """Set while nothing waits to be written, or nothing more can be."""
        self.empty.set()
        self._gone = gone
        self._descriptor = stream.fileno()
        self._loop = asyncio.get_running_loop()
        self._pieces: SimpleQueue[bytes] = SimpleQueue()
        self._waiting = 0

    def put(self, data: bytes) -> None:
        """Write soon; in the loop's thread. Raises OSError once something could not be written."""
        if self.error is not None:
            raise self.error
        self._waiting += 1
        self.empty.clear()
        self._pieces.put(data)

    def run(self) -> None:
        """Write until it fails. The thread ends with the process: it may be stuck."""
        while self.error is None:
            try:
                self._write(self._pieces.get())
            except OSError as error:
                self.error = error
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._written)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # who shares the descriptor has made it so
                select.select([], [self._descriptor], [])

    def _written(self) -> None:
        self._waiting -= 1
        if self.error is not None:
            self._gone()
        if self.error is not None or not self._waiting:
            self.empty.set()


class Streams:
    """Standard output and standard error, for as long as nothing waits for their readers."""

    def __init__(self, pumps: Sequence[Pump], gone: asyncio.Event) -> None:
        self._pumps = pumps
        self._gone = gone

    async def written(self) -> None:
        """Return when all is written, or cannot be."""
        for pump in self._pumps:
            await pump.empty.wait()

    async def when_gone(self, work: Callable[[], None]) -> None:
        """Call `work` when standard output cannot be written any more."""
        await self._gone.wait()
        work()


@contextlib.contextmanager
def unblocked() -> Generator[Streams]:
    """Write standard output and standard error in threads until the block ends; what is left then is dropped."""
    gone = asyncio.Event()
    pumps: list[Pump] = []
    with contextlib.ExitStack() as undo:
        output, messages = sys.stdout, sys.stderr
        if isinstance(output, Output):  # else a test has replaced it
            output.flush()
            pumps.append(output.pumped(Pump(output, gone.set), undo))
        if isinstance(messages, Output):
            pumps.append(messages.pumped(Pump(messages, lambda: None), undo))
        for pump in pumps:
            pump.start()
        yield Streams(pumps, gone)
