"""The terminal: Textual gets it, native noise gets the log.

On POSIX Textual draws on `sys.__stderr__` and reads `sys.__stdin__`; the size it asks of `sys.__stdout__`. Sound
libraries write to file descriptor 2 from C, whatever Python does. So before the app runs, each of the three that
is no terminal is replaced by the controlling one, and descriptor 2 is pointed at the log.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final, TextIO

from mictape.failure import ExitCode, Failure, MictapeError, discreet
from mictape.paths import PRIVATE_FILE, make_folder
from mictape.plain_text import one_line

LOG_LIMIT_BYTES: Final = 1_000_000
"""A log that has grown beyond this becomes `.1` at the next start, in place of the one before."""

_STDERR: Final = 2

RESTORE: Final = (
    "\x18"  # CAN ends a sequence that was cut off
    "\x1b[?2026l"  # synchronized output
    "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # mouse
    "\x1b[?2004l\x1b[?2048l\x1b[?1004l"  # bracketed paste, reports of size and focus
    "\x1b[<u"  # kitty's keyboard protocol
    "\x1b[?7h\x1b[?1049l\x1b[?25h"  # line wrap, main screen, cursor
)
"""Gives a terminal back, whatever state the app left it in: what Textual's driver turns on, turned off."""

_log = logging.getLogger(__name__)


def set_up_log(path: Path) -> None:
    """Send everything that is logged to a file that only its owner can read.

    It is renamed only here, at the start, and never while the app runs: other processes write to it by its
    descriptor.

    Raises:
        MictapeError: (`ExitCode.SOUND`) its folder cannot be made or written to.
    """
    make_folder(path.parent)
    try:
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        os.close(_open_log(path))
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        what = f"The log {path} cannot be written: {(error.strerror or str(error)).lower()}"
        raise MictapeError(Failure(what, "Make it writable, or move it away")) from error
    handler.setFormatter(DiscreetFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    own = logging.getLogger("mictape")
    if own.level == logging.NOTSET:
        own.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    # A full disk must not print tracebacks about the log.
    logging.raiseExceptions = False


class DiscreetFormatter(logging.Formatter):
    """Writes no secret, not even one in another library's message or traceback, and nothing that a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with every secret replaced; more lines are indented, so that no message can pretend to be two."""
        return "\n    ".join(map(one_line, discreet(super().format(record)).split("\n")))


def to_log(error: BaseException, what: str = "unexpected") -> None:
    """Write an exception with its traceback to the log; the person gets a sentence from elsewhere."""
    _log.error(what, exc_info=error)


@contextlib.contextmanager
def guarded(log: Path) -> Generator[None]:
    """Give Textual the terminal and native noise the log, until the block ends.

    Run the app inside, and print to stderr only after it.

    Args:
        log: made when it is not there, readable by its owner only.

    Raises:
        MictapeError: (`ExitCode.USAGE`) there is no terminal; (`ExitCode.SOUND`) the log's folder cannot be used.
    """
    if sys.platform == "win32":
        # There Textual draws on stdout, and stderr is not on the screen.
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise MictapeError(_NO_TERMINAL)
        yield
        return
    with contextlib.ExitStack() as undo:
        _lend(undo, "__stdin__", os.O_RDONLY)
        _lend(undo, "__stdout__", os.O_WRONLY)
        _lend(undo, "__stderr__", os.O_WRONLY, always=True)
        make_folder(log.parent)
        _point_stderr_at(undo, log)
        yield


def _lend(undo: contextlib.ExitStack, name: str, flags: int, *, always: bool = False) -> None:
    """Make one of Python's own three streams a terminal, if it is none.

    Args:
        undo: gets what puts the old stream back.
        name: of the stream in `sys`.
        flags: to open the controlling terminal with.
        always: replace a terminal too, by a descriptor of its own.
    """
    old: TextIO | None = getattr(sys, name)
    is_terminal = old is not None and not old.closed and old.isatty()
    if is_terminal and not always:
        return
    try:
        descriptor = os.dup(old.fileno()) if old and is_terminal else os.open("/dev/tty", flags | os.O_NOCTTY)
    except OSError as error:  # a process without a controlling terminal has no /dev/tty
        raise MictapeError(_NO_TERMINAL) from error
    # Recognised text may hold what UTF-8 cannot: it must not end the thread that draws.
    mode = "r" if flags == os.O_RDONLY else "w"
    stream = undo.enter_context(os.fdopen(descriptor, mode, encoding="utf-8", errors="replace"))
    setattr(sys, name, stream)
    undo.callback(setattr, sys, name, old)


def _point_stderr_at(undo: contextlib.ExitStack, log: Path) -> None:
    """Make descriptor 2 the log, so that whatever writes to it, in any language, does no harm."""
    if sys.stderr:
        sys.stderr.flush()
    kept = os.dup(_STDERR)
    undo.callback(os.close, kept)
    opened = _open_log(log)
    try:
        os.dup2(opened, _STDERR)
    finally:
        os.close(opened)
    undo.callback(os.dup2, kept, _STDERR)
    if sys.stderr:
        undo.callback(sys.stderr.flush)


def terminal_restorer() -> Callable[[], None]:
    """What gives the terminal back at once and without waiting, to be called from any thread when all else fails.

    To be made inside `guarded`, before the app changes the terminal.
    """
    if sys.platform == "win32" or sys.__stderr__ is None or sys.__stdin__ is None:
        return lambda: None
    import termios

    screen, keys = sys.__stderr__.fileno(), sys.__stdin__.fileno()
    modes = termios.tcgetattr(keys)

    def restore() -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(keys, termios.TCSANOW, modes)
        # What a frozen terminal has not taken yet would keep this out.
        termios.tcflush(screen, termios.TCOFLUSH)
        os.set_blocking(screen, False)
        try:
            os.write(screen, RESTORE.encode())
        finally:
            os.set_blocking(screen, True)

    return restore


def _open_log(path: Path) -> int:
    """A descriptor that appends to the log, made for its owner alone."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)


_NO_TERMINAL: Final = Failure(
    what="There is no terminal to draw on",
    remedy="Start Mictape in one, or use `mictape listen` for plain lines and `mictape transcribe FILE` for files",
    code=ExitCode.USAGE,
)
