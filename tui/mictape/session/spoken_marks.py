"""Marks on what is being said now, which is no line yet: the line that it becomes gets them."""

from collections.abc import Callable

from msgspec import Struct

from mictape.session.undo import Undo
from mictape.transcript.line import Line


class SpokenMark(Struct, eq=False):
    """A mark that was made while its words were being said."""

    track: int
    at: int
    """When it was made, session time, samples at 16 kHz."""
    note: str = ""
    line: int | None = None
    """The id of the line that has it."""


class SpokenMarks:
    """The marks that have no line yet, by track."""

    def __init__(self, set_mark: Callable[[int, str | None], object], show: Callable[[int], object]) -> None:
        """Have none.

        Args:
            set_mark: sets the mark of a line, by its id, or takes it away.
            show: shows on a track's unfinished text whether it is marked.
        """
        self._set_mark = set_mark
        self._show = show
        self._open: dict[int, SpokenMark] = {}

    def of(self, track: int) -> SpokenMark | None:
        """The mark on what is being said on a track."""
        return self._open.get(track)

    def note_of(self, track: int) -> str | None:
        """The note on it, empty without one; None where nothing is marked."""
        mark = self.of(track)
        return None if mark is None else mark.note

    def add(self, mark: SpokenMark) -> Undo:
        """Mark what is being said, or what it has become; also with another note."""
        if mark.line is None:
            self._open[mark.track] = mark
            self._show(mark.track)
        else:
            self._set_mark(mark.line, mark.note)
        return lambda writer: writer.spoken_marks.remove(mark)

    def remove(self, mark: SpokenMark) -> Undo:
        """Take a mark away."""
        if mark.line is None:
            self._open.pop(mark.track, None)
            self._show(mark.track)
        else:
            self._set_mark(mark.line, None)
        return lambda writer: writer.spoken_marks.add(mark)

    def place(self, line: Line) -> None:
        """Give the next line of a track its mark."""
        if (mark := self.take(line.track)) is not None:
            mark.line = line.id
            self._set_mark(line.id, mark.note)

    def take(self, track: int) -> SpokenMark | None:
        """The mark on what is being said on a track, which is known no more."""
        return self._open.pop(track, None)
