"""Standard output and standard error of the command line, which may be full or have lost their reader."""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import BinaryIO, TypeVar, cast

from mictape.failure import Failure

T = TypeVar("T")


class Output(io.TextIOWrapper):
    """Standard output that remembers why it could not be written, also where that was ignored."""

    error: OSError | None = None

    def write(self, text: str, /) -> int:
        """Write as any text file does. Raises OSError."""
        return self._remembering(lambda: super(Output, self).write(text))

    def flush(self) -> None:
        """Write out what is held back. Raises OSError."""
        self._remembering(super().flush)

    def _remembering(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except OSError as error:
            self.error = error
            raise


def say(failure: Failure) -> int:
    """Print a failure on stderr; its exit code."""
    with contextlib.suppress(OSError):  # nothing reads it any more
        if sys.stderr is not None:  # pyright: ignore[reportUnnecessaryComparison]  (None when it was closed)
            print(f"mictape: {failure}", file=sys.stderr, flush=True)
    return failure.code


def watched(run: Callable[[], int]) -> int:
    """Run a command line; its exit code, or that of the failure when stdout could not be written.

    A reader that has gone, as `head` does, is no failure.
    """
    usual = sys.stdout
    if not isinstance(usual, io.TextIOWrapper):  # None when it was closed
        return run()
    sys.stdout = output = Output(
        cast("BinaryIO", usual.buffer),  # pyright: ignore[reportUnknownMemberType]  (isinstance knows no type arguments)
        encoding=usual.encoding,
        errors="backslashreplace",  # not every encoding has every character, and no text is worth failing for
        line_buffering=usual.line_buffering,
        write_through=usual.write_through,
    )
    try:
        code = run()
        with contextlib.suppress(OSError):
            output.flush()
    finally:
        sys.stdout = usual
    if output.error is None:
        output.detach()
        return code
    # Python would try to write the rest once more at its exit, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), usual.fileno())
    if isinstance(output.error, BrokenPipeError):
        return code
    what = f"The output cannot be written: {(output.error.strerror or str(output.error)).lower()}"
    return say(Failure(what, "Free some space, or write it somewhere else"))
