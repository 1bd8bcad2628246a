"""Finished sessions that are open to be read, beside what is recorded."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mictape.audio.ports import SoundPort
from mictape.library.library import Library, Store
from mictape.recording.engines import Engines
from mictape.session.recovery import load_session
from mictape.session.session import Session
from mictape.tasks import to_the_end
from mictape.vad.client import Listening


@dataclass
class _Turn:
    """Who has a session: one that reads it, or one that changes it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while one waits to change it."""


class Readings:
    """Opens and closes them. Their gaps are completed by the engine in use."""

    def __init__(self, engines: Engines, sound: SoundPort, listening: Listening, log: Path) -> None:
        """Prepare.

        Args:
            engines: The engine in use.
            sound: Plays their sound.
            listening: The speech detector.
            log: The file that child processes append to.
        """
        self._engines = engines
        self._sound = sound
        self._listening = listening
        self._log = log
        self._open: list[Session] = []
        self._turns: defaultdict[str, _Turn] = defaultdict(_Turn)
        """By the session's id."""

    async def open(self, library: Library, which: str) -> Session:
        """Open a finished session, once nothing changes it and nothing here reads it; `close` closes it.

        Raises MictapeError, also when it is recorded, or open in another process.
        """
        id = (await library.run(Store.session, which)).id
        lock = self._turns[id].lock
        await lock.acquire()
        try:
            session = await Session.read(
                library,
                await load_session(library, id),
                self._engines.in_use,
                self._engines.request,
                log=self._log,
                sound=self._sound,
                listening=self._listening,
            )
        except BaseException:
            lock.release()
            raise
        self._open.append(session)
        self._engines.users.append(session)
        return session

    async def close(self, session: Session) -> None:
        """Close one of them. Raises MictapeError when something could not be stored."""
        self._open.remove(session)
        self._engines.users.remove(session)
        try:
            await to_the_end(session.close())
        finally:
            self._turns[session.folder.session].lock.release()

    async def wanted(self, session: Session) -> None:
        """Return when an open session should be closed for a moment, since it is to be changed."""
        await self._turns[session.folder.session].wanted.wait()

    @asynccontextmanager
    async def closed(self, id: str) -> AsyncGenerator[None]:
        """Have a session closed as long as this lasts: wait for the one who reads it, and have others wait."""
        turn = self._turns[id]
        turn.wanted.set()
        try:
            async with turn.lock:
                turn.wanted.clear()
                yield
        finally:
            turn.wanted.clear()

    async def close_all(self) -> None:
        """Close those that are open. Raises MictapeError when something could not be stored."""
        for session in self._open[:]:
            await self.close(session)
