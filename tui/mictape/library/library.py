"""The library: sessions on disk, for the app and its event loop.

Every method runs on one thread that only the library uses, in the order of the calls; a call that was cancelled
is still carried out. The command line, which has no loop, uses `Store` itself.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from mictape.library.folders import SessionFolder
from mictape.library.records import CoverageRecord, LineRecord, SessionRecord, TrackRecord
from mictape.library.store import BUSY_S, Store
from mictape.units import Span

__all__ = ["CoverageRecord", "Library", "LineRecord", "SessionFolder", "SessionRecord", "Store", "TrackRecord"]

P = ParamSpec("P")
T = TypeVar("T")


class Library:
    """Sessions on disk. What each method does and raises is said at the method of `Store` of the same name."""

    def __init__(self, store: Store, thread: ThreadPoolExecutor) -> None:
        self._store = store
        self._thread = thread

    @classmethod
    async def open(cls, path: Path | None, sessions: Path | None = None, *, busy_s: float = BUSY_S) -> Self:
        """Open the library; with no path nothing is kept.

        Raises:
            MictapeError: (`ExitCode.SOUND`) it cannot be opened, is damaged, or is of a newer Mictape.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="library")
        try:
            store = await _run(thread, Store, path, sessions, busy_s=busy_s)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(store, thread)

    async def close(self) -> None:
        """Carry out what was asked for and close the database."""
        await self._run(self._store.close)
        self._thread.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def sessions_folder(self) -> Path:
        """The folder with one folder a session."""
        return self._store.sessions_folder

    async def create_session(
        self, *, title: str = "", settings: Mapping[str, object] | None = None, started: datetime | None = None
    ) -> SessionFolder:
        """Begin a session and hold its folder."""
        return await self._run(self._store.create_session, title=title, settings=settings, started=started)

    async def resume_session(self, session: str) -> SessionFolder:
        """Hold a session again and open it."""
        return await self._run(self._store.resume_session, session)

    async def close_session(self, session: str, *, ended: datetime | None = None) -> None:
        """Mark a session as ended properly."""
        await self._run(self._store.close_session, session, ended=ended)

    async def delete_session(self, which: str) -> str:
        """Remove all of a session, its sound and its text."""
        return await self._run(self._store.delete_session, which)

    async def add_track(self, session: str, track: TrackRecord) -> None:
        """Add a track to a session."""
        await self._run(self._store.add_track, session, track)

    async def rename_track(self, session: str, number: int, name: str) -> None:
        """Say what a track is called from now on."""
        await self._run(self._store.rename_track, session, number, name)

    async def update_track(self, session: str, number: int, *, samples: int, lost: int) -> None:
        """Say how long a track's tape is and how much of it is holes, both in samples."""
        await self._run(self._store.update_track, session, number, samples=samples, lost=lost)

    async def add_line(self, session: str, line: LineRecord) -> None:
        """Keep a final line, from now on whatever happens to the process."""
        await self._run(self._store.add_line, session, line)

    async def revise_line(self, session: str, line: LineRecord) -> None:
        """Keep what an engine now says of a line; a text a person has edited stays."""
        await self._run(self._store.revise_line, session, line)

    async def set_speaker(self, session: str, line: int, speaker: str) -> None:
        """Say who spoke a line."""
        await self._run(self._store.set_speaker, session, line, speaker)

    async def edit_line(self, session: str, line: int, text: str, heard: str | None) -> None:
        """Keep a person's text of a line beside what the engine said."""
        await self._run(self._store.edit_line, session, line, text, heard)

    async def rename_speaker(self, session: str, track: int, old: str, new: str) -> None:
        """Call a speaker otherwise in every line of a track."""
        await self._run(self._store.rename_speaker, session, track, old, new)

    async def set_mark(self, session: str, line: int, note: str | None) -> None:
        """Mark a line, with a note or an empty one; None takes the mark away."""
        await self._run(self._store.set_mark, session, line, note)

    async def set_coverage(self, session: str, track: int, intervals: Iterable[CoverageRecord]) -> None:
        """Replace what is known of a track's coverage."""
        await self._run(self._store.set_coverage, session, track, tuple(intervals))

    async def sessions(self) -> list[SessionRecord]:
        """All sessions, the newest first."""
        return await self._run(self._store.sessions)

    async def session(self, which: str) -> SessionRecord:
        """The session with this id, the only one whose id begins so, or the newest (`last`)."""
        return await self._run(self._store.session, which)

    async def unfinished(self) -> list[SessionRecord]:
        """Sessions that were never closed and that no living process holds, the newest first."""
        return await self._run(self._store.unfinished)

    async def tracks(self, session: str) -> list[TrackRecord]:
        """The tracks of a session, by number."""
        return await self._run(self._store.tracks, session)

    async def lines(self, session: str, *, words: bool = True) -> list[LineRecord]:
        """The lines of a session in tape order; without their words where nobody looks at them."""
        return await self._run(self._store.lines, session, words=words)

    async def unsure(self, session: str, lines: Sequence[int]) -> dict[int, tuple[Span, ...]]:
        """Where in the texts of lines the words stand that the engine was unsure of."""
        return await self._run(self._store.unsure, session, lines)

    async def coverage(self, session: str, track: int) -> list[CoverageRecord]:
        """How it stands with a track's tape, in tape order."""
        return await self._run(self._store.coverage, session, track)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _run(self._thread, work, *args, **kwargs)


async def _run(thread: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    # Cancelling a call that still waits for the thread would drop it, and with it a line.
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(thread, partial(work, *args, **kwargs)))
