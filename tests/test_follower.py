"""The follower: whatever happens to connections, each word is there once, in order, or lies in a gap.

The engine is a script, the clock jumps; the tape is a real one.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import virtual_time
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted import SLOT, SOUND, ScriptedEngine, spoken

from tui.audio.messages import RATE
from tui.audio.tape import Tape, TapeWriter
from tui.engines.base import Capabilities, Final, Lost, Partial, Request, Speakers
from tui.session.coverage import Coverage, Gap
from tui.session.follower import Follower
from tui.session.leading import Plan
from tui.session.voices import Voices
from tui.session.work import Told

REMOTE = Capabilities(fastest_pace=1.0, word_times=True)
"""As AssemblyAI is: no faster than real time, with word times."""


@dataclass
class Sitting:
    """A tape, who follows it, and what was told."""

    folder: Path
    engine: ScriptedEngine
    coverage: Coverage = field(default_factory=Coverage)
    plan: Plan = field(default_factory=Plan)
    told: list[Told] = field(default_factory=list[Told])
    eras: list[int] = field(default_factory=list[int])
    """For each of them which follower told it, counted from 0: each counts connections anew."""
    followers: int = 0
    voices: Voices = field(default_factory=Voices)

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
        era, self.followers = self.followers, self.followers + 1

        def hear(told: Told) -> None:
            self.eras.append(era)
            self.told.append(told)

        self.follower = Follower(
            self.tape, self.coverage, self.engine, Request(), hear, plan=self.plan, voices=self.voices
        )
        await self.follower.run()

    async def speak(self, words: Sequence[int]) -> None:
        """Say words as a microphone does: 100 ms of tape every 100 ms."""
        pcm = spoken(words)
        for at in range(0, len(pcm), 2 * SOUND):
            await asyncio.sleep(SOUND / RATE)
            self.write(pcm[at : at + 2 * SOUND])

    async def live(self, words: Sequence[int]) -> None:
        """Follow while somebody speaks, to the end."""
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
    def finals(self) -> list[Final]:
        """What each turn became, in tape order, with the speaker it has at last."""
        turns: dict[tuple[int, int, int], Final] = {}
        for era, each in zip(self.eras, self.told, strict=True):
            if isinstance(each.heard, Final):
                turns[era, each.connection, each.heard.turn] = each.heard
            elif isinstance(each.heard, Speakers):
                for turn, speaker in each.heard.turns.items():
                    key = era, each.connection, turn
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


def recorded(folder: Path, words: Sequence[int], engine: ScriptedEngine, coverage: Coverage | None = None) -> Sitting:
    """A finished tape on which these words are said, followed to its end."""
    sitting = Sitting(folder, engine, coverage or Coverage())
    sitting.write(spoken(words))
    sitting.end()
    virtual_time.run(sitting.follow())
    return sitting


SCRIPT = [1, 2, 3, 1, 0, 2, 2, 1, 3, 3]
"""Words repeat, as they do in speech."""

scripts = st.lists(st.integers(0, 3), max_size=25)


@settings(max_examples=80)
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
        sitting = recorded(Path(folder), script, engine)
    assert sitting.settled()
    if not sitting.coverage.gaps:
        assert sitting.words == said(script)
    else:
        expected = iter(said(script))
        assert all(word in expected for word in sitting.words), "in tape order, none twice"
        lost = Counter(said(script)) - Counter(sitting.words)
        assert not lost - Counter(sitting.in_gaps(script)), "what is missing lies in a gap"


def test_only_what_was_not_answered_is_sent_again(tmp_path: Path) -> None:
    engine = ScriptedEngine(breaks=[5 * SLOT])
    sitting = recorded(tmp_path, SCRIPT, engine)
    assert sitting.words == said(SCRIPT)
    assert sum(map(len, engine.sent)) == len(said(SCRIPT)), "every word was heard by one connection only"


def test_a_stretch_that_kills_every_connection_becomes_a_gap_and_the_rest_is_heard(tmp_path: Path) -> None:
    sitting = recorded(tmp_path, [1, 2, 9, 3, 1, 2], ScriptedEngine(poison=9))
    assert sitting.words == ["w1", "w2", "w3", "w1", "w2"]
    [gap] = [each.heard for each in sitting.told if isinstance(each.heard, Gap)]
    assert sitting.coverage.gaps == (gap,)


def test_a_turn_that_no_connection_lives_to_finish_is_taken_as_far_as_it_was_heard(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, turn_words=1_000, breaks=[6 * RATE] * 20)
    script = [1, 2, 3] * 30  # 18 s without a pause
    sitting = recorded(tmp_path, script, engine)
    assert sitting.words == said(script)
    assert sitting.coverage.gaps == ()


def test_gaps_left_by_an_earlier_sitting_are_followed_like_everything_else(tmp_path: Path) -> None:
    coverage = Coverage()
    coverage.cover(0, SLOT)
    coverage.cover(3 * SLOT, 5 * SLOT)
    engine = ScriptedEngine()
    sitting = recorded(tmp_path, [1, 2, 3, 1, 2, 3], engine, coverage)
    assert sitting.words == ["w2", "w3", "w3"]
    assert engine.sent == [[2, 3], [3]]


def test_a_fatal_cause_ends_it_and_leaves_the_rest_open(tmp_path: Path) -> None:
    sitting = Sitting(tmp_path, ScriptedEngine(fatal=True))
    sitting.write(spoken([1, 2]))
    sitting.end()
    with pytest.raises(Lost):
        virtual_time.run(sitting.follow())
    assert sitting.follower.state == "stopped"
    assert sitting.follower.failure is not None
    assert sitting.coverage.open(sitting.tape.samples) == [(0, 2 * SLOT)]


def test_it_gives_up_when_told_to(tmp_path: Path) -> None:
    sitting = Sitting(tmp_path, ScriptedEngine(refused_until_s=1e9), plan=Plan(give_up_s=30))
    sitting.write(spoken([1]))
    sitting.end()
    with pytest.raises(Lost):
        virtual_time.run(sitting.follow())
    assert sitting.engine.attempts_s[-1] >= 30
    assert len(sitting.engine.attempts_s) < 60, "it waits between attempts"


def test_a_pause_ends_the_utterance_and_holds_nothing_back(tmp_path: Path) -> None:
    sitting = Sitting(tmp_path, ScriptedEngine(turn_words=9))

    async def pausing() -> None:
        following = asyncio.create_task(sitting.follow())
        await asyncio.sleep(0)
        await sitting.speak([1, 2])
        sitting.write(spoken([3])[: SOUND + 100])  # half a word, in half a block
        sitting.follower.endpoint()
        await asyncio.sleep(1)
        assert sitting.engine.endpoints == 1
        assert sitting.words == ["w1", "w2", "w3"]
        assert sitting.follower.behind == 0
        sitting.end()
        await following

    virtual_time.run(pausing())
    assert any(isinstance(each.heard, Partial) for each in sitting.told)
    assert sitting.engine.opened == 1


def test_nothing_is_sent_faster_than_the_engine_allows(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE)
    sitting = recorded(tmp_path, SCRIPT * 5, engine)
    assert sitting.words == said(SCRIPT * 5)
    assert engine.too_fast == 0


def test_after_an_outage_live_goes_on_at_once_and_the_rest_is_filled_in(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, refused_until_s=20, turn_words=3)
    sitting = Sitting(tmp_path, engine, plan=Plan(live=True, fill=engine))
    script = SCRIPT * 20  # 40 s

    async def run() -> None:
        following = asyncio.create_task(sitting.live(script))
        await asyncio.sleep(32)
        live = [each.heard for each in sitting.told if each.live and isinstance(each.heard, Final)]
        assert live
        assert min(final.start or 0 for final in live) > 19 * RATE, "live did not wait for the past"
        await following

    virtual_time.run(run())
    assert sitting.words == said(script)
    assert sitting.coverage.gaps == ()
    assert sitting.settled()
    assert engine.too_fast == 0


def test_a_late_connection_catches_up_by_leaving_silence_out(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, refused_until_s=2)
    sitting = Sitting(tmp_path, engine, plan=Plan(live=True, fill=engine))
    script = [1, 2, 3, 1, 2, 3, *[0] * 40, 1, 2, 3, *[0] * 20, 3, 2, 1]

    async def run() -> None:
        following = asyncio.create_task(sitting.live(script))
        await asyncio.sleep(9.5)
        assert sitting.follower.behind < RATE
        await following

    virtual_time.run(run())
    assert sitting.words == said(script)
    finals = [each.heard for each in sitting.told if isinstance(each.heard, Final)]
    starts = sorted(final.start or 0 for final in finals)
    assert starts == [at * SLOT for at, word in enumerate(script) if word], "times are true across what was left out"
    assert engine.too_fast == 0
    assert sitting.settled()


def test_without_a_back_fill_what_was_missed_is_a_gap(tmp_path: Path) -> None:
    sitting = Sitting(tmp_path, ScriptedEngine(REMOTE, refused_until_s=20), plan=Plan(live=True))
    script = SCRIPT * 15
    virtual_time.run(sitting.live(script))
    assert sitting.settled()
    lost = Counter(said(script)) - Counter(sitting.words)
    assert lost
    assert not lost - Counter(sitting.in_gaps(script))


def test_before_its_limit_a_connection_hands_over_without_a_seam(tmp_path: Path) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, longest_s=60)
    engine = ScriptedEngine(capabilities, turn_words=4)
    sitting = Sitting(tmp_path, engine, plan=Plan(live=True, fill=engine))
    script = SCRIPT * 60  # 2 minutes, almost without a pause
    virtual_time.run(sitting.live(script))
    assert sitting.words == said(script)
    assert engine.opened >= 3
    assert all(age_s <= 60 for age_s in engine.ages_s)
    assert engine.overlaps == engine.opened - 1, "the next one was open before the last one ended"
    assert sitting.settled()


def same_people(finals: Sequence[Final]) -> bool:
    """Whether each name stands for one person (odd words and even ones), and each person has one name."""
    named = {(final.speaker, int(final.text[1:]) % 2) for final in finals}
    return len(named) == len({name for name, _ in named}) == len({person for _, person in named})


@pytest.mark.parametrize("script", [[1, 2, 2, 1, 2] * 120, ([2, 1, 2, 2] + [0] * 5 + [1, 2, 1] + [0] * 5) * 35])
def test_speakers_keep_their_names_across_a_change_over(tmp_path: Path, script: list[int]) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, longest_s=60, speakers=True)
    engine = ScriptedEngine(capabilities, voices=2)
    sitting = Sitting(tmp_path, engine, plan=Plan(live=True, fill=engine))
    virtual_time.run(sitting.live(script))
    assert sitting.words == said(script)
    assert engine.opened >= 3
    assert {labels["A"] for labels in engine.labelled if labels} == {0, 1}, "labels did change hands"
    assert same_people(sitting.finals)
    assert {final.speaker for final in sitting.finals} == {"A", "B"}
    assert all(age_s <= 60 for age_s in engine.ages_s)


def test_speakers_keep_their_names_when_a_connection_breaks(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, voices=2, breaks=[at * SLOT for at in (21, 22, 23, 24)])
    sitting = recorded(tmp_path, [1, 2, 2, 1, 2] * 20, engine)
    assert engine.opened == 5
    assert same_people(sitting.finals)


def test_who_spoke_on_both_sides_of_a_long_silence_is_not_known(tmp_path: Path) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, billed=True)
    engine = ScriptedEngine(capabilities, voices=2)
    sitting = Sitting(tmp_path, engine, plan=Plan(live=True, fill=engine, idle_s=20))
    virtual_time.run(sitting.live([1, 2, *[0] * 300, 2, 1]))
    assert [final.speaker for final in sitting.finals] == ["A", "B", "A (2)", "B (2)"]


def test_a_server_that_says_nothing_about_speech_is_left_and_not_for_ever(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, mute=True)
    sitting = Sitting(tmp_path, engine, plan=Plan(live=True, fill=engine))
    virtual_time.run(sitting.live(SCRIPT * 30))
    assert engine.attempts_s[1] - engine.attempts_s[0] <= 15
    assert sitting.settled()
    assert engine.opened < 15, "sound that has no words in it is not tried again and again"


def test_silence_is_answered_by_a_mute_server_too(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, mute=True)
    sitting = Sitting(tmp_path, engine, plan=Plan(live=True, fill=engine))
    virtual_time.run(sitting.live([0] * 150))
    assert engine.opened == 1
    assert sitting.settled()


def test_a_billed_connection_is_closed_in_silence_and_the_first_word_is_whole(tmp_path: Path) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, billed=True, usd_per_hour=0.36)
    engine = ScriptedEngine(capabilities)
    sitting = Sitting(tmp_path, engine, plan=Plan(live=True, fill=engine, idle_s=20))
    script = [1, 2, 3, *[0] * 300, 1, 2, 3]  # a minute of silence
    virtual_time.run(sitting.live(script))
    assert sitting.words == said(script)
    assert engine.opened == 2
    assert sitting.settled()
    assert sitting.follower.connected_s < 40, "of about 61 s"


def test_a_model_that_has_to_be_loaded_again_is_loading_and_not_offline(tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(offline=True, loads=True), loads_s=3)
    sitting = Sitting(tmp_path, engine)
    states: list[str] = []

    async def run() -> None:
        following = asyncio.create_task(sitting.live(SCRIPT * 5))
        await asyncio.sleep(4)
        engine.break_open()
        await asyncio.sleep(1)
        states.append(sitting.follower.state)
        await following

    virtual_time.run(run())
    assert states == ["loading"]
    assert sitting.follower.state == "answering"
    assert sitting.words == said(SCRIPT * 5)


def test_a_vendors_connections_per_minute_are_kept(tmp_path: Path) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, connections_per_minute=5)
    engine = ScriptedEngine(capabilities, refused_until_s=90)
    sitting = Sitting(tmp_path, engine, plan=Plan(live=True, fill=engine))
    virtual_time.run(sitting.live(SCRIPT * 10))
    attempts = engine.attempts_s
    assert all(later - earlier > 59.999 for earlier, later in zip(attempts, attempts[5:], strict=False))
    assert sitting.words == said(SCRIPT * 10)


@pytest.mark.parametrize("keep_alive", ["message", "silence"])
def test_a_connection_is_kept_alive_through_a_pause_and_its_times_stay_true(tmp_path: Path, keep_alive: str) -> None:
    capabilities = Capabilities(word_times=True, keep_alive=keep_alive)  # type: ignore[arg-type]
    engine = ScriptedEngine(capabilities)
    sitting = Sitting(tmp_path, engine)

    async def run() -> None:
        following = asyncio.create_task(sitting.follow())
        await asyncio.sleep(0)
        await sitting.speak([1, 2])
        await asyncio.sleep(30)
        await sitting.speak([3])
        sitting.end()
        await following

    virtual_time.run(run())
    finals = [each.heard for each in sitting.told if isinstance(each.heard, Final)]
    assert [(final.text, final.start) for final in finals] == [("w1", 0), ("w2", SLOT), ("w3", 2 * SLOT)]
    assert engine.kept_alive > 3 or keep_alive == "silence"


def test_an_engine_that_leaves_it_to_us_is_told_where_utterances_end(tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(endpointing="follower"), turn_words=1_000)
    script = [*[1, 2, 3] * 4, *[0] * 8, *[3, 2, 1] * 60]  # a pause, then more than any utterance may last
    sitting = recorded(tmp_path, script, engine)
    assert sitting.words == said(script)
    finals = [each.heard for each in sitting.told if isinstance(each.heard, Final)]
    assert finals[0].text.split() == said(script[:12])
    assert len(finals) >= 3
    assert all((final.end or 0) - (final.start or 0) <= 21 * RATE for final in finals)


HAPPENINGS = ["pause", "switch", "break", "mute", "refuse", "throttle", "delay"]
PER_MINUTE = 8
PACES = st.sampled_from([1.0, None])


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 3), min_size=20, max_size=80),
    st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.floats(0.1, 6)), max_size=8),
    st.builds(Capabilities, word_times=st.booleans(), fastest_pace=PACES, connections_per_minute=st.just(PER_MINUTE)),
    st.fixed_dictionaries({"turn_words": st.integers(1, 4), "doubles": st.booleans(), "shuffles": st.booleans()}),
)
def test_whatever_happens_nothing_is_lost_or_repeated(
    script: list[int],
    happenings: list[tuple[str, float]],
    capabilities: Capabilities,
    manner: dict[str, Any],
) -> None:
    engines: list[ScriptedEngine] = []

    def engine() -> ScriptedEngine:
        engines.append(ScriptedEngine(capabilities, **manner))
        return engines[-1]

    async def run(sitting: Sitting) -> None:
        following = asyncio.create_task(sitting.follow())
        speaking = asyncio.create_task(sitting.speak(script))
        for what, wait_s in happenings:
            await asyncio.sleep(wait_s)
            match what:
                case "pause":
                    sitting.follower.endpoint()
                case "break":
                    sitting.engine.break_open()
                case "mute":
                    sitting.engine.mute = not sitting.engine.mute
                case "throttle":  # a block of 100 ms takes a third of a second
                    sitting.engine.slow_s = 0.0 if sitting.engine.slow_s else 0.33
                case "delay":
                    sitting.engine.late_s = 0.0 if sitting.engine.late_s else 2.0
                case "refuse":
                    sitting.engine.refused_until_s = asyncio.get_running_loop().time() + 3
                case _:  # another engine takes over: what was not answered is its work
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
                    sitting.engine = engine()
                    sitting.plan = replace(sitting.plan, fill=sitting.engine)
                    following = asyncio.create_task(sitting.follow())
                    await asyncio.sleep(0)
        await speaking
        sitting.engine.mute = False
        sitting.end()
        await following

    with tempfile.TemporaryDirectory() as folder:
        sitting = Sitting(Path(folder), engine())
        sitting.plan = Plan(live=True, fill=sitting.engine)
        virtual_time.run(run(sitting))
    assert sitting.settled()
    for each in engines:
        assert each.too_fast == 0
        assert each.most_in_a_minute <= PER_MINUTE
    found, spoke = Counter(sitting.words), Counter(said(script))
    assert not found - spoke, "none twice"
    expected = iter(said(script))
    assert all(word in expected for word in sitting.words), "in tape order"
    if not any(what == "mute" for what, _ in happenings):  # a mute server may have been believed
        assert not (spoke - found) - Counter(sitting.in_gaps(script)), "what is missing lies in a gap"


@settings(max_examples=30)
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
        sitting = Sitting(Path(folder), engine, plan=Plan(live=True, fill=engine))
        virtual_time.run(sitting.live(script))
    assert sitting.settled()
    assert engine.too_fast == 0
    found, spoke = Counter(sitting.words), Counter(said(script))
    assert not found - spoke, "none twice"
    assert not (spoke - found) - Counter(sitting.in_gaps(script)), "what is missing lies in a gap"
    if not sitting.coverage.gaps:
        assert sitting.words == said(script)
