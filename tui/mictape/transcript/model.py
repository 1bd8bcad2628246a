"""The text of a session: lines in tape order whose ids never change, and what changed since a version.

Columns stand in the order in which lines came, one slot a line, and never move; a line's id is its slot. The
order of the tape is one array of slots, sorted by (start, slot). So a line that comes in above a million
others moves four bytes for each of them and nothing else, and finding a line by its id is a binary search.
A line costs 16 bytes beyond its text.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from mictape.transcript.line import NOTE, SPEECH, Kind, Line, PartialText
from mictape.transcript.voices import Voices

FEED: Final = 192
"""Changes that are remembered for followers; one that is further behind starts over."""


_NO_LINE: Final = 0
"""In the column of kinds: nothing has this id, or it was removed."""


class _Times:
    """A column of session times, five bytes each: an array has four or eight."""

    __slots__ = ("_high", "_low")

    def __init__(self) -> None:
        self._low = array("I")
        self._high = bytearray()

    def __getitem__(self, slot: int) -> int:
        return self._high[slot] << 32 | self._low[slot]

    def __setitem__(self, slot: int, samples: int) -> None:
        """Raises ValueError when it is negative or 2**40 and more."""
        self._high[slot], self._low[slot] = divmod(samples, 1 << 32)

    def extend(self, count: int) -> None:
        """Make room for some more."""
        self._low.extend([0] * count)
        self._high.extend(bytes(count))


What = Literal["added", "revised", "removed", "partial", "named"]
"""The ways in which a transcript changes."""


class Change(Struct, frozen=True):
    """One step from a version to the next."""

    what: What
    """`partial`: the unfinished text of some track changed; `named`: a speaker or a track, in any line.

    Then `index` and `id` are -1.
    """
    index: int
    """Where in tape order, at the moment of the change; a follower applies changes in their order."""
    id: int
    new: bool = False
    """Whether a line was added that has text nobody could read before."""


class Transcript:
    """Lines in tape order, and the partial text of each track.

    Not for use from several threads. Every call does a bounded amount of work: appending and the partials
    are constant, a line by id is logarithmic, and a line that comes in further up moves one array of ints.
    """

    def __init__(self) -> None:
        self.version = 0
        """Grows by one with each change."""
        self.on_change: Callable[[], None] = _nothing
        """Called at each change."""
        self._order = array("I")
        """Slots sorted by (start, slot)."""
        self._starts = _Times()
        self._lengths = array("I")
        self._kinds = bytearray()
        self._voices = array("H")
        """Who speaks, and so on which track: a number of `voices`."""
        self.voices = Voices()
        self._texts: list[str] = []
        self._named: set[int] = set()
        """Lines whose speaker a person has named for them alone."""
        self._originals: dict[int, str] = {}
        """What the engine said of the lines that a person has edited."""
        self._marks: dict[int, str] = {}
        """The note of each mark, by line."""
        self._notes: set[int] = set()
        """Lines that the person has written."""
        self._track_names: dict[int, str] = {}
        self.alone = ""
        """The name a line without a shown name is searched by: that of the only track."""
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
    def track_names(self) -> Mapping[int, str]:
        """What the tracks are called whose lines carry their name."""
        return self._track_names

    def name_track(self, track: int, name: str | None) -> None:
        """Show a track's name on all its present and future lines; None: show none."""
        if self._track_names.get(track) == name:
            return
        if name is None:
            del self._track_names[track]
        else:
            self._track_names[track] = name
        self._changed("named", -1, -1)

    @property
    def marks(self) -> Mapping[int, str]:
        """The note of each mark, by the id of its line."""
        return self._marks

    @property
    def notes(self) -> Collection[int]:
        """The ids of the lines that the person has written."""
        return self._notes

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
        original: str | None = None,
        mark: str | None = None,
        new: bool = True,
    ) -> int:
        """Put a line in tape order, behind all lines that start no later, and return its id.

        Args:
            track: 0 to 255.
            start: session time of its first sample, below 2**40 (two years).
            end: session time behind its last sample; at most 2**32 - 1 samples (74 hours) after `start`.
            text: what was said, exactly.
            kind: what the line is.
            speaker: who said it, when that is known.
            id: the id it had when the library kept it; counted from 0 within a session, so small. Ids that
                are skipped cost 16 bytes each.
            original: what the engine said, when `text` is what a person made of it.
            mark: the note on its mark, when it is marked.
            new: whether its text was not there before, in this or another line.

        Raises:
            ValueError: the id is negative or another line has it, the line ends before it starts, or no session
                has such a time.
        """
        if end < start:
            raise ValueError(f"a line cannot end ({end}) before it starts ({start})")
        slot = self._take_slot(id)
        self._starts[slot] = start
        self._lengths[slot] = end - start
        self._texts[slot] = text
        self._kinds[slot] = kind
        self._voices[slot] = voice = self.voices.number(track, speaker)
        self.voices.count(voice, kind == SPEECH)
        if kind == NOTE:
            self._notes.add(slot)
        if original is not None:
            self._originals[slot] = original
        if mark is not None:
            self._marks[slot] = mark
        self._changed("added", self._place(slot), slot, new=new)
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
        """Apply an engine's revision of a line; None leaves a value as it is, and a person's edit stays.

        A new start may move the line; followers see it as removed and added.

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
            texts = self._originals if id in self._originals else self._texts
            texts[id] = text
        if speaker is not None and id not in self._named:
            self._give(id, speaker)
        self._lengths[id] = new_end - new_start
        if new_start == self._starts[id]:
            self._changed("revised", index, id)
            return
        del self._order[index]
        self._changed("removed", index, id)
        self._starts[id] = new_start
        self._changed("added", self._place(id), id)

    def edit(self, id: int, text: str) -> None:
        """Replace the engine's text by a person's; giving the engine's own text undoes the edit.

        Raises:
            KeyError: no line has this id.
        """
        index = self.index_of(id)
        original = self._originals.pop(id, self._texts[id])
        if text != original:
            self._originals[id] = original
        self._texts[id] = text
        self._changed("revised", index, id)

    def set_mark(self, id: int, note: str | None) -> None:
        """Mark a line, with a note or an empty one; None removes the mark.

        Raises:
            KeyError: no line has this id.
        """
        index = self.index_of(id)
        if note is None:
            self._marks.pop(id, None)
        else:
            self._marks[id] = note
        self._changed("revised", index, id)

    def name_speaker(self, id: int, name: str | None, *, own: bool = True) -> None:
        """Set the speaker of this one line; None: it has none.

        Args:
            id: Of the line.
            name: Of its speaker.
            own: Whether a person has named it for this line, so that no revision of an engine's changes it.

        Raises:
            KeyError: no line has this id.
        """
        index = self.index_of(id)
        (self._named.add if own and name is not None else self._named.discard)(id)
        self._give(id, name)
        self._changed("revised", index, id)

    def _give(self, id: int, speaker: str | None) -> None:
        """Give a line to a voice of its track."""
        voice, speech = self.voices.number(self._track(id), speaker), self._kinds[id] == SPEECH
        self.voices.count(self._voices[id], -speech)
        self.voices.count(voice, speech)
        self._voices[id] = voice

    @property
    def shown_speakers(self) -> tuple[str, ...]:
        """The names of speakers that are shown beside the lines."""
        return self.voices.shown(given=bool(self._named))

    def has_own_speaker(self, id: int) -> bool:
        """Whether a person has named the speaker of this one line."""
        return id in self._named

    def rename_speaker(self, track: int, old: str, new: str) -> None:
        """Rename a speaker of a track, in all present and future lines; does nothing when unknown.

        Two speakers of the same name stay two voices to the engine; a reader sees one.
        """
        if self.voices.rename(track, old, new):
            self._changed("named", -1, -1)

    def remove(self, id: int) -> None:
        """Remove a line; its id is never used again.

        Raises:
            KeyError: no line has this id.
        """
        index = self.index_of(id)
        del self._order[index]
        self.voices.count(self._voices[id], -(self._kinds[id] == SPEECH))
        self._named.discard(id)
        self._kinds[id] = _NO_LINE
        self._texts[id] = ""
        self._originals.pop(id, None)
        self._marks.pop(id, None)
        self._notes.discard(id)
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
        return self._line(self._order[index])

    def line_of(self, id: int) -> Line:
        """The line with this id. Raises KeyError."""
        if id not in self:
            raise KeyError(id)
        return self._line(id)

    def ids(self) -> "array[int]":
        """The ids of all lines in tape order, as they stand now: a copy of four bytes a line."""
        return self._order[:]

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

    def start_of(self, id: int) -> int:
        """The session time at which the line with this id begins. Raises KeyError."""
        if id not in self:
            raise KeyError(id)
        return self._starts[id]

    def stretch(self, first: int, behind: int) -> "tuple[array[int], list[str]]":
        """The ids and texts of the lines at places `first` to `behind`, as far as there are any."""
        ids = self._order[first:behind]
        return ids, list(map(self._texts.__getitem__, ids))

    def texts_of(self, ids: Iterable[int]) -> list[str]:
        """The texts of lines by their ids; empty for those removed."""
        return list(map(self._texts.__getitem__, ids))

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

    def index_at(self, at: int) -> int | None:
        """The place of the last line that begins no later than session time `at`, or of the first line."""
        index = bisect_left(self._order, at + 1, key=self._starts.__getitem__)
        return max(0, index - 1) if self._order else None

    def changes_since(self, version: int) -> tuple[Change, ...] | None:
        """The changes since `version`, in order; None when they are no longer remembered."""
        count = self.version - version
        if count == 0:
            return ()
        if not 0 < count <= len(self._feed):
            return None
        newest = [self._feed[-1 - back] for back in range(count)]
        return tuple(reversed(newest))

    def _line(self, slot: int) -> Line:
        start, track = self._starts[slot], self._track(slot)
        return Line(
            id=slot,
            track=track,
            start=start,
            end=start + self._lengths[slot],
            text=self._texts[slot],
            kind=Kind(self._kinds[slot]),
            speaker=self.voices.names[self._voices[slot]],
            original=self._originals.get(slot),
            mark=self._marks.get(slot),
            track_name=self._track_names.get(track),
        )

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

    def reserve(self, ids: int) -> None:
        """Give new lines ids of at least `ids`: the library uses those below, also for lines that are not shown."""
        self._make_room(ids)

    def _take_slot(self, id: int | None) -> int:
        """Make room in the columns for one more line, at the end unless an id is asked for."""
        slot = len(self._texts) if id is None else id
        if slot < 0 or slot in self:
            raise ValueError(f"no line can be given the id {slot}")
        self._make_room(slot + 1)
        return slot

    def _make_room(self, slots: int) -> None:
        missing = slots - len(self._texts)
        if missing > 0:
            self._starts.extend(missing)
            self._lengths.extend([0] * missing)
            self._voices.extend([0] * missing)
            self._kinds.extend(bytes(missing))
            self._texts.extend([""] * missing)

    def _track(self, slot: int) -> int:
        return self.voices.tracks[self._voices[slot]]

    def _changed(self, what: What, index: int, id: int, *, new: bool = False) -> None:
        self.version += 1
        self._feed.append(Change(what, index, id, new))
        self.on_change()


def _nothing() -> None:
    pass
