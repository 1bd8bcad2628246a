"""Downloads that go on while something else is done: each is `mictape models install` in a process of its own.

A process, so that nothing about a download can disturb a recording, and so that it can be ended at any moment: what has
come stays, and the next one goes on from there.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from mictape import subprocesses
from mictape.failure import ExitCode, Failure
from mictape.models.catalogue import Model

END_S = 5.0
"""Longest that a download may take to end after it was asked to."""


@dataclass(slots=True)
class Download:
    """One download, as far as it is."""

    model: Model
    bytes: int = 0
    """What is here."""
    failure: Failure | None = None
    """Why it ended without the model."""
    done: bool = False
    """Whether it has ended."""
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)
    cancelled: bool = False

    @property
    def installed(self) -> bool:
        """Whether it ended with the model."""
        return self.done and self.failure is None and not self.cancelled


class Downloads:
    """All downloads of this run of the app."""

    def __init__(self, changed: Callable[[Download], None], *options: str) -> None:
        """Prepare.

        Args:
            changed: Called whenever something about a download is new.
            *options: More of the command line of `mictape models install`.
        """
        self._changed = changed
        self._options = options
        self._all: dict[str, Download] = {}
        self._running: set[asyncio.Task[None]] = set()

    def get(self, name: str) -> Download | None:
        """The newest download of a model."""
        return self._all.get(name)

    def start(self, model: Model) -> Download:
        """Download a model, unless that is going on already."""
        known = self._all.get(model.name)
        if known is not None and not known.done:
            return known
        download = self._all[model.name] = Download(model)
        task = asyncio.create_task(self._run(download))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return download

    async def cancel(self, name: str) -> None:
        """End a download; what has come stays."""
        download = self._all.get(name)
        if download is None or download.done:
            return
        download.cancelled = True
        await _end(download.process)

    async def close(self) -> None:
        """End all of them."""
        await asyncio.gather(*(self.cancel(name) for name in list(self._all)))
        if self._running:
            await asyncio.wait(self._running)

    async def _run(self, download: Download) -> None:
        arguments = ("models", "install", download.model.name, "--json", "--yes", *self._options)
        try:
            process = await subprocesses.start("mictape", *arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            download.process = process
        except OSError as error:
            what = f"The download could not be started: {error.strerror or error}"
            download.failure = Failure(what, "Close other programs and try again", ExitCode.ENGINE)
        else:
            try:
                await self._follow(download, process)
            finally:
                if process.returncode is None:
                    process.kill()
        download.done = True
        self._changed(download)

    async def _follow(self, download: Download, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        complaint = asyncio.create_task(process.stderr.read())
        async for line in process.stdout:
            with contextlib.suppress(ValueError, KeyError):
                download.bytes = json.loads(line)["bytes"]
                self._changed(download)
        said = (await complaint).decode("utf-8", "replace").strip().rpartition("\n")[2]
        if await process.wait() != ExitCode.DONE and not download.cancelled:
            what, _, remedy = said.removeprefix("mictape: ").rstrip(".").rpartition(". ")
            command = f"Type: mictape models install {download.model.name}"
            download.failure = Failure(what or remedy or "The download ended", remedy if what else command)


async def _end(process: asyncio.subprocess.Process | None) -> None:
    """End a process as Ctrl-C does, and by force when that does not help."""
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.terminate()
        else:
            process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
