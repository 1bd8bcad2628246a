"""Which row is the first on the screen: the end is followed, or the row that is being read stays."""

from msgspec import Struct
from msgspec.structs import replace

from mictape.transcript.layout import Layout
from mictape.transcript.model import Change, Transcript


class Place(Struct, frozen=True):
    """A reading position to return to."""

    following: bool
    new_count: int
    anchor: "_Anchor"


class _Anchor(Struct):
    """The first row of the screen, in terms that survive whatever happens above it."""

    id: int | None
    """The line; None when it is in the partials, behind all lines."""
    index: int
    """Where the line stands, or stood when it was removed; the number of lines for the partials."""
    row: int
    """Which of its own rows; in the row of the line before when it has none."""


class Viewport:
    """A window of `height` rows on the lines of a transcript and, behind them, on its partials.

    While it does not follow it holds on to a line and one of its rows, so nothing that comes in, goes or is
    wrapped again moves what is read.
    """

    def __init__(self, transcript: Transcript, width: int) -> None:
        self.flow = Layout(transcript, width)
        """Where each line stands."""
        self.height = 0
        """Rows of the window."""
        self.tail = 0
        """Rows of the partials, behind all lines."""
        self.following = True
        self.new_count = 0
        """Lines that came in below since it stopped following."""
        self._transcript = transcript
        self._anchor = _Anchor(None, 0, 0)

    @property
    def shown(self) -> int:
        """Rows of the window that show text: while it does not follow, the last one is for saying so."""
        return self.height if self.following else max(1, self.height - 1)

    @property
    def rows(self) -> int:
        """Rows of everything."""
        return self.flow.rows + self.tail

    @property
    def shows_all(self) -> bool:
        """Whether all rows are in the window, and none of them is below it."""
        return self.rows <= self.shown

    @property
    def last_top(self) -> int:
        """The first row when the end is in the window, and followed."""
        return max(0, self.rows - self.height)

    @property
    def lowest_top(self) -> int:
        """The first row when the last line is in the window, above the row that says that it does not follow."""
        return max(0, self.rows - self.shown)

    @property
    def top(self) -> int:
        """The row that is, or belongs, first in the window."""
        if self.following:
            return self.last_top
        anchor, flow = self._anchor, self.flow
        top = flow.top_of(anchor.index)
        row = anchor.row
        if anchor.index < flow.lines:
            row = min(row, flow.top_of(anchor.index + 1) - top - 1)
        return min(top + row, self.lowest_top)

    def sync(self) -> None:
        """Apply what changed in the transcript, keeping the row that is read in place."""
        transcript, flow = self._transcript, self.flow
        lines = flow.lines
        changes = flow.sync()
        if changes is None:
            self._count_new(len(transcript) - lines)
        for change in changes or ():
            self._shift_anchor(change)
        anchor = self._anchor
        if anchor.id is not None and anchor.id in transcript:
            anchor.index = transcript.index_of(anchor.id)
        anchor.index = min(anchor.index, len(transcript))

    def settle(self) -> None:
        """Make exact what is in the window and two windows around it, so that it scrolls row by row."""
        if self.shows_all:  # nothing is new that is in sight
            self.new_count = 0
        reach = 3 * self.height
        self.flow.expose(self.flow.lines if self.following else self._anchor.index, reach, reach)

    def follow(self) -> None:
        """Keep the end in the window from now on."""
        self.following = True
        self.new_count = 0

    def stay(self, row: int) -> None:
        """Stop following: this row, or the nearest that can be, is the first in the window from now on."""
        if self.following:
            self.following = False
            self.new_count = 0
        flow, row = self.flow, max(0, min(row, self.lowest_top))
        if row < flow.rows:
            index, below = flow.locate(row)
            self._anchor = _Anchor(self._transcript.id_at(index), index, below)
        else:
            self._anchor = _Anchor(None, flow.lines, row - flow.rows)

    def reveal(self, index: int) -> None:
        """Show a line: unmoved when all of it is visible, else a third down. Stops following."""
        top, (first, behind) = self.top, self.flow.extent(index)
        inside = top <= first and behind <= top + max(1, self.height - 1)
        self.stay(top if inside else first - self.height // 3)

    def place(self) -> Place:
        """The present reading position."""
        return Place(self.following, self.new_count, replace(self._anchor))

    def top_index(self, place: Place) -> int:
        """Where in tape order the first line in the window was when one read at a place."""
        if place.following:
            return self.flow.about(max(0, self.flow.rows - self.height))
        id = place.anchor.id
        return self._transcript.index_of(id) if id is not None and id in self._transcript else place.anchor.index

    def come_back(self, place: Place) -> None:
        """Return to a reading position; for a removed line, to where it would be."""
        self.following, self.new_count, self._anchor = place.following, place.new_count, replace(place.anchor)
        anchor = self._anchor
        if anchor.id is not None and anchor.id in self._transcript:
            anchor.index = self._transcript.index_of(anchor.id)
        anchor.index = min(anchor.index, len(self._transcript))

    def scroll(self, moved: int) -> None:
        """Scroll as the person wants: reaching the end follows, going up stops following."""
        top = self.top
        target = max(0, min(top + moved, self.last_top))
        if moved > 0 and target == self.last_top:
            self.follow()
        elif target != top:
            self.stay(target)

    def _shift_anchor(self, change: Change) -> None:
        """Keep the anchor's index right while lines come and go."""
        anchor = self._anchor
        in_partials = anchor.id is None
        above = change.index < anchor.index or (change.index == anchor.index and not in_partials)
        if change.what == "added" and above:
            anchor.index += 1
        elif change.what == "added":
            self._count_new(int(change.new))
            if in_partials and change.index == anchor.index:
                # The unfinished text that was read has become this line.
                anchor.id = change.id
        elif change.what == "removed" and change.index < anchor.index:
            anchor.index -= 1

    def _count_new(self, lines: int) -> None:
        if not self.following:
            self.new_count += max(0, lines)
