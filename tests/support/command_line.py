"""Mictape's command line, run as a process of its own."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

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
