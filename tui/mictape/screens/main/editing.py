"""Changing the text: marks, notes, edits, names, gaps."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from mictape.commands import keymap_in, shown_key
from mictape.failure import Failure, MictapeError
from mictape.screens.main.history import History, Step, written
from mictape.screens.main.page import NOTHING_YET, Commands, Page
from mictape.screens.main.selecting import Selecting
from mictape.transcript.line import NOTE, SPEECH, Kind, Line
from mictape.transcript.model import Transcript
from mictape.units import clock
from mictape.widgets.transcript_selection import selected_span

if TYPE_CHECKING:  # loaded after the first frame
    from mictape.library.records import LineRecord
    from mictape.screens.edit_line import LineEdit
    from mictape.session.session import Session
    from mictape.session.track import Track
    from mictape.session.transcript_writer import Scope, TranscriptWriter
    from mictape.session.undo import Undo

UNSURE_S: Final = 0.3
"""So long the panel of a line waits for the words that the engine was unsure of."""


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

    def _chosen(self, line: Line, *kinds: Kind) -> list[Line]:
        """The selected lines of these kinds, where several are selected; else the one under the cursor."""
        selected = self._selecting.selected
        lines = [self._page.transcript.line_of(id) for id in selected] if len(selected) > 1 else []
        return [each for each in lines if each.kind in kinds] or [line]

    @property
    def _spoken(self) -> "tuple[Session, Track] | None":
        """On which track something is being said that a mark is meant for: the last row of the followed end."""
        session, partials = self._page.session, self._page.transcript.partials
        if session is None or not partials or not self._page.view.following or len(self._selecting.selected) > 1:
            return None
        last = max(partials, key=lambda number: (partials[number].start, number))
        return session, next(track for track in session.tracks if track.number == last)

    def mark(self) -> None:
        """Mark what is being said, the selected lines, or the one under the cursor; remove the marks that are there."""
        if (spoken := self._spoken) is not None:
            session, track = spoken
            mark = session.writer.spoken_marks.of(track.number)
            if mark is not None:
                self.did("removing a mark", session.writer.spoken_marks.remove(mark))
            else:
                self.did("mark", session.writer.mark_spoken(track)[1])
        elif (here := self._here) is not None:
            lines = self._chosen(here[0], SPEECH, NOTE)
            unmarked = [line for line in lines if line.mark is None]
            with self._page.saying():
                self._mark(here[1], unmarked or lines, "" if unmarked else None)

    def _mark(self, session: "Session", lines: Sequence[Line], note: str | None) -> None:
        from mictape.session.undo import together

        count = len(lines)
        undo = together([session.writer.mark(line.id, note) for line in lines])
        if count > 1:
            self._page.say(f"{count:,} marks are removed." if note is None else f"{count:,} lines are marked.")
            what = f"removing {count:,} marks" if note is None else f"marking {count:,} lines"
        else:
            what = "removing a mark" if note is None else "mark with note" if note else "mark"
        self.did(_at(lines[0], what), undo)

    def mark_with_note(self) -> None:
        """Mark what is being said, the selected lines, or the one under the cursor, with a note."""
        if (spoken := self._spoken) is not None:
            self._page.ask(self._ask_for_spoken_mark(*spoken), "The note")
        elif (here := self._here) is not None:
            line, session = here
            self._page.ask(self._ask_for_mark(session, self._chosen(line, SPEECH, NOTE)), "The note")

    async def _ask_for_mark(self, session: "Session", lines: Sequence[Line]) -> None:
        first = lines[0]
        which = f"the line at {clock(first.start)}" if len(lines) == 1 else f"the {len(lines)} selected lines"
        note = await self._page.typed(f"Note on {which}", value=first.mark or "")
        if note is not None:
            with suppress(KeyError):  # a line has gone meanwhile
                self._mark(session, lines, note)

    async def _ask_for_spoken_mark(self, session: "Session", track: "Track") -> None:
        """Mark it at once: it may be a line when the note is written."""
        marks = session.writer.spoken_marks
        mark, undo = marks.of(track.number), None
        if mark is None:
            mark, undo = session.writer.mark_spoken(track)
        note = await self._page.typed("Note on what is being said", value=mark.note)
        with suppress(KeyError):  # the line has gone meanwhile
            if note is not None:
                mark.note = note
                self.did("mark with note", marks.add(mark))
            elif undo is not None:
                undo(session.writer)

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
        """Edit the line under the cursor: text, speaker, key terms."""
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
        speakers = self._page.transcript.voices.speakers
        wish = await self._page.app.push_screen_wait(EditLine(line, speakers, place, session.key_terms))
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
            await self._remove(session, [line])
            return
        steps: dict[str, Undo] = {}
        if wish.text is not None:
            steps["edit"] = session.writer.edit(line.id, wish.text)
        if (speaker := wish.speaker) is not None:
            steps["speaker's name"] = session.writer.name_speaker(line.id, speaker.name, speaker.scope)
        if steps:
            from mictape.session.undo import together

            self.did(_at(line, " and ".join(steps)), together(list(steps.values())))
        if wish.key_terms is not None:
            await session.set_key_terms(wish.key_terms)

    def remove_line(self) -> None:
        """Take the selected lines away, or the one under the cursor."""
        if (here := self._here) is not None:
            line, session = here
            lines = self._chosen(line, SPEECH, NOTE)
            self._page.start(self._remove(session, lines), "Removing lines", group="rearrange")

    async def _remove(self, session: "Session", lines: Sequence[Line]) -> None:
        """Take lines away, with the cursor on the next one, or else the one before."""
        ids = [line.id for line in lines]
        with suppress(KeyError):  # a line has gone meanwhile
            beside = _beside(self._page.transcript, ids)
            undo = await session.writer.remove(*ids)
            if len(ids) > 1:
                self._page.selections = {}
            _go_to(self._page, beside)
            self._history.did(_removing(lines), _brought_back(undo, ids))
            which, them = ("The line is", "it") if len(ids) == 1 else (f"{len(ids):,} lines are", "them")
            stays = ", the sound stays" if any(line.kind is SPEECH for line in lines) else ""
            self._page.say(f"{which} removed{stays}; {shown_key('undo', keymap_in(self._page))} brings {them} back.")

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
        """Make one line of the selected lines, or of the line under the cursor and the next one of its track."""
        if (here := self._here) is not None:
            line, session = here
            self._page.start(self._join(session, self._chosen(line, SPEECH)), "Joining lines", group="rearrange")

    async def _join(self, session: "Session", lines: Sequence[Line]) -> None:
        with suppress(KeyError):  # a line has gone meanwhile
            joined = lines if len(lines) > 1 else [*lines, session.writer.next_of(lines[0])]
            id, undo = await session.writer.join(*(line.id for line in joined))
            what = f"joining {len(lines):,} lines" if len(lines) > 1 else "joining lines"
            self._rearranged(what, lines[0], id, undo)
            if len({line.speaker for line in joined}) > 1:
                key = shown_key("name_speaker", keymap_in(self._page))
                self._page.say(f"The lines had different speakers, so the joined one has none. Name one ({key}).")

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
        from mictape.session.rearranging import word_start

        one = len(self._selecting.selected) == 1
        span = selected_span(self._page.transcript, self._page.view.text_selection, line.id) if one else None
        if span is not None:  # a drag may begin within the word
            at = word_start(line.text, span[0])
        else:
            at = await self._page.app.push_screen_wait(SplitLine(line))
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
        """Ask for the name of a track, and of those that a device of this name got when it was recorded again."""
        from mictape.session.undo import together  # loaded after the first frame

        of_device = [each for each in session.tracks if each.device == track.device]
        same = [each for each in of_device if each.name == track.name]
        hint = f"Shown on every line of {track.device if same == of_device else 'this track'}."
        if name := await self._page.typed("Name of the track", hint=hint, value=track.name, replaces=True):
            self.did("track's name", together([session.writer.rename_track(each, name) for each in same]))

    def complete_gap(self) -> None:
        """Transcribe the gap under the cursor."""
        if (here := self._here) is not None:
            line, session = here
            with self._page.saying():
                session.complete_gap(line.id)


async def recall_removed(session: "Session", history: History) -> None:
    """Have lines that were removed while the session was open before brought back by `undo`. Raises MictapeError."""
    for line in await session.removed_lines():
        history.did(_removing([line]), _brought_back(partial(_bring_back, line), [line.id]))


def _bring_back(line: "LineRecord", writer: "TranscriptWriter") -> "Undo":
    return writer.bring_back([line])


def _brought_back(undo: "Undo", ids: Sequence[int]) -> Step:
    """Takes back that lines were removed, with the cursor on the first of them."""

    def step(page: Page) -> Step | None:
        if page.session is None:
            raise KeyError(ids[0])
        again = undo(page.session.writer)
        page.view.go_to(ids[0])
        return None if again is None else _removed(again, ids)

    return step


def _removed(remove: "Undo", ids: Sequence[int]) -> Step:
    """Removes lines again, with the cursor on the line beside them."""

    def step(page: Page) -> Step | None:
        if page.session is None:
            raise KeyError(ids[0])
        beside = _beside(page.transcript, ids)
        undo = remove(page.session.writer)
        _go_to(page, beside)
        return None if undo is None else _brought_back(undo, ids)

    return step


def _beside(transcript: Transcript, ids: Sequence[int]) -> int | None:
    """The line behind these, or else the one before; None where there is no other. Raises KeyError."""
    places = {transcript.index_of(id) for id in ids}
    last, first = max(places), min(places)
    behind = last + 1 if last + 1 < len(transcript) else first - 1
    return transcript.id_at(behind) if behind >= 0 else None


def _go_to(page: Page, id: int | None) -> None:
    if id is not None and id in page.transcript:
        page.view.go_to(id)


def _removing(lines: "Sequence[Line] | Sequence[LineRecord]") -> str:
    return _at(lines[0], "removing the line" if len(lines) == 1 else f"removing {len(lines):,} lines")


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
