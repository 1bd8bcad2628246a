"""Changing the text: marks, notes, edits, names, gaps."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from mictape.commands import keymap_in, shown_key
from mictape.failure import Failure, MictapeError
from mictape.screens.main.history import History, Step, written
from mictape.screens.main.page import NOTHING_YET, Commands, Page
from mictape.screens.main.selecting import Selecting
from mictape.transcript.line import NOTE, SPEECH, Line
from mictape.units import clock
from mictape.widgets.transcript_selection import selected_span

if TYPE_CHECKING:  # loaded after the first frame
    from mictape.library.records import LineRecord
    from mictape.screens.edit_line import LineEdit
    from mictape.session.session import Session
    from mictape.session.track import Track
    from mictape.session.transcript_writer import Scope
    from mictape.session.undo import Undo

UNSURE_S: Final = 0.3
"""So long the panel of a line waits for the words that the engine was unsure of."""
_REMOVING: Final = "removing the line"


class Editing:
    """The commands that change the text."""

    def __init__(self, page: Page, selecting: Selecting, history: History) -> None:
        self._page = page
        self._selecting = selecting
        self._history = history
        self.commands: Commands = {
            "mark": self.mark,
            "mark_with_note": self.mark_with_note,
            "note": self.note,
            "undo": self.undo,
            "redo": self.redo,
            "open_line": self.open_line,
            "name_speaker": self.name_speaker,
            "join_lines": self.join_lines,
            "split_line": self.split_line,
            "remove_line": self.remove_line,
            "rename_session": self.rename_session,
            "rename_track": self.rename_track,
            "complete_gap": self.complete_gap,
        }

    def did(self, what: str, undo: "Undo") -> None:
        """Remember what was done to the text, so that it can be undone."""
        self._history.did(what, written(undo))

    def undo(self) -> None:
        """Take back what was done last."""
        self._history.undo(self._page)

    def redo(self) -> None:
        """Do again what was undone last."""
        self._history.redo(self._page)

    @property
    def _here(self) -> "tuple[Line, Session] | None":
        """The line under the cursor, and the session; without a line a message says so."""
        line, session = self._page.line, self._page.session
        if line is None or session is None:
            self._page.say("There is no line yet.")
            return None
        return line, session

    def mark(self) -> None:
        """Mark the line under the cursor, or remove its mark."""
        if (here := self._here) is not None:
            line, session = here
            marks = line.mark is None
            with self._page.saying():
                undo = session.writer.mark(line.id, "" if marks else None)
                self.did(_at(line, "mark" if marks else "removing a mark"), undo)

    def mark_with_note(self) -> None:
        """Mark the line under the cursor, with a note."""
        if (here := self._here) is not None:
            line, session = here
            self._page.ask(self._ask_for_mark(session, line), "The note")

    async def _ask_for_mark(self, session: "Session", line: Line) -> None:
        note = await self._page.typed(f"Note on the line at {clock(line.start)}", value=line.mark or "")
        if note is not None:
            with suppress(KeyError):  # the line has gone meanwhile
                self.did(_at(line, "mark with note"), session.writer.mark(line.id, note))

    def note(self) -> None:
        """Write a note at the present time of the recording; in a finished session at the line under the cursor."""
        line, session = self._page.line, self._page.session
        at = line.start if line is not None and session is not None and session.reading else None
        self._page.ask(self._ask_for_note(at), "The note")

    async def _ask_for_note(self, at: int | None) -> None:
        """Ask at once, also while the recording begins: it may have when the note is written."""

        def check(_: str) -> None:
            if self._page.session is None or not self._page.session.tracks:
                raise MictapeError(Failure("Nothing is recorded yet", "Press Enter again once it is"))

        hint = "It becomes a line of its own."
        title = "Note at this moment" if at is None else f"Note at {clock(at)}"
        text = await self._page.typed(title, hint=hint, check=check)
        session = self._page.session
        if text and session is not None:
            _, undo = session.writer.note(session.tracks[0], text, at)
            self.did("note", undo)

    def open_line(self) -> None:
        """Edit the line under the cursor: text, speaker, key term."""
        if (here := self._here) is None:
            return
        line, session = here
        if line.kind not in (SPEECH, NOTE):
            self._page.say("Only speech and notes can be edited.")
        else:
            self._page.ask(self._edit_line(session, line), "The edit")

    async def _edit_line(self, session: "Session", line: Line) -> None:
        from mictape.screens.edit_line import EditLine

        place = await self._word_of(session, line)
        wish = await self._page.app.push_screen_wait(EditLine(line, self._page.transcript.voices.speakers, place))
        if wish is not None:
            with suppress(KeyError):  # the line has gone meanwhile
                await self._change(session, line, wish)

    async def _word_of(self, session: "Session", line: Line) -> int | None:
        """Where the word stands that one has come to: a selected, a found or an unsure one.

        The panel does not need a library that hangs or cannot be read.
        """
        view = self._page.view
        selected = selected_span(self._page.transcript, view.text_selection, line.id)
        matcher = view.walk.matcher
        found = matcher.spans(line.text) if matcher is not None else []
        spans = [selected] if selected is not None else found
        if not spans:
            with suppress(TimeoutError, MictapeError):
                async with asyncio.timeout(UNSURE_S):
                    spans = (await session.unsure([line.id])).get(line.id, ())
        return spans[0][0] if spans else None

    async def _change(self, session: "Session", line: Line, wish: "LineEdit") -> None:
        if wish.text == "":
            await self._remove(session, line)
            return
        steps: dict[str, Undo] = {}
        if wish.text is not None:
            steps["edit"] = session.writer.edit(line.id, wish.text)
        if (speaker := wish.speaker) is not None:
            steps["speaker's name"] = session.writer.name_speaker(line.id, speaker.name, speaker.scope)
        if steps:
            from mictape.session.undo import together

            self.did(_at(line, " and ".join(steps)), together(list(steps.values())))
        if wish.key_term is not None:
            await session.expect(wish.key_term)

    def remove_line(self) -> None:
        """Take the line under the cursor away."""
        if (here := self._here) is not None:
            line, session = here
            self._page.start(self._remove(session, line), "Removing a line", group="rearrange")

    async def _remove(self, session: "Session", line: Line) -> None:
        """Take a line away, with the cursor on the next one, or else the one before."""
        transcript = self._page.transcript
        with suppress(KeyError):  # the line has gone meanwhile
            ids, at = transcript.ids(), transcript.index_of(line.id)
            beside = next(iter((*ids[at + 1 : at + 2], *ids[max(at - 1, 0) : at])), None)
            undo = await session.writer.remove(line.id)
            step = written(undo)
            if beside is not None and beside in transcript:
                step = written(undo, to=line.id, back=beside)
                self._page.view.go_to(beside)
            self._history.did(_at(line, _REMOVING), step)
            self._page.say(f"The line is removed; {shown_key('undo', keymap_in(self._page))} brings it back.")

    def name_speaker(self) -> None:
        """Name who speaks the selected lines, or the one under the cursor; beside a note or divider, the nearest."""
        if (here := self._here) is None:
            return
        near, session = here
        if (line := self._speech_at(near)) is None:
            self._page.say("Only speech has a speaker.")
        else:
            if line != near and len(self._selecting.selected) <= 1:
                self._page.view.go_to(line.id)
            self._page.ask(self._ask_for_speaker(session, line), "The name")

    def _speech_at(self, near: Line) -> Line | None:
        """The line itself where it is speech; else the last one before it, or the first one behind it."""
        transcript = self._page.transcript
        at = transcript.index_of(near.id)
        for index in (*range(at, -1, -1), *range(at + 1, len(transcript))):
            if (line := transcript.line(index)).kind is SPEECH:
                return line
        return None

    async def _ask_for_speaker(self, session: "Session", line: Line) -> None:
        from mictape.screens.edit_line import NameSpeaker, scopes_of

        transcript, selected = self._page.transcript, self._selecting.selected
        several = len(selected) > 1
        name = "" if several else line.speaker or ""
        chosen: Mapping[Scope, str] = {"line": f"the {len(selected)} selected lines"}
        scopes = chosen if several else scopes_of(line)
        wish = await self._page.app.push_screen_wait(NameSpeaker(name, transcript.voices.speakers, scopes))
        if wish is None or wish.name == name:
            return
        with suppress(KeyError):  # the line has gone meanwhile
            undo = (
                session.writer.name_lines([id for id in selected if id in transcript], wish.name)
                if several
                else session.writer.name_speaker(line.id, wish.name, wish.scope)
            )
            self.did(_at(line, "speaker's name"), undo)

    def join_lines(self) -> None:
        """Make one line of the line under the cursor and the next one of its track."""
        if (here := self._here) is not None:
            line, session = here
            self._page.start(self._join(session, line), "Joining lines", group="rearrange")

    async def _join(self, session: "Session", line: Line) -> None:
        with suppress(KeyError):  # the line has gone meanwhile
            self._rearranged("joining lines", line, *await session.writer.join(line.id))

    def split_line(self) -> None:
        """Make two lines of the line under the cursor: from the selected word on, or from one that is chosen."""
        if (here := self._here) is None:
            return
        line, session = here
        if line.kind is SPEECH:
            self._page.ask(self._split(session, line), "Splitting a line", group="rearrange")
        else:
            self._page.say("Only speech can be split.")

    async def _split(self, session: "Session", line: Line) -> None:
        from mictape.screens.edit_line import SplitLine

        span = selected_span(self._page.transcript, self._page.view.text_selection, line.id)
        at = span[0] if span is not None else await self._page.app.push_screen_wait(SplitLine(line))
        if at is not None:
            with suppress(KeyError):  # the line has gone meanwhile
                self._rearranged("splitting a line", line, *await session.writer.split(line.id, at))

    def _rearranged(self, what: str, line: Line, id: int, undo: "Undo") -> None:
        """Put the cursor on a line that stands in the place of another; undoing puts it back."""
        self._history.did(_at(line, what), written(undo, to=line.id, back=id))
        self._page.selections = {}
        self._page.view.go_to(id)

    def rename_session(self) -> None:
        """Give the session a title."""
        if (session := self._page.session) is None:
            self._page.say(NOTHING_YET)
        else:
            self._page.ask(self._ask_for_title(session), "The title")

    async def _ask_for_title(self, session: "Session") -> None:
        hint = "Empty: the title that Mictape proposes."
        before = session.title
        title = await self._page.typed("Title", hint=hint, value=before, replaces=True)
        if title is not None and title != before:
            await session.rename(title)
            self._history.did("title", _titling(before, title))

    def rename_track(self) -> None:
        """Rename the track of the line under the cursor."""
        line, session = self._page.line, self._page.session
        if session is None or not session.tracks:
            self._page.say(NOTHING_YET)
        else:
            tracks = session.tracks
            track = next((each for each in tracks if line is not None and each.number == line.track), tracks[0])
            self._page.ask(self._ask_for_name(session, track), "Renaming a track")

    async def _ask_for_name(self, session: "Session", track: "Track") -> None:
        alone = sum(each.device == track.device for each in session.tracks) == 1
        hint = f"Shown on every line of {track.device if alone else 'this track'}."
        if name := await self._page.typed("Name of the track", hint=hint, value=track.name, replaces=True):
            self.did("track's name", session.writer.rename_track(track, name))

    def complete_gap(self) -> None:
        """Transcribe the gap under the cursor."""
        if (here := self._here) is not None:
            line, session = here
            with self._page.saying():
                session.complete_gap(line.id)


def removal(line: "LineRecord") -> tuple[str, Step]:
    """What `History.did` takes of a line that was removed while the session was open before."""
    return _at(line, _REMOVING), written(lambda writer: writer.bring_back(line), to=line.id)


def _at(line: "Line | LineRecord", what: str) -> str:
    """What was done to a line, for people."""
    return f"{what} at {clock(line.start)}"


def _titling(title: str, before: str) -> Step:
    """Gives the session this title, where it has the one before."""

    def step(page: Page) -> Step:
        if page.session is not None:
            page.start(page.session.rename(title), "The title")
        return _titling(before, title)

    return step
