"""The local engine with the real model, in real processes."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from array import array
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import pytest_asyncio

from conftest import Speech
from mictape import bundled
from mictape.engines.base import Answered, Engine, EngineEvent, FinalTurn, Lost, Partial, Received, Request
from mictape.engines.local import ipc
from mictape.engines.local.client import AHEAD, LocalConnection
from mictape.engines.local.engine import LocalEngine, LocalOptions
from mictape.engines.local.recognizer.segmenter import Rules
from mictape.recognition.coverage import Coverage
from mictape.recognition.follower import Follower
from mictape.recognition.stretches import FollowedTrack, FollowerEvent
from mictape.units import RATE
from support.local_engine import BLOCK, pid_of, samples_of, send_all, tape_of
from support.references import BECKETT, TWO_CITIES, words_in_order
from support.waiting import until_async

# One loop for the file, so that most tests can share one warm process.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def warm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalEngine]:
    """An engine whose process the tests share: its model is loaded once, and looks at nothing again."""
    engine = LocalEngine(LocalOptions(second_pass="off"), tmp_path_factory.mktemp("engine") / "engine.log")
    yield engine
    await engine.close()


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(tmp_path: Path) -> AsyncIterator[LocalEngine]:
    """An engine of the test's own."""
    engine = LocalEngine(LocalOptions(), tmp_path / "engine.log")
    yield engine
    await engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replaced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalEngine]:
    """An engine for tests that end its process: each begins with the process that the one before it has left."""
    engine = LocalEngine(LocalOptions(second_pass="off"), tmp_path_factory.mktemp("replaced") / "engine.log")
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
def beckett(speech: Speech) -> bytes:
    return samples_of(speech.beckett)


@pytest.fixture(scope="module")
def two_lines(beckett: bytes) -> bytes:
    """The beginning of the short recording, for tests that need speech and not much of it."""
    return beckett[: 2 * 3 * RATE]


@pytest.fixture(scope="module")
def three_lines(beckett: bytes) -> bytes:
    """Its first half."""
    return beckett[: 2 * 9 * RATE // 2]


@pytest.fixture(scope="module")
def two_cities(speech: Speech) -> bytes:
    return samples_of(speech.two_cities)


@asynccontextmanager
async def connected(engine: LocalEngine) -> AsyncGenerator[LocalConnection, None]:
    """A connection that is let go in the end, so that a failing test leaves the shared process free."""
    connection = await engine.connect(Request())
    try:
        yield connection
    finally:
        await connection.close()


async def recognize_all(engine: LocalEngine, pcm: bytes) -> list[EngineEvent]:
    """Everything that is said about `pcm`, sent as fast as the engine takes it."""
    connection = await engine.connect(Request())

    async def speak() -> None:
        await send_all(connection, pcm)
        await connection.finish()

    speaking = asyncio.create_task(speak())
    events = [news async for news in connection]
    await speaking
    await connection.close()
    return events


def finals(events: list[EngineEvent]) -> list[FinalTurn]:
    """The lines as they stand in the end: a second final of a turn takes the first one's place."""
    return list({news.turn: news for news in events if isinstance(news, FinalTurn)}.values())


def text_of(events: list[EngineEvent]) -> str:
    return " ".join(final.text for final in finals(events))


def marks(events: list[EngineEvent], kind: type[Received] | type[Answered]) -> list[int]:
    return [news.until for news in events if isinstance(news, kind)]


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" not in status.read_text("ascii")


def threads_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("threads are counted in /proc")
    (line,) = (line for line in status.read_text("ascii").splitlines() if line.startswith("Threads:"))
    return int(line.split()[1])


def loaded_by(pid: int) -> set[str]:
    """The files that a process has mapped."""
    maps = Path(f"/proc/{pid}/maps")
    if not maps.exists():
        pytest.skip("what a process has loaded is looked up in /proc")
    return {line.split()[-1] for line in maps.read_text("utf-8").splitlines()}


def assert_same(events: list[EngineEvent], other: list[EngineEvent]) -> None:
    """The same lines at the same times, but for two hops of the voice detector."""
    assert [final.text for final in finals(events)] == [final.text for final in finals(other)]
    for one, two in zip(finals(events), finals(other), strict=True):
        assert one.start == pytest.approx(two.start, abs=1024)
        assert one.end == pytest.approx(two.end, abs=1024)


def assert_well_formed(events: list[EngineEvent], samples: int) -> None:
    """What holds for every connection that was finished, whatever was said on it."""
    turns = [news.turn for news in finals(events)]
    assert turns == list(range(len(turns)))
    for kind in (Received, Answered):
        untils = marks(events, kind)
        assert untils == sorted(untils)
        assert untils[-1] == samples
    answered, said = 0, set[int]()
    for news in events:
        match news:
            case FinalTurn(turn=turn, start=int(start), end=int(end)):
                assert start <= end <= samples
                assert answered <= start or turn in said
                said.add(turn)
            case Partial(start=int(start)):
                assert answered <= start
            case Answered(until=until_sample):
                answered = until_sample
            case _:
                pass


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alone(warm: LocalEngine, two_lines: bytes) -> list[EngineEvent]:
    """Everything that is said about two lines while nothing else goes on."""
    return await recognize_all(warm, two_lines)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(warm: LocalEngine, beckett: bytes) -> list[EngineEvent]:
    """Everything that is said about the short recording while nothing else goes on."""
    return await recognize_all(warm, beckett)


async def test_speech_is_recognised(whole: list[EngineEvent], beckett: bytes) -> None:
    events = whole
    assert words_in_order(BECKETT, text_of(events)) >= 9
    assert_well_formed(events, len(beckett) // 2)
    assert len(finals(events)) == 6


async def test_a_long_recording_is_recognised_with_partials_on_the_way(fresh: LocalEngine, two_cities: bytes) -> None:
    sound = two_cities[: 2 * 12 * RATE]
    events = await recognize_all(fresh, sound)
    assert words_in_order(TWO_CITIES, text_of(events)) >= 24
    assert_well_formed(events, len(sound) // 2)
    assert sum(isinstance(news, Partial) for news in events) >= 4
    assert sum(isinstance(news, FinalTurn) for news in events) > len(finals(events)), "lines are looked at again"


async def test_silence_gives_no_text_and_is_answered_while_it_lasts(warm: LocalEngine) -> None:
    async with connected(warm) as connection:
        await send_all(connection, bytes(2 * 4 * RATE))
        events: list[EngineEvent] = []
        # Not finished yet: live silence is answered as well, all but what a line could still reach back to.
        async for news in connection:
            events.append(news)
            if isinstance(news, Received) and news.until == 4 * RATE:
                break
        await connection.finish()
        events += [news async for news in connection]
        assert finals(events) == []
        assert not any(isinstance(news, Partial) for news in events)
        assert any(0 < until_sample <= 4 * RATE - Rules().lead for until_sample in marks(events, Answered))
        assert marks(events, Answered)[-1] == 4 * RATE


async def test_noise_and_a_tone_give_no_text(warm: LocalEngine) -> None:
    chance = random.Random(1)
    noise = array("h", (chance.randrange(-1000, 1000) for _ in range(3 * RATE)))
    tone = array("h", (round(10_000 * np.sin(2 * np.pi * 440 * at / RATE)) for at in range(3 * RATE)))
    assert text_of(await recognize_all(warm, noise.tobytes() + tone.tobytes())) == ""


async def test_one_process_serves_connection_after_connection_with_the_same_words(
    warm: LocalEngine, replaced: LocalEngine, alone: list[EngineEvent], two_lines: bytes
) -> None:
    before = pid_of(warm)
    second = await recognize_all(warm, two_lines)
    assert pid_of(warm) == before
    elsewhere = await recognize_all(replaced, two_lines)
    assert_same(second, alone)
    assert_same(elsewhere, alone)


async def test_a_connection_closed_half_way_does_not_harm_the_next(
    warm: LocalEngine, alone: list[EngineEvent], two_lines: bytes
) -> None:
    cut = await warm.connect(Request())
    await cut.send(two_lines[: 2 * RATE])
    await cut.close()
    with pytest.raises(Lost):
        await cut.send(two_lines[: 2 * BLOCK])
    with pytest.raises(Lost):
        async for _ in cut:
            pass
    before = pid_of(warm)
    assert_same(await recognize_all(warm, two_lines), alone)
    assert pid_of(warm) == before


async def test_a_closed_connection_that_cannot_be_forgotten_gets_its_process_replaced(
    replaced: LocalEngine, alone: list[EngineEvent], two_lines: bytes
) -> None:
    stuck = await replaced.connect(Request())
    before = pid_of(replaced)
    os.kill(before, signal.SIGSTOP)
    await stuck.close()
    assert_same(await recognize_all(replaced, two_lines), alone)
    assert pid_of(replaced) != before
    assert not alive(before)


async def test_two_connections_at_once_share_a_process_and_do_not_disturb_each_other(
    warm: LocalEngine, alone: list[EngineEvent], two_lines: bytes, two_cities: bytes
) -> None:
    beside = asyncio.create_task(recognize_all(warm, two_cities[: 2 * 6 * RATE]))
    assert_same(await recognize_all(warm, two_lines), alone)
    assert words_in_order(TWO_CITIES, text_of(await beside)) >= 10
    assert len(warm._processes) == 1


async def test_a_killed_process_is_lost_and_the_next_connection_works(
    replaced: LocalEngine, alone: list[EngineEvent], two_lines: bytes
) -> None:
    connection = await replaced.connect(Request())
    await connection.send(two_lines[: 2 * RATE])
    os.kill(pid_of(replaced), signal.SIGKILL)
    with pytest.raises(Lost) as lost:
        async for _ in connection:
            pass
    assert lost.value.retry
    assert "ended unexpectedly (Killed)" in str(lost.value.cause)
    assert "engine.log" in lost.value.cause.remedy
    with pytest.raises(Lost):
        await connection.send(bytes(2 * BLOCK))
    with pytest.raises(Lost):
        await connection.finish()
    assert_same(await recognize_all(replaced, two_lines), alone)


@pytest.mark.proof
async def test_a_process_killed_between_two_connections_is_replaced(replaced: LocalEngine) -> None:
    await recognize_all(replaced, bytes(2 * RATE))
    before = pid_of(replaced)
    os.kill(before, signal.SIGKILL)
    await until_async(lambda: next(iter(replaced._processes)).lost)
    assert marks(await recognize_all(replaced, bytes(2 * RATE)), Answered)[-1] == RATE
    assert pid_of(replaced) != before


async def test_send_waits_while_the_process_takes_nothing(warm: LocalEngine) -> None:
    seconds = 6
    async with connected(warm) as connection:
        os.kill(pid_of(warm), signal.SIGSTOP)
        try:
            sending = asyncio.create_task(send_all(connection, bytes(2 * seconds * RATE)))
            await until_async(lambda: connection._sent >= AHEAD)
            for _ in range(100):  # the loop goes round, and the task stays where it is
                await asyncio.sleep(0)
            assert connection._sent == AHEAD
            assert not sending.done()
        finally:
            os.kill(pid_of(warm), signal.SIGCONT)
        await sending
        await connection.finish()
        assert marks([news async for news in connection], Answered)[-1] == seconds * RATE


async def test_an_endpoint_ends_the_line_and_answers_for_all_before_it(warm: LocalEngine, three_lines: bytes) -> None:
    async with connected(warm) as connection:
        middle = 23 * RATE // 10  # inside "Ever failed."
        await send_all(connection, three_lines[: 2 * middle])
        await connection.endpoint()
        events: list[EngineEvent] = []
        async for news in connection:
            events.append(news)
            if news == Answered(middle):
                break
        assert finals(events)[-1].end == middle
        before = len(finals(events))
        await send_all(connection, three_lines[2 * middle :])
        await connection.finish()
        events += [news async for news in connection]
        assert_well_formed(events, len(three_lines) // 2)
        start = finals(events)[before].start
        assert start is not None
        assert start >= middle
        end = finals(events)[-1].end
        assert end is not None
        assert end > 4 * RATE, "times go on across the endpoint: the last words are said near the end"


async def test_the_process_has_one_onnx_runtime_and_not_the_wheels_own_library(warm: LocalEngine) -> None:
    async with connected(warm):
        loaded = loaded_by(pid_of(warm))
    runtimes = [path for path in loaded if ".so" in path and "onnxruntime" in path and "pybind" not in path]
    assert not any("libmoonshine" in path for path in loaded)
    assert len(runtimes) <= 1
    assert any("onnxruntime" in path for path in loaded)


async def test_a_process_has_one_thread_for_the_model(warm: LocalEngine, alone: list[EngineEvent]) -> None:
    assert finals(alone), "it has recognised"
    assert threads_of(pid_of(warm)) == 2, "one that recognises and one that reads orders; none of the runtime's own"


async def test_the_runtime_sends_nothing_about_the_machine(
    fresh: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CI", "ORT_DISABLE_TELEMETRY"):  # with either it would be silent of its own accord
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    await recognize_all(fresh, bytes(2 * RATE))
    left = await asyncio.to_thread(lambda: [path.name for path in tmp_path.iterdir()])
    assert left == ["engine.log"], "no identifier, no queue of things to tell"


async def test_a_process_is_out_of_reach_of_the_terminal(
    warm: LocalEngine, alone: list[EngineEvent], two_lines: bytes
) -> None:
    async with connected(warm) as connection:
        pid = pid_of(warm)
        assert os.getsid(pid) == os.getpgid(pid) == pid
        os.kill(pid, signal.SIGINT)
        await send_all(connection, two_lines)
        await connection.finish()
        assert_same([news async for news in connection], alone)


async def test_closing_the_engine_ends_its_process_and_what_is_open(replaced: LocalEngine) -> None:
    connection = await replaced.connect(Request())
    pid = pid_of(replaced)
    await replaced.close()
    assert not alive(pid)
    with pytest.raises(Lost):
        async for _ in connection:
            pass
    again = await replaced.connect(Request())  # an engine that was closed can be used again
    assert isinstance(again, LocalConnection)


async def test_closing_the_engine_ends_a_process_that_hangs(replaced: LocalEngine) -> None:
    await replaced.connect(Request())
    pid = pid_of(replaced)
    os.kill(pid, signal.SIGSTOP)
    await replaced.close()
    assert not alive(pid)


async def test_loading_may_begin_before_the_first_connection(fresh: LocalEngine) -> None:
    await fresh.preload()
    pid = pid_of(fresh)
    await fresh.preload()
    await fresh.connect(Request())
    assert pid_of(fresh) == pid


async def test_a_model_that_cannot_be_loaded_is_a_sentence(
    fresh: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    failure = await fresh.check(Request())
    assert failure is not None
    assert "is missing" in failure.what
    for file in bundled.FILES:
        file.path.parent.mkdir(exist_ok=True)
        file.path.write_bytes(bytes(file.bytes))
    assert await fresh.check(Request()) is None
    with pytest.raises(Lost) as lost:
        await fresh.connect(Request())
    assert lost.value.cause.what.startswith("The local recogniser")
    assert "engine.log" in lost.value.cause.remedy
    assert "Traceback" in (tmp_path / "engine.log").read_text("utf-8"), "people get a sentence, the log gets it all"
    assert not fresh._processes


async def test_another_language_is_refused_for_good(fresh: LocalEngine) -> None:
    with pytest.raises(Lost) as lost:
        await fresh.connect(Request(language="de"))
    assert not lost.value.retry
    assert lost.value.cause.what == "No local model for German is installed"
    assert lost.value.cause.remedy.startswith("Type: mictape models install world")
    assert await fresh.check(Request(language="en-GB")) is None


async def test_misuse_is_an_error_of_the_caller(warm: LocalEngine) -> None:
    async with connected(warm) as connection:
        with pytest.raises(ValueError, match="whole number"):
            await connection.send(b"\0")
        await connection.finish()
        await connection.finish()
        with pytest.raises(RuntimeError, match="after finish"):
            await connection.send(b"\0\0")
        assert [news async for news in connection] == []


async def test_the_title_names_no_model_where_none_knows_the_language(tmp_path: Path) -> None:
    engine = LocalEngine(LocalOptions(), tmp_path / "engine.log")
    assert engine.title == "local · moonshine tiny-en · English"
    failure = await engine.check(Request("de"))
    assert failure is not None and "German" in failure.what
    assert engine.title == "local"


async def test_a_log_that_cannot_be_written_does_not_stop_recognition(tmp_path: Path) -> None:
    engine = LocalEngine(LocalOptions(), tmp_path / "nowhere" / "engine.log")
    try:
        assert marks(await recognize_all(engine, bytes(2 * RATE)), Answered)[-1] == RATE
    finally:
        await engine.close()


# The process by itself


@pytest.mark.proof  # as when the app is killed
async def test_the_process_ends_when_its_stdin_closes(replaced: LocalEngine) -> None:
    await replaced.connect(Request())
    (process,) = replaced._processes
    stdin = process._process.stdin
    assert stdin is not None
    stdin.close()
    await until_async(lambda: process.lost)
    assert process._process.returncode == 0


async def test_the_process_ends_with_an_app_that_was_killed(tmp_path: Path) -> None:
    app = """
import asyncio, sys
from pathlib import Path
from mictape.engines.base import Request
from mictape.engines.local.engine import LocalEngine, LocalOptions
async def main():
    engine = LocalEngine(LocalOptions(), Path(sys.argv[1]))
    await engine.connect(Request())
    print(next(iter(engine._processes)).pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", app, str(tmp_path / "log"), stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await until_async(lambda: not alive(pid))


async def test_what_native_code_prints_stays_out_of_the_reports() -> None:
    code = """
import os
from mictape.engines.local import process as moonshine
from mictape.engines.local import ipc
reports = moonshine.take_stdout()
os.write(1, b"native noise")
print("python noise", flush=True)
reports.write(ipc.frame(ipc.Ready()))
reports.flush()
"""
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=pipe, stderr=pipe)
    stdout, stderr = await process.communicate()
    assert stdout == ipc.frame(ipc.Ready())
    assert b"native noise" in stderr
    assert b"python noise" in stderr


# Behind the follower


async def test_two_tracks_are_followed_by_one_process(
    warm: LocalEngine, alone: list[EngineEvent], two_lines: bytes, two_cities: bytes, tmp_path: Path
) -> None:
    sounds = (two_lines, two_cities[: 2 * 6 * RATE])
    tapes = [tape_of(tmp_path, track, sound) for track, sound in enumerate(sounds, 1)]
    reported, coverages = (list[FollowerEvent](), list[FollowerEvent]()), (Coverage(), Coverage())
    tracks = [
        Follower(FollowedTrack(tape, coverage, events.append, count()), cast("Engine", warm), Request())
        for tape, coverage, events in zip(tapes, coverages, reported, strict=True)
    ]
    await asyncio.wait_for(asyncio.gather(*(track.run() for track in tracks)), 60)
    texts = [text_of([each.event for each in events if isinstance(each.event, FinalTurn)]) for events in reported]
    assert texts[0] == text_of(alone)
    assert words_in_order(TWO_CITIES, texts[1]) >= 10
    for coverage, sound in zip(coverages, sounds, strict=True):
        assert (coverage.open(len(sound) // 2), coverage.gaps) == ([], ())
    assert len(warm._processes) == 1


async def test_a_process_killed_in_mid_speech_loses_and_doubles_no_word(
    replaced: LocalEngine, whole: list[EngineEvent], beckett: bytes, tmp_path: Path
) -> None:
    tape, coverage, reported = tape_of(tmp_path, 1, beckett), Coverage(), list[FollowerEvent]()
    track = FollowedTrack(tape, coverage, reported.append, count())
    following = asyncio.create_task(Follower(track, cast("Engine", replaced), Request()).run())
    await until_async(lambda: [each for each in reported if isinstance(each.event, FinalTurn)])
    os.kill(pid_of(replaced), signal.SIGKILL)
    await asyncio.wait_for(following, 60)
    assert coverage.open(len(beckett) // 2) == []
    assert coverage.gaps == ()
    lines = {(each.connection, each.event.turn): each.event for each in reported if isinstance(each.event, FinalTurn)}
    assert len({connection for connection, _ in lines}) == 2
    starts = [line.start or 0 for line in lines.values()]
    assert starts == sorted(starts)
    text = " ".join(line.text for line in lines.values())
    assert len(text.split()) == len(text_of(whole).split()), "no word is missing, none is there twice"
    same = words_in_order(text_of(whole), text)
    assert same >= len(text.split()) - 2, "what is cut elsewhere may be heard a little differently"
