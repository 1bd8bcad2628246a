"""What is selected in a transcript: Textual's selection, whose offsets carry line ids, as places in the text."""

import re
from collections.abc import Callable
from typing import Final

from textual.geometry import Offset
from textual.selection import Selection

from mictape.plain_text import visible
from mictape.transcript.line import NOTE, SPEECH, bracketed
from mictape.transcript.model import Transcript
from mictape.units import Span

_ENDLESS: Final = 1 << 60
"""A character behind the end of every line."""

_WORD: Final = r"\w+(?:['’\-]\w+)*|\S"
"""What a double click selects: letters and digits with what joins them, or a sign by itself."""

_Point = tuple[int, int]
"""A place in the text: index of the line, character."""


def selected_text(transcript: Transcript, selection: Selection, continues: Callable[[int], bool]) -> str | None:
    """The selected text, a row for each line; what is seen is what is copied. None when one of its ends is gone.

    Of several lines only what was said and noted, with notes in brackets: the rest would read as said.

    Args:
        transcript: where it is selected.
        selection: its ends.
        continues: whether the line at a place follows the one before in its row.
    """
    points = _points(transcript, selection)
    if points is None:
        return None
    (first, left), (last, right) = points
    lines = [(index, transcript.line(index)) for index in range(first, last + 1)]
    wanted = [(index, line) for index, line in lines if line.kind in (SPEECH, NOTE)] or lines
    copied: list[str] = []
    for index, line in wanted:
        text = visible(line.text)[max(0, left) if index == first else 0 : max(0, right) if index == last else None]
        between = "" if not copied else " " if continues(index) else "\n"
        copied += (between, bracketed(line.kind, text) if len(wanted) > 1 else text)
    return "".join(copied)


def word_at(text: str, place: int) -> Span | None:
    """The word at a character of a text; None where there is none."""
    return next((found.span() for found in re.finditer(_WORD, text) if found.start() <= place < found.end()), None)


def selection_of(id: int, span: Span) -> Selection:
    """Textual's selection of characters of a line."""
    return Selection(Offset(span[0], id), Offset(span[1], id))


def selected_ids(transcript: Transcript, selection: Selection) -> list[int]:
    """The lines in which something is selected, in tape order; none when one of its ends is gone."""
    points = _points(transcript, selection)
    if points is None:
        return []
    (first, _), (last, _) = points
    return [transcript.id_at(index) for index in range(first, last + 1)]


def selected_span(transcript: Transcript, selection: Selection | None, id: int) -> Span | None:
    """The characters of a line that are selected; None when there are none."""
    points = None if selection is None or id not in transcript else _points(transcript, selection)
    if points is None:
        return None
    (first, left), (last, right) = points
    index = transcript.index_of(id)
    if not first <= index <= last:
        return None
    return (left if index == first else 0, right if index == last else _ENDLESS)


def _points(transcript: Transcript, selection: Selection) -> tuple[_Point, _Point] | None:
    """Where a selection begins and ends; None when one of its lines is gone.

    Textual orders its offsets as if they were rows, and puts the end one behind the character under the
    pointer; lines that came in late have higher ids than those below them.
    """
    ends = [offset for offset in selection if offset is not None]
    if not len(transcript) or any(offset.y not in transcript for offset in ends):
        return None
    start, end = [None if offset is None else (transcript.index_of(offset.y), offset.x) for offset in selection]
    if start is not None and end is not None and start > end:
        start, end = (end[0], end[1] - 1), (start[0], start[1] + 1)
    return start or (0, 0), end or (len(transcript) - 1, _ENDLESS)
