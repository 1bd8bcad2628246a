"""From the library's lines to turns: numbered by us, clean where two lines overlap, with what they answer for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tui.engines import wire

LOOK_BEHIND: Final = 8192
"""Samples before the moment at which the library notices speech from which on it takes a line (its default)."""

MARGIN: Final = LOOK_BEHIND + 512
"""Samples before those consumed from which on a line may still begin.

A line not begun yet begins at most `LOOK_BEHIND` before the next sample, and the last, incomplete hop of the
voice detector (512) is not looked at yet. The detector averages over 8000 samples, so a word may be that old
when it is noticed; that is inside the look-behind, and need not be added to it.
"""

FORCED_OVERLAP: Final = 4800
"""Overlap in samples from which on two lines share words: between 0.22 s, the most seen where a line ended in a
pause, and 0.48 s, by which the library goes back after it cut a line that had grown too long."""

SHARED_WORDS: Final = 2
"""The most words that fit into such an overlap."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the library. Times in samples since the first one sent on the connection."""

    text: str
    start: int
    end: int
    complete: bool


def without_shared_words(before: str, text: str) -> str:
    """`text` without the words at its front that end `before`, when both lines heard the same sound.

    Compared without case and punctuation; at most `SHARED_WORDS`. Only for lines that overlap: people do say
    the same word twice.
    """
    heard = [_bare(word) for word in before.split()]
    words = text.split()
    for count in range(min(SHARED_WORDS, len(heard), len(words)), 0, -1):
        if heard[-count:] == [_bare(word) for word in words[:count]]:
            return " ".join(words[count:])
    return text


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


class Turns:
    """Follows the lines of one connection and says what is new about them.

    Turn numbers, the end of the last line and `Answered` go on when the library gets a new stream inside the
    connection (`restart`).
    """

    def __init__(self, stream: int) -> None:
        """Follow the connection with the number `stream`."""
        self._stream = stream
        self._turn = 0
        self._shown = ""
        self._lines_done = 0
        self._before = Line("", 0, 0, complete=True)
        self._answered = 0

    def restart(self) -> None:
        """The library's next stream has begun; its lines are counted from the first again."""
        self._lines_done = 0

    def hear(self, lines: Sequence[Line], received: int) -> list[wire.Turn | wire.Answered]:
        """What is new.

        Args:
            lines: Every line of the library's present stream, in the order of speech.
            received: Samples handed to the library, its own padding not counted.
        """
        news: list[wire.Turn | wire.Answered] = []
        answered = self._answered
        for line in lines[self._lines_done :]:
            news += self._hear_line(line, received)
        if self._lines_done == len(lines):
            self._answered = max(self._answered, received - MARGIN)
        if self._answered > answered:
            news.append(wire.Answered(self._stream, self._answered))
        return news

    def finish(self, lines: Sequence[Line], received: int) -> list[wire.Turn | wire.Answered]:
        """What is new when the library's present stream is over: every line is, and all was answered."""
        whole = [Line(line.text, line.start, line.end, complete=True) for line in lines]
        news = [said for said in self.hear(whole, received) if isinstance(said, wire.Turn)]
        self._answered = received
        return [*news, wire.Answered(self._stream, received)]

    def _hear_line(self, line: Line, received: int) -> list[wire.Turn]:
        text = line.text.strip()
        if self._before.end - line.start >= FORCED_OVERLAP:
            text = without_shared_words(self._before.text, text)
        news: list[wire.Turn] = []
        if text != self._shown or (line.complete and text):
            start = min(max(line.start, self._answered), received)
            end = max(start, min(line.end, received))
            final = line.complete and bool(text)
            news.append(wire.Turn(self._stream, self._turn, text, start, end, final))
            self._shown = text
        if line.complete:
            self._close_line(line, received)
        return news

    def _close_line(self, line: Line, received: int) -> None:
        self._lines_done += 1
        if self._shown:  # a line without text takes no number: the next one has it
            self._turn += 1
        self._shown = ""
        self._before = line
        self._answered = max(self._answered, min(line.end, received))
