"""The clock of the screen: many frames a second while something moves, next to none while nothing does."""

import asyncio
from collections.abc import Callable
from typing import Final

FOCUSED_HZ: Final = 15
BLURRED_HZ: Final = 5
"""Frames a second while something moves, and the terminal has the focus or not."""
NUDGED_S: Final = 1 / 30
"""So far apart are looks that are asked for: text waits so long at most."""
LOOK_S: Final = 0.2
"""How long after a look the next one comes while nothing moves and nothing nudges it: each wakes the process."""
WITH_REPORT_S: Final = 0.15
"""So long after a look, a report of a source brings the next one with it: it wakes the process anyway."""
REPORT_DUE_S: Final = 0.3
"""After such a look the next report is waited for so long; in a quiet room one comes every 0.24 s."""
WHOLE_S: Final = 0.25
"""While something moves, all else is brought up to date so often: numbers that change faster cannot be read."""
REST_S: Final = 2.0
"""While nothing moves or counts, one frame in so many seconds, for what `observe` and `count` do not know of."""
_EARLY_S: Final = NUDGED_S / 2
"""A frame may be so much early: the looks do not meet its time exactly."""
LINGER_S: Final = 0.3
"""So long after the last movement the frames go on at the full rate."""


class FrameClock:
    """Calls `draw` when the whole screen has to be brought up to date, and `move` for the frames between.

    What is on the screen is pulled, so the clock has to know by itself whether there is something new: `observe` and
    `count` return values that are compared with the ones before. They are called three times a second at least and have
    to be cheap; while something moves, with each frame. What has to show sooner is made known by `nudge` and `rise`.
    """

    def __init__(
        self,
        draw: Callable[[], object],
        move: Callable[[], object],
        observe: Callable[[], object],
        count: Callable[[], object],
    ) -> None:
        """Prepare it; `run` runs it.

        Args:
            draw: Brings the screen up to date.
            move: Brings up to date what moves.
            observe: Returns something that differs whenever the screen would have to move.
            count: Returns something that differs when one frame is wanted at the next look: text, seconds, states.
        """
        self.moving_hz = FOCUSED_HZ
        self._draw = draw
        self._move = move
        self._observe = observe
        self._count = count
        self._pause: asyncio.Future[None] | None = None
        """Until the next look, which nothing has brought forward."""
        self._looked_at = float("-inf")
        self._with_report = False
        """Whether the next look comes with a report."""
        self._moving = False

    def nudge(self, after_s: float = 0.0) -> None:
        """Something has changed: look at once, or after some seconds, but not sooner than the looks' least distance."""
        if self._pause is not None:
            loop = asyncio.get_running_loop()
            now = loop.time()
            if (at := max(self._looked_at + NUDGED_S, now + after_s)) > now:
                loop.call_at(at, _end, self._pause)
            else:
                _end(self._pause)
            self._pause = None

    def rise(self) -> None:
        """Something may have begun to move. While something does, its frames show it: no look is needed."""
        if not self._moving:
            self.nudge()

    def reported(self) -> None:
        """A source has reported something: look now, if there would soon be a look."""
        if not self._moving and asyncio.get_running_loop().time() - self._looked_at >= WITH_REPORT_S:
            self._with_report = True
            self.nudge()

    async def run(self) -> None:
        """Draw until cancelled. Raises what `draw` and `move` raise."""
        loop = asyncio.get_running_loop()
        seen: object = None
        counted: object = None
        moved_at = drawn_at = whole_at = float("-inf")
        while True:
            now = self._looked_at = loop.time()
            if (observed := self._observe()) != seen:
                seen, moved_at = observed, now
            self._moving = now - moved_at < LINGER_S
            before, counted = counted, self._count()
            frame_s = 1 / self.moving_hz if self._moving else REST_S
            due = now - drawn_at >= frame_s - _EARLY_S
            if counted != before or (due and now - whole_at >= WHOLE_S - _EARLY_S):
                self._draw()
                drawn_at = whole_at = now
            elif due:
                self._move()
                drawn_at = now
            self._pause = pause = loop.create_future()
            look_s, self._with_report = REPORT_DUE_S if self._with_report else LOOK_S, False
            next_at = max(drawn_at + frame_s, now + _EARLY_S) if self._moving else now + look_s
            timer = loop.call_at(next_at, _end, pause)
            await pause
            timer.cancel()


def _end(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
