"""Searching a transcript while it grows: in slices, outwards from the cursor.

A search knows which stretch of the transcript it has looked through, and its hits: the ids of the lines found,
in tape order. Lines that come in next to or within that stretch are looked at as they come; the rest is the
work of `step`. A query that only narrows the one before takes over its hits and looks through those.
"""

from array import array
from bisect import bisect_left
from typing import Final

from mictape.transcript.layout import noted_text
from mictape.transcript.model import Change, Transcript
from mictape.transcript.query import Matcher, Query

SLICE: Final = 1024
"""Lines that a step looks through: a millisecond, two with a regular expression."""


class Search:
    """One query over a transcript that may change at any time.

    Hits are lines, found by their ids, so they stay what they are whatever comes in above them. Every answer
    is about the transcript as it was at the last `step` or `sync`.
    """

    def __init__(
        self, transcript: Transcript, matcher: Matcher, origin: int = 0, before: "Search | None" = None
    ) -> None:
        """Begin; nothing is looked through yet.

        Args:
            transcript: where to search.
            matcher: what for.
            origin: place in tape order at which to begin; both directions are looked through by turns.
            before: a search that this one may narrow; it is not used any more.
        """
        self.matcher = matcher
        self.looked_at = 0
        """Lines looked through so far: what the work is counted in."""
        self._transcript = transcript
        self._begin(origin)
        if before is not None and matcher.query.narrows(before.matcher.query):
            self._take_over(before, origin)

    @property
    def query(self) -> Query:
        """What is searched for."""
        return self.matcher.query

    @property
    def hits(self) -> "array[int]":
        """The lines found so far, in tape order. Not to be changed."""
        return self._hits

    @property
    def done(self) -> bool:
        """Whether everything was looked through."""
        everything = self._low == 0 and self._high == len(self._transcript)
        return not self._pending and everything and self._version == self._transcript.version

    def sync(self) -> bool:
        """Apply what changed in the transcript; at most `model.FEED` lines are looked at.

        Returns:
            Whether anything changed.
        """
        transcript = self._transcript
        if self._version == transcript.version:
            return False
        changes = transcript.changes_since(self._version)
        named = any(change.what == "named" for change in changes or ())
        if changes is None or (named and self.query.speaker is not None):
            self._begin(min(self._low, len(transcript)))
            return True
        self._version = transcript.version
        self._follow(changes)
        return True

    def step(self) -> bool:
        """Look through one slice more: what is narrowed first, then by turns below and above.

        Returns:
            Whether anything is left to do.
        """
        self.sync()
        if self._pending:
            self._look_again()
        elif not self.done:
            count = len(self._transcript)
            downwards = self._high < count and (self._downwards or self._low == 0)
            self._downwards = not downwards
            first = self._high if downwards else max(0, self._low - SLICE)
            behind = min(count, self._high + SLICE) if downwards else self._low
            ids, texts = self._transcript.stretch(first, behind)
            self._low, self._high = min(first, self._low), max(behind, self._high)
            self._look(ids, texts)
        return not self.done

    def nearest(self, index: int, step: int = 1) -> int | None:
        """The hit at a place in tape order or next after it (`step` 1), or before it (-1), round the ends.

        Returns:
            Its place among the hits; None while there are none.
        """
        if not self._hits:
            return None
        at = self._rank_at(index) if step > 0 else self._rank_at(index + 1) - 1
        return at % len(self._hits)

    def between(self, first: int, behind: int) -> int:
        """How many hits lie at places `first` to `behind` in tape order."""
        return self._rank_at(behind) - self._rank_at(first)

    def rank(self, id: int) -> int | None:
        """Which of the hits a line is, from 0; None when it is none."""
        if id not in self._transcript:
            return None
        at = bisect_left(self._hits, self._key(id), key=self._key)
        return at if at < len(self._hits) and self._hits[at] == id else None

    def _rank_at(self, index: int) -> int:
        """How many hits lie before a place in tape order."""
        if index >= len(self._transcript):
            return len(self._hits)
        return bisect_left(self._hits, self._key(self._transcript.id_at(max(0, index))), key=self._key)

    def _begin(self, origin: int) -> None:
        self._version = self._transcript.version
        self._hits = array("I")
        self._low = self._high = max(0, min(origin, len(self._transcript)))
        """The stretch of the tape's order that was looked through."""
        self._downwards = True
        self._pending = array("I")
        """Lines within that stretch which a wider query found and this one has not looked at yet, in tape order."""
        self._split = 0
        """Where in `_pending` those below the origin begin."""
        self._settled: set[int] = set()
        """Lines of `_pending` which changed meanwhile and were looked at then."""

    def _take_over(self, before: "Search", origin: int) -> None:
        """Start from the progress of a wider search."""
        before.sync()
        self._version = before._version
        self._low, self._high = before._low, before._high
        above, below = before._pending[: before._split], before._pending[before._split :]
        # It took lines from the middle outwards, so its hits lie there, but for lines that changed meanwhile.
        self._pending = above + before._hits + below
        if before._settled:
            left = {*before._hits, *(id for id in before._pending if id not in before._settled)}
            self._pending = array("I", sorted(left, key=self._key))
        self._split = bisect_left(self._pending, origin, key=self._transcript.index_of)

    def _key(self, id: int) -> tuple[int, int]:
        return self._transcript.start_of(id), id

    def _look(self, ids: "array[int]", texts: list[str]) -> None:
        self.looked_at += len(ids)
        marks = self._transcript.marks
        if not marks.keys().isdisjoint(ids):
            texts = [noted_text(text, marks.get(id)) for id, text in zip(ids, texts, strict=True)]
        self._put(self.matcher.keep(self._transcript, ids, texts))

    def _look_again(self) -> None:
        """Look at the lines of a wider search, those nearest to the origin first."""
        pending = self._pending
        downwards = self._split < len(pending) and (self._downwards or self._split == 0)
        self._downwards = not downwards
        first = self._split if downwards else max(0, self._split - SLICE)
        behind = first + SLICE if downwards else self._split
        ids = pending[first:behind]
        del pending[first:behind]
        self._split = first
        if self._settled:
            ids = array("I", (id for id in ids if id not in self._settled))
        self._look(ids, self._transcript.texts_of(ids))
        if not pending:
            self._settled.clear()

    def _put(self, found: list[int]) -> None:
        """Take in hits, which are in tape order."""
        if not found:
            return
        hits = self._hits
        at = bisect_left(hits, self._key(found[0]), key=self._key)
        if at == len(hits) or self._key(found[-1]) < self._key(hits[at]):
            hits[at:at] = array("I", found)
            return
        for id in found:
            hits.insert(bisect_left(hits, self._key(id), key=self._key), id)

    def _follow(self, changes: tuple[Change, ...]) -> None:
        """Keep the stretch where it is and look at the lines in it that changed."""
        moved: set[int] = set()
        inside: dict[int, bool] = {}
        for change in changes:
            at = change.index
            if change.what == "added":
                inside[change.id] = self._low <= at < self._high
                self._high += at < self._high
                self._low += at < self._low
            elif change.what == "removed":
                moved.add(change.id)
                inside[change.id] = False
                self._low -= at < self._low
                self._high -= at < self._high
            elif change.what == "revised":
                inside[change.id] = self._low <= at < self._high
        if moved:
            # Their keys are not what they were, so they are not found by halving; one pass drops all of them.
            self._hits = array("I", (id for id in self._hits if id not in moved))
            if self._pending:
                below = len(self._pending) - self._split
                self._pending = array("I", (id for id in self._pending if id not in moved))
                self._split = max(0, len(self._pending) - below)
        self._revise([id for id, within in inside.items() if within and id in self._transcript])

    def _revise(self, ids: list[int]) -> None:
        """Look at lines that changed."""
        for id in ids:
            if (rank := self.rank(id)) is not None:
                del self._hits[rank]
        if self._pending:
            self._settled.update(ids)
        ordered = array("I", sorted(ids, key=self._key))
        self._look(ordered, self._transcript.texts_of(ordered))
