"""The clock of the screen: many frames a second while something moves, next to none while nothing does."""

import asyncio
from collections.abc import Callable
from typing import Final

FOCUSED_HZ: Final = 15
BLURRED_HZ: Final = 5
"""Frames a second while something moves, and the terminal has the focus or not."""
BUSY_LOOK_HZ: Final = 30
"""How often it looks, while something moves, for what is drawn at once: text waits for 33 ms at most."""
LOOK_HZ: Final = 5
"""How often it looks while nothing moves and nothing nudges it: each look wakes the process."""
WHOLE_S: Final = 0.25
"""While something moves, all else is brought up to date so often: numbers that change faster cannot be read."""
REST_S: Final = 2.0
"""While nothing moves or counts, one frame in so many seconds, for what `observe` and `count` do not know of."""
_EARLY_S: Final = 1 / (2 * BUSY_LOOK_HZ)
"""A frame may be so much early: the looks do not meet its time exactly."""
LINGER_S: Final = 0.3
"""So long after the last movement the frames go on at the full rate."""


class FrameClock:
    """Calls `draw` when the whole screen has to be brought up to date, and `move` for the frames between.

    What is on the screen is pulled, so the clock has to know by itself whether there is something new: `observe` and
    `count` return values that are compared with the ones before. They are called five times a second at least and have
    to be cheap. What has to show sooner is made known by `nudge`.
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
        """Until the next look."""

    def nudge(self) -> None:
        """Something may have changed: look as soon as while something moves."""
        if self._pause is not None:
            asyncio.get_running_loop().call_later(1 / BUSY_LOOK_HZ, _end, self._pause)
            self._pause = None

    async def run(self) -> None:
        """Draw until cancelled. Raises what `draw` and `move` raise."""
        loop = asyncio.get_running_loop()
        seen: object = None
        counted: object = None
        moved_at = drawn_at = whole_at = float("-inf")
        while True:
            now = loop.time()
            if (observed := self._observe()) != seen:
                seen, moved_at = observed, now
            moving = now - moved_at < LINGER_S
            before, counted = counted, self._count()
            due = now - drawn_at >= (1 / self.moving_hz - _EARLY_S if moving else REST_S)
            if counted != before or (due and now - whole_at >= WHOLE_S - _EARLY_S):
                self._draw()
                drawn_at = whole_at = now
            elif due:
                self._move()
                drawn_at = now
            pause = loop.create_future()
            self._pause = None if moving else pause
            timer = loop.call_later(1 / (BUSY_LOOK_HZ if moving else LOOK_HZ), _end, pause)
            await pause
            timer.cancel()


def _end(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
