"""The one place that writes a session's text: every verb changes the transcript and posts one row to the library.

What an engine says arrives in a track's own time; what is written is session time. A line is stored together with the
coverage it answers for, so that nothing is ever marked as covered without its text.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Final, Literal

from msgspec import structs

from mictape.engines.base import Answered, FinalTurn, Notice, Partial, Speakers
from mictape.failure import Failure, MictapeError
from mictape.library.library import SessionWrites, Store
from mictape.library.records import CoverageRecord, LineRecord, TrackChange
from mictape.recognition.coverage import Gap
from mictape.recognition.stretches import FollowerEvent
from mictape.session.coverage_records import changes, records_of
from mictape.session.divider_texts import again_text, gap_text, hole_text, microphone_text, removed_text
from mictape.session.events import Event, LineAdded, LineRevised, PartialChanged, Trouble
from mictape.session.line_records import as_shown, record_of, session_times, show_line
from mictape.session.rearranging import joined_line, split_line
from mictape.session.spoken_marks import SpokenMark, SpokenMarks
from mictape.session.spoken_names import SpokenNames
from mictape.session.track import Track
from mictape.session.undo import Undo, together
from mictape.transcript.line import NOTE, SPEECH, Kind, Line, PartialText
from mictape.transcript.model import Transcript
from mictape.units import RATE

Scope = Literal["line", "following", "all"]
"""Whose speaker is named: this line's, also that of the following lines of the same speaker, or of all of theirs."""


LAG: Final = RATE // 2
"""Engines answer for silence so much later: where none of a track's last sound has shown a word, that is no gap."""


class TranscriptWriter:
    """Writes the text of one session, for its engines and for the person.

    Lines are named by their ids; methods that take one raise KeyError when there is no such line. An edit is kept
    beside the engine's text, never in its place: a later revision changes the engine's text and leaves the edit alone.
    """

    def __init__(
        self,
        transcript: Transcript,
        writes: SessionWrites,
        tracks: Sequence[Track],
        report: Callable[[Event], None],
    ) -> None:
        """Write for the session whose `tracks` these are, now and later; `report` is given what has happened."""
        self._transcript = transcript
        self._writes = writes
        self._tracks = tracks
        self._report = report
        self._turns: dict[int, dict[int, int]] = {}
        """For each connection the line of each of its turns."""
        self._left_partials = set[int]()
        """The tracks whose unfinished turn is one of an engine that is no longer used."""
        self._late: dict[int, tuple[Track, FollowerEvent, FinalTurn]] = {}
        """What engines have said again of lines that the person has joined or split, by the id of the line."""
        self.spoken = SpokenNames(self._set_speakers)
        """Who speaks what is no line yet."""
        self.spoken_marks = SpokenMarks(self._set_mark, self._show_mark)
        """The marks on what is no line yet."""
        self._stored: dict[int, list[CoverageRecord]] = {}
        """For each track the coverage as posted so far."""

    def track_of(self, id: int) -> Track:
        """The track that a line belongs to."""
        return self._track(self._transcript.line_of(id).track)

    def _track(self, number: int) -> Track:
        return next(track for track in self._tracks if track.number == number)

    # Tracks.

    def add_track(self, track: Track) -> None:
        """Store a new track."""
        self._writes.post(Store.add_track, track.record())

    def rename_track(self, track: Track, name: str) -> Undo:
        """Rename a track, in every line of it, there and to come."""
        number, before = track.number, track.name
        track.name = name
        self.show_track_names()
        self._writes.post(Store.rename_track, number, name)
        return lambda writer: writer.rename_track(writer._track(number), before)

    def show_track_names(self) -> None:
        """Lines carry the name of their track when there are several, or when it was given by the person."""
        self._transcript.alone = self._tracks[0].name
        for track in self._tracks:
            shown = len(self._tracks) > 1 or track.renamed
            self._transcript.name_track(track.number, track.name if shown else None)

    def store_progress(self, track: Track) -> None:
        """Store how far a track has come, where no line does it."""
        self._writes.post(Store.change_track, self._change(track))

    def _change(self, track: Track) -> TrackChange:
        now = records_of(track.coverage)
        changed = changes(self._stored.get(track.number, []), now)
        self._stored[track.number] = now
        return TrackChange(track.number, track.tape.samples, track.lost, changed)

    # What happens to the recording.

    def set_device(self, track: Track) -> None:
        """Note and store that another device is recorded on a track."""
        self.add_divider(track, microphone_text(track.device))
        self._writes.post(Store.set_device, track.number, track.device)

    def set_removed(self, track: Track, removed: bool) -> None:
        """Note and store that the device of a track was removed, or is recorded again."""
        track.removed = removed
        if removed:
            self.add_divider(track, removed_text(track.device))
        else:  # its own track still ends where it was removed
            self.add_divider(self._tracks[0], again_text(track.device))
        self._writes.post(Store.set_removed, track.number, removed)

    def add_divider(self, track: Track, text: str) -> int:
        """Note a change at the end of the track's tape: of the microphone or of the engine, a pause, a stop; its id."""
        return self._store(track, self._add(track, track.end, track.end, text, kind=Kind.DIVIDER)).id

    def change_divider(self, id: int, text: str) -> None:
        """Have a divider say something else, at the present end of its track's tape."""
        track = self.track_of(id)
        at = track.session_time(track.end, end=True)
        self._transcript.revise(id, text, start=at, end=at)
        self._writes.post(Store.revise_line, self._record(track, self._transcript.line_of(id)))

    def add_own_playback(self, track: Track, start: int, end: int) -> None:
        """Note that `[start, end)` was not transcribed, because Mictape itself was playing."""
        text = f"{(end - start) / RATE:.0f} s not transcribed: Mictape was playing"
        self._store(track, self._add(track, start, end, text, kind=Kind.DIVIDER))

    def add_hole(self, track: Track, start: int, end: int, why: str) -> None:
        """Show that `[start, end)` of the tape is silence in place of lost sound."""
        self._add(track, start, end, hole_text(end - start, why), kind=Kind.HOLE)

    def add_gap(self, track: Track, gap: Gap) -> None:
        """Show a stretch without text, and store it."""
        self._show_gap(track, gap)
        self.store_progress(track)

    def show_gaps(self, track: Track) -> None:
        """Show all stretches without text, which the library has already."""
        for gap in track.coverage.gaps:
            self._show_gap(track, gap)
        self._stored[track.number] = records_of(track.coverage)

    def _show_gap(self, track: Track, gap: Gap) -> None:
        self._add(track, gap.start, gap.end, gap_text(gap.end - gap.start, gap.why), kind=Kind.GAP)

    # What engines say.

    def write(self, track: Track, said: FollowerEvent) -> None:
        """Write what an engine said, or that the follower gave a stretch up."""
        match said.event:
            case Partial() as partial if said.live:
                self._show_partial(track, partial)
            case FinalTurn() as turn:
                self._write_turn(track, said, turn)
            case Gap() as gap:
                self.add_gap(track, gap)
            case Speakers(turns):
                self._revise_speakers(said.connection, turns)
            case Notice(text):
                self._report(Trouble(Failure(text)))
            case Answered() if track.number in self._left_partials:
                self.clear_partial(track)
            case Answered() if self._transcript.partials.get(track.number) is not None and track.tape.ended:
                # All is said; a partial that never became final came to nothing.
                if track.coverage.reached(track.end) == track.end:
                    self.clear_partial(track)
            case _:
                pass

    def clear_partial(self, track: Track) -> None:
        """Show no unfinished turn of a track any more."""
        self._set_partial(track, None)

    def leave_partial(self, track: Track) -> None:
        """Show the unfinished turn of an engine that is no longer used until the next one answers."""
        if track.number in self._transcript.partials:
            self._left_partials.add(track.number)

    def give_up(self, track: Track, why: str) -> None:
        """What is open of a track is a gap from now on, which has the words that are on the screen; store it."""
        coverage, partial = track.coverage, self._transcript.partials.get(track.number)
        if partial is not None:
            rest = (each for each in coverage.open(track.end) if track.session_time(each[1]) > partial.start)
            if (begun := next(rest, None)) is not None:
                coverage.give_up(*begun, f"{why}; it begins: {partial.text}")
        elif (rest := coverage.open(track.end)) and rest[-1][1] - rest[-1][0] < LAG:
            coverage.cover(*rest[-1])
        coverage.give_up(track.tape.origin, track.end, why)
        self.store_progress(track)
        if (mark := self.spoken_marks.take(track.number)) is not None:
            self.note(track, mark.note or "Marked", mark.at)

    def _show_partial(self, track: Track, partial: Partial) -> None:
        track.time_words(partial.words)
        start = track.coverage.reached(track.end) if partial.start is None else partial.start
        mark = self.spoken_marks.note_of(track.number)
        text = PartialText(track.session_time(start), partial.text, partial.stable, mark) if partial.text else None
        self._set_partial(track, text)

    def _show_mark(self, track: int) -> None:
        """Show on the unfinished turn of a track whether it is marked."""
        if (partial := self._transcript.partials.get(track)) is not None:
            self._transcript.set_partial(track, structs.replace(partial, mark=self.spoken_marks.note_of(track)))

    def _set_partial(self, track: Track, partial: PartialText | None) -> None:
        self._left_partials.discard(track.number)
        if self._transcript.partials.get(track.number) != partial:
            self._transcript.set_partial(track.number, partial)
            self._report(PartialChanged(track.number, partial))

    def _write_turn(self, track: Track, said: FollowerEvent, turn: FinalTurn) -> None:
        if said.live:
            track.time_words(turn.words)
            self.clear_partial(track)
        lines = self._turns.setdefault(said.connection, {})
        if (id := lines.get(turn.turn)) is not None:
            self._revise(id, track, said, turn)
        elif turn.text:
            # Without times of its own a line gets the stretch it answers for.
            start = track.coverage.reached(track.end) if turn.start is None else turn.start
            end = max(start, track.follower.received if track.follower else start) if turn.end is None else turn.end
            line = self._add(track, start, end, turn.text, kind=SPEECH, speaker=turn.speaker)
            lines[turn.turn] = line.id
            added = LineAdded(self._store(track, line, said, turn))
            if said.live:
                self.spoken.name(line)
                self.spoken_marks.place(line)
            self._report(added)

    def _revise(self, id: int, track: Track, said: FollowerEvent, turn: FinalTurn) -> None:
        """Write what an engine says again of a line; of one that was joined or split, each time that is undone."""
        if id not in self._transcript or id in self._late:
            self._late[id] = (track, said, turn)
        if id not in self._transcript:
            return
        start, end = session_times(track, turn.start, turn.end)
        self._transcript.revise(id, turn.text, start=start, end=end, speaker=turn.speaker)
        record = self._record(track, self._transcript.line_of(id), said, turn)
        self._writes.post(Store.revise_line, record, self._change(track))
        self._report(LineRevised(record))

    def _revise_late(self, id: int) -> None:
        """Write what an engine has said again of a line while it was not there."""
        if (late := self._late.get(id)) is not None:
            self._revise(id, *late)

    def _revise_speakers(self, connection: int, turns: Mapping[int, str]) -> None:
        """Set who spoke in lines that are final already. Turns without a line need no speaker."""
        lines = self._turns.get(connection, {})
        for turn, speaker in turns.items():
            if (id := lines.get(turn)) is not None and id in self._transcript:
                self._transcript.revise(id, speaker=speaker)
                line = self._transcript.line_of(id)
                # By the name that the person has given, if there is one.
                self._writes.post(Store.set_speakers, {id: line.speaker or speaker})
                self._report(LineRevised(self._record(self.track_of(id), line)))

    # What the person does.

    def mark(self, id: int, note: str | None = "") -> Undo:
        """Mark a line, with a note if there is one; None takes the mark away.

        Raises:
            MictapeError: the line is a gap, a hole, or a change of device or engine: these are not stored as lines.
        """
        self._expect_text(id)
        before = self._transcript.line_of(id).mark
        self._set_mark(id, note)
        return lambda writer: writer.mark(id, before)

    def _set_mark(self, id: int, note: str | None) -> None:
        self._transcript.set_mark(id, note)
        self._writes.post(Store.set_mark, id, note)

    def mark_spoken(self, track: Track, note: str = "") -> tuple[SpokenMark, Undo]:
        """Mark what is being said on a track, which is no line yet.

        Returns:
            The mark, and what takes it away again.
        """
        mark = SpokenMark(track.number, track.session_time(track.end), note)
        return mark, self.spoken_marks.add(mark)

    def note(self, track: Track, text: str, at: int | None = None) -> tuple[int, Undo]:
        """Add a line of one's own at a session time, or where the track's tape is now.

        Returns:
            Its id, and what takes it away again.
        """
        time = track.session_time(track.end) if at is None else at
        line = self._transcript.line_of(self._transcript.add(track.number, time, time, text, kind=NOTE))
        record = self._store(track, line)
        return line.id, lambda writer: writer._replace((record,), ())[1]

    async def remove(self, *ids: int) -> Undo:
        """Take lines away; their sound counts as transcribed. The library keeps them for `bring_back`.

        What an engine says again of them comes if that is undone.

        Raises:
            MictapeError: as `mark`, or the library cannot be read.
        """
        for id in ids:
            self._expect_text(id)
        return self._remove(await self._stored_lines(*ids))

    def _remove(self, lines: Sequence[LineRecord]) -> Undo:
        for line in lines:
            self._transcript.line_of(line.id)  # where one is not there any more, none is removed
        for line in lines:
            self._transcript.remove(line.id)
        self._writes.post(Store.remove_lines, tuple(lines))
        return lambda writer: writer.bring_back(lines)

    def bring_back(self, lines: Sequence[LineRecord]) -> Undo:
        """Put lines back that were removed from this version of the text."""
        for line in lines:
            show_line(self._transcript, line)
        self._writes.post(Store.restore_lines, tuple(lines))
        for line in lines:
            self._revise_late(line.id)
        return lambda writer: writer._remove(lines)

    def edit(self, id: int, text: str) -> Undo:
        """Give a line another text; giving it the engine's text ends the edit.

        Raises:
            MictapeError: as `mark`.
        """
        self._expect_text(id)
        before = self._transcript.line_of(id)
        self._transcript.edit(id, text)
        line = self._transcript.line_of(id)
        self._writes.post(Store.edit_line, id, line.text, line.original)

        def undo(writer: TranscriptWriter) -> Undo:
            now = writer._transcript.line_of(id)  # the engine may have revised its own text
            return writer.edit(id, before.text if before.original is not None else now.original or now.text)

        return undo

    def name_speaker(self, id: int, name: str, scope: Scope = "all") -> Undo:
        """Name who spoke a line, and as many others of the same speaker and track as the scope says.

        `all` renames the speaker, also in lines to come. Lines without a speaker are not all of one: there, `all` names
        this line alone. What is being said, and no line yet, is one of the following without a speaker.
        """
        track, old = self.track_of(id), self._transcript.line_of(id).speaker
        if scope == "following":
            rest = self._transcript.ids()[self._transcript.index_of(id) :]
            lines = map(self._transcript.line_of, rest)
            same = (line.id for line in lines if (line.track, line.speaker) == (track.number, old))
            undo = self.name_lines(list(same), name)
            if old is None and track.number in self._transcript.partials:
                spoken = self.spoken.expect(track.number, name, track.session_time(track.end))
                return together([undo, spoken])
            return undo
        if scope == "line" or old is None:
            return self.name_lines([id], name)
        track.speakers.reserve([name])
        merged = name != old and self._transcript.voices.has(track.number, name)
        undo = self._rename_speaker(track, old, name)
        return _not_separable if merged else undo

    def name_lines(self, ids: Sequence[int], name: str) -> Undo:
        """Name who spoke these lines, as far as they are speech, in place of whom they had before.

        Raises:
            MictapeError: none of them is.
        """
        lines = [line for line in map(self._transcript.line_of, ids) if line.kind is SPEECH]
        if not lines:
            raise MictapeError(Failure("Only speech has a speaker", "Move to a line of speech first"))
        for number in {line.track for line in lines}:
            # An engine that makes the same name up means another person.
            self._track(number).speakers.reserve([name])
        return self._set_speakers({line.id: (name, True) for line in lines})

    def _set_speakers(self, speakers: Mapping[int, tuple[str | None, bool]]) -> Undo:
        """Set the speakers of lines, and whether they are the person's own; of those lines that are there."""
        transcript = self._transcript
        there = {id: speaker for id, speaker in speakers.items() if id in transcript}
        before = {id: (transcript.line_of(id).speaker, transcript.has_own_speaker(id)) for id in there}
        for id, (name, own) in there.items():
            self._transcript.name_speaker(id, name, own=own)
        self._writes.post(Store.set_speakers, {id: name for id, (name, _) in there.items()})
        return lambda writer: writer._set_speakers(before)

    def _rename_speaker(self, track: Track, old: str, new: str) -> Undo:
        self._transcript.rename_speaker(track.number, old, new)
        self._writes.post(Store.rename_speaker, track.number, old, new)
        return lambda writer: writer._rename_speaker(writer._track(track.number), new, old)

    def next_of(self, line: Line) -> Line:
        """The next line of speech on the same track. Raises MictapeError when none follows, or it is no speech."""
        self._expect_speech(line.id)
        transcript = self._transcript
        ahead = (transcript.line(at) for at in range(transcript.index_of(line.id) + 1, len(transcript)))
        following = next((each for each in ahead if each.kind is SPEECH and each.track == line.track), None)
        if following is None:
            raise MictapeError(Failure("No other line follows on this track", "Move to the line before this one"))
        return following

    async def join(self, *ids: int) -> tuple[int, Undo]:
        """Make one line of these; its id, and what takes it back.

        Args:
            *ids: Of lines of one track, in the order of the recording.

        Raises:
            MictapeError: they are not speech of one track, or the library cannot be read.
        """
        lines = [self._expect_speech(id) for id in ids]
        if len({line.track for line in lines}) > 1:
            raise MictapeError(Failure("Only lines of one track can be joined", "Select lines of one track"))
        stored = await self._stored_lines(*(line.id for line in lines))
        [joined], undo = self._replace(stored, (reduce(joined_line, stored),))
        return joined, undo

    async def split(self, id: int, at: int) -> tuple[int, Undo]:
        """Make two lines of one, the second from the word at character `at` on; its id, and what takes it back.

        Raises:
            MictapeError: it is not speech, has no text before or behind that, or the library cannot be read.
        """
        self._expect_speech(id)
        [line] = await self._stored_lines(id)
        [_, second], undo = self._replace((line,), split_line(line, at))
        return second, undo

    async def _stored_lines(self, *ids: int) -> list[LineRecord]:
        """Lines as they are now, with what only the library has of them: their words, language and engine."""
        while True:
            lines = [self._transcript.line_of(id) for id in ids]
            records = await self._writes.run(Store.lines_of, ids)
            if lines == [self._transcript.line_of(id) for id in ids]:  # else an engine has revised one meanwhile
                return [as_shown(record, line) for record, line in zip(records, lines, strict=True)]

    def _replace(self, old: Sequence[LineRecord], new: Sequence[LineRecord]) -> tuple[list[int], Undo]:
        """Put lines in the place of others; their ids, and what takes it back. Those without an id get one."""
        for record in old:
            self._transcript.line_of(record.id)
        for record in old:
            self._transcript.remove(record.id)
        added = [structs.replace(record, id=show_line(self._transcript, record)) for record in new]
        self._writes.post(Store.replace_lines, tuple(record.id for record in old), tuple(added))
        for record in added:
            self._revise_late(record.id)
        return [record.id for record in added], lambda writer: writer._replace(added, old)[1]

    def _expect_speech(self, id: int) -> Line:
        line = self._transcript.line_of(id)
        if line.kind is not SPEECH:
            raise MictapeError(Failure("Only speech can be joined and split", "Move to a line of speech first"))
        return line

    def _expect_text(self, id: int) -> None:
        if self._transcript.line_of(id).kind not in (SPEECH, NOTE):
            raise MictapeError(Failure("Only speech and notes can be marked and changed", "Move to such a line first"))

    # Lines.

    def _add(self, track: Track, start: int, end: int, text: str, *, kind: Kind, speaker: str | None = None) -> Line:
        start, end = track.session_time(start), track.session_time(end, end=end > start)
        id = self._transcript.add(track.number, start, max(start, end), text, kind=kind, speaker=speaker)
        return self._transcript.line_of(id)

    def _store(
        self, track: Track, line: Line, said: FollowerEvent | None = None, turn: FinalTurn | None = None
    ) -> LineRecord:
        record = self._record(track, line, said, turn)
        self._writes.post(Store.add_line, record, self._change(track))
        return record

    def _record(
        self, track: Track, line: Line, said: FollowerEvent | None = None, turn: FinalTurn | None = None
    ) -> LineRecord:
        return record_of(line, track, self._transcript.voices, said, turn)


def _not_separable(_: TranscriptWriter) -> None:
    raise MictapeError(Failure("Two speakers have one name now, and cannot be separated again"))
