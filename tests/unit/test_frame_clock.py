"""The clock of the screen, in virtual time: frames while something moves, next to none while nothing does."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

from mictape.frame_clock import BLURRED_HZ, NUDGED_S, FrameClock
from support.virtual_time import run


class Watched:
    """A clock that counts its frames and looks, and what it looks at."""

    def __init__(self) -> None:
        self.frames: list[float] = []
        self.whole: list[float] = []
        """Those in which everything was brought up to date."""
        self.looks = 0
        self.value: Callable[[], object] = lambda: None
        self.counted: Callable[[], object] = lambda: None
        self.clock = FrameClock(self._draw, self._move, self._observe, self._count)

    def _draw(self) -> None:
        self._move()
        self.whole.append(self.frames[-1])

    def _move(self) -> None:
        self.frames.append(asyncio.get_running_loop().time())

    def _count(self) -> object:
        return self.counted()

    def _observe(self) -> object:
        self.looks += 1
        return self.value()

    async def run(self, seconds: float) -> None:
        running = asyncio.create_task(self.clock.run())
        await asyncio.sleep(seconds)
        running.cancel()


def test_at_rest_there_is_a_frame_every_two_seconds() -> None:
    async def check() -> None:
        watched = Watched()
        await watched.run(60)
        assert 28 <= len(watched.frames) <= 34
        assert watched.looks <= 320

    run(check())


def test_at_rest_looks_come_with_what_wakes_the_process_anyway() -> None:
    async def check() -> None:
        watched = Watched()
        running = asyncio.create_task(watched.clock.run())
        loop = asyncio.get_running_loop()
        seen: list[float] = []
        watched.counted = lambda: seen.append(loop.time())
        reports: list[float] = []
        await asyncio.sleep(0.19)
        for at in range(100):
            await asyncio.sleep(0.29 if at % 2 else 0.19)
            reports.append(loop.time())
            watched.clock.reported()
        await asyncio.sleep(0.01)
        running.cancel()
        assert seen[2:] == reports, "a look at each report, and no other"

    run(check())


def test_frequent_reports_cost_few_looks() -> None:
    async def check() -> None:
        watched = Watched()
        running = asyncio.create_task(watched.clock.run())
        for _ in range(1_000):
            await asyncio.sleep(0.04)
            watched.clock.reported()
        running.cancel()
        assert watched.looks <= 260, "in 40 s"
        before = watched.looks
        watched.clock.moving_hz = BLURRED_HZ
        watched.value = lambda: watched.looks
        running = asyncio.create_task(watched.clock.run())
        for _ in range(100):
            await asyncio.sleep(0.04)
            watched.clock.reported()
        running.cancel()
        assert watched.looks - before <= 22, "in 4 s in which the frames look anyway"

    run(check())


def test_what_only_counts_is_drawn_once_for_each_value() -> None:
    async def check() -> None:
        watched = Watched()
        loop = asyncio.get_running_loop()
        watched.counted = lambda: int(loop.time())
        await watched.run(60)
        assert 60 <= len(watched.frames) <= 66, "one frame a second, and those of the start"

    run(check())


def test_text_is_drawn_soon_while_levels_move_more_slowly() -> None:
    async def check() -> None:
        watched = Watched()
        loop = asyncio.get_running_loop()
        watched.value = lambda: watched.looks
        running = asyncio.create_task(watched.clock.run())
        await asyncio.sleep(5.01)
        changed = loop.time()
        watched.counted = lambda: "a word"
        watched.clock.nudge()
        await asyncio.sleep(1)
        running.cancel()
        first = min(frame for frame in watched.frames if frame >= changed)
        assert first - changed <= 1 / 30 + 0.001

    run(check())


def test_at_rest_a_nudge_shows_what_has_changed_at_once_and_many_do_not_show_it_more_often() -> None:
    async def check() -> None:
        watched = Watched()
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(watched.clock.run())
        await asyncio.sleep(5.01)
        before, changed = watched.looks, loop.time()
        watched.counted = lambda: "a word"
        for _ in range(100):
            watched.clock.nudge()
            await asyncio.sleep(0.001)
        running.cancel()
        assert min(frame for frame in watched.frames if frame >= changed) - changed <= 1 / 30 + 0.001
        assert watched.looks - before <= 4

    run(check())


def test_while_something_moves_every_frame_is_drawn() -> None:
    async def check() -> None:
        watched = Watched()
        watched.value = lambda: watched.looks
        await watched.run(10)
        assert 145 <= len(watched.frames) <= 152
        assert watched.looks <= len(watched.frames) + 1, "nothing is looked for that no frame shows"
        assert 36 <= len(watched.whole) <= 41, "all of the screen nearly four times a second"
        watched.frames.clear()
        watched.clock.moving_hz = BLURRED_HZ
        await watched.run(10)
        assert 48 <= len(watched.frames) <= 52

    run(check())


def test_rising_levels_cost_no_look_and_text_delays_no_frame() -> None:
    async def check() -> None:
        watched = Watched()
        watched.value = lambda: watched.looks
        running = asyncio.create_task(watched.clock.run())
        await asyncio.sleep(1)
        before = watched.looks
        for _ in range(50):
            watched.clock.rise()
            await asyncio.sleep(0.02)
        assert watched.looks - before <= 16
        watched.frames.clear()
        for _ in range(50):
            watched.clock.nudge()  # of which no text comes
            await asyncio.sleep(0.02)
        running.cancel()
        assert max(later - frame for frame, later in pairwise(watched.frames)) <= 0.07

    run(check())


def test_a_key_is_looked_at_when_it_was_acted_on() -> None:
    async def check() -> None:
        watched = Watched()
        running = asyncio.create_task(watched.clock.run())
        await asyncio.sleep(5.05)
        watched.clock.nudge(NUDGED_S)
        await asyncio.sleep(0.03)
        watched.counted = lambda: "acted on"
        frames = len(watched.frames)
        await asyncio.sleep(0.005)
        running.cancel()
        assert len(watched.frames) == frames + 1

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
        watched.clock.rise()
        await asyncio.sleep(1)
        running.cancel()
        assert watched.frames[0] - began <= 0.1
        assert len([frame for frame in watched.frames if frame - began <= 0.4]) >= 4, "and goes on for a while"

    run(check())
