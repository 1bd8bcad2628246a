"""How long to wait before the next attempt, and how many there may be in a minute."""

import asyncio
import math
import random
from collections import deque
from typing import Final

BASE_S: Final = 0.5
CAP_S: Final = 10.0
"""The longest wait for a network that has come back."""
MINUTE_S: Final = 60.0


def delay_s(failures: int, *, after_s: float = 0.0, chance: float | None = None) -> float:
    """Seconds to wait after `failures` failed attempts in a row.

    None at all after the first one, since most connections that break can be opened again at once; then
    exponential with full jitter, so that many clients cut off together do not come back together.

    Args:
        failures: Failed attempts in a row, this one included; at least 1.
        after_s: What the other side asked for; never less is waited.
        chance: 0 to 1 instead of a random number, for tests.
    """
    if failures <= 1:
        return after_s
    span = min(CAP_S, BASE_S * 2 ** min(failures - 2, 16))
    return max(after_s, span * (random.random() if chance is None else chance))


class Limiter:
    """Keeps within a vendor's connections per minute, those included that it refuses."""

    def __init__(self, per_minute: int | None) -> None:
        """Allow `per_minute` attempts in any 60 s; None: any number."""
        self._attempts: deque[float] | None = None if per_minute is None else deque(maxlen=per_minute)
        self._turn = asyncio.Lock()

    async def attempt(self) -> float:
        """Return when another attempt may be made, and count it: its time by the loop's clock."""
        clock = asyncio.get_running_loop().time
        if self._attempts is None:
            return clock()
        async with self._turn:
            if len(self._attempts) == self._attempts.maxlen:
                await asyncio.sleep(max(0.0, self._attempts[0] + MINUTE_S - clock()))
            self._attempts.append(clock())
            return self._attempts[-1]

    def forget(self, attempt_s: float) -> None:
        """Do not count the attempt of that time: it did not reach the vendor."""
        if self._attempts is not None and attempt_s in self._attempts:
            self._attempts.remove(attempt_s)

    def left(self, until_s: float) -> float:
        """How many attempts may still be made up to a time of the loop's clock."""
        if self._attempts is None or self._attempts.maxlen is None:
            return math.inf
        return self._attempts.maxlen - sum(at + MINUTE_S > until_s for at in self._attempts)
