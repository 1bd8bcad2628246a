"""Where each line of a transcript stands on a screen of a given width.

Lines are grouped in blocks of about 128. A block knows how many rows it has, exactly once it was measured and
as an estimate before; only what is near the viewport must be exact, the rest is measured in slices while
there is time. Everything that is asked about a row or a line measures the one block that it needs, so a
million lines cost as much as ten thousand: wrapping one line takes microseconds, two million take a minute.

With paragraphs, a line begins in the row where the line before it ends, if it goes on with its paragraph and some of
it fits there. Such a row is one of the earlier line; a short line may have no row of its own.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len

from mictape.plain_text import visible
from mictape.transcript.model import Change, Transcript
from mictape.transcript.paragraphs import SIGN_CELLS, continues
from mictape.transcript.wrapping import wrap
from mictape.units import Span

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
        self.exact = exact
        """Whether `rows` was measured; an estimate otherwise."""


class _Placed(NamedTuple):
    """Where a line stands."""

    rows: int
    """Those that begin with its text, and the blank one before it."""
    column: int
    """Cells of the row of the line before that are in front of its text; 0 where it begins a row."""
    spans: Sequence[Span]
    """The characters of its shown text in each row, the one of the line before included."""


def _sum(placed: Sequence[_Placed]) -> int:
    return sum(one.rows for one in placed)


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
            self._regroup(changes)
        return changes

    def resize(self, width: int) -> None:
        """Use another width: all rows are estimates again."""
        if width != self._width:
            self._width = max(1, width)
            self._start_over()

    @property
    def paragraphs(self) -> bool:
        """Whether the lines of a paragraph follow each other in its rows, and a blank row stands between paragraphs."""
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

    def text_rows(self, index: int) -> tuple[int, Sequence[Span]]:
        """What of a line's shown text stands in which row.

        Returns:
            The cells before it in the row of the line before where its first part stands, 0 where it begins a row;
            and the characters in each row, that one included.
        """
        at, line = self._block_of(index)
        _, column, spans = self._placed(at)[line]
        return column, spans

    def end_cells(self, index: int) -> int:
        """The cells that are filled, up to the end of a line, in the last row of its text."""
        first = index
        while self.continues(first):
            first -= 1
        filled = 0
        for each in range(first, index + 1):
            _, filled = self._place(each, filled)
        return filled

    def extent(self, index: int) -> tuple[int, int]:
        """The first row of a line, a blank one before it included, and the row behind its last one."""
        at, line = self._block_of(index)
        first = self.top_of(index) - bool(self._placed(at)[line].column)
        return first, max(first + 1, self.top_of(index + 1))

    def locate(self, row: int) -> tuple[int, int]:
        """The line with whose text a row begins, and which of its own rows it is.

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
            placed = self._placed(at)
            below = row - self._tops[at]
            if below < self._blocks[at].rows:
                break
        for line, one in enumerate(placed):
            if below < one.rows:
                return self._firsts[at] + line, below
            below -= one.rows
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
        """The first row of a line's own, or the next row where it has none; `len(transcript)` gives that behind all."""
        self._add_up()
        if index >= self._firsts[-1]:
            return self._tops[-1]
        at = bisect_right(self._firsts, index) - 1
        return self._tops[at] + _sum(self._placed(at)[: index - self._firsts[at]])

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
        before = _sum(self._placed(middle)[: index - self._firsts[middle]])
        after = self._blocks[middle].rows - before
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
        sample = [self._place(index, self._filled_before(index))[0].rows for index in range(0, count, step)]
        mean = sum(sample) / len(sample) if sample else 1.0
        sizes = [min(BLOCK, count - first) for first in range(0, count, BLOCK)]
        self._blocks = [_Block(lines, max(1, round(lines * mean)), exact=False) for lines in sizes]
        self._estimated = bool(self._blocks)
        self._refined = 0
        self._kept: OrderedDict[_Block, list[_Placed]] = OrderedDict()
        """The lines of some blocks, each at its place in the block."""
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

    def _place(self, index: int, filled: int) -> tuple[_Placed, int]:
        """Where a line stands if `filled` cells of the row above are filled; and how many it fills of its last row."""
        id, goes_on = self._transcript.id_at(index), self.continues(index)
        text = visible(shown_text(self._transcript.text_of(id), self._transcript.marks.get(id)))
        column = filled + SIGN_CELLS if filled and goes_on else 0
        self.wraps += 1
        spans = wrap(text, self._width, self._width - column)
        if column and len(spans) > 1 and spans[0][0] == spans[0][1]:
            column = 0
            del spans[0]
        lead = int(self._paragraphs and index > 0 and not goes_on)
        cells = cell_len(text[slice(*spans[-1])]) if self._paragraphs else 0
        return _Placed(lead + len(spans) - bool(column), column, spans), cells + column * (len(spans) == 1)

    def _filled_before(self, index: int) -> int:
        """The cells that are filled in the row where a line may begin; 0 where it begins a row."""
        return self.end_cells(index - 1) if self.continues(index) else 0

    def _placed_alone(self, id: int) -> _Placed:
        """Where a line stands while changes are taken over; about so where another change says more about it."""
        if self._paragraphs or id not in self._transcript:
            return _Placed(1, 0, [(0, 0)])
        return self._place(self._transcript.index_of(id), 0)[0]

    def _measure(self, at: int) -> list[_Placed]:
        """Wrap the lines of a block and set its rows."""
        self._add_up()
        block, first = self._blocks[at], self._firsts[at]
        filled = self._filled_before(first)
        placed: list[_Placed] = []
        for index in range(first, first + block.lines):
            one, filled = self._place(index, filled)
            placed.append(one)
        rows = _sum(placed)
        if rows != block.rows:
            block.rows = rows
            self._touched(at)
        block.exact = True
        return placed

    def _measured(self, at: int) -> None:
        if not self._blocks[at].exact:
            self._measure(at)
        self._add_up()

    def _placed(self, at: int) -> list[_Placed]:
        """Where each line of a block stands."""
        block = self._blocks[at]
        placed = self._kept.get(block)
        if placed is None:
            placed = self._kept[block] = self._measure(at)
            if len(self._kept) > _KEPT_BLOCKS:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(block)
        self._add_up()
        return placed

    def _added(self, change: Change) -> None:
        self._add_up()
        at = max(0, bisect_right(self._firsts, change.index) - 1)
        if at == len(self._blocks):
            at -= 1
            if at < 0 or self._blocks[at].lines >= BLOCK:
                at += 1
                block = _Block(0, 0, exact=True)
                self._blocks.append(block)
                self._kept[block] = []
        block = self._blocks[at]
        new = self._placed_alone(change.id)
        if (placed := self._kept.get(block)) is not None:
            placed.insert(change.index - self._firsts[at], new)
        block.lines += 1
        block.rows += new.rows
        self._touched(at)
        if block.lines >= 2 * BLOCK:
            self._split(at)

    def _split(self, at: int) -> None:
        block = self._blocks[at]
        lines = block.lines // 2
        placed = self._kept.pop(block, None)
        rows = block.rows // 2 if placed is None else _sum(placed[:lines])
        halves = _Block(lines, rows, exact=True), _Block(block.lines - lines, block.rows - rows, exact=True)
        self._blocks[at : at + 1] = halves
        if placed is None:
            for half in halves:
                self._loosen(half)
        else:
            self._kept[halves[0]] = placed[:lines]
            self._kept[halves[1]] = placed[lines:]

    def _removed(self, change: Change) -> None:
        at, line = self._block_of(change.index)
        block = self._blocks[at]
        block.lines -= 1
        if (placed := self._kept.get(block)) is not None:
            block.rows -= placed.pop(line).rows
        else:
            self._loosen(block)
        if not block.lines:
            del self._blocks[at]
            self._kept.pop(block, None)
        self._touched(at)

    def _revised(self, change: Change) -> None:
        at, line = self._block_of(change.index)
        block = self._blocks[at]
        if (placed := self._kept.get(block)) is not None:
            new = self._placed_alone(change.id)
            block.rows += new.rows - placed[line].rows
            placed[line] = new
        else:
            self._loosen(block)
        self._touched(at)

    def _regroup(self, changes: Sequence[Change]) -> None:
        """Measure again what stands elsewhere now: a line moves those behind it, to the end of its paragraph.

        All changes were taken over. Each may have moved the line of another by one place.
        """
        places = sorted(change.index for change in changes if change.index >= 0)
        done = -1
        for index in places:
            first = max(done + 1, index - len(places))
            done = max(done, min(index + len(places), self.lines - 1))
            while done + 1 < self.lines and self.continues(done + 1):
                done += 1
            if first <= done:
                for at in range(self._block_of(first)[0], self._block_of(done)[0] + 1):
                    self._kept.pop(self._blocks[at], None)
                    self._loosen(self._blocks[at])
                self._touched(self._block_of(first)[0])

    def _block_of(self, index: int) -> tuple[int, int]:
        """The block of a line and which of its lines it is."""
        self._add_up()
        at = bisect_right(self._firsts, index) - 1
        return at, index - self._firsts[at]

    def _loosen(self, block: _Block) -> None:
        """Mark its height as an estimate: a line changed, and where the lines stand is not kept."""
        block.exact = False
        block.rows = max(1, block.rows)
        self._estimated = True
