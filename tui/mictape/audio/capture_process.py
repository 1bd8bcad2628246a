"""A capture process as the app sees it: its arguments, its messages, its commands, its end.

Needs neither numpy nor PortAudio.
"""

import asyncio
import logging
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

from mictape import subprocesses
from mictape.audio.messages import Message
from mictape.audio.source_spec import SourceSpec, StdinSource, descriptors_of, options_of, variables_of

CLOSE_S: Final = 2.0
"""A capture process that has not closed after this long is killed; its tape is whole in any case."""

_DECODER: Final = msgspec.json.Decoder(Message)


class CaptureProcess:
    """One capture process: writes one track's tape, reports on it and takes commands."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, below zero when a signal ended it; None while it runs."""
        return self._process.returncode

    @classmethod
    async def start(
        cls,
        spec: SourceSpec,
        folder: Path,
        track: int,
        *,
        after: Literal["start", "pause", "hole"],
        twins: Sequence[str],
        log: Path | None,
    ) -> Self:
        """Start one.

        Args:
            spec: What it records.
            folder: The session's folder.
            track: The number of the track.
            after: What lies between the last sample on the tape and its first.
            twins: The targets of other devices of the same name, none of which is the one to record.
            log: What its stderr is appended to.
        """
        process = await subprocesses.start(
            "mictape.audio.capture.process",
            *("--folder", str(folder), "--track", str(track), "--after", after),
            *options_of(spec),
            *(f"--twin={target}" for target in twins),
            stdin=None if isinstance(spec, StdinSource) else PIPE,
            stderr=log,
            extra=variables_of(spec),
            pass_fds=descriptors_of(spec),
        )
        return cls(process)

    async def receive(self) -> Message | None:
        """The next message; None when there will be none. A process that cannot be understood is killed."""
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
            return _DECODER.decode(line) if line.endswith(b"\n") else None
        except ValueError:  # no message (msgspec), or no line (asyncio: longer than 64 KiB)
            logging.getLogger(__name__).exception("the capture process cannot be understood")
            self.kill()
            return None

    def command(self, word: Literal["go", "pause", "resume", "close"]) -> None:
        """Send a command, unless the process has closed its pipe or has none."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.is_closing():
            pipe.write(f"{word}\n".encode())

    def terminate(self) -> None:
        """Ask it to end; what reads standard input takes no commands."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def reap(self) -> None:
        """Wait for its end once it has nothing more to say; kill it if that takes longer than `CLOSE_S`."""
        try:
            await asyncio.wait_for(self._process.wait(), CLOSE_S)
        except TimeoutError:
            self.kill()
            await self._process.wait()
