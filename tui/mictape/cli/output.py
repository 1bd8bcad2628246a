"""Standard output and standard error of the command line, which may be full or have lost their reader."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Mapping
from errno import EIO
from typing import Final, Protocol, TextIO, TypeVar

from mictape.failure import Action, Advice, Failure
from mictape.plain_text import safe_json
from mictape.terminal import DiscreetFormatter

T = TypeVar("T")

_OPTIONS: Final[Mapping[Action, str]] = {
    "add_device": "--also NAME",
    "choose_device": "--device NAME",
    "choose_engine": "--engine NAME",
    "choose_theme": "--theme NAME",
    "complete_gap": "mictape sessions complete",
    "export": "mictape sessions export",
    "stop": "Ctrl-C",
}
"""What carries out an action on the command line; the others are of the full-screen app alone."""


LOG_LEVELS: Final = ("debug", "info", "warning", "error")

_quiet = False
"""Whether only results and failures are printed."""


class Pump(Protocol):
    """Writes for a stream, so that nothing waits for its reader."""

    error: OSError | None

    def put(self, data: bytes, /) -> None:
        """Write soon. Raises OSError."""
        ...


AnyOutput = TypeVar("AnyOutput", bound="Output")
AnyPump = TypeVar("AnyPump", bound=Pump)


class Output(io.TextIOWrapper):
    """A standard stream that remembers why it could not be written, also where that was ignored."""

    error: OSError | None = None
    _pump: Pump | None = None

    def write(self, text: str, /) -> int:
        """Write as any text file does. Raises OSError."""
        return self._remembering(lambda: self._write(text))

    def flush(self) -> None:
        """Write out what is held back. Raises OSError."""
        if self._pump is None:
            self._remembering(super().flush)

    def pumped(self, pump: AnyPump, undo: contextlib.ExitStack) -> AnyPump:
        """Let a pump write until `undo` is closed."""

        def stop() -> None:
            self.error = self.error or pump.error
            self._pump = None

        self._pump = pump
        undo.callback(stop)
        return pump

    def _write(self, text: str) -> int:
        if self._pump is None:
            return super().write(text)
        self._pump.put(text.replace("\n", os.linesep).encode(self.encoding, self.errors or "strict"))
        return len(text)

    def _remembering(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except OSError as error:
            self.error = error
            raise


class Messages(Output):
    """Standard error, which may have no reader any more, or which is a file on a full disk: no reason to end."""

    def write(self, text: str, /) -> int:
        """Write if possible."""
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write out what is held back if possible."""
        with contextlib.suppress(OSError):
            super().flush()


def open_closed_streams() -> None:
    """Open the null device for each standard stream that was closed, as `2>&-` does.

    Otherwise the next file gets its descriptor, perhaps the library, and what any library prints goes there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest that is free, so the stream's own
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))


def say(failure: Failure) -> int:
    """Print a failure on stderr; its exit code."""
    print(f"mictape: {explained(failure)}", file=sys.stderr, flush=True)
    return failure.code


def note(text: str, end: str = "\n") -> None:
    """Print what is neither a result nor a failure on stderr; not with `--quiet`."""
    if not _quiet:
        print(text, end=end, file=sys.stderr, flush=True)


def shows_progress() -> bool:
    """Whether a progress bar is shown: on a terminal, and not with `--quiet`."""
    return not _quiet and sys.stderr.isatty()


class _Printing(logging.Handler):
    """Prints the log on standard error, whichever that is then."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message."""
        print(self.format(record), file=sys.stderr, flush=True)


def as_json(value: object) -> str:
    """A value as JSON to print."""
    import json  # the screen needs none

    return safe_json(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def set_verbosity(*, quiet: bool, verbose: bool, log_level: str | None) -> None:
    """Obey `--quiet`, `--verbose` and `--log-level`."""
    global _quiet  # noqa: PLW0603  (one standard error, one decision about it)
    _quiet = quiet
    log = logging.getLogger("mictape")
    log.handlers.clear()
    log.setLevel((log_level or ("debug" if verbose else "info")).upper())
    handler = _Printing()
    if verbose:
        handler.setFormatter(DiscreetFormatter("%(levelname)s %(name)s: %(message)s"))
        log.addHandler(handler)
    else:  # for what happens before there is a log file
        handler.setFormatter(DiscreetFormatter("mictape: %(message)s"))
        handler.setLevel(logging.WARNING)
        logging.lastResort = handler


def keep_off_stderr() -> None:
    """Print no log from now on: the terminal is a screen."""
    logging.getLogger("mictape").handlers.clear()


def explained(advice: Advice) -> str:
    """An advice in words, with the option or the command that carries out its remedy."""
    return advice.explained(_OPTIONS.get(advice.action, "") if advice.action is not None else "")


def _made(kind: type[AnyOutput], usual: TextIO) -> AnyOutput:
    return kind(
        usual.buffer,
        encoding=usual.encoding,
        errors="backslashreplace",  # not every encoding has every character, and no text is worth failing for
        line_buffering=bool(usual.line_buffering),
        write_through=getattr(usual, "write_through", False),
    )


def watched(run: Callable[[], int]) -> int:
    """Run a command line; its exit code, or that of the failure when stdout could not be written.

    A reader that has gone, as `head` does or a closed terminal, is no failure.
    """
    open_closed_streams()
    usual: TextIO = sys.stdout
    usual_messages: TextIO = sys.stderr
    if not all(isinstance(each, io.TextIOWrapper) for each in (usual, usual_messages)):  # a test has replaced them
        return run()
    is_terminal = usual.isatty()  # asked now: one that is closed is none any more
    sys.stdout, sys.stderr = output, messages = _made(Output, usual), _made(Messages, usual_messages)
    try:
        code = run()
        with contextlib.suppress(OSError):
            output.flush()
    finally:
        sys.stdout = usual
    if output.error is None:
        output.detach()
    else:
        _end(usual)
        if not (isinstance(output.error, BrokenPipeError) or (is_terminal and output.error.errno == EIO)):
            what = f"The output cannot be written: {(output.error.strerror or str(output.error)).lower()}"
            code = say(Failure(what, "Free some space, or write it somewhere else"))
    sys.stderr = usual_messages
    if messages.error is None:
        messages.detach()
    else:
        _end(usual_messages)
    return code


def _end(stream: TextIO) -> None:
    """Python would try to write the rest once more at its exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
