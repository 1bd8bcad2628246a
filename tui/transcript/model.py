"""The text of a session: lines in tape order whose ids never change, and what changed since a version.

Columns stand in the order in which lines came, one slot a line, and never move; a line's id is its slot. The
order of the tape is one array of slots, sorted by (start, slot). So a line that comes in above a million
others moves four bytes for each of them and nothing else, and finding a line by its id is a binary search.
A line costs 20 bytes beyond its text.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

FEED: Final = 1024
"""Changes that are remembered for those who follow; whoever is further behind starts anew."""


class Kind(IntEnum):
    """What a line is."""

    SPEECH = 1
    GAP = 2
    """Sound without text, with its reason."""
    HOLE = 3
    """Silence in place of sound that was lost."""
    NOTE = 4
    """Written by the person."""
    DIVIDER = 5
    """Something changed here: the microphone, the engine."""


SPEECH: Final = Kind.SPEECH
GAP: Final = Kind.GAP
HOLE: Final = Kind.HOLE
NOTE: Final = Kind.NOTE
DIVIDER: Final = Kind.DIVIDER

_NO_LINE: Final = 0
"""In the column of kinds: nothing has this id, or it was removed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, as it is now. Times are session time, samples at 16 kHz."""

    id: int
    track: int
    start: int
    end: int
    text: str
    kind: Kind
    speaker: str | None


@dataclass(frozen=True, slots=True)
class PartialText:
    """What a track's unfinished turn sounds like so far."""

    start: int
    """Session time at which it begins, samples at 16 kHz."""
    text: str
    stable: int = 0
    """Characters at the front of `text` that will not change."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step from a version to the next."""

    what: Literal["added", "revised", "removed", "partial"]
    """`partial`: the unfinished text of some track changed; `index` and `id` are -1."""
    index: int
    """Where in tape order, at the moment of the change; a follower applies changes in their order."""
    id: int


class Transcript:
    """Lines in tape order, and the partial text of each track.

    Not for use from several threads. Every call does a bounded amount of work: appending and the partials
    are constant, a line by id is logarithmic, and a line that comes in further up moves one array of ints.
    """

    def __init__(self) -> None:
        self.version = 0
        """Grows by one with each change."""
        self._order = array("I")
        """Slots sorted by (start, slot)."""
        self._starts = array("q")
        self._lengths = array("I")
        self._kinds = bytearray()
        self._tracks = bytearray()
        self._voices = array("H")
        """Index into `_speakers`."""
        self._texts: list[str] = []
        self._speakers: list[str | None] = [None]
        self._speaker_index: dict[str | None, int] = {None: 0}
        self._partials: dict[int, PartialText] = {}
        self._feed: deque[Change] = deque(maxlen=FEED)

    def __len__(self) -> int:
        """Lines, partials not counted."""
        return len(self._order)

    def __contains__(self, id: object) -> bool:
        """Whether a line has this id."""
        return isinstance(id, int) and 0 <= id < len(self._kinds) and self._kinds[id] != _NO_LINE

    @property
    def partials(self) -> Mapping[int, PartialText]:
        """The unfinished text of each track that has one, in track order."""
        return self._partials

    @property
    def speakers(self) -> tuple[str, ...]:
        """Every speaker that a line was given, in the order they first spoke."""
        return tuple(name for name in self._speakers if name is not None)

    def add(
        self,
        track: int,
        start: int,
        end: int,
        text: str,
        *,
        kind: Kind = SPEECH,
        speaker: str | None = None,
        id: int | None = None,
    ) -> int:
        """Put a line in tape order, behind all lines that start no later, and return its id.

        Args:
            track: 0 to 255.
            start: session time of its first sample.
            end: session time behind its last sample; at most 2**32 - 1 samples (74 hours) after `start`.
            text: what was said, exactly.
            kind: what the line is.
            speaker: who said it, when that is known.
            id: the id it had when the library kept it; counted from 0 within a session, so small. Ids that
                are skipped cost 20 bytes each.

        Raises:
            ValueError: the id is negative or another line has it, or the line ends before it starts.
        """
        if end < start:
            raise ValueError(f"a line cannot end ({end}) before it starts ({start})")
        slot = self._take_slot(id)
        self._starts[slot] = start
        self._lengths[slot] = end - start
        self._tracks[slot] = track
        self._voices[slot] = self._voice(speaker)
        self._texts[slot] = text
        self._kinds[slot] = kind
        self._changed("added", self._place(slot), slot)
        return slot

    def revise(
        self,
        id: int,
        text: str | None = None,
        *,
        start: int | None = None,
        end: int | None = None,
        speaker: str | None = None,
    ) -> None:
        """Change a line; what is None stays. A new start may move it, told as removed and added.

        Raises:
            KeyError: no line has this id.
            ValueError: the line would end before it starts.
        """
        index = self.index_of(id)
        new_start = self._starts[id] if start is None else start
        new_end = self._starts[id] + self._lengths[id] if end is None else end
        if new_end < new_start:
            raise ValueError(f"a line cannot end ({new_end}) before it starts ({new_start})")
        if text is not None:
            self._texts[id] = text
        if speaker is not None:
            self._voices[id] = self._voice(speaker)
        self._lengths[id] = new_end - new_start
        if new_start == self._starts[id]:
            self._changed("revised", index, id)
            return
        del self._order[index]
        self._changed("removed", index, id)
        self._starts[id] = new_start
        self._changed("added", self._place(id), id)

    def remove(self, id: int) -> None:
        """Take a line out; its id is never given again.

        Raises:
            KeyError: no line has this id.
        """
        index = self.index_of(id)
        del self._order[index]
        self._kinds[id] = _NO_LINE
        self._texts[id] = ""
        self._changed("removed", index, id)

    def set_partial(self, track: int, partial: PartialText | None) -> None:
        """Replace the unfinished text of a track; None when its turn is final or came to nothing."""
        if self._partials.get(track) == partial:
            return
        if partial is None:
            del self._partials[track]
        elif track in self._partials:
            self._partials[track] = partial
        else:
            self._partials = dict(sorted([*self._partials.items(), (track, partial)]))
        self._changed("partial", -1, -1)

    def line(self, index: int) -> Line:
        """The line at a place in tape order, negative from the end. Raises IndexError."""
        slot = self._order[index]
        start = self._starts[slot]
        return Line(
            id=slot,
            track=self._tracks[slot],
            start=start,
            end=start + self._lengths[slot],
            text=self._texts[slot],
            kind=Kind(self._kinds[slot]),
            speaker=self._speakers[self._voices[slot]],
        )

    def text(self, index: int) -> str:
        """The text of the line at a place in tape order. Raises IndexError."""
        return self._texts[self._order[index]]

    def text_of(self, id: int) -> str:
        """The text of the line with this id. Raises KeyError."""
        if id not in self:
            raise KeyError(id)
        return self._texts[id]

    def start(self, index: int) -> int:
        """The session time at which the line at a place begins. Raises IndexError."""
        return self._starts[self._order[index]]

    def id_at(self, index: int) -> int:
        """The id of the line at a place in tape order. Raises IndexError."""
        return self._order[index]

    def index_of(self, id: int) -> int:
        """Where a line stands now.

        Raises:
            KeyError: no line has this id.
        """
        if id not in self:
            raise KeyError(id)
        return bisect_left(self._order, self._key(id), key=self._key)

    def changes_since(self, version: int) -> tuple[Change, ...] | None:
        """What led from `version` to the present one, in order; None when that is no longer known."""
        count = self.version - version
        if count == 0:
            return ()
        if not 0 < count <= len(self._feed):
            return None
        newest = [self._feed[-1 - back] for back in range(count)]
        return tuple(reversed(newest))

    def _key(self, slot: int) -> tuple[int, int]:
        return self._starts[slot], slot

    def _place(self, slot: int) -> int:
        """Put a slot where it belongs in the order of the tape."""
        order = self._order
        if not order or self._key(order[-1]) < self._key(slot):
            order.append(slot)
            return len(order) - 1
        index = bisect_left(order, self._key(slot), key=self._key)
        order.insert(index, slot)
        return index

    def _take_slot(self, id: int | None) -> int:
        """Make room in the columns for one more line, at the end unless an id is asked for."""
        slot = len(self._texts) if id is None else id
        if slot < 0 or slot in self:
            raise ValueError(f"no line can be given the id {slot}")
        missing = slot + 1 - len(self._texts)
        if missing > 0:
            self._starts.extend([0] * missing)
            self._lengths.extend([0] * missing)
            self._voices.extend([0] * missing)
            self._kinds.extend(bytes(missing))
            self._tracks.extend(bytes(missing))
            self._texts.extend([""] * missing)
        return slot

    def _voice(self, speaker: str | None) -> int:
        voice = self._speaker_index.setdefault(speaker, len(self._speakers))
        if voice == len(self._speakers):
            self._speakers.append(speaker)
        return voice

    def _changed(self, what: Literal["added", "revised", "removed", "partial"], index: int, id: int) -> None:
        self.version += 1
        self._feed.append(Change(what, index, id))
