"""What the leading connection left behind is filled in by a second one, at its own pace."""

import asyncio

from mictape.engines.base import Engine, Lost
from mictape.intervals import Interval
from mictape.recognition.live import FAR_BEHIND
from mictape.recognition.retry import delay_s
from mictape.recognition.stretches import Work


class Filling:
    """Takes up what lies before the leading connection's stretch, one piece after the other."""

    def __init__(self, work: Work, engine: Engine | None) -> None:
        """Fill in with `engine`; None: what was left behind is a gap."""
        self._work = work
        self._engine = engine

    async def run(self) -> None:
        """Fill in until nothing more can be left behind."""
        while (piece := await self._next()) is not None:
            if self._engine is None:
                self._work.give_up(*piece, "the engine could not keep up")
            elif (lost := await self._fill(self._engine, *piece)) is not None:
                await asyncio.sleep(delay_s(2 if lost.retry else 10, after_s=lost.after))

    async def _next(self) -> Interval | None:
        """The next piece; None when there will be none."""
        while True:
            leading = self._work.leading
            before = leading.link.start if leading is not None else 0
            work = [piece for piece in self._work.open() if piece[1] <= before]
            if work:
                return work[0]
            if self._work.tape.ended and leading is None:
                return None
            await self._work.news(self._work.tape.samples + FAR_BEHIND)

    async def _fill(self, engine: Engine, start: int, end: int) -> Lost | None:
        try:
            return await self._work.carry(await self._work.take(engine, start, end))
        except Lost as lost:
            return lost
