"""Reading finished sessions, beside a recording or instead of one."""

from functools import partial

from textual.screen import ModalScreen

from mictape.failure import Failure, MictapeError
from mictape.flows.engines import EngineFlow
from mictape.library.library import Store
from mictape.library.records import SessionRecord, VersionRecord
from mictape.library.titles import name_of
from mictape.library.versions import choose_version
from mictape.recording import Recording
from mictape.screens.library.listing import SessionChoice
from mictape.screens.library.screen import LibraryScreen, Shown
from mictape.screens.main.editing import recall_removed
from mictape.screens.main.exporting import Proposal
from mictape.screens.main.history import History
from mictape.screens.main.page import Commands
from mictape.screens.main.transcript_screen import TranscriptScreen
from mictape.screens.reading import Next, ReadingScreen, showing
from mictape.screens.versions import VersionsScreen
from mictape.session.recovery import StoredSession, load_to_continue
from mictape.session.session import Session
from mictape.settings import recall
from mictape.start import Start


class LibraryFlow:
    """Shows the library, and the sessions that are chosen there."""

    def __init__(self, page: TranscriptScreen, recording: Recording, engines: EngineFlow) -> None:
        """`engines` asks for the engine that is to transcribe a session again."""
        self._page = page
        self._engines = engines
        self._recording = recording
        self._shown: Shown | None = None
        """What the library has shown last."""
        self.commands: Commands = {"library": self.open}

    def open(self) -> None:
        """Open the library above what is recorded; from a finished session go back to it."""
        screen = self._page.app.screen
        if isinstance(screen, ReadingScreen):
            screen.go_to("library")
        elif not isinstance(screen, ModalScreen) and not self._recording.stopping:
            self._page.ask(self._beside_recording(), "The library", group="library")

    async def _beside_recording(self) -> None:
        while (choice := await self._choose()) is not None:
            recorded = self._recording.session
            if recorded is not None and choice.session == recorded.folder.session:
                if choice.line is not None and choice.search is not None:
                    await self._page.go_to_found(choice.line, choice.search)
                return
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
                    return await self._to_continue(choice.session)
                if await self._read(choice) is None:
                    return None
            except MictapeError as error:
                if asked_for:
                    raise
                self._page.say(error.failure)
            asked_for = False
            choice = await self._choose()
        return None

    async def _to_continue(self, which: str) -> StoredSession:
        if not self._recording.settings.keep:
            raise MictapeError(Failure("Nothing is kept now, so no session can be resumed", "Start without --no-keep"))
        return await load_to_continue(self._recording.library, which)

    async def _choose(self) -> SessionChoice | None:
        recorded = self._recording.session if self._recording.settings.keep else None
        screen = LibraryScreen(
            await self._recording.stored(),
            recorded=recorded.folder.session if recorded is not None else None,
            shown=self._shown,
            proposal=Proposal.of(self._recording.settings),
            versions=self._change_version,
            doing=lambda: str(self._recording.beside),
        )
        choice = await self._page.app.push_screen_wait(screen)
        self._shown = screen.shown
        if recorded is not None and not recorded.closed:
            await recorded.reread_title()  # it may have been renamed in the list
        return choice

    async def _read(self, choice: SessionChoice) -> Next | None:
        """Show a finished session until it is left, and say where to go next. Raises MictapeError."""
        readings, library = self._recording.readings, await self._recording.stored()
        shown: int | None = None
        history = History()
        while True:
            session = await readings.open(library, choice.session)
            id = session.folder.session
            try:
                record = await library.run(Store.session, id)
                if shown is not None and record.version != shown:
                    history.did(f"showing the new version {record.version}", showing(shown, record.version))
                if shown is None:
                    await recall_removed(session, history)
                page = await self._show(session, record, choice, history)
            finally:
                await readings.close(session)
            if page.wish is not None:
                await self._show_version(record, page.wish)
            elif not page.reopens:
                return page.next
            shown = page.wish or record.version
            choice = SessionChoice(id, at=page.line.start if page.line is not None else 0)

    async def _show(
        self, session: Session, record: SessionRecord, choice: SessionChoice, history: History
    ) -> ReadingScreen:
        """Show an open session until it is left."""
        recording = self._recording
        page = ReadingScreen(
            session,
            record,
            lambda screen: self._begin(screen, session),
            self._ask_for_version,
            doing=lambda: str(recording.beside.of(record.id) or ""),
            line=choice.line,
            at=choice.at,
            search=choice.search,
            proposal=Proposal.of(recording.settings),
            history=history,
        )
        await self._page.app.push_screen_wait(page)
        return page

    def _begin(self, page: ReadingScreen, session: Session) -> None:
        page.view.show_paragraphs(bool(recall(self._recording.where.state_file).paragraphs))
        page.begin(session, self._recording.player(), spare=self._recording.where.state / "copied.txt")
        page.start(page.show_events(session), "The session")
        page.start(self._make_way(page, session), "The new version")

    async def _make_way(self, page: ReadingScreen, session: Session) -> None:
        """Have a session that is open left once it is to be changed."""
        await self._recording.readings.wanted(session)
        page.reopen()

    # Versions of a text.

    async def _ask_for_version(self, record: SessionRecord) -> int | None:
        """Show the versions of a session's text; the one to show from now on, if another. Raises MictapeError."""
        library, beside = await self._recording.stored(), self._recording.beside
        while True:
            record = await library.run(Store.session, record.id)
            screen = VersionsScreen(library, record, lambda: str(beside.of(record.id) or ""))  # noqa: B023 (ends first)
            answer = await self._page.app.push_screen_wait(screen)
            match answer:
                case "cancel":
                    await beside.cancel(record.id)
                case "again":
                    if (engine := await self._engines.ask()) is not None:
                        engines = self._recording.engines
                        make, request = partial(engines.make_for, engine), engines.request_for(engine)
                        beside.start(library, record, make, request, partial(self._report, record))
                        return None
                case _:
                    return answer

    async def _change_version(self, record: SessionRecord) -> None:
        if (number := await self._ask_for_version(record)) is not None:
            await self._show_version(record, number)

    async def _show_version(self, record: SessionRecord, number: int) -> None:
        """Show another version of a session that is closed here. Raises MictapeError."""
        library = await self._recording.stored()
        async with self._recording.readings.closed(record.id):
            await library.run(choose_version, record.id, number)
        self._page.say(f'Version {number} of "{name_of(record)}" is shown.')

    def _report(self, record: SessionRecord, made: VersionRecord | Failure) -> None:
        if isinstance(made, Failure):
            self._page.say(made)
        elif made.complete:
            self._page.say(f'"{name_of(record)}" now has version {made.number} of its text, by {made.title}.')
        else:
            what = f'Version {made.number} of "{name_of(record)}" has gaps, so it is not shown'
            self._page.say(Failure(what, "Choose it in the list of versions if you want it"))
