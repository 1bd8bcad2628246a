"""Selecting lines with the keys, and copying."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from textual.geometry import Offset
from textual.selection import Selection

from mictape.clipboard import copy
from mictape.screens.main.page import Commands, Page
from mictape.widgets.transcript_selection import selected_ids


class Selecting:
    """The commands that select and copy."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._begun = -1
        """The line at which selecting with keys began."""
        self.commands: Commands = {
            "select_up": self.select_up,
            "select_down": self.select_down,
            "select_all": self.select_all,
            "copy": self.copy,
            "copy_with_times": self.copy_with_times,
        }

    def select_up(self) -> None:
        """Select the line above, too, or one line less."""
        self._extend(-1)

    def select_down(self) -> None:
        """Select the line below, too, or one line less."""
        self._extend(1)

    def select_all(self) -> None:
        """Select every line; what is on the screen stays where it is."""
        if lines := self._page.transcript.ids():
            self._begun = lines[0]
            self._select(lines[0], lines[-1])

    def _extend(self, step: int) -> None:
        """Move the cursor, and select every line from where that began to it."""
        line, transcript = self._page.line, self._page.transcript
        if line is None:
            return
        selected = self._page.selections.get(self._page.view)
        begun = self._begun if selected is not None and self._begun in transcript else line.id
        index = min(max(0, transcript.index_of(line.id) + step), len(transcript) - 1)
        last = transcript.id_at(index)
        self._begun = begun
        self._page.view.go_to(last)
        self._select(*sorted((begun, last), key=transcript.index_of))

    def _select(self, first: int, last: int) -> None:
        """Select from one line to another one behind it, by their ids."""
        end = Offset(len(self._page.transcript.text_of(last)) * 2, last)  # signs for control characters are no longer
        self._page.selections = {self._page.view: Selection(Offset(0, first), end)}

    @property
    def selected(self) -> Sequence[int]:
        """The ids of the lines in which something is selected, in tape order."""
        selection = self._page.selections.get(self._page.view)
        return () if selection is None else selected_ids(self._page.transcript, selection)

    def copy(self) -> None:
        """Copy what is selected, or the line under the cursor."""
        selection = self._page.selections.get(self._page.view)
        selected = None if selection is None else self._page.view.get_selection(selection)
        text = None if selected is None else selected[0]
        if text is None and self._page.line is not None:
            text = self._page.line.text
        self.copy_text(text)

    def copy_with_times(self) -> None:
        """Copy the selected lines, or the one under the cursor, with times and speakers."""
        from mictape.library.export import plain  # loaded after the first frame

        ids = self.selected or ([self._page.line.id] if self._page.line is not None else [])
        lines = map(self._page.transcript.line_of, ids)
        self.copy_text(
            "\n".join(plain(line, time=self._page.view.time_of(line), voice=line.voice) for line in lines) or None
        )

    def copy_text(self, text: str | None) -> None:
        """Copy a text, and say where it is; None: there is none."""
        if text is None or self._page.spare is None:
            self._page.say("There is nothing to copy yet.")
            return
        self._page.start(self._copying(text, self._page.spare), "Copying", group="copy")

    async def _copying(self, text: str, spare: Path) -> None:
        with self._page.saying():
            send = partial(self._page.app.call_from_thread, self._page.app.copy_to_clipboard)
            self._page.say(await asyncio.to_thread(copy, text, send, spare))
