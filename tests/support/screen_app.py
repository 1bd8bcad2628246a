"""The real app in a real pseudo-terminal: type on it, read its screen, pull its plug.

The screen is kept by pyte, a terminal emulator, so a test reads what a person would read.
"""

import contextlib
import fcntl
import itertools
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Final

import pyte

from support import terminal_emulator
from support.waiting import until

KEYS: Final = {
    "enter": "\r",
    # As a terminal with unambiguous keys sends it: a bare ESC and the next letter can be read as Alt and that letter.
    "escape": "\x1b[27u",
    "down": "\x1b[B",
    "up": "\x1b[A",
    "pageup": "\x1b[5~",
    "end": "\x1b[F",
    "home": "\x1b[H",
}

NOWHERE: Final = ("--engine", "assemblyai", "--set", "url=ws://127.0.0.1:9")
"""An engine out of reach, for a test to which text does not matter: loading the model takes most of a second of CPU."""
KEY_TO_NOTHING: Final = {"ASSEMBLYAI_API_KEY": "none"}
"""What it is given in the environment."""


class ScreenApp:
    """One run of a command in a pseudo-terminal of its own (and a session of its own)."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        columns: int = 100,
        rows: int = 30,
        *,
        controlling: bool = True,
        size: tuple[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            argv: the command.
            env: its environment.
            columns: of the terminal.
            rows: of the terminal.
            controlling: whether the terminal is its controlling one; if not, its end sends no SIGHUP.
            size: what COLUMNS and LINES claim.
        """
        self.closed = False
        """Whether the terminal was closed."""
        self.reports_focus = False
        """Whether the app has asked for reports of the terminal's focus."""
        self._screen = terminal_emulator.Screen(columns, rows)
        self._stream = terminal_emulator.ByteStream(self._screen)
        self.master, slave = pty.openpty()
        self._size(slave, columns, rows)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        """The app's side of the terminal."""
        claimed = {"COLUMNS": size[0], "LINES": size[1]} if size is not None else {}
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=self._without_size(env) | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | claimed,
            preexec_fn=self._take_terminal if controlling else os.setsid,  # noqa: PLW1509 (nothing in it takes a lock)
        )

    @staticmethod
    def _without_size(env: Mapping[str, str]) -> dict[str, str]:
        """The environment without what would hide this terminal's own size (pytest-xdist sets it)."""
        return {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}

    def _take_terminal(self) -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    @staticmethod
    def _size(fd: int, columns: int, rows: int) -> None:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, as dragging its window does."""
        self._size(self.master, columns, rows)
        self._screen.resize(rows, columns)
        self.signal(signal.SIGWINCH)

    def freeze(self) -> None:
        """Read nothing until the terminal is full; it is given other sizes, so that there is much to draw."""
        columns, rows = self._screen.columns, self._screen.lines
        sizes = itertools.cycle((columns - 1, columns))

        def is_full() -> bool:
            self.resize(next(sizes), rows)
            return not select.select([], [self.slave], [], 0)[1]

        until(is_full, 60, what="a full terminal")
        self.resize(columns, rows)

    def press(self, *keys: str) -> None:
        """Type: names of KEYS, or text as it is."""
        for key in keys:
            self.send(KEYS.get(key, key).encode())

    def send(self, data: bytes) -> None:
        """Type bytes as they are."""
        os.write(self.master, data)

    def hang_up(self) -> None:
        """Close the terminal, as closing its window does."""
        self.closed = True
        os.close(self.slave)
        os.close(self.master)

    def signal(self, number: signal.Signals) -> None:
        """Send the app a signal."""
        self.process.send_signal(number)

    def read(self) -> str:
        """Everything on the screen now, rows joined by newlines."""
        while not self.closed and select.select([self.master], [], [], 0)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.reports_focus = self.reports_focus or b"\x1b[?1004h" in data
            self._stream.feed(data)
        return "\n".join(self._screen.display)

    def cell(self, x: int, y: int) -> pyte.screens.Char:
        """A cell of the screen as of the last `read`, with its colours."""
        return self._screen.buffer[y][x]

    def until(self, condition: Callable[[str], object], timeout_s: float = 30.0) -> str:
        """Wait until `condition` is true of the screen; fails with the screen in the message.

        To wait for something that is not on the screen, too: a terminal that nobody reads stops its program.
        """
        end = time.monotonic() + timeout_s
        while not condition(text := self.read()):
            assert time.monotonic() < end, f"not in {timeout_s} s; the screen:\n{text}"
            select.select([self.master], [], [], 0.05)
        return text

    def sees(self, *words: str, timeout_s: float = 30.0) -> str:
        """Wait until all of `words` are on the screen."""
        return self.until(lambda text: all(word in text for word in words), timeout_s)

    def ends(self, timeout_s: float = 15.0) -> int:
        """Wait for the process to end; its exit code.

        The question whether to stop, which a recording of more than a minute asks, is answered: a slow machine may come
        to it in any test.
        """
        end = time.monotonic() + timeout_s
        answered = False
        while (code := self.process.poll()) is None:
            assert time.monotonic() < end, f"still running after {timeout_s} s; the screen:\n{self.read()}"
            select.select([] if self.closed else [self.master], [], [], 0.05)
            if "Stop recording?" in self.read() and not answered:
                answered = True
                self.press("enter")
        self.read()
        return code

    def modes(self) -> list[object]:
        """The terminal's modes now; equal to `before` when the app has put them back."""
        return termios.tcgetattr(self.slave)

    def close(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not self.closed:
            os.close(self.master)
            os.close(self.slave)


@contextlib.contextmanager
def screen_app(
    *args: str,
    env: Mapping[str, str],
    columns: int = 100,
    rows: int = 30,
    controlling: bool = True,
    size: tuple[str, str] | None = None,
) -> Generator[ScreenApp]:
    """Mictape with these arguments, full-screen; ended afterwards."""
    argv = [sys.executable, "-m", "mictape", *args]
    app = ScreenApp(argv, env, columns, rows, controlling=controlling, size=size)
    try:
        yield app
    finally:
        app.close()
