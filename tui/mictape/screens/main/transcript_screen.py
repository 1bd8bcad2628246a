"""A transcript with all its commands: what the screens of a recording and of a finished session share."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.css.scalar import ScalarOffset
from textual.events import ScreenResume
from textual.selection import Selection
from textual.widget import Widget

from mictape.commands import explained, keymap_in
from mictape.failure import Advice, Failure
from mictape.screens.main.editing import Editing
from mictape.screens.main.exporting import Exporting, Proposal
from mictape.screens.main.history import History
from mictape.screens.main.navigation import Navigation
from mictape.screens.main.page import Commands, Page
from mictape.screens.main.playing import Playing
from mictape.screens.main.searching import Searching
from mictape.screens.main.selecting import Selecting
from mictape.session.state import Status
from mictape.transcript.line import GAP
from mictape.transcript.model import Transcript
from mictape.typed_ahead import carry_out, typed_ahead_of
from mictape.widgets.key_footer import KeyFooter
from mictape.widgets.status_line import StatusLine
from mictape.widgets.survives import SurvivesErrors
from mictape.widgets.transcript_view import TranscriptView

if TYPE_CHECKING:  # loaded after the first frame
    from mictape.audio.ports import PlayerPort
    from mictape.library.query import LibraryQuery
    from mictape.session.session import Session
    from mictape.widgets.search_bar import SearchBar

GAP_HINT: Final = Advice("This gap has no text yet", "Transcribe it", action="complete_gap")

GAP_BEING_COMPLETED: Final = Advice("This gap is being transcribed")

MESSAGE_ROWS: Final = 4
"""So many empty rows below the text have room for messages."""


class TranscriptScreen(SurvivesErrors, Page):
    """Shows the text of a session. Its controllers carry out the commands; `begin` gives it the session."""

    GROWS: ClassVar[bool] = True
    """Whether text is still coming."""

    def __init__(
        self, transcript: Transcript, proposal: Proposal | None = None, history: History | None = None
    ) -> None:
        """Prepare.

        Args:
            transcript: The text.
            proposal: What is proposed for exports.
            history: What was done in the session before; None: nothing.
        """
        super().__init__()
        # Made here, so that they can be asked at any time, also before the screen is there and while it goes.
        self.view = TranscriptView(transcript, grows=self.GROWS)
        self.status = StatusLine()
        self.footer = KeyFooter()
        self.text = transcript
        """The text, also before the screen is there."""
        self._was_shown = False
        self._messages_row = 0
        """The row of the screen on which messages begin."""
        self._navigation = Navigation(self)
        self._selection = Selecting(self)
        self.history = history or History()
        """What can be undone and done again."""
        self._editing = Editing(self, self._selection, self.history)
        self._playing = Playing(self)
        self.exporting = Exporting(self, self._selection, proposal or Proposal())
        self._searching = Searching(self)
        self.commands: Commands = {
            **self._navigation.commands,
            **self._selection.commands,
            **self._editing.commands,
            **self._playing.commands,
            **self.exporting.commands,
            **self._searching.commands,
            "versions": self.show_versions,
        }
        """What carries out the commands of the screen, by id."""

    def show_versions(self) -> None:
        """Show the versions of the text: what is being recorded has one."""
        self.say(Advice("This session is being recorded", "End it, then open it in the library to transcribe it again"))

    async def show_events(self, session: "Session") -> None:
        """Say what goes wrong in a session, as it happens, until it is closed."""
        from mictape.session.events import SourceEnded, Trouble  # loaded after the first frame

        async for event in session.events():
            match event:
                case Trouble(failure):
                    self.say(failure)
                case SourceEnded(_, warning) if warning:
                    self.say(Failure(warning.rstrip(".")))
                case _:
                    pass

    def action_command(self, id: str) -> None:
        """Carry out one of the screen's commands, on a line that is in sight."""
        self.view.bring_cursor()
        carry_out(self.app, id, self.commands[id])

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self.status
        yield self.view
        yield self.footer

    def on_mount(self) -> None:
        """The keys that move go to the text."""
        self.view.focus()

    def begin(self, session: "Session", player: "PlayerPort", *, spare: Path) -> None:
        """There is a session now; `spare` is where a copy goes when there is no clipboard."""
        self.session = session
        self.spare = spare
        self._playing.begin(player)
        self.view.mark_unsure(session.unsure)
        self.refresh_bindings()

    def on_screen_suspend(self) -> None:
        """A dialog stands above it, and shows the messages."""
        typed_ahead_of(self.app).covered(self)
        self._cover_messages(True)

    def on_screen_resume(self, event: ScreenResume) -> None:
        """It is in sight again, or for the first time: then it has its styles already."""
        event.refresh_styles = event.refresh_styles and self._was_shown
        self._was_shown = True
        self._cover_messages(False)

    def _cover_messages(self, on: bool) -> None:
        """Leave the messages to the dialog above, or show them again; a class of the screen would restyle all of it."""
        for rack in self.query("ToastRack"):  # not there where messages are turned off
            rack.set_class(on, "-covered")

    def on_unmount(self) -> None:
        """Nothing is played any more."""
        self._playing.stop()

    @property
    def selected(self) -> Sequence[int]:
        """The ids of the lines in which something is selected, in the order of the recording."""
        return self._selection.selected

    def validate_selections(self, selections: dict[Widget, Selection]) -> dict[Widget, Selection]:
        """Select nothing of the text that is out of sight, and nothing that comes later."""
        selected = selections.get(self.view)
        return selections if selected is None else {**selections, self.view: self.view.in_sight(selected)}

    def copy_text(self, text: str) -> None:
        """Copy a text of another screen."""
        self._selection.copy_text(text)

    def action_copy_text(self) -> None:
        """Textual's own way to copy what is selected, from the palette and Ctrl-C."""
        self._selection.copy()

    async def go_to_found(self, line: int, query: "LibraryQuery") -> None:
        """Put the cursor on a line, by its id, that a search of the library has found, and search on from there."""
        if line in self.transcript:
            self.view.go_to(line)
            await self._searching.begin_at_cursor(*query.in_session())

    def show_text(self, status: Status) -> None:
        """Show what is true now; what has not changed is not drawn again."""
        line, session = self.line, self.session
        if status.hint is None and line is not None and line.kind is GAP:
            completes = session is not None and session.completes(line.id)
            status = replace(status, hint=GAP_BEING_COMPLETED if completes else GAP_HINT)
        self.status.show(status, partial(explained, keymap=keymap_in(self)))
        self.view.pull()
        self._searching.show_count()
        self._place_messages()

    def _place_messages(self) -> None:
        """Have messages appear below a short text, else at the top of the text, so never over its last line."""
        view = self.view
        empty = view.region.height - view.rows
        row = view.region.bottom - empty if empty > MESSAGE_ROWS else view.region.y
        if row != self._messages_row:
            self._messages_row = row
            offset = ScalarOffset.from_offset((0, row))
            for rack in self.query("ToastRack"):  # not there where messages are turned off
                if rack.children:
                    rack.styles.offset = offset
                else:  # the next message has the screen laid out; here nothing shows that it would be for
                    rack.styles.set_rule("offset", offset)

    # What the search bar reports.

    async def on_search_bar_typed(self, event: "SearchBar.Typed") -> None:
        """Search for something else."""
        await self._searching.search_for(event)

    def on_search_bar_moved(self, event: "SearchBar.Moved") -> None:
        """Go to another hit."""
        self._searching.move(event)

    async def on_search_bar_left(self, event: "SearchBar.Left") -> None:
        """End the search, or stay where one is."""
        await self._searching.leave(event)
