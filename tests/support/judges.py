"""Independent judges: a package that is not ours, in an environment of its own, and how it gets on with a server."""

import json
import socket
import subprocess
import sys
from asyncio import create_subprocess_exec, timeout
from asyncio.subprocess import PIPE
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from os import environ, killpg
from os import name as system
from pathlib import Path
from signal import SIGKILL
from typing import Any, Final

from servers.base import CERTIFICATE
from support.waiting import until

START_S: Final = 180.0
"""A server may load a model before it listens."""
JUDGE_S: Final = 60.0
"""For a judge that hangs; a session takes it some seconds."""


def environment_with(package: str, folder: Path, *more: str, bare: Sequence[str] = ()) -> Path:
    """The interpreter of a new environment with these packages; its commands are beside it.

    Those in `bare` are installed without what they depend on. Raises `CalledProcessError` when one cannot be had.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    interpreter = folder / ("Scripts" if system == "nt" else "bin") / "python"
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*pip, package, *more], check=True)
    if bare:
        subprocess.run([*pip, "--no-deps", *bare], check=True)
    return interpreter


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens at."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


@contextmanager
def running(command: Sequence[str | Path], port: int, log: Path) -> Generator[subprocess.Popen[bytes]]:
    """Run a server until the block ends, which begins when it listens at `port`. It ends with its whole group."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=system == "posix")
    try:
        until(lambda: _listens(process, port, log), START_S, "the server's ear")
        yield process
    finally:
        if system == "posix":
            with suppress(ProcessLookupError):
                killpg(process.pid, SIGKILL)
        process.kill()
        process.wait()


def _listens(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text("utf-8", "replace")
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def judged(python: Path, script: str, *arguments: str) -> list[tuple[str, dict[str, Any]]]:
    """What a script has made of everything a server said: it prints `[type, fields]` in JSON, one a line.

    It trusts the servers' certificate. A script that fails, fails the test with what it complains of.
    """
    trusted = environ | {"SSL_CERT_FILE": str(CERTIFICATE)}
    process = await create_subprocess_exec(python, "-c", script, *arguments, env=trusted, stdout=PIPE, stderr=PIPE)
    try:
        async with timeout(JUDGE_S):
            output, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, complaints.decode()
    return [(kind, fields) for kind, fields in map(json.loads, output.decode().splitlines())]
