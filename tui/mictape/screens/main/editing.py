"""Changing the text: marks, notes, edits, names, gaps."""

from collections import deque
from contextlib import suppress
from typing import Final

from mictape.screens.edit_line import EditLine, LineEdit
from mictape.screens.main.page import Commands, Page
from mictape.screens.prompt import Ask
from mictape.session.session import Session
from mictape.session.track import Track
from mictape.session.transcript_writer import Undo
from mictape.transcript.model import SPEECH, Line

UNDONE: Final = 100
"""Steps that can be undone."""


class Editing:
    """The commands that change the text."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._done: deque[tuple[str, Undo]] = deque(maxlen=UNDONE)
        """What was done, and what takes it back; the newest last."""
        self.commands: Commands = {
            "mark": self.mark,
            "mark_with_note": self.mark_with_note,
            "note": self.note,
            "undo": self.undo,
            "open_line": self.open_line,
            "rename_track": self.rename_track,
            "complete_gap": self.complete_gap,
        }

    def did(self, what: str, undo: Undo) -> None:
        """Remember what was done, so that it can be undone."""
        self._done.append((what, undo))

    def undo(self) -> None:
        """Take back what was done last."""
        if not self._done:
            self._page.say("There is nothing to undo.")
            return
        what, undo = self._done.pop()
        with self._page.saying(), suppress(KeyError):  # the line has gone meanwhile
            undo()
            self._page.say(f"Undone: {what}.")

    def mark(self) -> None:
        """Mark the line under the cursor, or remove its mark."""
        line, session = self._page.line, self._page.session
        if line is not None and session is not None:
            with self._page.saying():
                self.did("mark", session.writer.mark(line.id, "" if line.mark is None else None))

    def mark_with_note(self) -> None:
        """Mark the line under the cursor, with a note."""
        line, session = self._page.line, self._page.session
        if line is not None and session is not None:
            self._page.start(self._ask_for_mark(session, line), "The note")

    async def _ask_for_mark(self, session: Session, line: Line) -> None:
        note = await self._page.app.push_screen_wait(Ask("Note on this line", value=line.mark or ""))
        if note is not None:
            with suppress(KeyError):  # the line has gone meanwhile
                self.did("mark", session.writer.mark(line.id, note))

    def note(self) -> None:
        """Write a note at the present time of the recording."""
        session = self._page.session
        if session is not None and session.tracks:
            self._page.start(self._ask_for_note(session), "The note")

    async def _ask_for_note(self, session: Session) -> None:
        text = await self._page.app.push_screen_wait(Ask("Note at this moment", hint="It becomes a line of its own."))
        if text:
            session.writer.note(session.tracks[0], text)

    def open_line(self) -> None:
        """Edit the line under the cursor: text, speaker, key term."""
        line, session = self._page.line, self._page.session
        if line is None or session is None:
            return
        if line.kind is not SPEECH and line.kind.name != "NOTE":
            self._page.say("Only speech and notes can be edited.")
        else:
            self._page.start(self._edit_line(session, line), "The edit")

    async def _edit_line(self, session: Session, line: Line) -> None:
        wish = await self._page.app.push_screen_wait(EditLine(line))
        if wish is not None:
            with suppress(KeyError):  # the line has gone meanwhile
                await self._change(session, line, wish)

    async def _change(self, session: Session, line: Line, wish: LineEdit) -> None:
        if wish.text is not None:
            self.did("edit", session.writer.edit(line.id, wish.text))
        if wish.speaker is not None:
            self.did("speaker's name", session.writer.name_speaker(line.id, wish.speaker))
        if wish.key_term is not None:
            await session.expect(wish.key_term)

    def rename_track(self) -> None:
        """Rename the track of the line under the cursor."""
        line, session = self._page.line, self._page.session
        if session is not None and session.tracks:
            tracks = session.tracks
            track = next((each for each in tracks if line is not None and each.number == line.track), tracks[0])
            self._page.start(self._ask_for_name(session, track), "Renaming a track")

    async def _ask_for_name(self, session: Session, track: Track) -> None:
        hint = f"Shown on every line of {track.device}."
        question = Ask("Name of the track", hint=hint, value=track.name, replaces=True)
        if name := await self._page.app.push_screen_wait(question):
            self.did("track's name", session.writer.rename_track(track, name))

    def complete_gap(self) -> None:
        """Transcribe the gap under the cursor."""
        line, session = self._page.line, self._page.session
        if line is not None and session is not None:
            with self._page.saying():
                session.complete_gap(line.id)
