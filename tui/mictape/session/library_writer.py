"""Puts what a session is told into the library: in order, behind its back, and again where it failed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from mictape.failure import Failure, MictapeError
from mictape.library.library import Library
from mictape.library.records import LineRecord
from mictape.session.recovery import intervals_of
from mictape.session.track import Track
from mictape.units import Span

RETRY_S: Final = 1.0
"""How long a write that failed waits before it is tried again."""


class Keeper:
    """Writes for one session. Nothing that is asked of it waits or fails; `trouble` hears of what cannot be written.

    Belongs to the event loop it was made in.
    """

    def __init__(self, library: Library, session: str, trouble: Callable[[Failure], None]) -> None:
        self._library = library
        self._session = session
        self._trouble = trouble
        self._writes: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._patient = True
        self._writing = asyncio.create_task(self._write_all(), name="keeper")

    def add_track(self, track: Track) -> None:
        """Keep that there is a track."""
        self.write(partial(self._library.add_track, self._session, track.kept()))

    def rename_track(self, track: Track) -> None:
        """Keep what the person calls it now."""
        self.write(partial(self._library.rename_track, self._session, track.number, track.name))

    def add_line(self, track: Track, line: LineRecord) -> None:
        """Keep a final line, and what it is that was answered with it."""
        self.write(partial(self._library.add_line, self._session, line))
        self.set_coverage(track)

    def revise_line(self, track: Track, line: LineRecord) -> None:
        """Keep what an engine now says of a line."""
        self.write(partial(self._library.revise_line, self._session, line))
        self.set_coverage(track)

    def set_speaker(self, line: int, speaker: str) -> None:
        """Keep who spoke a line."""
        self.write(partial(self._library.set_speaker, self._session, line, speaker))

    def rename_speaker(self, track: int, old: str, new: str) -> None:
        """Keep what a speaker of a track is called now."""
        self.write(partial(self._library.rename_speaker, self._session, track, old, new))

    def edit_line(self, line: int, text: str, heard: str | None) -> None:
        """Keep a person's text of a line, and what the engine said unless that is the same."""
        self.write(partial(self._library.edit_line, self._session, line, text, heard))

    def set_mark(self, line: int, note: str | None) -> None:
        """Keep that a line is marked; None: that it is not any more."""
        self.write(partial(self._library.set_mark, self._session, line, note))

    def set_coverage(self, track: Track) -> None:
        """Keep how it stands with a track's tape."""
        # Taken down now, so that it never claims more than the lines written before it.
        intervals = intervals_of(track.coverage)
        self.write(partial(self._library.set_coverage, self._session, track.number, intervals))
        length = partial(self._library.update_track, samples=track.tape.samples, lost=track.lost)
        self.write(partial(length, self._session, track.number))

    async def unsure(self, lines: Sequence[int]) -> Mapping[int, tuple[Span, ...]]:
        """Where words stand that the engine was unsure of, by the ids of lines, as of now; see `Store.unsure`.

        Asked behind all that is still to be written, so that a line which is on the screen is in the library, too.
        Raises MictapeError.
        """
        answer: asyncio.Future[Mapping[int, tuple[Span, ...]]] = asyncio.get_running_loop().create_future()

        async def read() -> None:
            try:
                spans = await self._library.unsure(self._session, lines)
            except MictapeError as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(spans)

        self.write(read)
        return await answer

    def stop_trying(self) -> None:
        """What fails from now on is not tried again: the session ends."""
        self._patient = False

    async def close(self) -> None:
        """Mark the session as ended properly, once all is written."""
        self.write(partial(self._library.close_session, self._session))
        self._writes.put_nowait(None)
        self.stop_trying()
        await self._writing

    def write(self, write: Callable[[], Awaitable[None]]) -> None:
        """Carry something out behind all that was asked before; a failure of it is told and it is tried again."""
        self._writes.put_nowait(write)

    async def _write_all(self) -> None:
        while (write := await self._writes.get()) is not None:
            told = False
            while not await self._written(write, told=told) and self._patient:
                told = True
                await asyncio.sleep(RETRY_S)

    async def _written(self, write: Callable[[], Awaitable[None]], *, told: bool) -> bool:
        try:
            await write()
        except MictapeError as error:
            if not told:
                self._trouble(error.failure)
            return False
        return True
