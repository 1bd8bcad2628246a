"""One file after the other: one that fails costs no other."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from mictape.cli.output import say
from mictape.failure import ExitCode, MictapeError

T = TypeVar("T")


async def each_of(things: Iterable[T], work: Callable[[T], Awaitable[int]]) -> int:
    """Do `work` for each thing; the exit code of the first that failed.

    An engine that does not work and a signal end it: neither would the rest go better, nor is it wanted.
    """
    first_code: int = ExitCode.DONE
    for thing in things:
        try:
            code = await work(thing)
        except MictapeError as error:
            code = say(error.failure)
            if error.failure.code == ExitCode.ENGINE:
                return code
        if code >= ExitCode.INTERRUPTED:
            return code
        first_code = first_code or code
    return first_code
