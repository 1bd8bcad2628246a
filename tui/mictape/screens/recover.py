"""What to do with a session that was cut off: continue it, or keep it and start a new one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mictape.plain_text import counted, one_line
from mictape.screens.modal import Question
from mictape.units import clock, span
from mictape.widgets.options import Options

RecoverChoice = Literal["continue", "new"]
"""Go on where it ended, or keep it as it is and start a new session. Nothing is ever deleted here."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A session that ended without being closed."""

    started: datetime
    """When it began; shown in the person's own time zone."""
    samples: int
    """How long its tape is, samples at 16 kHz."""
    lines: int
    """Final lines that it has."""
    untranscribed_s: float
    """Seconds of its tape without an answer."""
    title: str = ""
    """What it is called, or its first words; may be empty."""
    tracks: tuple[str, ...] = ()
    """What the tracks are called that go on when it is continued."""


class RecoverScreen(Question[RecoverChoice | None]):
    """Offers an interrupted session back. The result is None when the app is left instead."""

    quits = True
    CSS_PATH = "recover.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "choose('continue')", "continue"),
        Binding("n", "choose('new')", "new"),
        Binding("escape", "choose('new')", "new", show=False),
        Binding("q", "app.stop", "quit"),
    ]

    _ways = getters.query_one("#ways", OptionList)

    def __init__(self, session: Interrupted) -> None:
        super().__init__()
        self._session = session

    def compose(self) -> ComposeResult:
        """What was found, and the two ways on."""
        with Vertical(id="box") as box:
            box.border_title = "A session was cut off"
            yield Static(self._found(), id="found", markup=False)
            yield Options(
                Option(Content("Continue it  (Enter)"), id="continue"),
                Option(Content("Keep it and start a new one  (n)"), id="new"),
                Option(Content("Quit; it is offered again  (q)"), id="quit"),
                id="ways",
                compact=True,
            )

    def on_mount(self) -> None:
        """The keys go to the list, also in a terminal that has no focus now, where Textual would focus nothing."""
        self._ways.focus()

    def action_choose(self, choice: RecoverChoice) -> None:
        """Take one of the two ways."""
        self.dismiss(choice)

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Chosen with Enter or the mouse."""
        match event.option_id:
            case "continue" | "new" as choice:
                self.dismiss(choice)
            case _:
                await self.run_action("app.stop")

    def _found(self) -> str:
        """What there is of it, in a few sentences."""
        session = self._session
        began = f"{session.started.astimezone():%A, %d %B %Y, %H:%M}"
        title = f'"{one_line(session.title)}", ' if session.title else ""
        lines = counted(session.lines, "line") if session.lines else "no lines yet"
        silent = (
            f" Up to {span(session.untranscribed_s)} of it, silence included, are still to be transcribed."
            if session.untranscribed_s
            else ""
        )
        return f"{title}{began}\n{clock(session.samples)} recorded, {lines}.{silent}{_all_go_on(session.tracks)}"


def _all_go_on(tracks: Sequence[str]) -> str:
    """With several tracks: which ones go on; else empty."""
    *others, last = tracks or [""]
    return f"\nContinued, it records {', '.join(others)} and {last} again." if others else ""
