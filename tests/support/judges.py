"""Independent judges: a package that is not ours, in an environment of its own, and what it makes of a server."""

import json
import subprocess
import sys
from asyncio import create_subprocess_exec, timeout
from asyncio.subprocess import PIPE
from os import environ
from os import name as system
from pathlib import Path
from typing import Any, Final

from servers.base import CERTIFICATE

JUDGE_S: Final = 60.0
"""For a judge that hangs; a session takes it some seconds."""


def environment_with(package: str, folder: Path, *more: str) -> Path:
    """The interpreter of a new environment with these packages; its commands are beside it."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    interpreter = folder / ("Scripts" if system == "nt" else "bin") / "python"
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", package, *more]
    subprocess.run(pip, check=True)
    return interpreter


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
