"""Exporting the text, or a part of it, to a file."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from msgspec import Struct

from mictape.library.formats import FORMATS, FormatName, format_of, in_file_name
from mictape.paths import named_path, working_folder
from mictape.screens.main.page import Commands, Page
from mictape.screens.main.selecting import Selecting
from mictape.settings import Settings
from mictape.transcript.line import SPEECH, Line

if TYPE_CHECKING:  # loaded after the first frame
    from mictape.screens.export import ExportWish
    from mictape.session.session import Session


EVERYTHING: Final = "everything"
MARKED: Final = "marks and notes"
"""The part that is all of the text, with what has none."""


class Proposal(Struct, frozen=True):
    """What is proposed for exports."""

    folder: Path | None = None
    """None: the current one."""
    format: FormatName = "md"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings propose. Raises MictapeError when that cannot be a path."""
        folder = settings.export.folder
        return cls(named_path(folder) if folder else None, settings.export.format)

    def path(self, title: str, started: datetime) -> Path:
        """The file for a session: its name is its title, or else has the time when it began.

        Args:
            title: As the person or a file gave it; empty without one.
            started: When it began, local time.
        """
        name = in_file_name(title) or f"mictape-{started:%Y%m%d-%H%M}"
        return (self.folder or working_folder()) / f"{name}{FORMATS[self.format].endings[0]}"


class Exporting:
    """The command that writes a file."""

    def __init__(self, page: Page, selecting: Selecting, proposal: Proposal) -> None:
        self._page = page
        self._selecting = selecting
        self._proposal = proposal
        self._exported: dict[int, Line] = {}
        """Lines as they were exported last, by id."""
        self.file: Path | None = None
        """The file that was written last."""
        self.commands: Commands = {"export": self.export}

    @property
    def unexported(self) -> int:
        """How many lines are in no file as they are now."""
        transcript = self._page.transcript
        return sum(transcript.line_of(id) != self._exported.get(id) for id in transcript.ids())

    def export(self) -> None:
        """Export the text, or a part of it, to a file."""
        session = self._page.session
        if session is None or not len(self._page.transcript):
            self._page.say("There is nothing to export yet.")
        else:
            self._page.ask(self.ask(session), "The export")

    def _parts(self) -> Mapping[str, Sequence[int]]:
        """What can be exported: ids of lines by the name of the part; none is empty."""
        transcript = self._page.transcript
        parts: Mapping[str, Sequence[int]] = {
            EVERYTHING: transcript.ids(),
            MARKED: [id for id in transcript.ids() if id in transcript.marks or id in transcript.notes],
            "what was found": list(self._page.view.walk.hits),
            "the selection": self._selecting.selected,
        }
        return {part: ids for part, ids in parts.items() if ids}

    async def ask(self, session: "Session") -> None:
        """Ask what to export and where to, and do it. Raises MictapeError."""
        from mictape.library.export import Style, write
        from mictape.screens.export import ExportScreen

        parts, transcript = self._parts(), self._page.transcript

        async def export(wish: "ExportWish") -> None:
            lines = {id: transcript.line_of(id) for id in parts[wish.part] if id in transcript}
            document = await session.document(Style(times=True), None if wish.part == EVERYTHING else set(lines))
            await asyncio.to_thread(write, format_of(wish.path).write(document), wish.path, over=wish.over)
            self._exported |= lines

        proposed = self._proposal.path(session.title or session.file, session.started)
        spoken = {
            part: sum(id in transcript and transcript.line_of(id).kind is SPEECH for id in ids)
            for part, ids in parts.items()
        }
        question = ExportScreen(spoken, proposed, export)
        path = await self._page.app.push_screen_wait(question)
        if path is not None:
            self.file = path
            self._page.say(f"Exported to {path}.")
