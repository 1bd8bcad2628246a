"""How Mictape starts its child processes: this package under the same interpreter, out of the terminal's reach."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncio.subprocess import Process

import msgspec

CREATION_FLAGS: Final[int] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(
    subprocess, "CREATE_NO_WINDOW", 0
)
"""For `creationflags`: on Windows a process group of its own and no window; 0 elsewhere.

Together with `start_new_session=True` the terminal's Ctrl-C, Ctrl-Z and hang-up reach the app only.
"""

_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}
"""numpy would start a thread for each core, a quarter of the CPU of a capture process's start, and use none of them."""


def command(module: str, *arguments: str) -> list[str]:
    """What runs a module of this package.

    -P: a folder `mictape` in the current folder must not stand in for this package.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def json_argument(value: object) -> str:
    """A value as JSON for a command line, in ASCII: the locale may have no other characters."""
    return json.dumps(msgspec.to_builtins(value))


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's own, one thread for numpy, the place of this package, which -P takes off the path, and `extra`."""
    package = str(Path(__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | _ONE_THREAD | dict(extra or {})


@contextmanager
def appending_to(log: Path | None) -> Generator[int]:
    """A descriptor for a child's stderr: the log, or nowhere when there is none that can be written."""
    try:
        descriptor = None if log is None else os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        descriptor = None
    try:
        yield subprocess.DEVNULL if descriptor is None else descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


async def start(
    module: str,
    *arguments: str,
    stdin: int | None = PIPE,
    stdout: int = PIPE,
    stderr: int | Path | None = None,
    extra: Mapping[str, str] | None = None,
    pass_fds: Collection[int] = (),
) -> "Process":
    """Start a module of this package as a child process.

    Args:
        module: Its name: `mictape.vad.process`.
        arguments: For its command line.
        stdin: As for `asyncio.create_subprocess_exec`; None: that of this process.
        stdout: As for `asyncio.create_subprocess_exec`.
        stderr: The same, or a log that it is appended to; None: nowhere.
        extra: Variables of its environment besides those of this process.
        pass_fds: Descriptors that it inherits.

    Raises:
        OSError: it cannot be started.
    """
    import asyncio  # not every process that imports this has a loop

    with appending_to(stderr if isinstance(stderr, Path) else None) as log:
        return await asyncio.create_subprocess_exec(
            *command(module, *arguments),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr if isinstance(stderr, int) else log,
            env=environment(extra),
            pass_fds=pass_fds,
            start_new_session=True,
            creationflags=CREATION_FLAGS,
        )


async def answer_of(process: "Process", timeout_s: float) -> tuple[bytes, bytes]:
    """What a child prints on stdout and stderr until it ends. It is killed when that takes too long, or on cancelling.

    Raises:
        TimeoutError: it has not ended in time.
    """
    import asyncio

    try:
        async with asyncio.timeout(timeout_s):
            return await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
