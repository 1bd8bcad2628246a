"""The follower, one thing at a time; everything at once is in `test_follower_properties.py`.

The engine is a script, the clock jumps; the tape is a real one.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from mictape.engines.base import Capabilities, FinalTurn, Lost, Notice, Partial
from mictape.recognition.coverage import Coverage, Gap
from mictape.recognition.live import Plan
from mictape.recognition.retry import CAP_S
from mictape.units import RATE
from support import virtual_time
from support.follower_harness import REMOTE, FollowerHarness, recorded, said
from support.scripted import SLOT, SOUND, ScriptedEngine, spoken

SCRIPT = [1, 2, 3, 1, 0, 2, 2, 1, 3, 3]
"""Words repeat, as they do in speech."""


def test_only_what_was_not_answered_is_sent_again(tmp_path: Path) -> None:
    engine = ScriptedEngine(
        Capabilities(fastest_pace=10.0), breaks=[5 * SLOT]
    )  # each answer comes before the next block
    harness = recorded(tmp_path, SCRIPT, engine)
    assert harness.words == said(SCRIPT)
    assert sum(map(len, engine.sent)) == len(said(SCRIPT)), "every word was sent to one connection only"


@pytest.mark.parametrize(
    ("pace", "longest_ms", "sizes_ms"), [(None, 1000, {400}), (None, 250, {250}), (1.0, 1000, {100})]
)
def test_sound_that_is_there_goes_in_long_pieces_to_an_engine_that_takes_it_at_any_pace(
    tmp_path: Path, pace: float | None, longest_ms: int, sizes_ms: set[int]
) -> None:
    engine = ScriptedEngine(Capabilities(fastest_pace=pace, block_ms=(20, longest_ms)))
    harness = recorded(tmp_path, SCRIPT, engine)
    assert harness.words == said(SCRIPT)
    assert sum(engine.blocks) == harness.tape.samples
    assert {size * 1000 // RATE for size in engine.blocks[:-1]} == sizes_ms


def test_live_sound_is_sent_as_soon_as_there_is_a_block(tmp_path: Path) -> None:
    harness = FollowerHarness(tmp_path, ScriptedEngine())
    virtual_time.run(harness.live(SCRIPT))
    assert set(harness.engine.blocks) == {RATE // 10}


def test_a_stretch_that_kills_every_connection_becomes_a_gap_and_the_rest_is_recognized(tmp_path: Path) -> None:
    harness = recorded(tmp_path, [1, 2, 9, 3, 1, 2], ScriptedEngine(poison=9))
    assert harness.words == ["w1", "w2", "w3", "w1", "w2"]
    [gap] = [each.event for each in harness.events if isinstance(each.event, Gap)]
    assert harness.coverage.gaps == (gap,)


def test_a_turn_that_no_connection_lives_to_finish_is_taken_as_far_as_it_came(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, turn_words=1_000, breaks=[6 * RATE] * 20)
    script = [1, 2, 3] * 30  # 18 s without a pause
    harness = recorded(tmp_path, script, engine)
    assert harness.words == said(script)
    assert harness.coverage.gaps == ()


def test_gaps_left_by_an_earlier_sitting_are_followed_like_everything_else(tmp_path: Path) -> None:
    coverage = Coverage()
    coverage.cover(0, SLOT)
    coverage.cover(3 * SLOT, 5 * SLOT)
    engine = ScriptedEngine()
    harness = recorded(tmp_path, [1, 2, 3, 1, 2, 3], engine, coverage)
    assert harness.words == ["w2", "w3", "w3"]
    assert engine.sent == [[2, 3], [3]]


def test_a_fatal_cause_ends_it_and_leaves_the_rest_open(tmp_path: Path) -> None:
    harness = FollowerHarness(tmp_path, ScriptedEngine(fatal=True))
    harness.write(spoken([1, 2]))
    harness.end()
    with pytest.raises(Lost):
        virtual_time.run(harness.follow())
    assert harness.follower.state == "stopped"
    assert harness.follower.failure is not None
    assert harness.coverage.open(harness.tape.samples) == [(0, 2 * SLOT)]


def give_up(tmp_path: Path, engine: ScriptedEngine) -> None:
    """Have an engine follow a word until it is given up, which it is after 30 s."""
    harness = FollowerHarness(tmp_path, engine, plan=Plan(give_up_s=30))
    harness.write(spoken([1]))
    harness.end()
    with pytest.raises(Lost):
        virtual_time.run(harness.follow())


def test_it_gives_up_when_asked_to(tmp_path: Path) -> None:
    engine = ScriptedEngine(refused_until_s=1e9)
    give_up(tmp_path, engine)
    assert engine.attempts_s[-1] >= 30
    assert len(engine.attempts_s) < 60, "it waits between attempts"


def test_it_gives_up_in_time_where_the_vendor_limits_the_connections_per_minute(tmp_path: Path) -> None:
    capabilities = Capabilities(connections_per_minute=5)
    engine = ScriptedEngine(capabilities, refused_until_s=1e9)
    give_up(tmp_path, engine)
    assert len(engine.attempts_s) == 5
    assert 30 <= engine.attempts_s[-1] < 31, "the last one is made when the time is up"


def test_it_does_not_wait_longer_than_asked_because_a_service_asks_for_more(tmp_path: Path) -> None:
    engine = ScriptedEngine(refused_until_s=1e9, asks_to_wait_s=300)
    give_up(tmp_path, engine)
    assert len(engine.attempts_s) == 1


def test_without_a_network_no_attempt_counts_against_the_vendors_limit(tmp_path: Path) -> None:
    capabilities = Capabilities(connections_per_minute=5)
    engine = ScriptedEngine(capabilities, refused_until_s=20, in_reach=False)
    harness = FollowerHarness(tmp_path, engine)
    virtual_time.run(harness.live(SCRIPT))
    assert len(engine.attempts_s) > 5
    assert engine.attempts_s[-1] < 20 + CAP_S, "it is there again as soon as the network is"
    assert harness.words == said(SCRIPT)


def test_it_gives_up_on_a_server_that_accepts_every_connection_and_drops_it(tmp_path: Path) -> None:
    engine = ScriptedEngine(breaks=[0] * 1000, greeting="Welcome.")
    harness = FollowerHarness(tmp_path, engine, plan=Plan(give_up_s=30))
    harness.write(spoken(SCRIPT * 4))
    harness.end()
    with pytest.raises(Lost):
        virtual_time.run(harness.follow())
    assert engine.attempts_s[-1] >= 30
    assert len(engine.attempts_s) < 60, "it waits between attempts"
    notices = [each.event for each in harness.events if isinstance(each.event, Notice)]
    assert notices == [Notice("Welcome.")], "it says so once"


def test_it_does_not_give_up_on_connections_that_end_in_a_long_silence(tmp_path: Path) -> None:
    harness = FollowerHarness(tmp_path, ScriptedEngine(REMOTE, breaks=[15 * RATE] * 6), plan=Plan(give_up_s=30))
    virtual_time.run(harness.live([0] * (6 * 15 * RATE // SLOT) + [1]))
    assert harness.engine.opened > 4
    assert harness.words == ["w1"]


def test_a_pause_ends_the_utterance_and_holds_nothing_back(tmp_path: Path) -> None:
    harness = FollowerHarness(tmp_path, ScriptedEngine(turn_words=9))

    async def pausing() -> None:
        following = asyncio.create_task(harness.follow())
        await asyncio.sleep(0)
        await harness.speak([1, 2])
        harness.write(spoken([3])[: SOUND + 100])  # half a word, in half a block
        harness.follower.endpoint()
        await asyncio.sleep(1)
        assert harness.engine.endpoints == 1
        assert harness.words == ["w1", "w2", "w3"]
        assert harness.follower.behind == 0
        harness.end()
        await following

    virtual_time.run(pausing())
    assert any(isinstance(each.event, Partial) for each in harness.events)
    assert harness.engine.opened == 1


def test_nothing_is_sent_faster_than_the_engine_allows(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE)
    harness = recorded(tmp_path, SCRIPT * 5, engine)
    assert harness.words == said(SCRIPT * 5)
    assert engine.too_fast == 0


def test_after_an_outage_live_goes_on_at_once_and_the_rest_is_filled_in(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, refused_until_s=20, turn_words=3)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine))
    script = SCRIPT * 20  # 40 s

    async def run() -> None:
        following = asyncio.create_task(harness.live(script))
        await asyncio.sleep(32)
        live = [each.event for each in harness.events if each.live and isinstance(each.event, FinalTurn)]
        assert live
        assert min(final.start or 0 for final in live) > 19 * RATE, "live did not wait for the past"
        await following

    virtual_time.run(run())
    assert harness.words == said(script)
    assert harness.coverage.gaps == ()
    assert harness.settled()
    assert engine.too_fast == 0


def test_a_late_connection_catches_up_by_leaving_silence_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.5)  # else attempts may come so late that it cannot catch up
    engine = ScriptedEngine(REMOTE, refused_until_s=2)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine))
    script = [1, 2, 3, 1, 2, 3, *[0] * 40, 1, 2, 3, *[0] * 20, 3, 2, 1]

    async def run() -> None:
        following = asyncio.create_task(harness.live(script))
        await asyncio.sleep(9.5)
        assert harness.follower.behind < RATE
        await following

    virtual_time.run(run())
    assert harness.words == said(script)
    finals = [each.event for each in harness.events if isinstance(each.event, FinalTurn)]
    starts = sorted(final.start or 0 for final in finals)
    assert starts == [at * SLOT for at, word in enumerate(script) if word], "times are true across what was left out"
    assert engine.too_fast == 0
    assert harness.settled()


def test_without_a_back_fill_what_was_missed_is_a_gap(tmp_path: Path) -> None:
    harness = FollowerHarness(tmp_path, ScriptedEngine(REMOTE, refused_until_s=20), plan=Plan(live=True))
    script = SCRIPT * 15
    virtual_time.run(harness.live(script))
    assert harness.settled()
    lost = Counter(said(script)) - Counter(harness.words)
    assert lost
    assert not lost - Counter(harness.in_gaps(script))


def test_before_its_limit_a_connection_hands_over_without_a_seam(tmp_path: Path) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, longest_s=60)
    engine = ScriptedEngine(capabilities, turn_words=4)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine))
    script = SCRIPT * 60  # 2 minutes, almost without a pause
    virtual_time.run(harness.live(script))
    assert harness.words == said(script)
    assert engine.opened >= 3
    assert all(age_s <= 60 for age_s in engine.ages_s)
    assert engine.overlaps == engine.opened - 1, "the next one was open before the last one ended"
    assert harness.settled()


def same_people(finals: Sequence[FinalTurn]) -> bool:
    """Whether each name stands for one person (odd words and even ones), and each person has one name."""
    named = {(final.speaker, int(final.text[1:]) % 2) for final in finals}
    return len(named) == len({name for name, _ in named}) == len({person for _, person in named})


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([1, 2, 2, 1, 2] * 120, id="without pauses", marks=pytest.mark.proof),
        pytest.param(([2, 1, 2, 2] + [0] * 5 + [1, 2, 1] + [0] * 5) * 35, id="with pauses"),
    ],
)
def test_speakers_keep_their_names_across_a_change_over(tmp_path: Path, script: list[int]) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, longest_s=60, speakers=True)
    engine = ScriptedEngine(capabilities, voices=2)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine))
    virtual_time.run(harness.live(script))
    assert harness.words == said(script)
    assert engine.opened >= 3
    assert {labels["A"] for labels in engine.labelled if labels} == {0, 1}, "labels did change hands"
    assert same_people(harness.finals)
    assert {final.speaker for final in harness.finals} == {"A", "B"}
    assert all(age_s <= 60 for age_s in engine.ages_s)


def test_speakers_keep_their_names_when_a_connection_breaks(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, voices=2, breaks=[at * SLOT for at in (21, 22, 23, 24)])
    harness = recorded(tmp_path, [1, 2, 2, 1, 2] * 20, engine)
    assert engine.opened == 5
    assert same_people(harness.finals)


def test_who_spoke_on_both_sides_of_a_long_silence_is_not_known(tmp_path: Path) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, billed=True)
    engine = ScriptedEngine(capabilities, voices=2)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine, idle_s=20))
    virtual_time.run(harness.live([1, 2, *[0] * 300, 2, 1]))
    assert [final.speaker for final in harness.finals] == ["A", "B", "A (2)", "B (2)"]


def test_a_server_that_says_nothing_about_speech_is_left_and_not_for_ever(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, mute=True)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine))
    virtual_time.run(harness.live(SCRIPT * 30))
    assert engine.attempts_s[1] - engine.attempts_s[0] <= 15
    assert harness.settled()
    assert engine.opened < 15, "sound that has no words in it is not tried again and again"


def test_speech_that_one_of_two_connections_did_not_live_to_answer_is_a_gap(tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(), turn_words=9, breaks=[8 * SLOT], loads_s=0.5)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine))
    script = [1, 2, 3] * 40

    async def run() -> None:
        following = asyncio.create_task(harness.live(script))
        while len(engine.attempts_s) < 3:  # the first one breaks, the second one says nothing
            await asyncio.sleep(0.1)
            engine.mute = len(engine.attempts_s) == 2
        await following

    virtual_time.run(run())
    assert harness.settled()
    missing = Counter(said(script)) - Counter(harness.words)
    assert missing
    assert not missing - Counter(harness.in_gaps(script)), "it was not taken for silence"


def test_a_server_is_not_dead_that_waits_for_the_rest_of_a_turn(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, turn_words=9)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine))

    async def run() -> None:
        following = asyncio.create_task(harness.follow())
        await asyncio.sleep(0)
        await harness.speak([1, 2] * 4)
        await asyncio.sleep(60)  # the device stands still
        await harness.speak([3])
        harness.end()
        await following

    virtual_time.run(run())
    assert engine.opened == 1
    assert harness.words == said([1, 2] * 4 + [3])


def test_silence_is_answered_by_a_mute_server_too(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, mute=True)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine))
    virtual_time.run(harness.live([0] * 150))
    assert engine.opened == 1
    assert harness.settled()


def test_a_billed_connection_is_closed_in_silence_and_the_first_word_is_whole(tmp_path: Path) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, billed=True, usd_per_hour=0.36)
    engine = ScriptedEngine(capabilities)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine, idle_s=20))
    script = [1, 2, 3, *[0] * 300, 1, 2, 3]  # a minute of silence
    virtual_time.run(harness.live(script))
    assert harness.words == said(script)
    assert engine.opened == 2
    assert harness.settled()
    assert harness.follower.cost_usd is not None
    assert 15 < harness.follower.cost_usd * 3600 / 0.36 < 40, "seconds, of about 61"


def test_what_is_billed_by_sound_costs_what_was_sent_however_fast(tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(billed=True, usd_per_hour=0.36, price_counts="sound"))
    harness = recorded(tmp_path, SCRIPT * 20, engine)
    assert harness.words == said(SCRIPT * 20)
    assert harness.follower.cost_usd is not None
    sent_s = len(SCRIPT) * 20 * SLOT / RATE
    assert abs(harness.follower.cost_usd * 3600 / 0.36 - sent_s) < 2.0


def test_a_model_that_has_to_be_loaded_again_is_loading_and_not_offline(tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(offline=True, loads=True), loads_s=3)
    harness = FollowerHarness(tmp_path, engine)
    states: list[str] = []

    async def run() -> None:
        following = asyncio.create_task(harness.live(SCRIPT * 5))
        await asyncio.sleep(4)
        engine.break_open()
        await asyncio.sleep(1)
        states.append(harness.follower.state)
        await following

    virtual_time.run(run())
    assert states == ["loading"]
    assert harness.follower.state == "answering"
    assert harness.words == said(SCRIPT * 5)


def test_a_vendors_connections_per_minute_are_kept(tmp_path: Path) -> None:
    capabilities = Capabilities(fastest_pace=1.0, word_times=True, connections_per_minute=5)
    engine = ScriptedEngine(capabilities, refused_until_s=90)
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, fill=engine))
    virtual_time.run(harness.live(SCRIPT * 10))
    attempts = engine.attempts_s
    assert all(later - earlier > 59.999 for earlier, later in zip(attempts, attempts[5:], strict=False))
    assert harness.words == said(SCRIPT * 10)


@pytest.mark.parametrize("keep_alive", ["message", "silence"])
def test_a_connection_is_kept_alive_through_a_pause_and_its_times_stay_true(tmp_path: Path, keep_alive: str) -> None:
    capabilities = Capabilities(word_times=True, keep_alive=keep_alive)  # type: ignore[arg-type]
    engine = ScriptedEngine(capabilities)
    harness = FollowerHarness(tmp_path, engine)

    async def run() -> None:
        following = asyncio.create_task(harness.follow())
        await asyncio.sleep(0)
        await harness.speak([1, 2])
        await asyncio.sleep(30)
        await harness.speak([3])
        harness.end()
        await following

    virtual_time.run(run())
    finals = [each.event for each in harness.events if isinstance(each.event, FinalTurn)]
    assert [(final.text, final.start) for final in finals] == [("w1", 0), ("w2", SLOT), ("w3", 2 * SLOT)]
    assert engine.kept_alive > 3 or keep_alive == "silence"


def test_an_engine_that_leaves_it_to_us_is_sent_where_utterances_end(tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(endpointing="follower"), turn_words=1_000)
    script = [*[1, 2, 3] * 4, *[0] * 8, *[3, 2, 1] * 60]  # a pause, then more than any utterance may last
    harness = recorded(tmp_path, script, engine)
    assert harness.words == said(script)
    finals = [each.event for each in harness.events if isinstance(each.event, FinalTurn)]
    assert finals[0].text.split() == said(script[:12])
    assert len(finals) >= 3
    assert all((final.end or 0) - (final.start or 0) <= 21 * RATE for final in finals)
