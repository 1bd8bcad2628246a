"""Fills in what the live connection left behind, on a second connection at its own pace."""

import asyncio

from mictape.engines.base import Engine, Lost
from mictape.intervals import Interval
from mictape.recognition.live import FAR_BEHIND
from mictape.recognition.retry import delay_s
from mictape.recognition.stretches import StretchQueue


class Backfill:
    """Takes what lies before the live stretch, one piece after the other."""

    def __init__(self, queue: StretchQueue, engine: Engine | None) -> None:
        """Fill in with `engine`; None: what was left behind is a gap."""
        self._queue = queue
        self._engine = engine

    async def run(self) -> None:
        """Fill in until nothing more can be left behind."""
        while (piece := await self._next()) is not None:
            if self._engine is None:
                self._queue.give_up(*piece, "the engine could not keep up")
            elif (lost := await self._fill(self._engine, *piece)) is not None:
                await asyncio.sleep(delay_s(2 if lost.retry else 10, after_s=lost.after))

    async def _next(self) -> Interval | None:
        """The next piece; None when there will be none."""
        while True:
            if (piece := self._queue.backlog()) is not None:
                return piece
            if self._queue.tape.ended and not self._queue.has_live:
                return None
            await self._queue.wait_for_change(self._queue.tape.samples + FAR_BEHIND)

    async def _fill(self, engine: Engine, start: int, end: int) -> Lost | None:
        try:
            return await self._queue.carry(await self._queue.take(engine, start, end))
        except Lost as lost:
            return lost
