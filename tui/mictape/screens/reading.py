"""A finished session on the screen: the same text and the same commands, without a source."""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Literal

from textual.events import Key, ScreenResume

from mictape.commands import OF_RECORDING, keymap_in, keys_of, named, shown_key
from mictape.failure import Advice
from mictape.library.query import LibraryQuery
from mictape.library.records import SessionRecord
from mictape.library.titles import title_of
from mictape.screens.main.exporting import Proposal
from mictape.screens.main.history import History, Step
from mictape.screens.main.page import Page
from mictape.screens.main.transcript_screen import TranscriptScreen
from mictape.session.session import Session
from mictape.session.state import State, Status
from mictape.typed_ahead import typed_ahead_of
from mictape.units import clock

Next = Literal["recording", "library"]
"""Where to go from a finished session."""


class ReadingScreen(TranscriptScreen):
    """Shows a finished session."""

    GROWS: ClassVar[bool] = False

    DEFAULT_CSS = "ReadingScreen { TranscriptView { margin-top: 1; } }"  # there is no meter above it

    next: Next | None = None
    """Where the person wants to go from here; None when the app is left instead."""
    wish: int | None = None
    """The number of the version that is to be shown once the session is closed here."""
    reopens: bool = False
    """Whether it is left to be opened once more: a new version of the text is ready."""

    def __init__(
        self,
        session: Session,
        record: SessionRecord,
        begin: Callable[["ReadingScreen"], None],
        versions: Callable[[SessionRecord], Awaitable[int | None]],
        *,
        doing: Callable[[], str] = str,
        line: int | None = None,
        at: int = 0,
        search: LibraryQuery | None = None,
        proposal: Proposal | None = None,
        history: History | None = None,
    ) -> None:
        """Prepare.

        Args:
            session: What is read.
            record: What the library says of it.
            begin: Gives the screen its session and player, once it is there.
            versions: Shows the versions of its text, and asks which one is to be shown.
            doing: Says how far it is with another version that is being made; empty: none is.
            line: The id of the line that was found and that the cursor begins on; None: the one at that time.
            at: Session time.
            search: What was searched for.
            proposal: What is proposed for exports.
            history: What was done in the session before; None: nothing.
        """
        super().__init__(session.transcript, proposal, history)
        self._record = record
        self._begin = begin
        self._line = line
        self._at = at
        self._search = search
        self._versions = versions
        self._doing = doing
        self._beside_recording = False
        """Whether something is recorded meanwhile."""
        self.commands = {**self.commands, "end_search": self.go_back}

    def on_mount(self) -> None:
        """The cursor begins on the line that was asked for."""
        super().on_mount()
        self._begin(self)
        self.call_after_refresh(self._go_to_first, self.opening())

    async def _go_to_first(self, opened: Callable[[], object]) -> None:
        """Put the cursor where it begins; then what was typed may act on the line there."""
        self.view.pull()
        self.view.to_start()
        if self._line is not None and self._search is not None:
            await self.go_to_found(self._line, self._search)
        elif self._at and (index := self.transcript.index_at(self._at)) is not None:
            self.view.go_to(self.transcript.id_at(index))
        opened()

    def go_back(self) -> None:
        """Close the search that was begun here; without one, leave the session."""
        if (bar := self.search_bar) is not None and bar.is_open and not bar.given:
            self._searching.end_search()
        else:
            self.go_to("recording")

    def show_versions(self) -> None:
        """Show the versions of the text; to show another one, the session is closed first."""
        self.ask(self._ask_for_version(), "The versions")

    async def _ask_for_version(self) -> None:
        number, shown = await self._versions(self._record), self._record.version
        if number is not None and number != shown:
            self.show_version(number)
            self.history.did(f"choosing version {number}", showing(shown, number))

    def show_version(self, number: int) -> None:
        """Leave the session, to show another version of its text. Raises KeyError when it is being left already."""
        if self.wish is not None or self.next is not None:
            raise KeyError(number)
        self.wish = number
        self._replace()

    def on_key(self, event: Key) -> None:
        """Say why a key that is for a recording does nothing here."""
        keymap = keymap_in(self)
        if not any(event.key in keys_of(named(id), keymap) for id in OF_RECORDING):
            return
        event.stop()
        if self._beside_recording:
            back = shown_key("end_search", keymap)
            self.say(Advice("What is recorded is not on this screen", f"Go back to it first ({back})"))
        else:
            library = shown_key("library", keymap)
            self.say(
                Advice("This session has ended; nothing is recorded", f"Continue it in the library ({library}, ^g)")
            )

    def _replace(self) -> None:
        """Leave, and have what is typed wait for the screen that comes."""
        typed_ahead_of(self.app).replacing()
        self.dismiss()

    def reopen(self) -> None:
        """Leave, to be opened once more, as soon as no dialog is above it and what was asked there is done."""
        self.reopens = True
        self.answered()

    def answered(self) -> None:
        """If it is to be opened once more, now it can be."""
        if self.reopens and self.is_current and not self.asks and self.wish is None and self.next is None:
            self._replace()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """No dialog is above it any more. Textual calls the method of `TranscriptScreen` as well."""
        del event
        self.answered()

    def go_to(self, next: Next) -> None:
        """Leave the session."""
        self.next = next
        self.dismiss()

    def show_recording(self, recorded: Status | None) -> None:
        """Show what is true now, and the state of what is recorded meanwhile."""
        record, line, self._beside_recording = self._record, self.line, recorded is not None
        hint = None
        if recorded is not None:
            what = f"Recording goes on: {recorded.state}, {clock(recorded.position)}"
            hint = Advice(what, f"Go back to it ({shown_key('end_search', keymap_in(self))})")
        elif doing := self._doing():
            hint = Advice(
                f"Another version of the text: {doing}", "Cancel it in the list of versions", action="versions"
            )
        given = self.session.title if self.session is not None else ""
        name, when = given or title_of(record), f"{record.started:%a %d %b %Y, %H:%M}"
        status = Status(
            State.READING,
            device=name or when,
            engine=" · ".join(filter(None, (when if name else "", clock(record.samples)))),
            position=line.start if line is not None else 0,
            hint=hint,
        )
        self.show_text(status)


def showing(number: int, back: int) -> Step:
    """Shows a version of the text; what does it again shows the other one."""

    def step(page: Page) -> Step:
        if not isinstance(page, ReadingScreen):
            raise KeyError(number)
        page.show_version(number)
        return showing(back, number)

    return step
