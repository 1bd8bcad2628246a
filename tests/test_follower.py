"""The follower: whatever happens to connections, each word is there once, in order, or lies in a gap."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import WORD, ScriptedEngine, spoken
from waiting import until_async

from tui.audio.tape import Tape, TapeWriter
from tui.engines.base import Final, Lost, Partial, Request
from tui.session import follower as follower_module
from tui.session.coverage import Coverage, Gap
from tui.session.follower import Follower, Told


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once: how long is waited is `retry`'s own test."""
    monkeypatch.setattr(follower_module, "delay_s", lambda *_, **__: 0.0)


@dataclass
class Run:
    """What came of following one tape."""

    texts: list[str]
    gaps: list[Gap]
    coverage: Coverage
    samples: int

    def gap_words(self, words: Sequence[int]) -> list[str]:
        """The words that lie in gaps, wholly or in part."""
        return [
            f"w{word}"
            for at, word in enumerate(words)
            if word and any(gap.start < (at + 1) * WORD and gap.end > at * WORD for gap in self.coverage.gaps)
        ]


def write(folder: Path, words: Sequence[int]) -> Tape:
    """A finished tape on which these words are said."""
    writer = TapeWriter(folder, 1)
    writer.append(spoken(list(words)))
    writer.close()
    return Tape.finished(folder, 1)


async def follow(tape: Tape, engine: ScriptedEngine, coverage: Coverage | None = None) -> Run:
    """Follow a tape to its end."""
    told: list[Told] = []
    coverage = coverage or Coverage()
    await Follower(tape, coverage, engine, Request(), told.append).run()
    texts = [(each.heard.start or 0, each.heard.text) for each in told if isinstance(each.heard, Final)]
    gaps = [each.heard for each in told if isinstance(each.heard, Gap)]
    return Run([text for _, text in sorted(texts, key=lambda pair: pair[0])], gaps, coverage, tape.samples)


def said(words: Sequence[int]) -> list[str]:
    return [f"w{word}" for word in words if word]


words = st.lists(st.integers(0, 3), min_size=0, max_size=25)
"""Words repeat, as they do in speech."""


@settings(max_examples=60)
@given(words, st.lists(st.integers(1, 30 * WORD), max_size=6), st.integers(0, 3))
def test_each_word_is_there_once_and_in_order(script: list[int], breaks: list[int], refusals: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = ScriptedEngine(breaks=breaks, refusals=refusals)
        run = asyncio.run(follow(write(Path(folder), script), engine))
    # Speech that ended two connections in a row is a gap; the rest is there exactly once.
    lost = run.gap_words(script)
    assert len(run.texts) + len(lost) >= len(said(script))
    if not run.coverage.gaps:
        assert run.texts == said(script)
    else:
        expected = iter(said(script))
        assert all(text in expected for text in run.texts), "in tape order, none twice"
    assert run.coverage.open(run.samples) == []


@settings(max_examples=40)
@given(words, st.integers(0, 24))
def test_only_what_was_not_answered_is_sent_again(script: list[int], broken_at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = ScriptedEngine(breaks=[(broken_at + 1) * WORD])
        run = asyncio.run(follow(write(Path(folder), script), engine))
    assert run.texts == said(script)
    assert sum(map(len, engine.sent)) == len(script), "every word was heard by one connection only"


async def test_a_stretch_that_kills_every_connection_becomes_a_gap_and_the_rest_is_heard(tmp_path: Path) -> None:
    script = [1, 2, 9, 3, 1, 2]
    run = await follow(write(tmp_path, script), ScriptedEngine(poison=9))
    assert run.texts == ["w1", "w2", "w3", "w1", "w2"]
    [gap] = run.gaps
    assert gap.start == 2 * WORD
    assert run.coverage.gaps == (gap,)


async def test_gaps_left_by_an_earlier_sitting_are_followed_like_everything_else(tmp_path: Path) -> None:
    script = [1, 2, 3, 1, 2, 3]
    coverage = Coverage()
    coverage.cover(0, WORD)
    coverage.cover(3 * WORD, 5 * WORD)
    engine = ScriptedEngine()
    run = await follow(write(tmp_path, script), engine, coverage)
    assert run.texts == ["w2", "w3", "w3"]
    assert engine.sent == [(2, 3), (3,)]


async def test_a_fatal_cause_ends_it_and_leaves_the_rest_open(tmp_path: Path) -> None:
    tape, coverage = write(tmp_path, [1, 2]), Coverage()
    following = Follower(tape, coverage, ScriptedEngine(fatal=True), Request(), lambda _: None)
    with pytest.raises(Lost):
        await following.run()
    assert following.state == "stopped"
    assert following.failure is not None
    assert coverage.open(tape.samples) == [(0, 2 * WORD)]


async def test_it_gives_up_when_told_to(tmp_path: Path) -> None:
    tape = write(tmp_path, [1])
    engine = ScriptedEngine(refusals=1_000_000)
    with pytest.raises(Lost):
        await Follower(tape, Coverage(), engine, Request(), lambda _: None, give_up_s=0.05).run()


async def test_a_growing_tape_is_followed_live_and_a_pause_ends_the_utterance(tmp_path: Path) -> None:
    writer, tape, told = TapeWriter(tmp_path, 1), Tape(tmp_path, 1), list[Told]()
    engine = ScriptedEngine()
    following = Follower(tape, Coverage(), engine, Request(), told.append)
    task = asyncio.create_task(following.run())

    writer.append(spoken([1, 2]))
    tape.report(writer.samples)
    await until_async(lambda: sum(isinstance(each.heard, Final) for each in told) == 2)
    assert any(isinstance(each.heard, Partial) for each in told)

    writer.append(spoken([3])[:WORD])  # half a word, then a pause: it is not held back
    tape.report(writer.samples)
    following.endpoint()
    await until_async(lambda: engine.endpoints == 1)
    assert following.behind == 0

    tape.end()
    writer.close()
    await asyncio.wait_for(task, 10)
    assert engine.opened == 1
