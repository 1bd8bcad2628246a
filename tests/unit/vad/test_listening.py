"""Is there speech: asked of the detector's own process, with real speech and with what is none."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from conftest import Speech
from mictape.engines.base import Answered, Capabilities, Changes, EngineEvent, Received, Request
from mictape.failure import Failure
from mictape.recognition.live import Plan
from mictape.units import RATE
from mictape.vad.client import Listening
from support.child_processes import alive
from support.follower_harness import FollowerHarness
from support.noises import clatter, hum, music
from support.recognizing import pcm_of
from support.scripted import ScriptedEngine
from support.waiting import until_async


class Taker:
    """A billed engine that takes everything and finds no words in it."""

    capabilities = Capabilities(word_times=True, billed=True)
    name = title = "taker"

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        """What each connection got."""
        self.open = 0

    async def check(self, ask: Request) -> Failure | None:
        return None

    async def connect(self, ask: Request) -> "TakerConnection":
        self.taken.append(b"")
        self.open += 1
        return TakerConnection(self, len(self.taken) - 1)

    async def close(self) -> None:
        pass


class TakerConnection:
    """One of its connections."""

    def __init__(self, engine: Taker, number: int) -> None:
        self._engine = engine
        self._number = number
        self._news: asyncio.Queue[EngineEvent | None] = asyncio.Queue()

    async def send(self, pcm: bytes) -> None:
        self._engine.taken[self._number] += pcm
        got = len(self._engine.taken[self._number]) // 2
        self._news.put_nowait(Received(got))
        self._news.put_nowait(Answered(got))

    async def endpoint(self) -> None:
        pass

    async def update(self, changes: Changes) -> None:
        pass

    async def keep_alive(self) -> None:
        pass

    async def finish(self) -> None:
        self._news.put_nowait(None)

    async def close(self) -> None:
        self._engine.open -= 1

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        while (news := await self._news.get()) is not None:
            yield news


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[Listening]:
    asked = Listening(tmp_path / "detector.log")
    yield asked
    await asked.close()


@pytest.fixture
def beckett(speech: Speech) -> bytes:
    return speech.beckett.read_bytes()[44:]


async def test_two_streams_are_distinguished_and_cut_anywhere(listening: Listening, beckett: bytes) -> None:
    speaking, humming = listening.stream(), listening.stream()
    whole = await listening.stream().find(beckett)
    assert whole
    parts: set[int] = set()
    for at in range(0, len(beckett), 6_002):
        found = await speaking.find(beckett[at : at + 6_002])
        assert found is not None
        parts.update(sample for start, end in found for sample in range(start, end, 32))
        assert await humming.find(pcm_of(hum(1))) == []
    assert parts == {sample for start, end in whole for sample in range(start, end, 32)}
    assert sum(end - start for start, end in whole) > 3 * RATE, "12 words are in it"


async def test_what_the_levels_take_for_speech_is_none(listening: Listening) -> None:
    for noise in (hum, clatter, music):
        assert await listening.stream().find(pcm_of(noise(20))) == [], noise


async def test_a_detector_that_was_killed_is_done_without(listening: Listening, beckett: bytes) -> None:
    stream = listening.stream()
    assert await stream.find(beckett)
    assert listening.pid is not None
    os.kill(listening.pid, signal.SIGKILL)
    await until_async(lambda: not alive(listening.pid or 0))
    assert await stream.find(beckett) is None
    assert await listening.stream().find(beckett) is None


async def test_who_asks_in_vain_no_more_costs_the_others_nothing(listening: Listening, beckett: bytes) -> None:
    """A follower that is cancelled while it waits: its answer comes all the same, and is nobody's."""
    asking = asyncio.create_task(listening.stream().find(beckett))
    await until_async(lambda: listening.pid is not None)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await listening.stream().find(beckett)


async def test_silence_is_not_paid_for_and_the_first_word_behind_it_is_whole(
    tmp_path: Path, listening: Listening, beckett: bytes
) -> None:
    engine = Taker()
    plan = Plan(live=True, idle_s=2)
    harness = FollowerHarness(tmp_path, cast("ScriptedEngine", engine), plan=plan, listening=listening)
    following = asyncio.create_task(harness.follow())
    silence = bytes(2 * RATE)
    harness.write(beckett + 6 * silence)
    await until_async(lambda: len(engine.taken) == 1 and not engine.open)
    end = harness.tape.samples + 5 * RATE

    def silence_goes_on() -> bool:
        harness.write(silence[: RATE // 5])
        return harness.follower.received > end

    await until_async(silence_goes_on)
    assert len(engine.taken) == 1, "silence opens no connection"
    assert harness.follower.speech is False
    harness.write(silence + beckett)
    await until_async(lambda: len(engine.taken) == 2)
    harness.end()
    await following
    assert harness.settled()
    assert (silence[-RATE:] + beckett) in engine.taken[1], "from half a second before on"


async def test_without_the_detector_the_levels_say_where_speech_may_be(tmp_path: Path, listening: Listening) -> None:
    await listening.close()
    engine = ScriptedEngine(Capabilities(word_times=True))
    harness = FollowerHarness(tmp_path, engine, plan=Plan(live=True, idle_s=2), listening=listening)
    following = asyncio.create_task(harness.follow())
    await harness.speak([1, 2, 3])
    assert harness.follower.speech is None, "levels tell nothing for sure"
    harness.end()
    await following
    assert harness.words == ["w1", "w2", "w3"]
