"""When the words of one line are said, measured on demand: the real model, in its real process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest
import pytest_asyncio

from conftest import Speech
from mictape.engines.base import Lost, Request
from mictape.engines.local.engine import LocalEngine, LocalOptions
from mictape.engines.local.recognizer.measuring import LONGEST
from mictape.engines.local.recognizer.segmenter import Rules
from mictape.units import RATE
from support.conversation import finals, recognize_all
from support.local_engine import pid_of, samples_of
from support.recognizing import floats_of, pcm_of, recognize

PAUSE = RATE * 3 // 10


# One loop for the file, so that the tests share one process.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalEngine]:
    running = LocalEngine(LocalOptions(), tmp_path_factory.mktemp("engine") / "log")
    yield running
    await running.close()


@pytest.fixture(scope="module")
def beckett(speech: Speech) -> bytes:
    """The first half of the recording, three lines."""
    return samples_of(speech.beckett)[: 2 * 5 * RATE]


async def test_words_behind_a_pause_are_found_there(engine: LocalEngine, beckett: bytes) -> None:
    """Two lines put together with a pause between them: where the second one begins is known."""
    one, two = recognize(beckett).turns[:2]
    sound = floats_of(beckett)
    front, silence = sound[one.start : one.end - Rules().tail], np.zeros(PAUSE, np.float32)
    joined = np.concatenate([front, silence, sound[two.start : two.end], np.zeros(RATE, np.float32)])
    (line,) = recognize(joined).turns
    spans = await engine.measure(pcm_of(joined[line.start : line.end]), [word.text for word in line.words])
    assert spans is not None
    assert all(first < last for first, last in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
    onset = len(front) + PAUSE + Rules().lead
    guess = line.words[len(one.words)].start
    assert guess is not None
    assert abs(line.start + spans[len(one.words)][0] - onset) < RATE // 5
    assert abs(guess - onset) > RATE // 5, "a guess does not know it"


async def test_lines_are_measured_beside_a_connection_that_is_served_first(engine: LocalEngine, beckett: bytes) -> None:
    line = recognize(beckett).turns[0]
    pcm, texts = beckett[2 * line.start : 2 * line.end], line.text.split()
    alone = await engine.measure(pcm, texts)
    first, second, events = await asyncio.gather(
        engine.measure(pcm, texts), engine.measure(pcm, texts), recognize_all(engine, beckett, request=Request())
    )
    assert first == second == alone
    assert finals(events)


@pytest.mark.parametrize(("samples", "words"), [(RATE, ()), (100, ("short",)), (LONGEST + 1, ("long",))])
async def test_what_cannot_be_measured_is_no_guess(engine: LocalEngine, samples: int, words: tuple[str, ...]) -> None:
    assert await engine.measure(bytes(2 * samples), words) is None


async def test_letters_that_the_model_never_writes_are_words_too(engine: LocalEngine, beckett: bytes) -> None:
    spans = await engine.measure(beckett[: 4 * RATE], ["Żółć", "…", "猫", "42"])
    assert spans is not None
    assert len(spans) == 4


async def test_a_process_that_ends_meanwhile_is_lost(engine: LocalEngine, beckett: bytes) -> None:
    await engine.measure(bytes(2 * RATE), ["nothing"])
    os.kill(pid_of(engine), signal.SIGSTOP)
    measuring = asyncio.create_task(engine.measure(beckett, ["something"]))
    await asyncio.sleep(0)
    os.kill(pid_of(engine), signal.SIGKILL)
    with pytest.raises(Lost):
        await measuring
