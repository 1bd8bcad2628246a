"""The clock of the screen: many frames a second while something moves, next to none while nothing does."""

import asyncio
from collections.abc import Callable
from typing import Final

FOCUSED_HZ: Final = 15
BLURRED_HZ: Final = 5
"""Frames a second while something moves, and the terminal has the focus or not."""
BUSY_LOOK_HZ: Final = 30
"""How often it looks, while something moves, for what is drawn at once: text waits for 33 ms at most."""
LOOK_HZ: Final = 10
"""How often it looks while nothing moves: the longest delay of what comes first, 100 ms."""
REST_S: Final = 2.0
"""While nothing moves or counts, one frame in so many seconds, for what `observe` and `count` do not know of."""
_EARLY_S: Final = 1 / (2 * BUSY_LOOK_HZ)
"""A frame may be so much early: the looks do not meet its time exactly."""
LINGER_S: Final = 0.3
"""So long after the last movement the frames go on at the full rate."""


class FrameClock:
    """Calls `draw` for every frame.

    What is on the screen is pulled, so the clock has to know by itself whether there is something new: `observe` and
    `count` return values that are compared with the ones before. They are called ten times a second at least and have
    to be cheap.
    """

    def __init__(
        self, draw: Callable[[], object], observe: Callable[[], object], count: Callable[[], object] = lambda: None
    ) -> None:
        """Prepare it; `run` runs it.

        Args:
            draw: Brings the screen up to date.
            observe: Returns something that differs whenever the screen would have to move.
            count: Returns something that differs when one frame is wanted at the next look: text, seconds, states.
        """
        self.moving_hz = FOCUSED_HZ
        self._draw = draw
        self._observe = observe
        self._count = count

    async def run(self) -> None:
        """Draw until cancelled. Raises what `draw` raises."""
        loop = asyncio.get_running_loop()
        seen: object = None
        counted: object = None
        moved_at = drawn_at = float("-inf")
        while True:
            now = loop.time()
            if (observed := self._observe()) != seen:
                seen, moved_at = observed, now
            moving = now - moved_at < LINGER_S
            before, counted = counted, self._count()
            wait_s = 1 / self.moving_hz - _EARLY_S if moving else REST_S
            if counted != before or now - drawn_at >= wait_s:
                self._draw()
                drawn_at = now
            await asyncio.sleep(1 / (BUSY_LOOK_HZ if moving else LOOK_HZ))
