"""The terminal belongs to Textual, native noise to the log: real processes on a real pseudo-terminal."""

import logging
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mictape import terminal
from mictape.failure import ExitCode
from mictape.terminal import LOG_LIMIT_BYTES, set_up_log, to_log
from support.waiting import TIMEOUT_S, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")

APP = """
import ctypes, sys
from pathlib import Path
from textual.app import App
from textual.widgets import Static
from mictape.failure import MictapeError
from mictape.terminal import guarded

class Drawn(App):
    def compose(self):
        yield Static("drawn", markup=False)

    def on_mount(self):
        libc = ctypes.CDLL(None)
        libc.write(2, b"native noise\\n", 13)

    def on_key(self, event):
        if event.key == "x":
            raise RuntimeError("planted")
        if event.key == "s":
            self.query_one(Static).update(f"size {self.size.width}x{self.size.height}")
        if event.key == "q":
            self.exit(7)

try:
    before = sys.__stdin__, sys.__stdout__, sys.__stderr__
    with guarded(Path(sys.argv[1])):
        app = Drawn()
        app.run()
    assert before == (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    print("after the app", file=sys.stderr)
except MictapeError as error:
    print(error, file=sys.stderr)
    sys.exit(error.failure.code)
sys.exit(app.return_code or app.return_value)
"""


@dataclass
class Screen:
    """A process on a terminal of its own, and everything it wrote there."""

    pid: int
    master: int
    seen: bytes = b""
    code: int | None = field(default=None)

    def wait_for(self, text: bytes) -> None:
        until(lambda: self._read() or text in self.seen, what=f"{text!r} on the screen")
        assert text in self.seen, self.seen

    def press(self, key: bytes) -> None:
        os.write(self.master, key)

    def end(self) -> int:
        """Wait for the process and return its exit code."""
        deadline = time.monotonic() + TIMEOUT_S
        while not self._read():
            assert time.monotonic() < deadline, self.seen
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def _read(self) -> bool:
        """Take what is there; whether the terminal was closed at the other end."""
        if not select.select([self.master], [], [], 0.02)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # Linux says end of file so
            return True
        self.seen += data
        return not data


class Terminals:
    """Starts processes on terminals and ends what is left of them."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._started: list[Screen] = []

    def start(self, *, stdin: Path | None = None, stdout: Path | None = None, stderr: Path | None = None) -> Screen:
        """Start the app, with some of its streams somewhere else."""
        pid, master = pty.fork()
        if pid == 0:
            for descriptor, path in enumerate((stdin, stdout, stderr)):
                if path is not None:
                    os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), descriptor)
            os.environ |= {"COLUMNS": "", "LINES": "", "TERM": "xterm-256color"}
            os.execv(sys.executable, [sys.executable, "-c", APP, str(self.log)])
        screen = Screen(pid, master)
        terminal_size(master)
        self._started.append(screen)
        return screen

    def close(self) -> None:
        for screen in self._started:
            if screen.code is None:
                os.kill(screen.pid, signal.SIGKILL)
                os.waitpid(screen.pid, 0)
            os.close(screen.master)


def terminal_size(master: int) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "state" / "mictape.log"


@pytest.fixture
def terminals(log: Path) -> Iterator[Terminals]:
    started = Terminals(log)
    yield started
    started.close()


def test_native_noise_goes_to_the_log_and_the_app_to_the_screen(terminals: Terminals, log: Path) -> None:
    screen = terminals.start()
    screen.wait_for(b"drawn")
    until(lambda: b"native noise" in log.read_bytes())
    screen.press(b"q")
    assert screen.end() == 7
    assert b"native noise" not in screen.seen
    assert screen.seen.rstrip().endswith(b"after the app"), "stderr is the terminal again"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert b"after the app" not in log.read_bytes()


def test_stderr_may_be_a_file(terminals: Terminals, log: Path, tmp_path: Path) -> None:
    screen = terminals.start(stderr=tmp_path / "errors")
    screen.wait_for(b"drawn")
    screen.press(b"q")
    assert screen.end() == 7
    assert b"native noise" in log.read_bytes()
    assert (tmp_path / "errors").read_text() == "after the app\n"


def test_keys_and_size_are_the_terminals_whatever_the_other_streams_are(terminals: Terminals, tmp_path: Path) -> None:
    screen = terminals.start(stdin=Path(os.devnull), stdout=tmp_path / "out")
    screen.wait_for(b"drawn")
    screen.press(b"s")
    screen.wait_for(b"size 100x30")
    screen.press(b"q")
    assert screen.end() == 7
    assert (tmp_path / "out").read_text() == ""


def test_a_crash_leaves_its_traceback_in_the_log(terminals: Terminals, log: Path) -> None:
    screen = terminals.start()
    screen.wait_for(b"drawn")
    screen.press(b"x")
    assert screen.end() == 1
    assert b"planted" not in screen.seen
    assert b"\x1b[?1049l" in screen.seen, "the screen is given back"
    assert b"after the app" in screen.seen
    assert "planted" in log.read_text()


def test_no_terminal_is_a_sentence(log: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", APP, log],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,  # without a controlling terminal
        text=True,
        timeout=TIMEOUT_S * 3,
    )
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("There is no terminal to draw on. Start Mictape in one, or use `mictape listen`")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


GUARDED = """
import os, sys
from pathlib import Path
from mictape.terminal import guarded
master, slave = os.openpty()
os.dup2(slave, 0), os.dup2(slave, 1)
kept = os.dup(2)
os.dup2(slave, 2)
try:
    with guarded(Path(sys.argv[1])):
        os.write(2, b"inside")
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass
assert os.path.samestat(os.fstat(2), os.fstat(slave))
assert len(os.listdir("/dev/fd")) == int(sys.argv[2]) + 3, os.listdir("/dev/fd")
"""


def test_everything_is_put_back_after_an_exception(log: Path) -> None:
    before = subprocess.run(
        [sys.executable, "-c", "import os; print(len(os.listdir('/dev/fd')))"],
        check=True,
        capture_output=True,
        text=True,
    )
    subprocess.run([sys.executable, "-c", GUARDED, log, before.stdout.strip()], check=True)
    assert log.read_text() == "inside"


def logged(what: str) -> None:
    try:
        raise ValueError(what)
    except ValueError as error:
        to_log(error, "while testing")


@pytest.mark.usefixtures("own_logging")
def test_tracebacks_go_to_the_log_only(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    old = os.umask(0)
    try:
        set_up_log(log)
    finally:
        os.umask(old)
    logged("planted \ud800")
    logging.getLogger("textual").info("too much")
    logging.getLogger("mictape.audio").info("just right")
    text = log.read_text()
    assert "Traceback" in text
    assert "planted" in text
    assert "while testing" in text
    assert "just right" in text
    assert "too much" not in text
    assert capfd.readouterr() == ("", "")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.usefixtures("own_logging")
def test_a_long_log_moves_aside_at_the_next_start(log: Path) -> None:
    log.parent.mkdir()
    log.write_bytes(b"x" * (LOG_LIMIT_BYTES + 1))
    set_up_log(log)
    logged("new")
    assert log.with_name("mictape.log.1").stat().st_size == LOG_LIMIT_BYTES + 1
    assert "new" in log.read_text()
    set_up_log(log)
    logged("again")
    assert log.read_text().count("ValueError: again") == 1, "one handler, however often it is set up"


def test_textual_is_not_needed_to_guard() -> None:
    check = f"import sys, {terminal.__name__}; sys.exit('textual' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_line_of_the_log_obeys_nothing_and_is_one_line(tmp_path: Path) -> None:
    before = logging.getLogger().handlers[:]
    try:
        set_up_log(tmp_path / "log")
        try:
            raise RuntimeError("bad \x1b]0;title\x07\n2026-01-01 00:00:00,000 1 ERROR forged: line")
        except RuntimeError as error:
            to_log(error, "a server said \x9b31m\u202e\n2026-01-01 00:00:00,000 1 ERROR forged: line")
    finally:
        for handler in logging.getLogger().handlers:
            handler.close()
        logging.getLogger().handlers[:] = before
    text = (tmp_path / "log").read_text("utf-8")
    assert all(each.isprintable() for each in text.split("\n"))
    first, *more, last = text.split("\n")
    assert "a server said" in first
    assert all(each.startswith("    ") for each in more), "no line pretends to be another message"
    assert last == ""
