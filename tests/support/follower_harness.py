"""A tape, its follower and what that reported, for tests. The engine is scripted, the tape is real."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from mictape.audio.tape import Tape, TapeWriter
from mictape.engines.base import Capabilities, FinalTurn, Request, Speakers
from mictape.intervals import Intervals
from mictape.recognition.coverage import Coverage
from mictape.recognition.follower import Follower
from mictape.recognition.live import Plan
from mictape.recognition.speakers import SpeakerRegistry
from mictape.recognition.stretches import FollowedTrack, FollowerEvent
from mictape.units import RATE
from mictape.vad.client import Listening
from support import virtual_time
from support.scripted import SLOT, SOUND, ScriptedEngine, spoken

REMOTE = Capabilities(fastest_pace=1.0, word_times=True)
"""As AssemblyAI is: no faster than real time, with word times."""


@dataclass
class FollowerHarness:
    """A tape, its follower and what that reported."""

    folder: Path
    engine: ScriptedEngine
    coverage: Coverage = field(default_factory=Coverage)
    plan: Plan = field(default_factory=Plan)
    events: list[FollowerEvent] = field(default_factory=list[FollowerEvent])
    numbers: Iterator[int] = field(default_factory=count)
    """Numbers the connections of all its followers."""
    speakers: SpeakerRegistry = field(default_factory=SpeakerRegistry)
    listening: Listening | None = None

    def __post_init__(self) -> None:
        self.tape = Tape(self.folder, 1)
        self.writer = TapeWriter(self.folder, 1)
        self.follower: Follower

    def write(self, pcm: bytes) -> None:
        """Put sound on the tape."""
        self.writer.append(pcm)
        self.tape.report(self.writer.samples)

    def end(self) -> None:
        """The source ends."""
        self.writer.close()
        self.tape.end()

    async def follow(self) -> None:
        """Follow to the end."""
        track = FollowedTrack(self.tape, self.coverage, self.events.append, self.numbers, self.speakers, self.listening)
        self.follower = Follower(track, self.engine, Request(), self.plan)
        await self.follower.run()

    async def speak(self, words: Sequence[int], holes: Intervals | None = None) -> None:
        """Say words as a microphone does: 100 ms of tape every 100 ms.

        What would lie in `holes` is lost: silence is on the tape in its place, and it is reported a block later.
        """
        pcm, lost = spoken(words), holes or Intervals()
        for at in range(0, len(pcm) // 2, SOUND):
            await asyncio.sleep(SOUND / RATE)
            self._report_holes(lost)
            self.write(bytes(2 * SOUND) if at in lost else pcm[2 * at : 2 * (at + SOUND)])
        self._report_holes(lost)

    def _report_holes(self, lost: Intervals) -> None:
        if (last := self.tape.samples - SOUND) in lost:
            self.coverage.hole(last, last + SOUND, "overflow")

    async def live(self, words: Sequence[int]) -> None:
        """Follow while the script is spoken, to the end."""
        following = asyncio.create_task(self.follow())
        await asyncio.sleep(0)
        await self.speak(words)
        self.end()
        await following

    @property
    def words(self) -> list[str]:
        """The words of all finals, in tape order."""
        return " ".join(final.text for final in self.finals).split()

    @property
    def finals(self) -> list[FinalTurn]:
        """What each turn became, in tape order, with the speaker it has at last."""
        turns: dict[tuple[int, int], FinalTurn] = {}
        for each in self.events:
            if isinstance(each.event, FinalTurn):
                turns[each.connection, each.event.turn] = each.event
            elif isinstance(each.event, Speakers):
                for turn, speaker in each.event.turns.items():
                    key = each.connection, turn
                    if key in turns:
                        turns[key] = replace(turns[key], speaker=speaker)
        return sorted(turns.values(), key=lambda final: final.start or 0)

    def in_gaps(self, words: Sequence[int]) -> list[str]:
        """The words that lie in gaps, wholly or in part."""
        return [
            f"w{word}"
            for at, word in enumerate(words)
            if word and any(gap.start < at * SLOT + SOUND and gap.end > at * SLOT for gap in self.coverage.gaps)
        ]

    def settled(self) -> bool:
        """Whether nothing is open any more: covered, gaps and holes are disjoint, and together they are the tape."""
        parts = [*self.coverage.covered, *self.coverage.holes, *((gap.start, gap.end) for gap in self.coverage.gaps)]
        whole = sum(end - start for start, end in parts) == self.tape.samples
        return whole and self.coverage.open(self.tape.samples) == []


def said(words: Sequence[int]) -> list[str]:
    return [f"w{word}" for word in words if word]


def recorded(
    folder: Path, words: Sequence[int], engine: ScriptedEngine, coverage: Coverage | None = None
) -> FollowerHarness:
    """A finished tape on which these words are said, followed to its end."""
    harness = FollowerHarness(folder, engine, coverage or Coverage())
    harness.write(spoken(words))
    harness.end()
    virtual_time.run(harness.follow())
    return harness
