"""Waiting in tests: for a condition, with a deadline; never for an amount of time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final, TypeVar, cast

TIMEOUT_S: Final = 20.0
"""Generous: a deadline is there to end a broken test, not to measure a slow machine."""

_POLL_S: Final = 0.02
_LONGEST_POLL_S: Final = 0.1
"""A look that takes long, as one that starts a program, is taken less often: it costs what is waited for its time."""

T = TypeVar("T")


class DeadlinePassedError(AssertionError):
    """What was waited for did not come in time."""

    def __init__(self, what: str, timeout_s: float, last: object) -> None:
        super().__init__(f"{what} did not come within {timeout_s:g} s; the last look gave {last!r}")


def until(condition: Callable[[], T], timeout_s: float = TIMEOUT_S, what: str = "") -> T:
    """Ask `condition` again and again and return its first true answer.

    Raises `DeadlinePassedError` after `timeout_s` seconds, naming `what` was waited for (default: the condition's
    own name). Exceptions of the condition pass through.
    """
    deadline = time.monotonic() + timeout_s
    began = time.monotonic()
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise DeadlinePassedError(what or _name(condition), timeout_s, answer)
        time.sleep(_pause_s(began))
        began = time.monotonic()
    return answer


async def until_async(condition: Callable[[], T | Awaitable[T]], timeout_s: float = TIMEOUT_S, what: str = "") -> T:
    """`until` for coroutines: the loop runs on between two looks; the condition may be a coroutine function."""
    deadline = time.monotonic() + timeout_s
    while True:
        began = time.monotonic()
        asked = condition()
        answer = cast(T, await asked if isawaitable(asked) else asked)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise DeadlinePassedError(what or _name(condition), timeout_s, answer)
        await asyncio.sleep(_pause_s(began))


def _pause_s(began: float) -> float:
    """How long to wait behind a look that began then."""
    return min(max(_POLL_S, 4 * (time.monotonic() - began)), _LONGEST_POLL_S)


def _name(condition: Callable[[], object]) -> str:
    return getattr(condition, "__qualname__", repr(condition))
