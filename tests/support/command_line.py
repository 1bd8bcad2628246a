"""Mictape's command line, run as a process of its own or, where that makes no difference, in this one."""

import contextlib
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from typing import Final

from mictape.cli.main import run

MICTAPE: Final = [sys.executable, "-m", "mictape"]


def mictape(
    *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    done = subprocess.run([*MICTAPE, *args], input=stdin, capture_output=True, check=False, env=env, timeout=timeout_s)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def starts(*args: str, env: Mapping[str, str] | None = None, stdin: int | None = None) -> subprocess.Popen[str]:
    """Start it and go on."""
    command = [*MICTAPE, *args]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True)


def called(*args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run it in this process, which takes a third of a second less. A server for it runs `in_background`."""
    out, err = io.StringIO(), io.StringIO()
    with own_logging(), piped(stdin), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(args)
    return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def piped(data: bytes) -> Generator[None]:
    """Give this process, and the children that it starts, standard input from a pipe."""
    reads, writes = os.pipe()
    usual, usual_descriptor = sys.stdin, os.dup(0)
    os.dup2(reads, 0)
    os.close(reads)

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(writes, "wb") as pipe:
            pipe.write(data)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        with os.fdopen(os.dup(0)) as sys.stdin:
            yield
    finally:
        sys.stdin = usual
        os.dup2(usual_descriptor, 0)  # which closes the pipe: what nobody has read is not waited for
        os.close(usual_descriptor)
        writing.join()


@contextlib.contextmanager
def own_logging() -> Generator[None]:
    """Put logging back afterwards as other tests expect it."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions, logging.lastResort
    try:
        yield
    finally:
        for handler in root.handlers:
            if handler not in before[0]:
                handler.close()
        root.handlers[:], root.level, logging.raiseExceptions, logging.lastResort = before
        logging.getLogger("mictape").setLevel(logging.NOTSET)
        logging.getLogger("mictape").handlers.clear()
        logging.captureWarnings(capture=False)
