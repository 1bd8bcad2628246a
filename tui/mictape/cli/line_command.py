"""`listen --exec`: a shell command for each final line."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final

from mictape.failure import Failure
from mictape.subprocesses import CREATION_FLAGS

RUN_S: Final = 30.0
"""How long one run may take before it is killed."""
FINISH_S: Final = 10.0
"""How long the lines that still wait may take once the recording has ended."""
WAITING: Final = 256
"""Lines that may wait for the command; a further one drops the oldest."""


class LineCommand:
    """Runs a command through the shell, one run at a time and in the order of the lines, with a line on its stdin.

    The command writes to Mictape's own stdout and stderr, or only to stderr, where stdout is for objects. It has a
    process group of its own, so that the terminal's Ctrl-C ends the recording and not the command, and so that all
    that it started can be killed with it.
    """

    def __init__(
        self, command: str, report: Callable[[Failure], None], *, to_stderr: bool = False, run_s: float = RUN_S
    ) -> None:
        """`report` gets what goes wrong, but nothing twice in a row; `to_stderr`: what is printed goes there."""
        self._command = command
        self._stdout = sys.stderr if to_stderr else None
        self._report_to = report
        self._run_s = run_s
        self._waiting: deque[str] = deque()
        self._came = asyncio.Event()
        self._ending = False
        self._last: Failure | None = None

    def add(self, text: str) -> None:
        """Run the command for another line, after those that wait."""
        if len(self._waiting) == WAITING:
            self._waiting.popleft()
            self._report(Failure("The command of --exec is too slow: lines are skipped", "Use a faster command"))
        self._waiting.append(text)
        self._came.set()

    @contextlib.asynccontextmanager
    async def running(self, left: asyncio.Event, *, finish_s: float = FINISH_S) -> AsyncGenerator[None]:
        """Run the command during the block, and then for the lines that wait.

        Args:
            left: Once it is set nothing more is waited for.
            finish_s: How long the lines that wait at the end of the block may take.
        """
        work = asyncio.create_task(self._work(), name="--exec")
        try:
            yield
            self._ending = True
            self._came.set()
            leaving = asyncio.create_task(left.wait())
            await asyncio.wait([work, leaving], timeout=finish_s, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
        finally:
            unfinished = not work.done()
            work.cancel()
            await asyncio.wait([work])
        if unfinished and not left.is_set():
            skipped = f" and {len(self._waiting)} more lines were skipped" if self._waiting else ""
            self._report(Failure(f"The command of --exec did not end in time: it was killed{skipped}"))

    async def _work(self) -> None:
        while self._waiting or not self._ending:
            if self._waiting:
                await self._run(self._waiting.popleft())
            else:
                self._came.clear()
                await self._came.wait()

    async def _run(self, text: str) -> None:
        try:
            process = await asyncio.create_subprocess_shell(
                self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=self._stdout,
                start_new_session=True,
                creationflags=CREATION_FLAGS,
            )
        except OSError as error:
            self._report(Failure(f"The command of --exec cannot be started: {error.strerror}"))
            return
        try:
            await asyncio.wait_for(process.communicate(f"{text}\n".encode()), self._run_s)
        except TimeoutError:
            self._report(Failure(f"The command of --exec took more than {self._run_s:g} s and was killed"))
        else:
            if process.returncode:
                self._report(Failure(f"The command of --exec failed with exit code {process.returncode}"))
        finally:
            if process.returncode is None:
                _kill(process)
                await process.wait()

    def _report(self, failure: Failure) -> None:
        if failure != self._last:
            self._last = failure
            self._report_to(failure)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
