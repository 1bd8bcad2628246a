"""A screen with a transcript, as its controllers see it: the text, its session, and a way to show messages."""

from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from textual import getters
from textual.app import App
from textual.geometry import Offset
from textual.scrollbar import ScrollBar
from textual.widget import Widget
from textual.worker import Worker

from mictape.commands import explained, keymap_in
from mictape.failure import Advice, Failure, MictapeError
from mictape.screens.layered import Layered
from mictape.tasks import supervised
from mictape.transcript.line import Line
from mictape.transcript.model import Transcript
from mictape.typed_ahead import typed_ahead_of
from mictape.widgets.key_footer import KeyFooter
from mictape.widgets.transcript_view import TranscriptView

if TYPE_CHECKING:  # loaded after the first frame
    from mictape.session.session import Session
    from mictape.widgets.search_bar import SearchBar

Commands = Mapping[str, Callable[[], object]]
"""What carries out the commands of a controller, by their ids in `mictape.commands`."""


STARTING: Final = "Mictape is still starting."

NOTHING_YET: Final = Failure("Nothing is recorded yet", "Wait until it is, or choose a device", action="choose_device")


class Page(Layered[None]):
    """A screen with a transcript."""

    app = cast("getters.app[App[None]]", getters.app(App))  # isinstance knows no type arguments
    view: TranscriptView
    """The text."""
    footer: KeyFooter
    search_bar: "SearchBar | None" = None
    """Once something was searched for."""

    session: "Session | None" = None
    """The session that the text is of, once there is one."""
    spare: Path | None = None
    """Where a copy goes when there is no clipboard."""
    asks = 0
    """How many dialogs are open, or are being answered."""

    @property
    def transcript(self) -> Transcript:
        """The text that is shown."""
        return self.view.transcript

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        id = self.view.cursor_id
        return None if id is None or id not in self.transcript else self.transcript.line_of(id)

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """As Textual's, which asks it what the mouse selects: nothing but text that is in sight.

        A selection with an end on a message or beside the text would go on to the first line of all, or to the last.
        """
        if self._selecting:
            area = self.view.scrollable_content_region
            x, y = max(area.x, min(x, area.right - 1)), max(area.y, min(y, area.bottom - 1))
        widget, offset = super().get_widget_and_offset_at(x, y)
        return (widget, offset) if widget is self.view or isinstance(widget, ScrollBar) else (None, None)

    def start(
        self, work: Coroutine[Any, Any, None], what: str, *, group: str = "default", exclusive: bool = False
    ) -> Worker[None]:
        """Run `work` beside the screen; a failure of it is shown, an unexpected one is logged with its traceback.

        Args:
            work: The coroutine; it may show dialogs and wait for their answers.
            what: The subject of the sentence about an unexpected error: `The export`.
            group: Of Textual's workers.
            exclusive: Whether it ends the others of its group.
        """
        supervision = supervised(work, what, self.say)
        return self.run_worker(supervision, group=group, exclusive=exclusive, exit_on_error=False)

    def ask(self, work: Coroutine[Any, Any, None], what: str, *, group: str = "default") -> Worker[None]:
        """As `start`, for work that opens a dialog: what is typed before it is there waits for it."""
        opened = self.opening()
        self.asks += 1

        async def asking() -> None:
            try:
                await work
            finally:
                self.asks -= 1
                self.answered()
                opened()

        return self.start(asking(), what, group=group)

    def opening(self) -> Callable[[], object]:
        """A dialog is about to open, see `TypedAhead.opening`."""
        return typed_ahead_of(self.app).opening()

    def answered(self) -> None:
        """A dialog was answered, and what follows from that is done."""

    async def typed(
        self,
        title: str,
        *,
        hint: str = "",
        value: str = "",
        check: Callable[[str], object] | None = None,
        replaces: bool = False,
    ) -> str | None:
        """Ask for a line of text, see `Ask`; None when the question was left."""
        from mictape.screens.prompt import Ask  # loaded after the first frame

        return await self.app.push_screen_wait(Ask(title, hint=hint, value=value, check=check, replaces=replaces))

    @contextmanager
    def saying(self) -> Generator[None]:
        """Failures inside are shown, and the screen goes on."""
        try:
            yield
        except MictapeError as error:
            self.say(error.failure)

    def say(self, what: str | Advice) -> None:
        """Show a message that goes by itself; a failure as a warning."""
        severity = "warning" if isinstance(what, Failure) else "information"
        text = explained(what, keymap_in(self)) if isinstance(what, Advice) else what
        self.notify(text, severity=severity, markup=False)

    def say_all(self, advice: Iterable[Advice]) -> None:
        """Show several messages."""
        for each in advice:
            self.say(each)
