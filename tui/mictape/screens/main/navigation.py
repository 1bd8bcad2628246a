"""Reading the text on the main screen: going somewhere, selecting, copying."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, cast

from textual import getters
from textual.app import App
from textual.geometry import Offset
from textual.screen import Screen
from textual.selection import Selection

from mictape.audio.tape import TapeError
from mictape.clipboard import copy
from mictape.commands import explained, keymap_in
from mictape.failure import Advice, Failure, MictapeError
from mictape.library.export import plain
from mictape.screens.prompt import Ask
from mictape.session.goto import sample_of
from mictape.session.session import Session
from mictape.session.track_clock import FIRST, TapeClock
from mictape.transcript.model import GAP, Line, Transcript
from mictape.transcript.times import parse
from mictape.units import clock
from mictape.widgets.transcript_selection import selected_ids, selected_text
from mictape.widgets.transcript_view import TranscriptView

SLICE: Final = 2_000
"""Lines that are looked at before others have a turn: 2 ms of work."""

ASKED: Final = 250
"""Lines that the library is asked about at once: 2 ms of its thread, so that a final line never waits for long."""

_Finder = Callable[[list[Line]], Awaitable[Line | None]]
"""Gives the first of some lines that is looked for; None when it is none of them."""

TIMES: Final = "12:30 or 1:02:03 on the tape · -5m or +30s from here · @14:05 on the wall"


NOTHING_YET: Final = Failure("Nothing is recorded yet", "Choose a device", action="choose_device")


class Reading(Screen[None]):
    """What a screen with a transcript does about reading it. `begin` gives it the session when there is one."""

    app = cast("getters.app[App[None]]", getters.app(App))  # isinstance knows no type arguments
    text = getters.query_one(TranscriptView)

    session: Session | None = None
    spare: Path | None = None
    """Where a copy goes when there is no clipboard."""

    @property
    def transcript(self) -> Transcript:
        """The text that is read."""
        return self.text.transcript

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        id = self.text.cursor_id
        return None if id is None or id not in self.transcript else self.transcript.line_of(id)

    @contextmanager
    def saying(self) -> Generator[None]:
        """Failures inside are said, and the screen goes on."""
        try:
            yield
        except MictapeError as error:
            self.say(error.failure)

    def say(self, what: str | Advice) -> None:
        """Say something that goes by itself; a failure as a warning."""
        severity = "warning" if isinstance(what, Failure) else "information"
        self.notify(
            explained(what, keymap_in(self)) if isinstance(what, Advice) else what, severity=severity, markup=False
        )

    # Going somewhere.

    def action_jump(self) -> None:
        """Go to a time that is asked for."""

        def go(answer: str | None) -> None:
            if answer:
                self._go_to_time(self._sample_of(answer))

        self.app.push_screen(Ask("Go to", hint=TIMES, check=self._sample_of), go)

    def _sample_of(self, answer: str) -> int:
        """Session time of what was typed. Raises MictapeError."""
        if self.session is None or not self.session.tracks:
            raise MictapeError(NOTHING_YET)
        here = self.line.start if self.line is not None else 0
        return sample_of(parse(answer), self.session.tracks[0], here)

    def _go_to_time(self, at: int) -> None:
        """Put the cursor on what was said then: the last line that begins no later."""
        index = self.transcript.index_at(at)
        if index is not None:
            self.text.go_to(self.transcript.id_at(index))

    def action_toggle_clock(self) -> None:
        """Have the time of the wall clock beside the lines, or that of the tape again."""
        if self.text.on_wall:
            self.text.tell_time(None)
        elif self.session is None:
            self.say(NOTHING_YET)
        else:
            self.text.tell_time(partial(_utc_of, TapeClock(self.session.folder.path, FIRST)))

    def action_next_mark(self) -> None:
        """Go to the next line that is marked."""
        self._go_to_mark(1)

    def action_previous_mark(self) -> None:
        """Go to the marked line before this one."""
        self._go_to_mark(-1)

    def _go_to_mark(self, step: int) -> None:
        transcript, line = self.transcript, self.line
        here = transcript.index_of(line.id) if line is not None else 0
        places = sorted(transcript.index_of(id) for id in transcript.marks if id in transcript)
        ahead = [place for place in places if (place - here) * step > 0]
        if not ahead:
            self.say(Advice("There is no marked line that way", "Mark a line", action="mark"))
            return
        id = transcript.id_at(ahead[0] if step > 0 else ahead[-1])
        self.text.go_to(id)
        if note := transcript.marks[id]:
            self.say(note)

    def action_next_speaker(self) -> None:
        """Go to where somebody else speaks next."""
        self._seek(1, self._other_voice(), "Nobody else speaks that way.")

    def action_previous_speaker(self) -> None:
        """Go back to where somebody else spoke last."""
        self._seek(-1, self._other_voice(), "Nobody else speaks that way.")

    def action_next_gap(self) -> None:
        """Go to the next gap."""
        self._seek(1, _is_gap, "There is no gap that way.")

    def action_previous_gap(self) -> None:
        """Go to the gap before this line."""
        self._seek(-1, _is_gap, "There is no gap that way.")

    def action_next_unsure(self) -> None:
        """Go to the next line with a word that the engine was unsure of."""
        self._seek_unsure(1)

    def action_previous_unsure(self) -> None:
        """Go to the line before this one with a word that the engine was unsure of."""
        self._seek_unsure(-1)

    def _seek_unsure(self, step: int) -> None:
        if (session := self.session) is None:
            self.say(NOTHING_YET)
            return

        async def first_of(lines: list[Line]) -> Line | None:
            unsure = await session.unsure([line.id for line in lines])
            return next((line for line in lines if line.id in unsure), None)

        self._look_for(step, first_of, "There is no word that way that the engine was unsure of.", ASKED)

    def _other_voice(self) -> Callable[[Line], bool]:
        voice = self.line.voice if self.line is not None else ""
        return lambda line: line.voice not in {"", voice}

    def _seek(self, step: int, wanted: Callable[[Line], bool], otherwise: str) -> None:
        async def first_of(lines: list[Line]) -> Line | None:
            await asyncio.sleep(0)
            return next(filter(wanted, lines), None)

        self._look_for(step, first_of, otherwise, SLICE)

    def _look_for(self, step: int, first_of: _Finder, otherwise: str, lines: int) -> None:
        """Go to the next line (1) or the one before (-1) that is found, looking at so many at once."""
        seeking = self._seeking(step, first_of, otherwise, lines)
        self.run_worker(seeking, group="seek", exclusive=True)

    async def _seeking(self, step: int, first_of: _Finder, otherwise: str, count: int) -> None:
        """Look at slice after slice; lines may come and go meanwhile."""
        transcript, line = self.transcript, self.line
        with self.saying():
            while line is not None and line.id in transcript:
                first = transcript.index_of(line.id) + step
                within = range(max(0, first - count + 1), first + 1) if step < 0 else range(first, first + count)
                ahead = [transcript.line(index) for index in within if index < len(transcript)][::step]
                found = await first_of(ahead)
                if found is not None and found.id in transcript:
                    self.text.go_to(found.id)
                    return
                line = ahead[-1] if ahead else None
            self.say(otherwise)

    # Selecting and copying.

    def action_select_up(self) -> None:
        """Select the line above, too, or one line less."""
        self._extend(-1)

    def action_select_down(self) -> None:
        """Select the line below, too, or one line less."""
        self._extend(1)

    def _extend(self, step: int) -> None:
        """Move the cursor, and select every line from where that began to it."""
        line, transcript = self.line, self.transcript
        if line is None:
            return
        selected = self.selections.get(self.text)
        begun = self._begun if selected is not None and self._begun in transcript else line.id
        index = min(max(0, transcript.index_of(line.id) + (step if selected is not None else 0)), len(transcript) - 1)
        last = transcript.id_at(index)
        self._begun = begun
        first, behind = sorted((begun, last), key=transcript.index_of)
        self.text.go_to(last)
        end = Offset(len(transcript.text_of(behind)) * 2, behind)  # signs for control characters are no longer
        self.selections = {self.text: Selection(Offset(0, first), end)}

    _begun: int = -1
    """The line at which selecting with keys began."""

    @property
    def selected(self) -> Sequence[int]:
        """The ids of the lines in which something is selected, in tape order."""
        selection = self.selections.get(self.text)
        return () if selection is None else selected_ids(self.transcript, selection)

    def action_copy(self) -> None:
        """Copy what is selected, or the line under the cursor."""
        selection = self.selections.get(self.text)
        text = None if selection is None else selected_text(self.transcript, selection)
        if text is None and self.line is not None:
            text = self.line.text
        self._copy(text)

    def action_copy_text(self) -> None:
        """Textual's own way to copy what is selected, from the palette and Ctrl-C."""
        self.action_copy()

    def action_copy_with_times(self) -> None:
        """Copy the selected lines, or the one under the cursor, with times and speakers."""
        ids = self.selected or ([self.line.id] if self.line is not None else [])
        lines = map(self.transcript.line_of, ids)
        self._copy("\n".join(plain(line, time=clock(line.start), voice=line.voice) for line in lines) or None)

    def _copy(self, text: str | None) -> None:
        if text is None or self.spare is None:
            self.say("There is nothing to copy yet.")
            return
        self.run_worker(self._copying(text, self.spare), group="copy")

    async def _copying(self, text: str, spare: Path) -> None:
        with self.saying():
            send = partial(self.app.call_from_thread, self.app.copy_to_clipboard)
            self.say(await asyncio.to_thread(copy, text, send, spare))


def _utc_of(told: TapeClock, at: int) -> float | None:
    """When a session time was, seconds since 1970 UTC; None where the first tape's anchors do not tell."""
    try:
        return told.now().utc(at)
    except TapeError:
        return None


def _is_gap(line: Line) -> bool:
    return line.kind is GAP
