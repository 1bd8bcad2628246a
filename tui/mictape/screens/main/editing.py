"""The hand on the text, on the main screen: marks, notes, edits, playing, gaps, files."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from textual import work

from mictape.audio.player import Player
from mictape.library.export import FORMATS, FormatName, Style, format_of, write
from mictape.paths import working_folder
from mictape.screens.edit_line import EditLine, LineEdit
from mictape.screens.export import ExportScreen, ExportWish
from mictape.screens.main.navigation import Reading
from mictape.screens.prompt import Ask
from mictape.session.session import Session
from mictape.transcript.model import SPEECH, Line
from mictape.units import RATE

LEAD: Final = 2 * RATE
"""Sound before a line that is played with it, so that one hears where one is."""


class Handwork(Reading):
    """What a screen with a transcript does to its text."""

    export_folder: Path | None = None
    """The folder that is proposed for exports; None: the current one."""
    export_format: FormatName = "md"
    _player: Player | None = None

    def begin(self, session: Session, *, log: Path, spare: Path) -> None:
        """There is a session now; `spare` is where a copy goes when there is no clipboard."""
        self.session = session
        self.spare = spare
        self._player = Player(log)
        self.text.tell_unsure(session.unsure)

    def on_unmount(self) -> None:
        """Nothing is played any more."""
        if self._player is not None:
            self._player.stop()

    # Marks, notes, edits.

    def action_mark(self) -> None:
        """Mark the line under the cursor, or take its mark away."""
        line = self.line
        if line is not None and self.session is not None:
            with self.saying():
                self.session.writer.mark(line.id, "" if line.mark is None else None)

    @work
    async def action_mark_with_note(self) -> None:
        """Mark the line under the cursor, with a note."""
        line, session = self.line, self.session
        if line is None or session is None:
            return
        note = await self.app.push_screen_wait(Ask("Note on this line", value=line.mark or ""))
        if note is not None:
            with self.saying(), suppress(KeyError):
                session.writer.mark(line.id, note)

    @work
    async def action_note(self) -> None:
        """Write a note at the present time of the tape."""
        session = self.session
        if session is None or not session.tracks:
            return
        text = await self.app.push_screen_wait(Ask("Note at this moment", hint="It becomes a line of its own."))
        if text:
            session.writer.note(session.tracks[0], text)

    @work
    async def action_open_line(self) -> None:
        """Open the line under the cursor: text, speaker, key term."""
        line, session = self.line, self.session
        if line is None or session is None:
            return
        if line.kind is not SPEECH and line.kind.name != "NOTE":
            self.say("Only what was said and notes can be changed.")
            return
        wish = await self.app.push_screen_wait(EditLine(line))
        if wish is not None:
            with self.saying(), suppress(KeyError):
                await self._change(session, line, wish)

    async def _change(self, session: Session, line: Line, wish: LineEdit) -> None:
        if wish.text is not None:
            session.writer.edit(line.id, wish.text)
        if wish.speaker is not None:
            session.writer.name_speaker(line.id, wish.speaker)
        if wish.key_term is not None:
            await session.expect(wish.key_term)

    def action_complete_gap(self) -> None:
        """Have the gap under the cursor turned into text."""
        if self.line is not None and self.session is not None:
            with self.saying():
                self.session.complete_gap(self.line.id)

    # Playing.

    def action_play(self) -> None:
        """Play the line under the cursor from the tape; stop when something is played."""
        if self._player is not None and self._player.playing:
            self._player.stop()
        else:
            self._play()

    def action_play_previous(self) -> None:
        """Go to the line of speech before and play it."""
        self._play_from(-1)

    def action_play_next(self) -> None:
        """Go to the next line of speech and play it."""
        self._play_from(1)

    def _play_from(self, step: int) -> None:
        line, transcript = self.line, self.transcript
        index = transcript.index_of(line.id) + step if line is not None else -1
        while 0 <= index < len(transcript) and transcript.line(index).kind is not SPEECH:
            index += step
        if 0 <= index < len(transcript):
            self.text.go_to(transcript.id_at(index))
            self._play()

    @work(group="play")
    async def _play(self) -> None:
        line, session, player = self.line, self.session, self._player
        if line is None or session is None or player is None:
            return
        track = session.writer.track_of(line.id)
        start, end = (track.own_time(at) - track.tape.origin for at in (line.start, line.end))
        self.text.tell_playing(line.id)
        try:
            with self.saying():
                await player.play(track.tape.folder, track.number, max(0, start - LEAD), end)
        finally:
            if not player.playing:  # else another line is played by now
                self.text.tell_playing(None)

    # Files.

    @work
    async def action_export(self) -> None:
        """Export the text, or a part of it, to a file."""
        transcript = self.transcript
        parts: dict[str, Sequence[int]] = {
            "everything": transcript.ids(),
            "what is marked": [id for id in transcript.ids() if id in transcript.marks] if transcript.marks else [],
            "what was found": list(self.text.walk.hits),
            "the selection": self.selected,
        }
        if not len(transcript) or (session := self.session) is None:
            self.say("There is nothing to export yet.")
            return

        async def export(wish: ExportWish) -> None:
            document = await session.document(Style(times=True), set(parts[wish.part]))
            await asyncio.to_thread(write, format_of(wish.path).write(document), wish.path, over=wish.over)

        name = f"mictape-{datetime.now():%Y%m%d-%H%M}{FORMATS[self.export_format].endings[0]}"
        folder = self.export_folder or working_folder()
        question = ExportScreen({part: len(ids) for part, ids in parts.items()}, folder / name, export)
        path = await self.app.push_screen_wait(question)
        if path is not None:
            self.say(f"Exported to {path}.")
