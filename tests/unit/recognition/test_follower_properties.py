"""The follower as a property: whatever happens, each word is there once, in order, or lies in a gap."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from mictape.engines.base import Capabilities
from mictape.intervals import Intervals
from mictape.recognition.live import Plan
from mictape.recognition.ownership import CONTEXT
from mictape.recognition.retry import CAP_S, MINUTE_S
from mictape.units import RATE
from support import virtual_time
from support.follower_harness import FollowerHarness, recorded, said
from support.scripted import SLOT, SOUND, ScriptedEngine

scripts = st.lists(st.integers(0, 3), max_size=25)
"""Words repeat, as they do in speech."""


def expect_each_once_or_in_a_gap(harness: FollowerHarness, script: Sequence[int]) -> None:
    """The transcript has words of the script in tape order, none twice; what is missing lies in a gap."""
    expected = iter(said(script))
    assert all(word in expected for word in harness.words), "in tape order, none twice"
    missing = Counter(said(script)) - Counter(harness.words)
    assert not missing - Counter(harness.in_gaps(script)), "what is missing lies in a gap"


@given(
    scripts,
    st.lists(st.integers(1, 30 * SLOT), max_size=6),
    st.integers(0, 3),
    st.integers(1, 4),
    st.booleans(),
)
@example([0] * 8 + [1, 0], [9 * SLOT + 1], 0, 1, False)  # lost between a turn's text and its answer
def test_each_word_is_there_once_and_in_order_or_in_a_gap(
    script: list[int], breaks: list[int], refusals: int, turn_words: int, times: bool
) -> None:
    capabilities = Capabilities(offline=True, word_times=times)
    engine = ScriptedEngine(capabilities, breaks=breaks, refusals=refusals, turn_words=turn_words)
    with tempfile.TemporaryDirectory() as folder:
        harness = recorded(Path(folder), script, engine)
    assert harness.settled()
    expect_each_once_or_in_a_gap(harness, script)


@given(
    st.lists(st.integers(0, 3), min_size=20, max_size=120),
    st.lists(st.integers(1, 60 * SLOT), max_size=5),
    st.floats(0, 15),
    st.integers(1, 4),
    st.booleans(),
)
def test_live_and_fill_lose_and_repeat_nothing(
    script: list[int], breaks: list[int], refused_until_s: float, turn_words: int, times: bool
) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=times)
    engine = ScriptedEngine(capabilities, breaks=breaks, refused_until_s=refused_until_s, turn_words=turn_words)
    with tempfile.TemporaryDirectory() as folder:
        harness = FollowerHarness(Path(folder), engine, plan=Plan(live=True, fill=engine))
        virtual_time.run(harness.live(script))
    assert harness.settled()
    assert engine.too_fast == 0
    expect_each_once_or_in_a_gap(harness, script)


HAPPENINGS: Final = ["break", "break", "pause", "switch", "mute", "refuse", "throttle", "delay"]
"""Breaks twice as often as the rest."""
PER_MINUTE: Final = 8
REFUSED_S: Final = 3.0
THROTTLED_S: Final = 0.33
"""So long a throttled line takes for a block of 100 ms."""
DELAYED_S: Final = 2.0


@dataclass(frozen=True)
class Schedule:
    """What is said, and everything that happens meanwhile."""

    script: list[int]
    holes: list[tuple[int, int]]
    """For each hole its first block of 100 ms and how many there are."""
    happenings: list[tuple[str, float]]
    """What, and how many seconds after the one before."""
    capabilities: Capabilities
    manner: dict[str, Any]
    """How the engine gives its turns."""
    stopped: bool
    """Whether it is stopped when the last of it has happened, and not when all is said."""
    patience_s: float
    """How long the follower may go on when the sound has ended."""

    @property
    def lost(self) -> Intervals:
        """The samples that are holes, on a tape long enough."""
        return Intervals((at * SOUND, (at + blocks) * SOUND) for at, blocks in self.holes)

    def on_tape(self, samples: int) -> list[int]:
        """The words that a tape of this length holds; 0 for one that was lost."""
        return [
            word if at * SLOT + SOUND <= samples and at * SLOT not in self.lost else 0
            for at, word in enumerate(self.script)
        ]

    def answer_s(self) -> float:
        """The longest a fresh connection needs for one answer: its turn, or two of them where they come in pairs."""
        needed = self.manner["turn_words"] * (2 if self.manner["shuffles"] else 1)
        words = [at for at, word in enumerate(self.on_tape(len(self.script) * SLOT)) if word]
        begins = [-1, *words]
        ends = [*words[needed - 1 :], *[len(self.script)] * needed]
        longest = max(end - begin for begin, end in zip(begins, ends, strict=False))
        return (longest + 1) * SLOT / RATE + CONTEXT / RATE + 1

    def reachable(self) -> bool:
        """Whether some connection lived long enough, between any two that were broken, to answer once.

        A stretch that ends two in a row is given up. A server that says nothing is not reachable, and how often that
        is noticed depends on what was spoken.
        """
        now_s = well_s = 0.0
        troubles: set[str] = set()
        broken = False
        for what, wait_s in self.happenings:
            now_s += wait_s
            if what == "mute":
                return False
            if what == "break":
                if broken and (troubles or now_s - well_s < self.answer_s()):
                    return False
                broken, well_s = True, max(well_s, now_s)
            elif what == "refuse":
                well_s = max(well_s, now_s + REFUSED_S + CAP_S)
            elif what == "switch":  # to an engine without troubles; nothing was tried with it
                troubles, broken, well_s = set(), False, now_s
            elif what in ("throttle", "delay"):
                troubles ^= {what}
                well_s = max(well_s, now_s)
        return True

    def patient(self) -> bool:
        """Whether there is time at the end to open connections and send everything, at the pace and over this line."""
        whole_s = len(self.script) * SLOT / RATE
        return self.patience_s >= MINUTE_S + CAP_S + 2 * whole_s * max(1.0, THROTTLED_S * RATE / SOUND)


schedules = st.builds(
    Schedule,
    script=st.lists(st.integers(0, 3), min_size=20, max_size=120),
    holes=st.lists(st.tuples(st.integers(0, 160), st.integers(1, 30)), max_size=3),
    happenings=st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.floats(0.1, 6)), max_size=9),
    capabilities=st.builds(
        Capabilities,
        word_times=st.booleans(),
        fastest_pace=st.sampled_from([1.0, None]),
        connections_per_minute=st.just(PER_MINUTE),
    ),
    manner=st.fixed_dictionaries(
        {"turn_words": st.integers(1, 4), "doubles": st.booleans(), "shuffles": st.booleans()}
    ),
    stopped=st.booleans(),
    patience_s=st.sampled_from([0.0, 1.0, 5.0, *[500.0] * 5]),
)


@dataclass
class ScheduleRun:
    """Carries a schedule out."""

    schedule: Schedule
    harness: FollowerHarness
    engines: list[ScriptedEngine] = field(default_factory=list[ScriptedEngine])

    def begin(self) -> asyncio.Task[None]:
        """Follow with a new engine."""
        engine = ScriptedEngine(self.schedule.capabilities, **self.schedule.manner)
        self.engines.append(engine)
        self.harness.engine, self.harness.plan = engine, Plan(live=True, fill=engine)
        return asyncio.create_task(self.harness.follow())

    async def run(self) -> None:
        """From the first word to the close."""
        following = self.begin()
        await asyncio.sleep(0)
        speaking = asyncio.create_task(self.harness.speak(self.schedule.script, self.schedule.lost))
        for what, wait_s in self.schedule.happenings:
            await asyncio.sleep(wait_s)
            if what == "switch":  # what was not answered is the other one's work
                await ended(following)
                following = self.begin()
                await asyncio.sleep(0)
            else:
                self.happen(what)
        if self.schedule.stopped:
            await ended(speaking)
        else:
            await speaking
        self.harness.engine.mute = False
        self.harness.end()
        await asyncio.wait([following], timeout=self.schedule.patience_s)
        await ended(following)
        self.harness.coverage.give_up(0, self.harness.tape.samples, "stopped")

    def happen(self, what: str) -> None:
        """One thing that happens to the engine of now."""
        engine = self.harness.engine
        match what:
            case "break":
                engine.break_open()
            case "mute":
                engine.mute = not engine.mute
            case "throttle":
                engine.slow_s = 0.0 if engine.slow_s else THROTTLED_S
            case "delay":
                engine.late_s = 0.0 if engine.late_s else DELAYED_S
            case "refuse":
                engine.refused_until_s = asyncio.get_running_loop().time() + REFUSED_S
            case _:
                self.harness.follower.endpoint()


async def ended(task: asyncio.Task[None]) -> None:
    """End it, if it has not ended; what broke it, breaks the test."""
    task.cancel()
    [result] = await asyncio.gather(task, return_exceptions=True)
    if result is not None and not isinstance(result, asyncio.CancelledError):
        raise result


TIMED: Final = Capabilities(word_times=True, fastest_pace=1.0, connections_per_minute=PER_MINUTE)
PLAIN: Final[dict[str, Any]] = {"turn_words": 1, "doubles": False, "shuffles": False}
CUT_SHORT: Final = Schedule([1], [], [], TIMED, PLAIN, stopped=False, patience_s=0.0)
"""Stopped at once when all is said."""


@given(schedules)
@example(CUT_SHORT)  # a turn stands whose answer does not come any more
@example(replace(CUT_SHORT, script=[1, 1], manner=PLAIN | {"shuffles": True}))  # one stands, and the one before not
@example(  # breaks far enough from one another
    Schedule([1, 2, 3] * 25, [(20, 5)], [("break", 3), ("break", 6)], TIMED, PLAIN | {"turn_words": 4}, False, 500.0)
)
def test_whatever_happens_nothing_is_lost_or_repeated(schedule: Schedule) -> None:
    with tempfile.TemporaryDirectory() as folder:
        harness = FollowerHarness(Path(folder), ScriptedEngine())
        run = ScheduleRun(schedule, harness)
        virtual_time.run(run.run())
        script = schedule.on_tape(harness.tape.samples)
        assert harness.settled()
        for engine in run.engines:
            assert engine.too_fast == 0
            assert engine.most_in_a_minute <= PER_MINUTE
        waited = any(engine.most_in_a_minute == PER_MINUTE for engine in run.engines)
        if schedule.patient() and schedule.reachable() and not waited:
            assert not harness.coverage.gaps, "the engine could be reached for long enough"
        if any(what == "mute" for what, _ in schedule.happenings):  # a mute server may have been believed
            expected = iter(said(script))
            assert all(word in expected for word in harness.words), "in tape order, none twice"
            return
        expect_each_once_or_in_a_gap(harness, script)
        if schedule.capabilities.word_times:
            virtual_time.run(complete(harness))
            assert harness.words == said(script), "completed, the gaps have the words that were missing, and no other"


async def complete(harness: FollowerHarness) -> None:
    """Have another engine take up every gap."""
    harness.coverage.reopen()
    harness.engine, harness.plan = ScriptedEngine(Capabilities(offline=True, word_times=True)), Plan()
    await harness.follow()
