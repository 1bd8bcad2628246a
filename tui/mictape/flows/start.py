"""What the app begins with: a session that was cut off, a file, or a device."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from mictape.audio.source_spec import FileSource, SourceSpec
from mictape.flows.devices import DeviceFlow
from mictape.flows.library import LibraryFlow
from mictape.library.titles import title_of
from mictape.recording import Recording
from mictape.screens.main.page import Page
from mictape.screens.recover import Interrupted, RecoverScreen
from mictape.session.recovery import StoredSession, close_as_is, load_to_continue, newest_interrupted
from mictape.start import Start
from mictape.units import RATE

T = TypeVar("T")


class StartFlow:
    """Asks what to begin with."""

    def __init__(
        self, page: Page, recording: Recording, devices: DeviceFlow, library: LibraryFlow, start: Start
    ) -> None:
        """`start`: what was asked for on the command line."""
        self._page = page
        self._recording = recording
        self._devices = devices
        self._library = library
        self._start = start

    async def choose(self) -> tuple[StoredSession | None, SourceSpec] | None:
        """What to go on with, if anything, and what to record; None when the app is left instead."""
        return await self._unless_stopped(self._choose())

    async def _choose(self) -> tuple[StoredSession | None, SourceSpec] | None:
        start, continued = self._start, None
        if start.reads:
            continued = await self._library.instead_of_recording(start)
            if continued is None:
                return None
        elif start.continued is not None:
            continued = await load_to_continue(self._recording.library, start.continued)
        else:
            continued = await self._interrupted()
        if self._recording.stopping:
            return None
        file = start.file
        spec = FileSource(file, "real") if file is not None else await self._devices.first_source(continued)
        return None if spec is None else (continued, spec)

    async def _interrupted(self) -> StoredSession | None:
        """The newest session that was cut off, if there is one and the person wants to go on with it."""
        remains = await newest_interrupted(self._recording.library)
        if remains is None:
            return None
        names = tuple(track.name for track in (remains.tracks[0].track, *remains.added))
        session = remains.session
        title, missing_s = title_of(session), remains.open / RATE
        found = Interrupted(session.started, remains.samples, session.lines, missing_s, title, names)
        choice = await self._page.app.push_screen_wait(RecoverScreen(found))
        if choice == "new":
            await close_as_is(self._recording.library, remains)
        return remains if choice == "continue" else None

    async def _unless_stopped(self, choosing: Coroutine[object, object, T]) -> T | None:
        """What it returns; None once the app is left, at a question or while it waits: then it is cancelled.

        Raises what it raises.
        """
        chosen = asyncio.ensure_future(choosing)
        stopped = asyncio.ensure_future(self._recording.stopped.wait())
        try:
            await asyncio.wait([chosen, stopped], return_when=asyncio.FIRST_COMPLETED)
            left = stopped.done()
        finally:
            for task in (chosen, stopped):
                task.cancel()
            await asyncio.wait([chosen, stopped])
        result = None if chosen.cancelled() else chosen.result()  # closing what was read may have failed
        return None if left else result
