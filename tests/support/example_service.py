"""Parrot, the service of the example engine, and the example engine installed as its users would install it."""

import asyncio
import os
import subprocess
import sys
import tempfile
import wave
import zipfile
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Literal

from servers.base import Asked, Peer, Refusal, Server, serve
from support.file_keyring import NO_KEYRING

ROOT: Final = Path(__file__).parents[2]
EXAMPLE: Final = ROOT / "tests" / "example_engine"
SECOND: Final = 16_000

_kept: list[tempfile.TemporaryDirectory[str]] = []


@cache
def installed() -> Path:
    """A folder for `sys.path` with the example engine's wheel in it, built from its own pyproject.toml."""
    folder = tempfile.TemporaryDirectory(prefix="mictape-parrot-")
    _kept.append(folder)
    site = Path(folder.name) / "site"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder.name]
    subprocess.run(build, cwd=EXAMPLE, check=True, capture_output=True)
    (wheel,) = Path(folder.name).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


@dataclass
class Parrot:
    """The service. It says `second N` for every second that it hears."""

    key: str
    """The one it accepts."""
    refuses: Literal["upgrade", "close", "after a second"] = "upgrade"
    """How it treats another key: HTTP 401, or close 4001, at once or late. It quotes the key, as some services do."""
    command_lines: set[str] = field(default_factory=set[str])
    """What every process on this machine was called with while clients were connected."""

    def serve(self) -> AbstractAsyncContextManager[Server]:
        """Listen until the block ends."""
        return serve(self._talk, admit=self._admit)

    def _admit(self, asked: Asked) -> Refusal | None:
        self.command_lines |= _command_lines()
        given = asked.headers.get("authorization", "").removeprefix("Parrot ")
        if given != self.key and self.refuses == "upgrade":
            return Refusal(401, f"{given} is not a key", {"X-Your-Key": given})
        return None

    async def _talk(self, peer: Peer) -> None:
        given = peer.asked.headers.get("authorization", "").removeprefix("Parrot ")
        received = said = 0
        while True:
            if given != self.key and (self.refuses == "close" or said):
                await peer.send({"partial": "wait"})
                await peer.close(4001, f"{given} is not a key")
            frame = await peer.receive()
            if isinstance(frame, str):
                await peer.send({"final": "" if received == said * SECOND else "and a bit", "end": received})
                return
            received += len(frame) // 2
            while received >= (said + 1) * SECOND:
                said += 1
                await peer.send({"final": f"second {said}", "end": said * SECOND})


def _command_lines() -> set[str]:
    found: set[str] = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(path.read_text(errors="replace"))
        except OSError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """This process's environment with the example engine installed, and without keys or keyring of anybody."""
    own = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return {**own, **NO_KEYRING, "PYTHONPATH": os.pathsep.join((str(installed()), str(ROOT / "tests"))), **more}


async def mictape(*arguments: str, env: Mapping[str, str], stdin: bytes = b"") -> Done:
    """Run it to its end while the loop, and with it the service, goes on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mictape", *arguments),
        cwd=ROOT,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Done(process.returncode or 0, out.decode(), err.decode())


def leading_to(server: Server) -> tuple[str, ...]:
    """The options of a command that make it use the example engine with this service."""
    return "--engine", "parrot", "--set", f"url={server.url}"


def sound(path: Path, seconds: int = 2) -> Path:
    """A WAV of a tone: Parrot does not care what it hears."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SECOND)
        file.writeframes((b"\x00\x20" * 20 + b"\x00\xe0" * 20) * (seconds * SECOND // 40))
    return path
