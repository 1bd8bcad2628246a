"""Lines as the library stores them, and stored lines in a transcript."""

from msgspec import structs

from mictape.engines.base import FinalTurn, Word
from mictape.library.records import NO_LINE, LineRecord
from mictape.recognition.stretches import FollowerEvent
from mictape.session.track import Track
from mictape.transcript.line import Line
from mictape.transcript.model import Transcript
from mictape.transcript.voices import Voices


def record_of(
    line: Line, track: Track, voices: Voices, said: FollowerEvent | None = None, turn: FinalTurn | None = None
) -> LineRecord:
    """A line as the library stores it, with the engine's text: an edit is stored on its own.

    Args:
        line: As the transcript has it.
        track: Its track.
        voices: Have the present names of the speakers of words.
        said: What the engine's answer came with; None: it is of no engine.
        turn: The engine's answer.
    """
    return LineRecord(
        id=line.id,
        track=line.track,
        start=line.start,
        end=line.end,
        text=line.text if line.original is None else line.original,
        kind=line.kind,
        speaker=line.speaker,
        language=turn.language if turn else None,
        engine=said.engine if said else None,
        connection=said.connection if said else None,
        turn=turn.turn if turn else None,
        words=tuple(_in_session_time(word, track, voices) for word in turn.words or ()) or None if turn else None,
    )


def as_shown(record: LineRecord, line: Line) -> LineRecord:
    """A stored line with all that the transcript knows of it."""
    return structs.replace(
        record,
        start=line.start,
        end=line.end,
        text=line.text,
        original=line.original,
        speaker=line.speaker,
        mark=line.mark,
    )


def show_line(transcript: Transcript, line: LineRecord) -> int:
    """Add a stored line to a transcript, by its id; a `NO_LINE` gets one. The id it has there."""
    return transcript.add(
        line.track,
        line.start,
        line.end,
        line.text,
        kind=line.kind,
        speaker=line.speaker,
        id=None if line.id == NO_LINE else line.id,
        original=line.original,
        mark=line.mark,
        new=False,
    )


def session_times(track: Track, start: int | None, end: int | None) -> tuple[int | None, int | None]:
    """The session times of the start and the end of something, in the track's own time."""
    begins = None if start is None else track.session_time(start)
    return begins, None if end is None else track.session_time(end, end=True)


def _in_session_time(word: Word, track: Track, voices: Voices) -> Word:
    """A word with its times in session time and its speaker's present name."""
    start, end = session_times(track, word.start, word.end)
    speaker = word.speaker and voices.called(track.number, word.speaker)
    return structs.replace(word, start=start, end=end, speaker=speaker)
