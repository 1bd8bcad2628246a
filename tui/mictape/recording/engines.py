"""The engines of one recording: each is made once, and closed once."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mictape.engines.base import Engine
from mictape.failure import ExitCode, unexpected


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine that the person has chosen."""

    name: str
    model: str = ""
    """A model of the local engine; empty: the one that the settings name."""
    language: str | None = None
    """What is spoken; None: what the settings say."""


class Engines:
    """Makes engines by name and closes those that it made."""

    def __init__(self, make: Callable[[str], Engine]) -> None:
        """`make` makes the engine of a name; it may take long and raise MictapeError."""
        self._make = make
        self._made: dict[str, Engine] = {}

    def get(self, name: str) -> Engine:
        """The engine of this name, made at the first call. Raises MictapeError."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def put(self, name: str, engine: Engine) -> None:
        """Take another engine for this name from now on; the one before is closed by `close`."""
        self.renew(name)
        self._made[name] = engine

    def renew(self, name: str) -> None:
        """Make the engine of this name again when it is asked for; the one before is closed by `close`."""
        if (before := self._made.pop(name, None)) is not None:
            self._made[f"{name}, before {id(before)}"] = before

    async def close(self, *, except_for: Iterable[Engine | None] = ()) -> None:
        """Close all engines but these. One that cannot be closed is logged."""
        kept = {id(engine) for engine in except_for}
        closing = {name: engine for name, engine in self._made.items() if id(engine) not in kept}
        for name in closing:
            del self._made[name]
        await asyncio.gather(*map(_close, closing.values()))


async def _close(engine: Engine) -> None:
    try:
        await engine.close()
    except Exception as error:
        unexpected(error, f"Closing {engine.title}", code=ExitCode.ENGINE)
