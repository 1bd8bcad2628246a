"""Where each line of a transcript stands on a screen of a given width.

Lines are grouped in blocks of about 128. A block knows how many rows it has, exactly once it was measured and
as an estimate before; only what is near the viewport must be exact, the rest is measured in slices while
there is time. Everything that is asked about a row or a line measures the one block that it needs, so a
million lines cost as much as ten thousand: wrapping one line takes microseconds, two million take a minute.
"""

from bisect import bisect_right
from collections import OrderedDict
from typing import Final

from mictape.plain_text import visible
from mictape.transcript.model import Change, Transcript
from mictape.transcript.paragraphs import continues
from mictape.transcript.wrapping import wrap

BLOCK: Final = 128
"""Lines in a new block; one that grows to twice this is split."""

_KEPT_BLOCKS: Final = 64
"""Blocks whose heights are kept line by line; a viewport and its surroundings need four at most."""

_SAMPLE: Final = 64
"""Lines that are wrapped to estimate all others."""


_NOTE_CHARACTERS: Final = 40
"""Characters of the note on a mark; all of it is shown when you go to the mark."""


def shown_text(text: str, note: str | None) -> str:
    """What stands in the rows of a line: its text, and behind it the note on its mark, shortened."""
    short = note if note is None or len(note) <= _NOTE_CHARACTERS else note[: _NOTE_CHARACTERS - 1] + "…"
    return noted_text(text, short)


def noted_text(text: str, note: str | None) -> str:
    """A line's text, and behind it the note on its mark: what is searched."""
    return f"{text}  » {note}" if note else text


class _Block:
    """Neighbouring lines."""

    __slots__ = ("exact", "lines", "rows")

    def __init__(self, lines: int, rows: int, *, exact: bool) -> None:
        self.lines = lines
        self.rows = rows
        """At least one a line."""
        self.exact = exact
        """Whether `rows` was measured; an estimate otherwise."""


class Layout:
    """The rows of a transcript's lines at a width, without the partials.

    It follows the transcript by `sync`. Between a change and the next `sync` its answers are about the lines
    as they were, so call `sync` before asking about rows.
    """

    def __init__(self, transcript: Transcript, width: int) -> None:
        self.wraps = 0
        """Lines wrapped so far: what the work is counted in."""
        self._transcript = transcript
        self._width = max(1, width)
        self._paragraphs = False
        self._start_over()

    @property
    def width(self) -> int:
        """Cells of a row, at least 1."""
        return self._width

    @property
    def lines(self) -> int:
        """Lines it knows of, since the last `sync`."""
        self._add_up()
        return self._firsts[-1]

    @property
    def rows(self) -> int:
        """Rows of all lines; exact once `refine` has nothing left to do."""
        self._add_up()
        return self._tops[-1]

    def sync(self) -> tuple[Change, ...] | None:
        """Apply what changed in the transcript; at most `model.FEED` lines are wrapped.

        Returns:
            The changes, in order; None when there were too many or too wide ones and all was estimated again.
        """
        changes = self._transcript.changes_since(self._version)
        # A new name may join or part paragraphs anywhere.
        if changes is None or (self._paragraphs and any(change.what == "named" for change in changes)):
            self._start_over()
            return None
        self._version = self._transcript.version
        for change in changes:
            if change.what == "added":
                self._added(change)
            elif change.what == "removed":
                self._removed(change)
            elif change.what == "revised":
                self._revised(change)
            if self._paragraphs:
                self._regroup(change)
        return changes

    def resize(self, width: int) -> None:
        """Use another width: all rows are estimates again."""
        if width != self._width:
            self._width = max(1, width)
            self._start_over()

    @property
    def paragraphs(self) -> bool:
        """Whether a blank row stands before each paragraph but the first."""
        return self._paragraphs

    @paragraphs.setter
    def paragraphs(self, on: bool) -> None:
        if on != self._paragraphs:
            self._paragraphs = on
            self._start_over()

    def continues(self, index: int) -> bool:
        """Whether a line goes on with the paragraph of the one before; where paragraphs are not shown none does."""
        line = self._transcript.line
        return self._paragraphs and index > 0 and continues(line(index), line(index - 1))

    def lead(self, index: int) -> int:
        """The blank rows before a line, which are among its rows."""
        return int(self._paragraphs and index > 0 and not self.continues(index))

    def locate(self, row: int) -> tuple[int, int]:
        """The line at a row and which of its rows it is.

        Args:
            row: from 0; beyond the end means the last row.

        Raises:
            IndexError: there are no lines.
        """
        if not self._blocks:
            raise IndexError(row)
        while True:
            self._add_up()
            row = max(0, min(row, self._tops[-1] - 1))
            at = bisect_right(self._tops, row) - 1
            heights = self._heights(at)
            below = row - self._tops[at]
            if below < self._blocks[at].rows:
                break
        for line, height in enumerate(heights):
            if below < height:
                return self._firsts[at] + line, below
            below -= height
        raise AssertionError("a block has as many rows as its lines together")

    def about(self, row: int) -> int:
        """The line at about this row, without measuring anything; the last line when the row is beyond the end."""
        self._add_up()
        if row >= self._tops[-1]:
            return self._firsts[-1]
        at = bisect_right(self._tops, max(0, row)) - 1
        block = self._blocks[at]
        return self._firsts[at] + (row - self._tops[at]) * block.lines // block.rows

    def top_of(self, index: int) -> int:
        """The first row of a line; `len(transcript)` gives the row behind the last line."""
        self._add_up()
        if index >= self._firsts[-1]:
            return self._tops[-1]
        at = bisect_right(self._firsts, index) - 1
        return self._tops[at] + sum(self._heights(at)[: index - self._firsts[at]])

    def expose(self, index: int, above: int, below: int) -> None:
        """Measure the lines around a line, so that scrolling over them moves by exact rows.

        Args:
            index: the line; `len(transcript)` means the end.
            above: rows over the line's first one.
            below: rows from the line's first one on.
        """
        if not self._blocks:
            return
        self._add_up()
        middle = bisect_right(self._firsts, min(index, self._firsts[-1] - 1)) - 1
        before = len(self._heights(middle)[: index - self._firsts[middle]])
        after = self._blocks[middle].lines - before
        at = middle
        while before < above and at > 0:
            at -= 1
            self._measured(at)
            before += self._blocks[at].rows
        at = middle
        while after < below and at < len(self._blocks) - 1:
            at += 1
            self._measured(at)
            after += self._blocks[at].rows

    def refine(self, lines: int = 4 * BLOCK) -> bool:
        """Measure some of what is still an estimate.

        Args:
            lines: about how many at most; a block is always measured whole.

        Returns:
            Whether anything was measured; False from then on, until the width or many lines change.
        """
        if not self._estimated:
            return False
        count = len(self._blocks)
        wraps = self.wraps
        for step in range(count):
            at = (self._refined + step) % count
            if not self._blocks[at].exact:
                self._measured(at)
                if self.wraps - wraps >= lines:
                    self._refined = at
                    return True
        self._estimated = False
        return self.wraps > wraps

    def _start_over(self) -> None:
        """Estimate everything from a sample of the lines."""
        transcript = self._transcript
        self._version = transcript.version
        count = len(transcript)
        step = max(1, count // _SAMPLE)
        sample = [self._height(transcript.id_at(index)) for index in range(0, count, step)]
        mean = sum(sample) / len(sample) if sample else 1.0
        sizes = [min(BLOCK, count - first) for first in range(0, count, BLOCK)]
        self._blocks = [_Block(lines, max(lines, round(lines * mean)), exact=False) for lines in sizes]
        self._estimated = bool(self._blocks)
        self._refined = 0
        self._line_heights: OrderedDict[_Block, list[int]] = OrderedDict()
        self._firsts = [0]
        """First line of each block, then the number of lines; valid up to a point, see `_add_up`."""
        self._tops = [0]
        """First row of each block, then the number of rows; as long as `_firsts`."""

    def _add_up(self) -> None:
        """Bring `_firsts` and `_tops` up to date, from the first block that changed."""
        first, top = self._firsts[-1], self._tops[-1]
        for at in range(len(self._tops) - 1, len(self._blocks)):
            first += self._blocks[at].lines
            top += self._blocks[at].rows
            self._firsts.append(first)
            self._tops.append(top)

    def _touched(self, at: int) -> None:
        """Invalidate the positions of everything after the start of a block."""
        del self._firsts[at + 1 :], self._tops[at + 1 :]

    def _height(self, id: int) -> int:
        """The rows of a line; one while changes are taken over and it is gone: then another change says so."""
        if id not in self._transcript:
            return 1
        self.wraps += 1
        text = shown_text(self._transcript.text_of(id), self._transcript.marks.get(id))
        lead = self.lead(self._transcript.index_of(id)) if self._paragraphs else 0
        return lead + len(wrap(visible(text), self._width))

    def _measure(self, at: int) -> list[int]:
        """Wrap the lines of a block and set its rows."""
        self._add_up()
        block, first = self._blocks[at], self._firsts[at]
        heights = [self._height(self._transcript.id_at(index)) for index in range(first, first + block.lines)]
        rows = sum(heights)
        if rows != block.rows:
            block.rows = rows
            self._touched(at)
        block.exact = True
        return heights

    def _measured(self, at: int) -> None:
        if not self._blocks[at].exact:
            self._measure(at)
        self._add_up()

    def _heights(self, at: int) -> list[int]:
        """The height of each line of a block."""
        block = self._blocks[at]
        heights = self._line_heights.get(block)
        if heights is None:
            heights = self._line_heights[block] = self._measure(at)
            if len(self._line_heights) > _KEPT_BLOCKS:
                self._line_heights.popitem(last=False)
        else:
            self._line_heights.move_to_end(block)
        self._add_up()
        return heights

    def _added(self, change: Change) -> None:
        self._add_up()
        at = max(0, bisect_right(self._firsts, change.index) - 1)
        if at == len(self._blocks):
            at -= 1
            if at < 0 or self._blocks[at].lines >= BLOCK:
                at += 1
                block = _Block(0, 0, exact=True)
                self._blocks.append(block)
                self._line_heights[block] = []
        block = self._blocks[at]
        height = self._height(change.id)
        if (heights := self._line_heights.get(block)) is not None:
            heights.insert(change.index - self._firsts[at], height)
        block.lines += 1
        block.rows += height
        self._touched(at)
        if block.lines >= 2 * BLOCK:
            self._split(at)

    def _split(self, at: int) -> None:
        block = self._blocks[at]
        lines = block.lines // 2
        heights = self._line_heights.pop(block, None)
        if heights is None:
            rows = max(lines, min(block.rows // 2, block.rows - (block.lines - lines)))
        else:
            rows = sum(heights[:lines])
        exact = heights is not None
        halves = [_Block(lines, rows, exact=exact), _Block(block.lines - lines, block.rows - rows, exact=exact)]
        self._blocks[at : at + 1] = halves
        if heights is None:
            self._estimated = True
        else:
            self._line_heights[halves[0]] = heights[:lines]
            self._line_heights[halves[1]] = heights[lines:]

    def _removed(self, change: Change) -> None:
        at, line = self._block_of(change.index)
        block = self._blocks[at]
        block.lines -= 1
        if (heights := self._line_heights.get(block)) is not None:
            block.rows -= heights.pop(line)
        else:
            self._loosen(block)
        if not block.lines:
            del self._blocks[at]
            self._line_heights.pop(block, None)
        self._touched(at)

    def _revised(self, change: Change) -> None:
        at, line = self._block_of(change.index)
        block = self._blocks[at]
        if (heights := self._line_heights.get(block)) is not None:
            height = self._height(change.id)
            block.rows += height - heights[line]
            heights[line] = height
        else:
            self._loosen(block)
        self._touched(at)

    def _regroup(self, change: Change) -> None:
        """The line behind one that changed may begin or continue a paragraph now: measure around it again.

        Not before it is needed: only then all changes are taken over, and the neighbours are the lines they will be.
        """
        if self._blocks and change.index >= 0:
            self._add_up()
            last = self._firsts[-1] - 1
            for at in {self._block_of(min(index, last))[0] for index in (change.index, change.index + 1)}:
                self._line_heights.pop(self._blocks[at], None)
                self._loosen(self._blocks[at])
                self._touched(at)

    def _block_of(self, index: int) -> tuple[int, int]:
        """The block of a line and which of its lines it is."""
        self._add_up()
        at = bisect_right(self._firsts, index) - 1
        return at, index - self._firsts[at]

    def _loosen(self, block: _Block) -> None:
        """Mark its height as an estimate: a line changed whose heights are not cached."""
        block.exact = False
        block.rows = max(block.lines, block.rows)
        self._estimated = True
