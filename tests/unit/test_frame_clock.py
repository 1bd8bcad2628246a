"""The clock of the screen, in virtual time: frames while something moves, next to none while nothing does."""

import asyncio
from collections.abc import Callable

from mictape.frame_clock import BLURRED_HZ, FrameClock
from support.virtual_time import run


class Watched:
    """A clock that counts its frames and looks, and what it looks at."""

    def __init__(self) -> None:
        self.frames: list[float] = []
        self.looks = 0
        self.value: Callable[[], object] = lambda: None
        self.clock = FrameClock(lambda: self.frames.append(asyncio.get_running_loop().time()), self._observe)

    def _observe(self) -> object:
        self.looks += 1
        return self.value()

    async def run(self, seconds: float) -> None:
        running = asyncio.create_task(self.clock.run())
        await asyncio.sleep(seconds)
        running.cancel()


def test_at_rest_there_are_two_frames_a_second() -> None:
    async def check() -> None:
        watched = Watched()
        await watched.run(60)
        assert 110 <= len(watched.frames) <= 140
        assert watched.looks <= 620

    run(check())


def test_while_something_moves_every_frame_is_drawn() -> None:
    async def check() -> None:
        watched = Watched()
        watched.value = lambda: watched.looks
        await watched.run(10)
        assert 295 <= len(watched.frames) <= 302
        watched.frames.clear()
        watched.clock.moving_hz = BLURRED_HZ
        await watched.run(10)
        assert 98 <= len(watched.frames) <= 102

    run(check())


def test_what_begins_to_move_is_drawn_within_a_tenth_of_a_second() -> None:
    async def check() -> None:
        watched = Watched()
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(watched.clock.run())
        await asyncio.sleep(5.03)
        watched.frames.clear()
        began = loop.time()
        watched.value = lambda: "another"
        await asyncio.sleep(1)
        running.cancel()
        assert watched.frames[0] - began <= 0.1
        assert len([frame for frame in watched.frames if frame - began <= 0.4]) >= 8, "and goes on for a while"

    run(check())
