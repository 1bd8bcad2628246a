"""Moving through the text: to a time, a mark, a speaker, a gap, a word that the engine was unsure of."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mictape.failure import Advice, MictapeError
from mictape.screens.main.page import NOTHING_YET, Commands, Page
from mictape.transcript.line import GAP, Line
from mictape.units import RATE

SLICE: Final = 2_000
"""Lines that are looked at before others have a turn: 2 ms of work."""

ASKED: Final = 250
"""Lines that the library is asked about at once: 2 ms of its thread, so that a final line never waits for long."""

_Finder = Callable[[list[Line]], Awaitable[Line | None]]
"""Gives the first of some lines that is looked for; None when it is none of them."""

TIMES: Final = "12:30 or 1:02:03 in the recording · -5m or +30s from here · @14:05 by the clock"


class Navigation:
    """The commands that move the cursor."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.commands: Commands = {
            "jump": self.jump,
            "toggle_clock": self.toggle_clock,
            "next_mark": self.next_mark,
            "previous_mark": self.previous_mark,
            "next_speaker": self.next_speaker,
            "previous_speaker": self.previous_speaker,
            "next_gap": self.next_gap,
            "previous_gap": self.previous_gap,
            "next_unsure": self.next_unsure,
            "previous_unsure": self.previous_unsure,
        }

    def jump(self) -> None:
        """Go to a time that is asked for."""
        from mictape.screens.prompt import Ask  # loaded after the first frame

        def go(answer: str | None) -> None:
            if answer:
                self._go_to_time(*self._second_of(answer))

        self._page.app.push_screen(Ask("Go to", hint=TIMES, check=self._second_of), go)

    def _second_of(self, answer: str) -> tuple[int, int]:
        """The second that was typed, its first and last session time: lines are labelled so. Raises MictapeError."""
        from mictape.session.goto import sample_of  # loaded after the first frame
        from mictape.transcript.times import FromHere, parse

        if self._page.session is None or not self._page.session.tracks:
            raise MictapeError(NOTHING_YET)
        here = self._page.line.start if self._page.line is not None else 0
        wish = parse(answer)
        at = sample_of(wish, self._page.session.tracks[0], here)
        return (at, at) if isinstance(wish, FromHere) else (at, at + RATE - 1)

    def _go_to_time(self, first: int, last: int) -> None:
        """Put the cursor on what was said then: the first line that begins then, else the last one before."""
        transcript = self._page.transcript
        index = transcript.index_at(last)
        if index is not None:
            while index and transcript.start(index - 1) >= first:
                index -= 1
            self._page.view.go_to(transcript.id_at(index))

    def toggle_clock(self) -> None:
        """Show wall-clock times beside the lines, or recording times again."""
        if self._page.view.on_wall:
            self._page.view.show_wall_clock(None)
        elif self._page.session is None:
            self._page.say(NOTHING_YET)
        elif (utc_of := self._page.session.utc_of())(0) is None:
            self._page.say("It is not known when this was recorded.")
        else:
            self._page.view.show_wall_clock(utc_of)

    def next_mark(self) -> None:
        """Go to the next marked line or note."""
        self._go_to_mark(1)

    def previous_mark(self) -> None:
        """Go to the marked line or note before this one."""
        self._go_to_mark(-1)

    def _go_to_mark(self, step: int) -> None:
        transcript, line = self._page.transcript, self._page.line
        here = transcript.index_of(line.id) if line is not None else 0
        marked = {*transcript.marks, *transcript.notes}
        places = sorted(transcript.index_of(id) for id in marked if id in transcript)
        ahead = [place for place in places if (place - here) * step > 0]
        if not ahead:
            self._page.say(Advice("No more marks", "Mark a line", action="mark"))
            return
        id = transcript.id_at(ahead[0] if step > 0 else ahead[-1])
        self._page.view.go_to(id)
        if note := transcript.marks.get(id):
            self._page.say(note)

    def next_speaker(self) -> None:
        """Go to the next change of speaker."""
        self._seek(1, self._other_voice(), "No more changes of speaker.")

    def previous_speaker(self) -> None:
        """Go to the previous change of speaker."""
        self._seek(-1, self._other_voice(), "No more changes of speaker.")

    def next_gap(self) -> None:
        """Go to the next gap."""
        self._seek(1, _is_gap, "No more gaps.")

    def previous_gap(self) -> None:
        """Go to the gap before this line."""
        self._seek(-1, _is_gap, "No more gaps.")

    def next_unsure(self) -> None:
        """Go to the next line with a word that the engine was unsure of."""
        self._seek_unsure(1)

    def previous_unsure(self) -> None:
        """Go to the line before this one with a word that the engine was unsure of."""
        self._seek_unsure(-1)

    def _seek_unsure(self, step: int) -> None:
        if (session := self._page.session) is None:
            self._page.say(NOTHING_YET)
            return

        async def first_of(lines: list[Line]) -> Line | None:
            unsure = await session.unsure([line.id for line in lines])
            return next((line for line in lines if line.id in unsure), None)

        self._look_for(step, first_of, "No more unsure words.", ASKED)

    def _other_voice(self) -> Callable[[Line], bool]:
        voice = self._page.line.voice if self._page.line is not None else ""
        return lambda line: line.voice not in {"", voice}

    def _seek(self, step: int, wanted: Callable[[Line], bool], otherwise: str) -> None:
        async def first_of(lines: list[Line]) -> Line | None:
            await asyncio.sleep(0)
            return next(filter(wanted, lines), None)

        self._look_for(step, first_of, otherwise, SLICE)

    def _look_for(self, step: int, first_of: _Finder, otherwise: str, lines: int) -> None:
        """Go to the next line (1) or the one before (-1) that is found, looking at so many at once."""
        seeking = self._seeking(step, first_of, otherwise, lines)
        self._page.start(seeking, "The search", group="seek", exclusive=True)

    async def _seeking(self, step: int, first_of: _Finder, otherwise: str, count: int) -> None:
        """Look at slice after slice; lines may come and go meanwhile."""
        transcript, line = self._page.transcript, self._page.line
        with self._page.saying():
            while line is not None and line.id in transcript:
                first = transcript.index_of(line.id) + step
                within = range(max(0, first - count + 1), first + 1) if step < 0 else range(first, first + count)
                ahead = [transcript.line(index) for index in within if index < len(transcript)][::step]
                found = await first_of(ahead)
                if found is not None and found.id in transcript:
                    self._page.view.go_to(found.id)
                    return
                line = ahead[-1] if ahead else None
            self._page.say(otherwise)


def _is_gap(line: Line) -> bool:
    return line.kind is GAP
