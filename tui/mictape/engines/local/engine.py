"""The local engine: a model in a child process. No key, no network.

Without anything installed it is Moonshine tiny-en, English; `mictape models` installs others.

The child is started by the first `connect` and stays warm: a connection after a finished one begins at once.
"""

import asyncio
import contextlib
import importlib.util
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from mictape import bundled
from mictape.engines.base import Capabilities, Changes, Lost, Request
from mictape.engines.local.choosing import Chosen, choose_model
from mictape.engines.local.client import LOAD_S, LocalConnection, ModelProcess
from mictape.engines.local.ipc import SecondPass, WordTimes
from mictape.engines.local.spec import to_text
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.paths import places

OLDEST_GLIBC: Final = (2, 28)
"""What the Linux wheels of onnxruntime are built for."""

OLDEST_MACOS: Final = 14
"""What its macOS wheels are built for; there are none for Intel."""

ANOTHER_ENGINE: Final = "Choose another engine with --engine"
INSTALL_AGAIN: Final = "Install Mictape again, or choose another engine with --engine"


class LocalOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be set of the local engine: `[engines.local]`."""

    model: str = ""
    """A model of `mictape models`; empty: the best installed one for the language."""
    second_model: str = ""
    """A model that recognises the lines again when there is time; empty: the same one, neighbouring lines together."""

    second_pass: SecondPass = "live"
    """Whether neighbouring lines are recognised again together: while there is time, at the end, or never."""
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
    """Models on this machine, one process for all connections with the same model."""

    Options: ClassVar = LocalOptions
    name: str = "local"

    def __init__(self, options: LocalOptions, log: Path) -> None:
        """Prepare; nothing is started.

        Args:
            options: Passed to the process when it starts.
            log: The file that the processes' stderr is appended to.
        """
        self._options = options
        self._log = log
        self._where = places()
        self._chosen: Chosen | None = None
        """The model that was chosen last; None when none could be."""
        self._asked = False
        """Whether a model was asked for."""
        self._otherwise: Chosen | None = None
        """Where there is none for the language that was asked for last: what there would be without that."""
        self._language: str | None = None
        """What the latest request asks for."""
        self._processes: dict[ModelProcess, Chosen] = {}
        """The one that connections are opened on, and others as long as they have any."""
        self._choosing = asyncio.Lock()

    @property
    def model(self) -> str:
        """The name of the model that was chosen last; empty before."""
        return self._chosen.model.name if self._chosen is not None else ""

    @property
    def title(self) -> str:
        """The model and the language: `local · moonshine tiny-en · English`."""
        chosen = self._chosen or self._first()
        return f"local · {chosen.title}" if chosen is not None else "local"

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do that was chosen last, in all languages that are installed."""
        chosen = self._chosen or self._first() or self._otherwise
        # Word times come after the words or are guessed, so no connection may be cut by them: not `word_times`.
        return Capabilities(
            block_ms=(1, 1000),
            confidence=chosen is not None and chosen.confidence,
            languages=chosen.languages if chosen is not None else (),
            takes_key_terms=chosen is not None and chosen.takes_key_terms,
            offline=True,
            loads=True,
        )

    async def check(self, request: Request) -> Failure | None:
        """What stands in the way: the platform, the model's files, the language."""
        try:
            self._choose(request)
        except MictapeError as error:
            return error.failure
        return None

    async def preload(self) -> None:
        """Start loading the model, without waiting for it. Raises `Lost`."""
        async with self._choosing:
            if not self._processes:
                await self._start(self._chosen_for(Request()))

    async def connect(self, request: Request) -> LocalConnection:
        """Open a connection once the model is loaded (seconds the first time). Raises `Lost`."""
        chosen = self._chosen_for(request)
        async with self._choosing:
            connection = (await self._free_process(chosen)).open()
        if request.key_terms:
            await connection.update(Changes(request.key_terms))
        return connection

    async def measure(self, pcm: bytes, words: Sequence[str]) -> tuple[tuple[int, int], ...] | None:
        """Measure when the words of one line are said, while nothing more urgent is to be done.

        About 0.15 s of CPU for a second of sound.

        Args:
            pcm: The sound of the line, 16-bit little-endian mono, 16 kHz, up to 30 s.
            words: Its words.

        Returns:
            Where each word begins and ends, in samples; None when the model cannot measure it.

        Raises:
            Lost: There is no model, or its process has ended.
        """
        async with self._choosing:
            process = await self._free_process(self._chosen_for(Request(self._language)))
        return await process.measure(pcm, words)

    async def close(self) -> None:
        """End every process, within two seconds; connections still open are lost."""
        processes, self._processes = list(self._processes), {}
        await asyncio.gather(*(process.end() for process in processes))

    def _choose(self, request: Request) -> Chosen:
        """The model for a request. Raises `MictapeError`."""
        self._asked = True
        if failure := obstacle():
            raise MictapeError(failure)
        self._language, self._chosen, self._otherwise = request.language, None, None
        try:
            self._chosen = self._best(request.language)
        except MictapeError:
            with contextlib.suppress(MictapeError):
                self._otherwise = self._best(None)
            raise
        return self._chosen

    def _best(self, language: str | None) -> Chosen:
        return choose_model(self._where, language, self._options.model, self._options.second_model)

    def _chosen_for(self, request: Request) -> Chosen:
        """The model for a connection. Raises `Lost`."""
        try:
            return self._choose(request)
        except MictapeError as error:
            raise Lost(error.failure, retry=False) from error

    def _first(self) -> Chosen | None:
        """What is chosen before anything is asked for; None when nothing can be, which is not looked for again."""
        if not self._asked:
            with contextlib.suppress(MictapeError):
                return self._choose(Request())
        return None

    async def _free_process(self, chosen: Chosen) -> ModelProcess:
        """A process that is warm and has this model, or else a new one, its model loaded."""
        for process, its in list(self._processes.items()):
            if its != chosen:
                if not process.in_use:  # another model was chosen since
                    await self._discard(process)
            elif await process.free():
                return process
            else:
                await self._discard(process)
        process = await self._start(chosen)
        if not await process.free():
            lost = process.lost or _too_slow()
            await self._discard(process)
            raise lost
        return process

    async def _start(self, chosen: Chosen) -> ModelProcess:
        options = ["--second-pass", self._options.second_pass, "--word-times", self._options.word_times]
        if chosen.second is not None:
            options += ["--second-model", to_text(chosen.second)]
        process = await ModelProcess.start(chosen.model, self._log, *options)
        self._processes[process] = chosen
        return process

    async def _discard(self, process: ModelProcess) -> None:
        self._processes.pop(process, None)  # unless `close` has taken it meanwhile
        await process.kill()
