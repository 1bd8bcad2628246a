"""The signals that end the process: taken by the event loop, and by a thread where the loop is stuck.

A handler of the loop never runs while the loop is blocked, in a driver or on a disk. Here the C handler of Python
writes the signal's number into a pipe, whatever the interpreter does; a thread reads it, passes it on to the loop, and
ends the process when the loop does not take it or does not end.
"""

import asyncio
import contextlib
import faulthandler
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from enum import IntEnum
from pathlib import Path
from typing import Final

NOT_TAKEN_S: Final = 5.0
"""A loop that does not take a signal for so long is stuck. A busy one on a slow machine needs tenths of a second."""
NO_LOOP_S: Final = 1.0
"""The same while there is no loop yet: nothing is open then."""
NOT_ENDED_S: Final = 20.0
"""How long an orderly end may take after a signal. It takes tenths of a second, unless the library is locked."""
SHUTDOWN_S: Final = 3.0
"""How long the process may need once its session is closed: threads that hang are not waited for."""


def ending_signals() -> list[signal.Signals]:
    """Those that end the process, without the ones that it was started to ignore (by nohup, or a shell's `&`)."""
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


class _Stage(IntEnum):
    """How far the end has got."""

    RUNNING = 0
    SIGNALLED = 1
    TAKEN = 2
    """By the loop."""
    CLOSED = 3
    """Nothing is left to keep."""


class SignalWatch:
    """Takes the signals that end the process, from `with watched()` on until that block ends."""

    def __init__(self, log: Path | None) -> None:
        self.before_force: Callable[[], None] | None = None
        """Called in another thread before the process is ended by force: gives the terminal back."""
        self._log = log
        self._read, self._write = os.pipe()
        for descriptor in (self._read, self._write):
            os.set_blocking(descriptor, False)
        self._lock = threading.Lock()
        self._taker: tuple[asyncio.AbstractEventLoop, Callable[[signal.Signals], bool]] | None = None
        self._waiting: list[signal.Signals] = []
        """Came before there was a loop to take them."""
        self._stage = _Stage.RUNNING
        self._deadline: float | None = None
        self._code = 0
        self._done = False
        self._thread = threading.Thread(target=self._watch, name="signal-watch", daemon=True)

    def attach(self, loop: asyncio.AbstractEventLoop, take: Callable[[signal.Signals], bool]) -> None:
        """From now on the loop calls `take` for each signal; also for those that came before.

        `take` returns whether it ends the process now; if not, the signal has been dealt with.
        """
        with self._lock:
            self._taker = (loop, take)
            waiting, self._waiting = self._waiting, []
        for number in waiting:
            self._pass_on(number)

    def send(self, number: signal.Signals) -> None:
        """As if this signal had come, ignored or not. For any thread."""
        with contextlib.suppress(OSError):
            os.write(self._write, bytes([number]))

    def ending(self, code: int) -> None:
        """All that must be kept is kept: end the process by force if it does not end soon by itself."""
        self._reach(_Stage.CLOSED, SHUTDOWN_S, code)
        self._wake()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._done = True
        self._wake()
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    @property
    def wakeup(self) -> int:
        """The descriptor for `signal.set_wakeup_fd`."""
        return self._write

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._write, b"\0")

    def _reach(self, stage: _Stage, limit_s: float, code: int) -> None:
        """The process must end within the limit. A second signal gives it no more time than the first."""
        with self._lock:
            if stage > self._stage:
                self._stage = stage
                self._deadline = time.monotonic() + limit_s
                self._code = code

    def _back(self) -> None:
        """A signal was taken that does not end the process."""
        with self._lock:
            if self._stage is _Stage.SIGNALLED:
                self._stage, self._deadline = _Stage.RUNNING, None

    def _watch(self) -> None:
        while not self._done:
            with self._lock:
                left_s = None if self._deadline is None else self._deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                self._force()
            for number in self._came(left_s):
                self._reach(_Stage.SIGNALLED, NO_LOOP_S if self._taker is None else NOT_TAKEN_S, 128 + number)
                self._pass_on(number)

    def _came(self, limit_s: float | None) -> list[signal.Signals]:
        """The signals that have come; waits for one, at most for the limit."""
        if not select.select([self._read], [], [], limit_s)[0]:
            return []
        with contextlib.suppress(BlockingIOError):
            return [signal.Signals(number) for number in os.read(self._read, 1024) if number in _ENDING]
        return []

    def _pass_on(self, number: signal.Signals) -> None:
        with self._lock:
            taker = self._taker
            if taker is None:
                self._waiting.append(number)
                return
        loop, take = taker

        def taken() -> None:
            if take(number):
                self._reach(_Stage.TAKEN, NOT_ENDED_S, 128 + number)
            else:
                self._back()
            self._wake()

        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(taken)

    def _force(self) -> None:
        """End the process now. Takes no lock and writes to no stream: any of them may be what is stuck."""
        with contextlib.suppress(OSError):
            if self._log is not None:
                descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND)
                os.write(descriptor, b"Mictape did not end by itself and is ended; its threads:\n")
                faulthandler.dump_traceback(descriptor)
        with contextlib.suppress(Exception):
            if self.before_force is not None:
                self.before_force()
        os._exit(self._code)


_ENDING: Final = frozenset({signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])})


@contextlib.contextmanager
def watched(log: Path | None = None) -> Generator[SignalWatch]:
    """Watch the ending signals inside the block, and put back what was there.

    Only in the main thread. On Windows nothing is watched: Ctrl-C stays a KeyboardInterrupt.

    Args:
        log: where the stacks of a stuck process are written to.
    """
    watch = SignalWatch(log)
    if sys.platform == "win32":
        yield watch
        return
    before = {number: signal.signal(number, _awaken) for number in ending_signals()}
    old = signal.set_wakeup_fd(watch.wakeup, warn_on_full_buffer=False)
    watch.start()
    try:
        yield watch
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in before.items():
            signal.signal(number, handler)
        watch.stop()


def _awaken(*_: object) -> None:
    """Does nothing: with a handler in Python, the handler in C writes to the wake-up descriptor."""
