"""How soon everything is well again after an engine was away for a minute."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

from bench.clips import clips_of_the_wheel
from bench.report import Report, percentile
from bench.service import engine_at, serving
from bench.sound import pattern
from bench.wire import SAMPLE_BYTES, Microphone, TimedEngine
from mictape.audio.tape import Tape, TapeWriter
from mictape.engines import catalog
from mictape.engines.base import Engine, Request
from mictape.recognition.coverage import Coverage
from mictape.recognition.follower import Follower
from mictape.recognition.live import Plan
from mictape.recognition.stretches import FollowedTrack, FollowerEvent
from mictape.units import RATE
from support import virtual_time
from support.scripted import ScriptedEngine, spoken

OUTAGE_S: Final = 60
BEFORE_S: Final = 10
RUNS: Final = 40
CONNECTIONS: Final = 2
"""The one before the outage and the one after it."""
LONGEST_S: Final = 120.0
NEAR: Final = RATE
"""Caught up: less than a second behind."""
POLL_S: Final = 0.01


async def _waited(folder: Path) -> float:
    """On a virtual clock: how long after the engine can be reached again it is connected; seconds."""
    engine = ScriptedEngine(breaks=[BEFORE_S * RATE])
    tape, writer, reported = Tape(folder, 1), TapeWriter(folder, 1), list[FollowerEvent]()
    follower = Follower(FollowedTrack(tape, Coverage(), reported.append, count()), engine, Request(), Plan(live=True))
    following = asyncio.create_task(follower.run())
    back_s = float(BEFORE_S + OUTAGE_S)
    word = spoken([1])
    while engine.opened < CONNECTIONS:
        engine.refused_until_s = back_s if engine.opened else 0.0
        await asyncio.sleep(len(word) / SAMPLE_BYTES / RATE)
        writer.append(word)
        tape.report(writer.samples)
    connected_s = engine.attempts_s[-1]
    writer.close()
    tape.end()
    await following
    return connected_s - back_s


async def _caught_up(engine: Engine, sound: bytes, ready: Callable[[Follower, Microphone], bool]) -> float:
    """With a minute on the tape that nobody answered, and a source that goes on: how long until `ready`; seconds."""
    with tempfile.TemporaryDirectory() as folder:
        microphone = Microphone(Path(folder), sound)
        microphone.write(OUTAGE_S * RATE)
        recording = asyncio.create_task(microphone.record(LONGEST_S))
        follower = microphone.follower(engine, Coverage())
        began_s = time.monotonic()
        following = asyncio.create_task(follower.run())
        try:
            async with asyncio.timeout(LONGEST_S):
                while not ready(follower, microphone):  # noqa: ASYNC110 (nobody tells)
                    await asyncio.sleep(POLL_S)
            return time.monotonic() - began_s
        finally:
            for task in (recording, following):
                task.cancel()
            await asyncio.gather(recording, following, return_exceptions=True)
            microphone.end()


async def _over_a_socket(url: str) -> float:
    engine = TimedEngine(engine_at(url, paced=False))

    def ready(_: Follower, microphone: Microphone) -> bool:
        return bool(engine.sent) and microphone.tape.samples - engine.sent[-1][0] < NEAR

    return await _caught_up(engine, pattern(), ready)


async def _locally(sound: bytes) -> float:
    with tempfile.TemporaryDirectory() as folder:
        engine = catalog.create("local", {}, Path(folder) / "log")
        try:
            warm = await engine.connect(Request())
            await warm.finish()
            async for _ in warm:
                pass
            await warm.close()
            return await _caught_up(engine, sound, lambda follower, _: follower.behind < NEAR)
        finally:
            await engine.close()


def measure(report: Report) -> None:
    """The wait for the connection on a virtual clock, and the work with real ones."""
    waits: list[float] = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            waits.append(virtual_time.run(_waited(Path(folder))))
    report.add("reachable again → connected, p50", percentile(waits, 50), "s", f"virtual clock, {RUNS} outages")
    report.add("reachable again → connected, max", max(waits), "s", "the back-off is at most 10 s")
    with serving(paced=False) as url:
        took_s = asyncio.run(_over_a_socket(url))
    report.add("connected → less than 1 s behind, unpaced socket", took_s, "s", "the source goes on meanwhile")
    if clips := clips_of_the_wheel():
        sound = b"".join(clip.pcm() for clip in clips)
        took_s = asyncio.run(_locally(sound))
        report.add("warm → less than 1 s behind, local engine", took_s, "s", "60 s of real speech, and it goes on")
