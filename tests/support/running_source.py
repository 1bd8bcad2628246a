"""A source on a real capture process, with everything it reported."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from mictape.audio.messages import Opened
from mictape.audio.source import Event, Source, SourceChanged
from mictape.audio.source_spec import SourceSpec
from mictape.audio.tape import Tape
from support.waiting import until_async

E = TypeVar("E", bound=Event)


class Run:
    """A source, its tape, and everything it has reported."""

    def __init__(self, spec: SourceSpec, folder: Path) -> None:
        self.tape = Tape(folder, 1)
        self.folder = folder
        self.source = Source(spec, folder, 1, self.tape, log=folder / "log")
        self.events: list[Event] = []
        self.listener: asyncio.Task[None] | None = None

    async def open(self) -> Opened:
        opened = await self.source.open()
        self.listener = asyncio.create_task(self._listen())
        return opened

    async def until_reported(self, kind: type[E], fits: Callable[[E], bool] = lambda _: True) -> E:
        def reported() -> list[E]:
            return [event for event in self.events if isinstance(event, kind) and fits(event)]

        return (await until_async(reported, what=str(kind)))[0]

    async def until_samples(self, samples: int) -> int:
        return await asyncio.wait_for(self.tape.wait(samples - 1), 20)

    @property
    def pid(self) -> int:
        assert self.source._process  # the tests kill it
        return self.source._process.pid

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.events if isinstance(event, SourceChanged)]

    @property
    def sound(self) -> bytes:
        return self.tape.read(0, self.tape.samples)

    async def _listen(self) -> None:
        async for event in self.source:
            self.events.append(event)


@asynccontextmanager
async def source(spec: SourceSpec, folder: Path) -> AsyncGenerator[Run]:
    """A source that is closed at the end, when its process has to be gone."""
    run = Run(spec, folder)
    try:
        yield run
    finally:
        ended = await run.source.close()
        if run.listener:
            await asyncio.wait_for(run.listener, 20)
            assert run.events[-1] == ended
            assert run.source._process is not None
            assert run.source._process.returncode is not None
