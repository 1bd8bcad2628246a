"""The driver relies on nothing that the terminal does: real pseudo-terminals, frozen, flooded, closed."""

import fcntl
import os
import select
import struct
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.waiting import until

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

import pty
import termios
import tty

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import AppBlur, AppFocus, Key
from textual.message import Message

from mictape import driver
from mictape.driver import TerminalDriver, TerminalWriter
from mictape.terminal import RESTORE

BIG = "x" * 100_000
"""More than a pseudo-terminal holds that nobody reads."""


@dataclass
class Terminal:
    """A pseudo-terminal with a writer on it; nobody reads it unless a test does."""

    master: int
    slave: int
    caught_up: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.writer = TerminalWriter(self.slave, caught_up=self.caught_up.set, gone=self.gone.set)
        self.writer.start()

    def read(self) -> str:
        """What there is to read now."""
        data = b""
        while select.select([self.master], [], [], 0)[0]:
            data += os.read(self.master, 65536)
        return data.decode()

    def reads(self, what: str) -> str:
        """Read until the text comes; everything that was read."""
        read = ""

        def came() -> bool:
            nonlocal read
            read += self.read()
            return what in read

        until(came, what=repr(what))
        return read


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST  # what is written is what is read
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    terminal = Terminal(master, slave)
    yield terminal
    terminal.writer.close()
    for descriptor in (master, slave):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_frames_that_a_frozen_terminal_does_not_take_are_dropped_and_a_repaint_follows(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "PENDING_LIMIT", 10_000)
    terminal.writer.write(BIG, frame=True)
    terminal.writer.write("dropped", frame=True)
    terminal.writer.write("\x1b]52;c;a2VwdA==\a", frame=False)
    assert not terminal.caught_up.is_set()
    read = terminal.reads("\a")
    until(terminal.caught_up.is_set)
    assert read == BIG + "\x1b]52;c;a2VwdA==\a"
    terminal.writer.write("again", frame=True)
    assert terminal.reads("again") == "again"


def test_frames_are_dropped_once_the_oldest_has_waited_too_long(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "LATE_S", 0.0)
    terminal.writer.write(BIG, frame=True)
    until(lambda: (terminal.writer.write("late", frame=True), terminal.writer._dropped)[1])
    assert "late" not in terminal.reads("x" * 1000)


def test_a_terminal_that_is_gone_is_said_once_and_written_to_no_more(terminal: Terminal) -> None:
    os.close(terminal.master)
    terminal.writer.write("nobody", frame=True)
    until(terminal.gone.is_set)
    terminal.writer.join()
    terminal.writer.write("nobody", frame=False)
    assert not terminal.writer._pending


def test_closing_gives_even_a_frozen_terminal_back(terminal: Terminal) -> None:
    terminal.writer.write("\x1b[?1049h" + BIG, frame=True)
    until(lambda: not select.select([], [terminal.slave], [], 0)[1], what="a full terminal")
    terminal.writer.write("\x1b[?1049l", frame=False)
    terminal.writer.close()
    assert not terminal.writer.is_alive()
    assert terminal.read().endswith(RESTORE)


def test_closing_writes_what_is_left(terminal: Terminal) -> None:
    terminal.writer.write("frame", frame=True)
    terminal.writer.write("last", frame=False)
    terminal.writer.close()
    assert terminal.read().endswith("last")


def test_what_restores_a_terminal_undoes_all_that_the_driver_does() -> None:
    """Textual's own list, from its code: whatever mode it sets, ours resets."""
    import inspect
    import re

    lines = inspect.getsource(LinuxDriver).splitlines()
    source = "\n".join(line for line in lines if not line.strip().startswith("#"))
    modes = set(re.findall(r"\\x1b\[\?(\d+)h", source)) - {"25", "7"}
    assert {"1049", "1000", "2004"} <= modes
    for mode in modes:
        assert f"\x1b[?{mode}l" in RESTORE
    assert "\x1b[?25h" in RESTORE
    assert "\x1b[?7h" in RESTORE


def test_the_flag_of_the_shells_own_descriptor_stays(terminal: Terminal) -> None:
    terminal.writer.write("drawn", frame=True)
    terminal.reads("drawn")
    assert os.get_blocking(terminal.slave)
    assert not os.get_blocking(terminal.writer._descriptor)


async def test_the_terminals_own_size_counts_and_not_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    master, slave = pty.openpty()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "50")
    with os.fdopen(slave, "r", closefd=False) as keys, os.fdopen(slave, "w", closefd=False) as screen:
        monkeypatch.setattr(sys, "__stdin__", keys)
        monkeypatch.setattr(sys, "__stderr__", screen)
        assert TerminalDriver(App())._size == (200, 50), "a terminal that does not know its size"
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        assert TerminalDriver(App())._size == (80, 24)
    os.close(master)
    os.close(slave)


class Listening(TerminalDriver):
    """Keeps its keys; there is no app. Reads no more after the key `q`."""

    def __init__(self) -> None:
        super().__init__(App())
        self.keys: list[str] = []
        self.focus: list[type[Message]] = []

    def process_message(self, message: Message) -> None:
        if isinstance(message, AppFocus | AppBlur):
            self.focus.append(type(message))
        if isinstance(message, Key):
            self.keys.append(message.key)
            if message.key == "q":
                self.exit_event.set()

    def _wait_for_room(self) -> None:
        pass


@pytest.fixture
async def typing(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Listening, int, int]]:
    """A driver that reads a terminal in a thread, and the terminal: master and slave."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    with os.fdopen(slave, "r", closefd=False) as stdin:
        monkeypatch.setattr(sys, "__stdin__", stdin)
        driver = Listening()
        reading = threading.Thread(target=driver.run_input_thread, daemon=True)
        reading.start()
        yield driver, master, slave
        driver.exit_event.set()
        reading.join()
    os.close(master)
    os.close(slave)


async def test_a_key_after_the_beginning_of_a_character_is_not_lost(typing: tuple[Listening, int, int]) -> None:
    driver, master, slave = typing
    os.write(master, b"\xe9")  # in UTF-8 two more bytes follow it
    until(lambda: not select.select([slave], [], [], 0)[0], what="a driver that has read it")
    os.write(master, b"t")
    until(lambda: driver.keys[-1:] == ["t"], what="the key after it")


async def test_what_was_read_before_the_end_is_not_passed_on_after_it(typing: tuple[Listening, int, int]) -> None:
    driver, master, _ = typing
    os.write(master, b"aq" + b"b" * 1000)
    until(driver.exit_event.is_set)
    reading = [each for each in threading.enumerate() if each.name.endswith("(run_input_thread)")]
    until(lambda: not any(each.is_alive() for each in reading), what="the end of the thread")
    assert driver.keys == ["a", "q"]


async def test_of_a_flood_of_focus_reports_the_latest_is_passed_on_and_every_key(
    typing: tuple[Listening, int, int],
) -> None:
    driver, master, _ = typing
    os.write(master, b"\x1b[I\x1b[O" * 300 + b"ab")
    until(lambda: driver.keys == ["a", "b"], what="the keys behind the flood")
    assert driver.focus[-1] is AppBlur
    assert len(driver.focus) <= 600 // 100, "one of what was read at once"


def _descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_after_a_suspension_keys_are_read_as_before_and_no_descriptor_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    master, slave = pty.openpty()
    open_before = _descriptors()
    with os.fdopen(slave, "r", closefd=False) as keys, os.fdopen(slave, "w", closefd=False) as screen:
        monkeypatch.setattr(sys, "__stdin__", keys)
        monkeypatch.setattr(sys, "__stderr__", screen)
        driver = Listening()
        driver.start_application_mode()
        for key in "ab":
            os.write(master, key.encode())
            until(lambda key=key: driver.keys[-1:] == [key], what=f"the key {key}")
            driver.suspend_application_mode()
            driver.resume_application_mode()
        driver.suspend_application_mode()
        assert driver.keys == ["a", "b"]
    assert _descriptors() == open_before
    os.close(master)
    os.close(slave)
