"""The terminal as Textual's driver, which relies on nothing that the terminal does.

A terminal may be frozen (a stopped ssh client), unread, gone without a hang-up signal, or send bytes that are not
UTF-8. Textual's own driver then blocks the event loop for ever (its queue of writes is bounded), keeps a core busy
(it reads the end of input again and again) or ends the app. POSIX only.
"""

import asyncio
import contextlib
import logging
import os
import select
import shutil
import sys
import termios
import time
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from threading import Condition, Event, Thread
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import AppBlur, AppFocus
from textual.message import Message

from mictape.terminal import RESTORE, to_log

LATE_S: Final = 1.0
"""Frames are dropped once the oldest one that is not written yet has waited so long."""
PENDING_LIMIT: Final = 2_000_000
"""Frames are dropped while so many bytes wait. The largest screens draw about 200,000 bytes at once."""
FLUSH_S: Final = 0.3
"""How long closing waits for a terminal that does not read."""

_POLL_S: Final = 0.1
_POLLS: Final = 10
"""Looks at the keys that follow the last one: it may have been the beginning of a sequence that never came."""
_READ_BYTES: Final = 4096
_QUEUE_LIMIT: Final = 30
"""No more keys are taken while so many messages wait for the app."""
_ROOM_S: Final = 0.005

_log = logging.getLogger(__name__)


class _Chunk(NamedTuple):
    since: float
    data: bytes
    frame: bool
    """Whether it may be dropped: a later repaint makes up for it."""


class TerminalWriter(Thread):
    """Writes to a terminal in a thread, which is never waited for.

    What a terminal does not take within `LATE_S` is dropped, and `caught_up` asks for a full repaint once it takes
    something again.
    """

    def __init__(self, terminal: int, *, caught_up: Callable[[], None], gone: Callable[[], None]) -> None:
        """Prepare the thread.

        Args:
            terminal: A descriptor of the terminal; it stays the caller's.
            caught_up: Called in the thread when everything is written and frames were dropped before.
            gone: Called in the thread when the terminal is closed at its other end.
        """
        super().__init__(daemon=True, name="terminal-writer")
        self._terminal = terminal
        self._caught_up = caught_up
        self._gone = gone
        self._descriptor, self._reopened = _without_blocking(terminal)
        self._changed = Condition()
        self._pending: deque[_Chunk] = deque()
        self._pending_bytes = 0
        self._dropped = False
        self._closing = False
        self._cut = False
        """Whether what was written may end in the middle of a sequence."""
        self._dead = False

    def write(self, text: str, *, frame: bool) -> None:
        """Write soon. A frame may be dropped; anything else is kept for as long as the terminal is there."""
        now = time.monotonic()
        with self._changed:
            if self._dead:
                return
            if frame and (self._dropped or self._is_behind(now)):
                self._dropped = True
                return
            chunk = _Chunk(now, text.encode("utf-8", "replace"), frame)
            self._pending.append(chunk)
            self._pending_bytes += len(chunk.data)
            self._changed.notify()

    def _is_behind(self, now: float) -> bool:
        late = bool(self._pending) and now - self._pending[0].since > LATE_S
        return late or self._pending_bytes > PENDING_LIMIT

    def close(self) -> None:
        """Write what is no frame, and end. Waits at most twice `FLUSH_S`, whatever the terminal does."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self.join(FLUSH_S)
        if self.is_alive():
            # There is no reader. What the kernel holds would keep out the sequences that give the terminal back.
            self._cut = True
            with contextlib.suppress(termios.error):
                termios.tcflush(self._terminal, termios.TCOFLUSH)
            self.join(FLUSH_S)
        if self.is_alive():
            return  # it ends with the process, and its descriptor is still in use
        with contextlib.suppress(OSError):
            if self._reopened:
                os.close(self._descriptor)
            else:
                os.set_blocking(self._descriptor, True)

    def run(self) -> None:
        """Write until it is closed or the terminal is gone."""
        try:
            while (chunk := self._next()) is not None:
                self._put(chunk)
                self._done(chunk)
            if self._cut:
                self._put(_Chunk(0, RESTORE.encode(), frame=False))
        except OSError as error:
            with self._changed:
                self._dead = True
                self._pending.clear()
            if not self._closing:
                _log.info("the terminal cannot be written to any more: %s", error)
                self._gone()

    def _next(self) -> _Chunk | None:
        """What to write now; None when there is nothing more."""
        with self._changed:
            while not self._pending and not self._closing:
                self._changed.wait()
            if self._closing:
                self._pending = deque(chunk for chunk in self._pending if not chunk.frame)
            return self._pending[0] if self._pending and not self._cut else None

    def _put(self, chunk: _Chunk) -> None:
        """Write one chunk; closing cuts it off where the terminal does not read. Raises OSError when that is gone."""
        data = memoryview(chunk.data)
        while data:
            if select.select([], [self._descriptor], [], _POLL_S)[1]:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._descriptor, data) :]
            elif self._closing and chunk.frame:
                self._cut = True
                return
            elif self._cut and chunk.since:
                return

    def _done(self, chunk: _Chunk) -> None:
        with self._changed:
            if self._pending and self._pending[0] is chunk:
                self._pending.popleft()
            self._pending_bytes -= len(chunk.data)
            caught_up = self._dropped and not self._pending and not self._closing
            self._dropped = self._dropped and not caught_up
        if caught_up:
            self._caught_up()


def _without_blocking(terminal: int) -> tuple[int, bool]:
    """A descriptor of the terminal that never blocks, and whether it is a new one.

    A new one if possible: the flag belongs to the open file, which is shared with the shell that started us.
    """
    for name in (os.ttyname, _controlling):
        with contextlib.suppress(OSError):
            return os.open(name(terminal), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK), True
    os.set_blocking(terminal, False)
    return terminal, False


def _controlling(terminal: int) -> str:
    """The name of this process's controlling terminal. Raises OSError when `terminal` is another one."""
    os.tcgetpgrp(terminal)
    return "/dev/tty"


@runtime_checkable
class CanHangUp(Protocol):
    """An app that wants to know when its terminal is gone."""

    def hang_up(self) -> None:
        """Called in any thread, perhaps more than once."""
        ...


def _hang_up(app: App[Any]) -> None:
    if isinstance(app, CanHangUp):
        app.hang_up()


def _with_latest_focus(messages: Sequence[Message]) -> Iterator[Message]:
    """Leave out reports of the focus that a later one overtakes: Textual restyles every widget for each."""
    latest = max((at for at, each in enumerate(messages) if isinstance(each, AppFocus | AppBlur)), default=None)
    return (each for at, each in enumerate(messages) if at == latest or not isinstance(each, AppFocus | AppBlur))


class _SelectableEvent(Event):
    """An event that `select` can wait for, too."""

    def __init__(self) -> None:
        super().__init__()
        self._read, self._write = os.pipe()
        self.closed = False

    def fileno(self) -> int:
        """What can be read from while the event is set."""
        return self._read

    def set(self) -> None:
        """Set it, and wake who waits for it."""
        if not self.is_set():
            super().set()
            os.write(self._write, b"!")

    def clear(self) -> None:
        """Make it as it was."""
        if self.is_set():
            super().clear()
            os.read(self._read, 1)

    def close(self) -> None:
        """Close what it waits with; it is not used any more."""
        os.close(self._read)
        os.close(self._write)
        self._read = self._write = -1
        self.closed = True


class TerminalDriver(LinuxDriver):
    """Draws on the terminal and reads it, without waiting for it and without trusting it.

    When the terminal is gone, the app's `hang_up` is called in another thread.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        # Textual gives no type arguments.
        super().__init__(app, debug=debug, mouse=mouse, size=size)  # pyright: ignore[reportUnknownMemberType]
        self.exit_event = self._exit = _SelectableEvent()
        self._terminal = sys.__stderr__.fileno() if sys.__stderr__ is not None else self.fileno
        self._size = size or self._get_terminal_size()
        self._writer: TerminalWriter | None = None
        self._last: Future[bool] | None = None
        """Of the latest message to the app."""
        self._switching = False
        """Whether what is written now changes the terminal's modes: no frame, so it is never dropped."""

    def _get_terminal_size(self) -> tuple[int, int]:
        """What the terminal itself says, not COLUMNS and LINES; those only when it does not know (0 by 0)."""
        for descriptor in (self.fileno, self._terminal):
            with contextlib.suppress(OSError):
                width, height = os.get_terminal_size(descriptor)
                if width and height:
                    return width, height
        return shutil.get_terminal_size((80, 25))

    # Output.

    def write(self, data: str) -> None:
        """Write a frame, or what changes the terminal; returns at once."""
        if self._writer is not None:
            # Operating system commands, such as the one that fills the clipboard, are no frames.
            self._writer.write(data, frame=not (self._switching or data.startswith("\x1b]")))

    def start_application_mode(self) -> None:
        """Take the terminal, perhaps once more: Textual closes the driver when the app is suspended."""
        if self._exit.closed:
            self.exit_event = self._exit = _SelectableEvent()
        self._writer = TerminalWriter(
            self._terminal, caught_up=self._repaint_from_thread, gone=partial(_hang_up, self._app)
        )
        self._writer.start()
        with self._changing_modes():
            super().start_application_mode()

    def disable_input(self) -> None:
        """Read no more keys."""
        with self._changing_modes():
            super().disable_input()

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        with self._changing_modes():
            super().stop_application_mode()

    def close(self) -> None:
        """Write what is left, if the terminal takes it."""
        super().close()
        self._exit.close()
        if self._writer is not None:
            self._writer.close()

    @contextlib.contextmanager
    def _changing_modes(self) -> Generator[None]:
        before, self._switching = self._switching, True
        try:
            yield
        finally:
            self._switching = before

    def _repaint_from_thread(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._repaint)

    def _repaint(self) -> None:
        self._app.refresh(layout=True)

    # Input.

    def _wait_for_room(self) -> None:
        """Hold the input thread up while the app is behind: a flood of input then waits in the terminal."""
        while not self.exit_event.is_set() and (not self._posted() or self._messages_waiting() > _QUEUE_LIMIT):
            self.exit_event.wait(_ROOM_S)

    def _posted(self) -> bool:
        """Whether the loop has taken the message before."""
        return self._last is None or self._last.done()

    def send_message(self, message: Message) -> None:
        """Send a message to the app, from the input thread."""
        post = self._app._post_message(message)  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType]
        self._last = asyncio.run_coroutine_threadsafe(post, loop=self._loop)

    def _messages_waiting(self) -> int:
        # Textual has no public way to ask.
        return self._app._message_queue.qsize()  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType]

    def run_input_thread(self) -> None:
        """Read keys until the input is closed or the terminal is gone."""
        decode = getincrementaldecoder("utf-8")("replace").decode
        parser = XTermParser(self._debug)
        polls = 0
        while not self.exit_event.is_set():
            data = b""
            polls += 1
            # Each look while nobody types costs the thread a hundredth of a per cent of a core.
            if self.fileno in select.select([self.fileno, self._exit], [], [], _POLL_S if polls <= _POLLS else None)[0]:
                polls = 0
                try:
                    data = os.read(self.fileno, _READ_BYTES)
                except BlockingIOError:
                    continue
                except OSError as error:
                    _log.info("the terminal cannot be read any more: %s", error)
                if not data:
                    _hang_up(self._app)
                    return
            text = decode(data)  # nothing where a character has only begun: for the parser that is the end of all input
            try:
                for message in _with_latest_focus([*(parser.feed(text) if text else ()), *parser.tick()]):
                    self._wait_for_room()
                    if self.exit_event.is_set():  # the rest of a flood must not stand before the end
                        return
                    self.process_message(message)
            except Exception as error:  # whatever it is, it is the terminal's, and must not end the app
                to_log(error, "keys that cannot be understood")
                parser = XTermParser(self._debug)
