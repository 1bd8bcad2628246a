"""Runs coroutines side by side so that none of them can fail unseen."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from mictape.failure import ExitCode, Failure, MictapeError, unexpected

Report = Callable[[Failure], None]


class Tasks:
    """A group of tasks whose failures are reported one by one: the others go on.

    A `MictapeError` is reported as the failure it carries; any other exception is logged with its traceback and
    reported as an unexpected error. Cancelling a task is not a failure.
    """

    def __init__(self, report: Report) -> None:
        """`report` gets the failures of tasks that are started without a reporter of their own."""
        self._report = report
        self._running: set[asyncio.Task[None]] = set()

    def start(
        self,
        work: Coroutine[Any, Any, None],
        what: str,
        *,
        report: Report | None = None,
        code: ExitCode = ExitCode.UNEXPECTED,
    ) -> asyncio.Task[None]:
        """Run `work` as a task that never raises.

        Args:
            work: The coroutine.
            what: The subject of the sentence about an unexpected error: `The recording`.
            report: Gets its failure, instead of the group's own reporter.
            code: The exit code of an unexpected error.
        """
        task = asyncio.create_task(supervised(work, what, report or self._report, code), name=what)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def cancel(self) -> None:
        """Cancel all tasks and wait for them."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end, also when this is cancelled meanwhile: that takes effect afterwards.

    Raises what `work` raises, then also in place of the cancellation.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.result()
        raise


async def supervised(
    work: Coroutine[Any, Any, None], what: str, report: Report, code: ExitCode = ExitCode.UNEXPECTED
) -> None:
    """Run `work` to its end and report its failure; see `Tasks`."""
    try:
        await work
    except MictapeError as error:
        report(error.failure)
    except Exception as error:
        report(unexpected(error, what, code=code))
