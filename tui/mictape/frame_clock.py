"""The clock of the screen: many frames a second while something moves, next to none while nothing does."""

import asyncio
from collections.abc import Callable
from typing import Final

FOCUSED_HZ: Final = 30
BLURRED_HZ: Final = 10
"""Frames a second while something moves, and the terminal has the focus or not."""
LOOK_HZ: Final = 10
"""How often it looks, while nothing moves, whether something does: the longest delay of what moves first, 100 ms."""
REST_S: Final = 0.5
"""While nothing moves, one frame in so many seconds: the state line counts seconds."""
LINGER_S: Final = 0.3
"""So long after the last movement the frames go on at the full rate."""


class FrameClock:
    """Calls `draw` for every frame.

    What is on the screen is pulled, so the clock has to know by itself whether there is something new: `observe`
    returns a value that is compared with the one before. It is called ten times a second at least and has to be cheap.
    """

    def __init__(self, draw: Callable[[], object], observe: Callable[[], object]) -> None:
        """Prepare it; `run` runs it.

        Args:
            draw: Brings the screen up to date.
            observe: Returns something that differs whenever the screen would have to move.
        """
        self.moving_hz = FOCUSED_HZ
        self._draw = draw
        self._observe = observe

    async def run(self) -> None:
        """Draw until cancelled. Raises what `draw` raises."""
        loop = asyncio.get_running_loop()
        seen: object = None
        moved_at = drawn_at = float("-inf")
        while True:
            now = loop.time()
            if (observed := self._observe()) != seen:
                seen, moved_at = observed, now
            moving = now - moved_at < LINGER_S
            if moving or now - drawn_at >= REST_S:
                self._draw()
                drawn_at = now
            await asyncio.sleep(1 / (self.moving_hz if moving else LOOK_HZ))
