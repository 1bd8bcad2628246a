"""Reading finished sessions, beside a recording or instead of one."""

from textual.screen import ModalScreen

from mictape.failure import MictapeError
from mictape.library.library import Store
from mictape.recording import Recording
from mictape.recording.start import Start
from mictape.screens.library.listing import SessionChoice
from mictape.screens.library.screen import LibraryScreen
from mictape.screens.main.exporting import Proposal
from mictape.screens.main.page import Commands, Page
from mictape.screens.reading import ReadingScreen
from mictape.session.recovery import StoredSession
from mictape.session.session import Session


class LibraryFlow:
    """Shows the library, and the sessions that are chosen there."""

    def __init__(self, page: Page, recording: Recording) -> None:
        self._page = page
        self._recording = recording
        self._typed = ""
        """What was searched for last."""
        self.commands: Commands = {"library": self.open}

    def open(self) -> None:
        """Open the library above what is recorded; from a finished session go back to it."""
        screen = self._page.app.screen
        if isinstance(screen, ReadingScreen):
            screen.go_to("library")
        elif not isinstance(screen, ModalScreen) and not self._recording.stopping:
            self._page.start(self._beside_recording(), "The library", group="library")

    async def _beside_recording(self) -> None:
        while (choice := await self._choose()) is not None:
            with self._page.saying():
                if await self._read(choice) != "library":
                    return

    async def instead_of_recording(self, start: Start) -> StoredSession | None:
        """Show sessions until the person leaves, or wants to record on in one, which is returned.

        Raises:
            MictapeError: the session that was asked for on the command line cannot be opened.
        """
        choice = SessionChoice(start.opened) if start.opened is not None else await self._choose()
        asked_for = start.opened is not None
        while choice is not None:
            try:
                if choice.record_on:
                    return await self._recording.to_continue(choice.session)
                if await self._read(choice) is None:
                    return None
            except MictapeError as error:
                if asked_for:
                    raise
                self._page.say(error.failure)
            asked_for = False
            choice = await self._choose()
        return None

    async def _choose(self) -> SessionChoice | None:
        recorded = self._recording.session
        screen = LibraryScreen(
            self._recording.library,
            recorded=recorded.folder.session if recorded is not None else None,
            typed=self._typed,
            proposal=Proposal.of(self._recording.settings),
        )
        choice = await self._page.app.push_screen_wait(screen)
        self._typed = screen.typed
        return choice

    async def _read(self, choice: SessionChoice) -> str | None:
        """Show a finished session until it is left, and say where to go next. Raises MictapeError."""
        recording = self._recording
        session = await recording.read(choice.session)
        try:
            record = await recording.library.run(Store.session, session.folder.session)
            page = ReadingScreen(
                session,
                record,
                lambda screen: self._begin(screen, session),
                line=choice.line,
                proposal=Proposal.of(recording.settings),
            )
            await self._page.app.push_screen_wait(page)
            return page.next
        finally:
            await recording.close_reading(session)

    def _begin(self, page: ReadingScreen, session: Session) -> None:
        page.begin(session, self._recording.sound.player(), spare=self._recording.where.state / "copied.txt")
