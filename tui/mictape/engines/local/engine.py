"""The local engine: Moonshine tiny-en in a child process. No key, no network, English.

The child is started by the first `connect` and stays warm: a connection after a finished one begins at once.
"""

import asyncio
import importlib.util
import platform
import sys
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from mictape import bundled
from mictape.engines.base import Capabilities, Changes, Lost, Request
from mictape.engines.local.client import LOAD_S, LocalConnection, ModelProcess
from mictape.engines.local.ipc import SecondPass, WordTimes
from mictape.failure import ExitCode, Failure

OLDEST_GLIBC: Final = (2, 28)
"""What the Linux wheels of onnxruntime are built for."""

OLDEST_MACOS: Final = 14
"""What its macOS wheels are built for; there are none for Intel."""

ANOTHER_ENGINE: Final = "Choose another engine with --engine"
INSTALL_AGAIN: Final = "Install Mictape again, or choose another engine with --engine"


class LocalOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be set of the local engine: `[engines.local]`."""

    second_pass: SecondPass = "live"
    """Whether neighbouring lines are recognised again together: when there is time, once all is said, or never."""
    word_times: WordTimes = "estimated"
    """Whether the times of words are guessed from their length, or measured when there is time."""


def obstacle() -> Failure | None:
    """What keeps the local engine from running on this machine, or None."""
    if importlib.util.find_spec("onnxruntime") is None:
        libc, version = platform.libc_ver()
        return no_runtime(sys.platform, platform.machine(), platform.mac_ver()[0], libc, version)
    if incomplete := bundled.missing():
        return Failure(f"A file of the bundled models is missing: {incomplete[0].path}", INSTALL_AGAIN, ExitCode.ENGINE)
    return None


def no_runtime(system: str, machine: str, macos: str, libc: str, libc_version: str) -> Failure:
    """Why onnxruntime, which runs the model, is not there.

    Args:
        system: As `sys.platform`.
        machine: As `platform.machine()`.
        macos: The macOS release, `15.1`; empty elsewhere.
        libc: The C library's name, `glibc`; empty when it is another one.
        libc_version: Its version, `2.36`.
    """
    what = ""
    if system == "darwin":
        if machine != "arm64":
            what = "The local recogniser does not run on Intel Macs"
        elif _version(macos)[:1] < (OLDEST_MACOS,):
            what = f"The local recogniser needs macOS {OLDEST_MACOS} or later; this is {macos}"
    elif system == "win32":
        if machine.upper() not in {"AMD64", "ARM64"}:
            what = f"The local recogniser runs on 64-bit Windows only; this is {machine}"
    elif system != "linux" or machine not in {"x86_64", "aarch64"}:
        what = f"The local recogniser does not run on {system} for {machine}"
    elif libc != "glibc":
        what = "The local recogniser needs glibc; this system has another C library (musl, as on Alpine)"
    elif _version(libc_version) < OLDEST_GLIBC:
        what = f"The local recogniser needs glibc {OLDEST_GLIBC[0]}.{OLDEST_GLIBC[1]} or later; this is {libc_version}"
    if what:
        return Failure(what, ANOTHER_ENGINE, ExitCode.ENGINE)
    return Failure("The package onnxruntime is not installed", INSTALL_AGAIN, ExitCode.ENGINE)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _too_slow() -> Lost:
    what = f"The local recogniser did not load its model within {LOAD_S:.0f} s"
    return Lost(Failure(what, "Close other programs, or choose another engine with --engine", ExitCode.ENGINE))


class LocalEngine:
    """Moonshine tiny-en, one process for all connections."""

    Options: ClassVar = LocalOptions
    name: Final = "local"
    title: Final = "local · moonshine tiny-en · English"
    # Its word times come after the words or are guessed, so no connection may be cut by them: not `word_times`.
    capabilities: Final = Capabilities(block_ms=(1, 1000), confidence=True, languages=("en",), offline=True, loads=True)

    def __init__(self, options: LocalOptions, log: Path) -> None:
        """Prepare; nothing is started.

        Args:
            options: What the process is told when it starts.
            log: The file that the processes' stderr is appended to.
        """
        self._options = options
        self._log = log
        self._processes: list[ModelProcess] = []
        """None or one: the one that connections are opened on."""
        self._choosing = asyncio.Lock()

    async def check(self, request: Request) -> Failure | None:
        """What stands in the way: the platform, the model's files, the language."""
        if request.language is not None and request.language.split("-")[0].lower() != "en":
            return Failure(
                f"The local recogniser knows English only, not {request.language}", ANOTHER_ENGINE, ExitCode.ENGINE
            )
        return obstacle()

    async def preload(self) -> None:
        """Start loading the model, without waiting for it. Raises `Lost`."""
        async with self._choosing:
            if not self._processes:
                await self._start()

    async def connect(self, request: Request) -> LocalConnection:
        """Open a connection once the model is loaded (seconds the first time). Raises `Lost`."""
        if failure := await self.check(request):
            raise Lost(failure, retry=False)
        async with self._choosing:
            connection = (await self._free_process()).open()
        if request.key_terms:
            await connection.update(Changes(request.key_terms))
        return connection

    async def close(self) -> None:
        """End every process, within two seconds; connections still open are lost."""
        processes, self._processes = self._processes, []
        await asyncio.gather(*(process.end() for process in processes))

    async def _free_process(self) -> ModelProcess:
        """The process that is warm, or else a new one, its model loaded."""
        for process in list(self._processes):
            if await process.free():
                return process
            await self._discard(process)
        process = await self._start()
        if not await process.free():
            lost = process.lost or _too_slow()
            await self._discard(process)
            raise lost
        return process

    async def _start(self) -> ModelProcess:
        folder = bundled.FOLDER / bundled.MOONSHINE
        options = ("--second-pass", self._options.second_pass, "--word-times", self._options.word_times)
        process = await ModelProcess.start(folder, self._log, *options)
        self._processes.append(process)
        return process

    async def _discard(self, process: ModelProcess) -> None:
        if process in self._processes:  # unless `close` has taken it meanwhile
            self._processes.remove(process)
        await process.kill()
