"""Finished sessions that are open to be read, beside what is recorded."""

from pathlib import Path

from mictape.audio.ports import SoundPort
from mictape.library.library import Library
from mictape.recording.engines import Engines
from mictape.session.recovery import load_session
from mictape.session.session import Session
from mictape.vad.client import Listening


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

    async def open(self, library: Library, which: str) -> Session:
        """Open a finished session; `close` closes it.

        Raises MictapeError, also when it is recorded or open already.
        """
        session = await Session.read(
            library,
            await load_session(library, which),
            self._engines.in_use,
            self._engines.request,
            log=self._log,
            sound=self._sound,
            listening=self._listening,
        )
        self._open.append(session)
        self._engines.users.append(session)
        return session

    async def close(self, session: Session) -> None:
        """Close one of them. Raises MictapeError when something could not be stored."""
        self._open.remove(session)
        self._engines.users.remove(session)
        await session.close()

    async def close_all(self) -> None:
        """Close those that are open. Raises MictapeError when something could not be stored."""
        for session in self._open[:]:
            await self.close(session)
