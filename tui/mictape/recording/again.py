"""A finished session transcribed once more, from its sound, as a new version of its text.

The sound is followed as it always is, by a session whose text goes to a library in memory. Only once all of it is there
it becomes a version in the library, in one transaction: a process that is killed before that has changed nothing.
"""

from collections.abc import Sequence

from mictape.engines.base import Engine
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library import versions
from mictape.library.library import Library, Store
from mictape.library.records import SessionRecord, VersionRecord
from mictape.session.coverage_records import records_of
from mictape.session.recovery import StoredSession, load_session
from mictape.session.track import Track


class Again:
    """What it needs besides a session: use `begin`, follow `stored` in `copy`, `keep` what was said, `close`."""

    def __init__(self, library: Library, copy: Library, session: SessionRecord, stored: StoredSession) -> None:
        """Use `begin`."""
        self.copy = copy
        """A library in memory that has the session without its text."""
        self.stored = stored
        """The session there."""
        self._library = library
        self._session = session

    @classmethod
    async def begin(cls, library: Library, which: str) -> "Again":
        """Prepare a session of the library to be transcribed.

        Raises:
            MictapeError: (`ExitCode.USAGE`) there is none of that name, it has not ended, or its sound was removed.
        """
        found = await load_session(library, which)
        id = found.session.id
        if found.session.state == "open":
            what = f"Session {id} is being recorded, or was cut off"
            raise MictapeError(Failure(what, "End it, or complete it first: mictape sessions complete", ExitCode.USAGE))
        if not found.samples:
            what = f"The sound of session {id} was removed, so it cannot be transcribed again"
            raise MictapeError(Failure(what, "Choose another session", ExitCode.USAGE))
        copy = await Library.open(None, library.sessions_folder)
        tracks = [left.track for left in found.tracks]
        await copy.run(versions.copy_without_text, found.session, tracks)
        return cls(library, copy, found.session, await load_session(copy, id))

    async def keep(self, engine: Engine, tracks: Sequence[Track]) -> VersionRecord:
        """Add what was said as a version, once the session of the copy is closed. Raises MictapeError."""
        id = self._session.id
        lines = await self.copy.run(Store.lines, id)
        coverage = {track.number: tuple(records_of(track.coverage)) for track in tracks}
        return await self._library.run(
            versions.add_version, id, lines, coverage, engine=engine.name, title=engine.title
        )

    async def close(self) -> None:
        """Close the copy."""
        await self.copy.close()
