"""The tasks that run for the tracks of a session: each is captured, and followed by the engine."""

import asyncio
from collections.abc import Callable, Sequence

from mictape.failure import ExitCode, Failure
from mictape.session.session import Session
from mictape.session.track import Track
from mictape.tasks import Tasks


class TrackTasks:
    """Starts them once there is a session, and knows when all of them have ended."""

    def __init__(self, report: Callable[[Failure], None]) -> None:
        """`report` gets what fails."""
        self.session: Session | None = None
        """Set once it has begun."""
        self.tasks = Tasks(report)
        """These, and what else is to end with the recording."""
        self._captures: set[asyncio.Task[None]] = set()
        self._follows: set[asyncio.Task[None]] = set()

    @property
    def tracks(self) -> Sequence[Track]:
        """The session's tracks, the first one first; empty before it begins."""
        return self.session.tracks if self.session is not None else ()

    def start(self, track: Track) -> None:
        """Follow and capture a track, unless that is being done."""
        if not track.following:
            self.follow(track)
        if not track.capturing:
            self.capture(track)

    def capture(self, track: Track) -> None:
        """Record a track from its source, until that ends."""
        assert self.session is not None
        task = self.tasks.start(self.session.sound.capture(track), f"Recording {track.device}", code=ExitCode.SOUND)
        self._captures.add(task)

    def follow(self, track: Track) -> None:
        """Turn a track into text, until all of it is settled or the engine has stopped for good."""
        assert self.session is not None
        task = self.tasks.start(self.session.follow(track), "The recognition", code=ExitCode.ENGINE)
        self._follows.add(task)

    async def captured(self) -> None:
        """Wait until nothing is captured any more."""
        await _all_done(self._captures)

    async def followed(self) -> None:
        """Wait until nothing is followed any more."""
        await _all_done(self._follows)


async def _all_done(tasks: set[asyncio.Task[None]]) -> None:
    """Wait until all of them have ended, those that are added meanwhile, too."""
    while running := [task for task in tasks if not task.done()]:
        await asyncio.wait(running)
