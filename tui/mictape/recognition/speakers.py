"""Who is speaking, across connections: each connection labels the speakers anew. Pure.

Two connections that heard the same sound labelled the same people in it, so the later one's labels take the names of
the earlier one's. Where nobody spoke in what both heard, it cannot be known whether an "A" is the "A" of before: it
then has a name of its own, `A (2)`, rather than a wrong one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from msgspec import structs

from mictape.engines.base import EngineEvent, FinalTurn, Partial, Speakers, Word
from mictape.units import RATE

LEAST_SHARED: Final = RATE // 10
"""Speech that both have to have heard, in samples: a short word. Two estimates of a word's end differ by less."""

Spoken = tuple[int, int, str]
"""Where a word begins and ends, session time, and the label of who said it."""


class Voices:
    """The speakers of one track, whatever connections and engines heard them."""

    def __init__(self) -> None:
        self._labels: list[Labels] = []
        self._names: set[str] = set()

    def reserve(self, names: Iterable[str]) -> None:
        """These names are of people heard before; nobody else gets them."""
        self._names.update(names)

    def join(self, connection: int) -> "Labels":
        """The labels of one more connection."""
        labels = Labels(self, connection, tuple(self._labels))
        self._labels.append(labels)
        return labels

    def fresh(self, label: str) -> str:
        """A name nobody has: the label itself, if that is free."""
        name, count = label, 1
        while name in self._names:
            count += 1
            name = f"{label} ({count})"
        self._names.add(name)
        return name

    def match(self, heard: "Labels") -> None:
        """One of them has heard more: it, and whoever came later and heard the same, may now be known."""
        for labels in self._labels:
            if labels is heard or labels.overlaps(heard):
                labels.match()

    def revised(self) -> Iterator[tuple[int, Mapping[int, str]]]:
        """Turns whose speaker is known by another name since the last call, by connection."""
        for labels in self._labels:
            if turns := labels.revised():
                yield labels.connection, turns


class Labels:
    """The labels that one connection gives, and whom they name."""

    def __init__(self, voices: Voices, connection: int, before: "tuple[Labels, ...]") -> None:
        self.connection = connection
        self._voices = voices
        self._before = before
        self._spoken: dict[int, list[Spoken]] = {}
        """For each turn its words."""
        self._first, self._last = 0, 0
        """Where the first word begins and the last one ends."""
        self._turns: dict[int, str] = {}
        """For each turn that is final the label of its speaker."""
        self._names: dict[str, str] = {}
        self._matched: dict[str, str] = {}
        """The names that are known and not only made up."""
        self._revised: set[str] = set()

    def named(self, heard: EngineEvent) -> EngineEvent:
        """The same with names instead of labels. To be given everything heard, context too, in session time."""
        match heard:
            case Partial(words=words) | FinalTurn(words=words):
                speaker = heard.speaker if isinstance(heard, FinalTurn) else None
                self._take(heard.turn, words or (), speaker)
                words = words and tuple(structs.replace(word, speaker=self._name(word.speaker)) for word in words)
                if isinstance(heard, Partial):
                    return replace(heard, words=words)
                if speaker is not None:
                    self._turns[heard.turn] = speaker
                return replace(heard, words=words, speaker=self._name(speaker))
            case Speakers(turns):
                for turn, label in turns.items():
                    self._turns[turn] = label
                    self._spoken[turn] = [(start, end, label) for start, end, _ in self._spoken.get(turn, [])]
                return Speakers({turn: self.name(label) for turn, label in turns.items()})
            case _:
                return heard

    def name(self, label: str) -> str:
        """Whom a label names; somebody new as long as nothing says otherwise."""
        if label not in self._names:
            self._names[label] = self._voices.fresh(label)
        return self._names[label]

    def overlaps(self, other: "Labels") -> bool:
        """Whether both have heard some of the same sound."""
        return self._first < other._last and other._first < self._last

    def match(self) -> None:
        """Give labels the names of those whom earlier connections heard in the same sound, most of it first."""
        for (label, name), samples in self._shared().most_common():
            if samples < LEAST_SHARED or label in self._matched or name in self._matched.values():
                continue
            self._matched[label] = name
            if self._names.get(label, name) != name:
                self._revised.add(label)
            self._names[label] = name

    def revised(self) -> dict[int, str]:
        """For each turn told with another name so far the right one."""
        turns = {turn: self._names[label] for turn, label in self._turns.items() if label in self._revised}
        self._revised.clear()
        return turns

    def _name(self, label: str | None) -> str | None:
        return None if label is None else self.name(label)

    def _take(self, turn: int, words: tuple[Word, ...], speaker: str | None) -> None:
        spoken = [
            (word.start, word.end, label)
            for word in words
            if (label := word.speaker or speaker) is not None and word.start is not None and word.end is not None
        ]
        if not spoken:
            return
        if not self._spoken:
            self._first = spoken[0][0]
        self._spoken[turn] = spoken
        self._last = max(self._last, spoken[-1][1])
        self._voices.match(self)

    def _shared(self) -> Counter[tuple[str, str]]:
        """Samples in which both a label of ours and a speaker by that name were heard."""
        shared: Counter[tuple[str, str]] = Counter()
        for other in filter(self.overlaps, self._before):
            theirs = other.between(self._first, self._last)
            for start, end, label in self.between(other._first, other._last):
                for begin, stop, their_label in theirs:
                    if (both := min(end, stop) - max(start, begin)) > 0:
                        shared[label, other.name(their_label)] += both
        return shared

    def between(self, start: int, end: int) -> list[Spoken]:
        """The words that sound in `[start, end)`."""
        return [
            word
            for turn in self._spoken.values()
            if turn and turn[0][0] < end and turn[-1][1] > start
            for word in turn
            if word[0] < end and word[1] > start
        ]
