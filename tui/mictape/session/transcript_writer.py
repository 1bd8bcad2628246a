"""Turns what a track's engine and source say into lines of the transcript, in session time, and has them kept."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from msgspec import structs

from mictape.engines.base import Answered, FinalTurn, Notice, Partial, Speakers, Word
from mictape.failure import Failure
from mictape.library.records import LineRecord
from mictape.recognition.coverage import Gap
from mictape.recognition.stretches import Told
from mictape.session.events import Event, LineAdded, LineRevised, Trouble
from mictape.session.library_writer import Keeper
from mictape.session.track import Track
from mictape.transcript.model import Kind, Line, PartialText, Transcript
from mictape.units import RATE


class Scribe:
    """Writes a session's transcript. What it is told is in the track's own time; what it writes is session time."""

    def __init__(self, transcript: Transcript, keeper: Keeper, tell: Callable[[Event], None]) -> None:
        self._transcript = transcript
        self._keeper = keeper
        self._tell = tell
        self._turns: dict[tuple[int, int], dict[int, int]] = {}
        """For each track and connection the line of each of its turns."""

    def forget_connections(self, track: Track) -> None:
        """Another engine counts connections and turns anew, and what the old one had half heard is heard again."""
        for key in [key for key in self._turns if key[0] == track.number]:
            del self._turns[key]
        self._transcript.set_partial(track.number, None)

    def divide(self, track: Track, text: str) -> None:
        """Something changed at the end of the track's tape: the microphone, the engine."""
        line = self._add(track, track.end, track.end, text, kind=Kind.DIVIDER)
        self._keeper.add_line(track, _kept(line))

    def show_hole(self, track: Track, start: int, end: int, why: str) -> None:
        """`[start, end)` of the tape is silence in place of lost sound."""
        self._add(track, start, end, f"{(end - start) / RATE:.1f} s lost: {why}", kind=Kind.HOLE)

    def write(self, track: Track, told: Told) -> None:
        """Take in what an engine said, or that the follower gave a stretch up."""
        match told.heard:
            case Partial() if told.live:
                self._on_partial(track, told.heard)
            case FinalTurn():
                self._on_final(track, told, told.heard)
            case Gap(start, end, why):
                self._add(
                    track,
                    start,
                    end,
                    f"{(end - start) / RATE:.0f} s not transcribed: {why} · c to complete",
                    kind=Kind.GAP,
                )
                self._keeper.set_coverage(track)
            case Speakers(turns):
                self._on_speakers(track, told.connection, turns)
            case Notice(text):
                self._tell(Trouble(Failure(text)))
            case Answered() if self._transcript.partials.get(track.number) is not None and track.tape.ended:
                # All is said; a partial that never became final came to nothing.
                if track.coverage.reached(track.end) == track.end:
                    self._transcript.set_partial(track.number, None)
            case _:
                pass

    def _on_partial(self, track: Track, heard: Partial) -> None:
        track.time_words(heard.words)
        start = track.coverage.reached(track.end) if heard.start is None else heard.start
        text = PartialText(track.place(start), heard.text, heard.stable) if heard.text else None
        self._transcript.set_partial(track.number, text)

    def _on_final(self, track: Track, told: Told, heard: FinalTurn) -> None:
        if told.live:
            track.time_words(heard.words)
            self._transcript.set_partial(track.number, None)
        turns = self._turns.setdefault((track.number, told.connection), {})
        if (id := turns.get(heard.turn)) is not None:
            start, end = (None if at is None else track.place(at) for at in (heard.start, heard.end))
            self._transcript.revise(id, heard.text, start=start, end=end, speaker=heard.speaker)
            line = self._transcript.line(self._transcript.index_of(id))
            kept = _kept(line, told.engine, told.connection, self._placed(track, heard))
            self._keeper.revise_line(track, kept)
            self._tell(LineRevised(kept))
        elif heard.text:
            # Without times of its own a line gets the stretch it answers for.
            start = track.coverage.reached(track.end) if heard.start is None else heard.start
            end = max(start, track.follower.received if track.follower else start) if heard.end is None else heard.end
            line = self._add(track, start, end, heard.text, kind=Kind.SPEECH, speaker=heard.speaker)
            turns[heard.turn] = line.id
            kept = _kept(line, told.engine, told.connection, self._placed(track, heard))
            self._keeper.add_line(track, kept)
            self._tell(LineAdded(kept))

    def _on_speakers(self, track: Track, connection: int, turns: Mapping[int, str]) -> None:
        """Who spoke in lines already final, revised. Turns that gave no line have nobody to name."""
        ids = self._turns.get((track.number, connection), {})
        for turn, speaker in turns.items():
            if (id := ids.get(turn)) is not None:
                self._transcript.revise(id, speaker=speaker)
                # By the name that the person has given it, if there is one.
                self._keeper.set_speaker(id, self._transcript.line_of(id).speaker or speaker)

    def _add(self, track: Track, start: int, end: int, text: str, *, kind: Kind, speaker: str | None = None) -> Line:
        start, end = track.place(start), track.place(end)
        id = self._transcript.add(track.number, start, max(start, end), text, kind=kind, speaker=speaker)
        return self._transcript.line(self._transcript.index_of(id))

    def _placed(self, track: Track, heard: FinalTurn) -> FinalTurn:
        """The same with its words in session time, by speakers as they are called now."""

        def placed(word: Word) -> Word:
            start, end = (None if at is None else track.place(at) for at in (word.start, word.end))
            speaker = word.speaker and self._transcript.called(track.number, word.speaker)
            return structs.replace(word, start=start, end=end, speaker=speaker)

        return replace(heard, words=heard.words and tuple(map(placed, heard.words)))


def _kept(
    line: Line, engine: str | None = None, connection: int | None = None, heard: FinalTurn | None = None
) -> LineRecord:
    """A line as the library keeps it; `heard` in session time. An edit is not the engine's text."""
    words = (heard.words if heard else None) or ()
    return LineRecord(
        id=line.id,
        track=line.track,
        start=line.start,
        end=line.end,
        text=line.text if line.heard is None else line.heard,
        kind=line.kind,
        speaker=line.speaker,
        language=heard.language if heard else None,
        engine=engine,
        connection=connection,
        turn=heard.turn if heard else None,
        words=words or None,
    )
