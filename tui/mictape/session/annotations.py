"""What a person does to the text of a session: marks, notes, edits, names. Shown at once, and kept.

An edit is beside what the engine said, never in its place: a later revision changes what was heard and leaves the
edit alone.
"""

from collections.abc import Callable

from mictape.failure import Failure, MictapeError
from mictape.library.records import LineRecord
from mictape.session.library_writer import Keeper
from mictape.session.track import Track
from mictape.transcript.model import NOTE, SPEECH, Transcript


class Hand:
    """The person's hand on one session's text. Every change is in the library within a second.

    Lines are named by their ids; each method raises KeyError for a line that is not there (any more).
    """

    def __init__(self, transcript: Transcript, keeper: Keeper, track_of: Callable[[int], Track]) -> None:
        """Prepare; `track_of` gives the track of a line by its id."""
        self._transcript = transcript
        self._keeper = keeper
        self._track_of = track_of

    def mark(self, id: int, note: str | None = "") -> None:
        """Mark a line, with a note if there is one; None takes the mark away.

        Raises:
            MictapeError: it is a line that is not kept as one: a gap, a hole, a change of device or engine.
        """
        self._expect_written(id)
        self._transcript.set_mark(id, note)
        self._keeper.set_mark(id, note)

    def note(self, track: Track, text: str) -> int:
        """Put a line of one's own where the track's tape is now; its id."""
        at = track.place(track.end)
        id = self._transcript.add(track.number, at, at, text, kind=NOTE)
        self._keeper.add_line(track, LineRecord(id, track.number, at, at, text, kind=NOTE))
        return id

    def edit(self, id: int, text: str) -> None:
        """Give a line another text; what the engine said is kept and comes back when it is given as the text.

        Raises:
            MictapeError: as `mark`.
        """
        self._expect_written(id)
        self._transcript.edit(id, text)
        line = self._transcript.line_of(id)
        self._keeper.edit_line(id, line.text, line.heard)

    def name_speaker(self, id: int, name: str) -> None:
        """Say who spoke a line: its speaker gets this name in every line of the track, also in those to come.

        A line without a speaker gets it alone.
        """
        track, old = self._track_of(id), self._transcript.line_of(id).speaker
        track.voices.reserve([name])  # whom an engine makes up from now on is somebody else
        if old is None:
            self._transcript.name_speaker(id, name)
            self._keeper.set_speaker(id, name)
        else:
            self._transcript.rename_speaker(track.number, old, name)
            self._keeper.rename_speaker(track.number, old, name)

    def _expect_written(self, id: int) -> None:
        if self._transcript.line_of(id).kind not in (SPEECH, NOTE):
            what = "Only what was said and notes of one's own can be marked and changed"
            raise MictapeError(Failure(what, "Move to such a line with Up and Down"))
