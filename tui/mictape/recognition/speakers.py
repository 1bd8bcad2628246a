"""Who is speaking, across connections: each connection starts its labels from A. Pure.

Two connections that were sent the same sound label the same people in it, so the later one's labels take the names of
the earlier one's. Where there was no speech in what both were sent, it cannot be known whether an "A" is the "A" of
before: it then has a name of its own, `A (2)`, rather than a wrong one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from msgspec import structs

from mictape.engines.base import EngineEvent, FinalTurn, Partial, Speakers, Word
from mictape.units import RATE

LEAST_SHARED: Final = RATE // 10
"""Samples of speech that both must share: a short word. Two estimates of a word's end differ by less."""

Spoken = tuple[int, int, str]
"""Where a word begins and ends, session time, and the label of who said it."""


class SpeakerRegistry:
    """The speakers of one track, across connections and engines."""

    def __init__(self) -> None:
        self._labels: list[SpeakerLabels] = []
        self._names: set[str] = set()

    def reserve(self, names: Iterable[str]) -> None:
        """These names are taken: no new speaker gets one of them."""
        self._names.update(names)

    def join(self, connection: int) -> "SpeakerLabels":
        """The labels of one more connection."""
        labels = SpeakerLabels(self, connection, tuple(self._labels))
        self._labels.append(labels)
        return labels

    def fresh(self, label: str) -> str:
        """A free name: the label itself, if it is not taken."""
        name, count = label, 1
        while name in self._names:
            count += 1
            name = f"{label} ({count})"
        self._names.add(name)
        return name

    def match(self, changed: "SpeakerLabels") -> None:
        """One connection has more words: it, and later ones that were sent the same sound, may be matched now."""
        for labels in self._labels:
            if labels is changed or labels.overlaps(changed):
                labels.match()

    def revised(self) -> Iterator[tuple[int, Mapping[int, str]]]:
        """Turns whose speaker is known by another name since the last call, by connection."""
        for labels in self._labels:
            if turns := labels.revised():
                yield labels.connection, turns


class SpeakerLabels:
    """The speaker labels of one connection, and the names they stand for."""

    def __init__(self, speakers: SpeakerRegistry, connection: int, before: "tuple[SpeakerLabels, ...]") -> None:
        self.connection = connection
        self._speakers = speakers
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

    def named(self, event: EngineEvent) -> EngineEvent:
        """The event with names instead of labels. To be given every event, those of the context, too."""
        match event:
            case Partial(words=words) | FinalTurn(words=words):
                speaker = event.speaker if isinstance(event, FinalTurn) else None
                self._take(event.turn, words or (), speaker)
                words = words and tuple(structs.replace(word, speaker=self._name(word.speaker)) for word in words)
                if isinstance(event, Partial):
                    return replace(event, words=words)
                if speaker is not None:
                    self._turns[event.turn] = speaker
                return replace(event, words=words, speaker=self._name(speaker))
            case Speakers(turns):
                for turn, label in turns.items():
                    self._turns[turn] = label
                    self._spoken[turn] = [(start, end, label) for start, end, _ in self._spoken.get(turn, [])]
                return Speakers({turn: self.name(label) for turn, label in turns.items()})
            case _:
                return event

    def name(self, label: str) -> str:
        """The name for a label; a new one until it is matched."""
        if label not in self._names:
            self._names[label] = self._speakers.fresh(label)
        return self._names[label]

    def overlaps(self, other: "SpeakerLabels") -> bool:
        """Whether both were sent some of the same sound."""
        return self._first < other._last and other._first < self._last

    def match(self) -> None:
        """Give labels the names that earlier connections gave in the same sound, the longest overlap first."""
        for (label, name), samples in self._shared().most_common():
            if samples < LEAST_SHARED or label in self._matched or name in self._matched.values():
                continue
            self._matched[label] = name
            if self._names.get(label, name) != name:
                self._revised.add(label)
            self._names[label] = name

    def revised(self) -> dict[int, str]:
        """The new name for each turn that was reported under another one."""
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
        self._speakers.match(self)

    def _shared(self) -> Counter[tuple[str, str]]:
        """For each pair of a label of this connection and a name, the samples in which both speak."""
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
