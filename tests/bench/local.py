"""The local engine on real speech: how soon, how well, at what cost."""

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.clips import SPEECH_VARIABLE, Clip, clips_of_the_folder, clips_of_the_wheel
from bench.report import Report
from mictape.engines.base import EngineEvent, FinalTurn, Partial, Request
from mictape.engines.local.engine import LocalEngine, LocalOptions
from mictape.units import RATE
from support.references import normal, word_error_rate

BLOCK: Final = RATE // 10
SAMPLE_BYTES: Final = 2
STEP: Final = RATE // 50
BELOW_PEAK_DB: Final = 30.0
"""A step of 20 ms is loud when it is no further below the loudest one of its clip."""
MB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Listened:
    """The events of a clip, and when: seconds since its first sample was sent."""

    pcm: bytes
    events: list[tuple[float, EngineEvent]]

    @property
    def text(self) -> str:
        """Every line as it stood in the end."""
        return " ".join({news.turn: news.text for _, news in self.events if isinstance(news, FinalTurn)}.values())

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self.pcm) / SAMPLE_BYTES / RATE

    def delays(self) -> tuple[list[float], list[float]]:
        """For each turn: its first partial after its onset, and its final after the end of its speech; seconds.

        Onset and end are the first and the last loud step within the turn, so no engine marks its own work.
        """
        levels = self._levels_db()
        loud = levels > levels.max() - BELOW_PEAK_DB
        partials, finals = list[float](), list[float]()
        said = set[int]()
        for at_s, final in self.events:
            if not isinstance(final, FinalTurn) or final.start is None or final.end is None or final.turn in said:
                continue
            said.add(final.turn)
            spoken = np.flatnonzero(loud[final.start // STEP : final.end // STEP])
            if not len(spoken):
                continue
            onset_s = (final.start // STEP + int(spoken[0])) * STEP / RATE
            end_s = (final.start // STEP + int(spoken[-1]) + 1) * STEP / RATE
            finals.append(at_s - end_s)
            first = [at for at, news in self.events if isinstance(news, Partial) and news.turn == final.turn]
            partials += [first[0] - onset_s] if first else []
        return partials, finals

    def _levels_db(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        samples = np.frombuffer(self.pcm, "<i2")
        steps = samples[: len(samples) // STEP * STEP].reshape(-1, STEP).astype(float)
        return 10 * np.log10(np.mean(steps**2, axis=1) + 1)


async def listen(engine: LocalEngine, pcm: bytes, *, live: bool) -> Listened:
    """Send a clip, as fast as it is spoken or as fast as it is taken, and note which events come when."""
    connection = await engine.connect(Request())
    began_s = time.monotonic()

    async def speak() -> None:
        for start in range(0, len(pcm), SAMPLE_BYTES * BLOCK):
            block = pcm[start : start + SAMPLE_BYTES * BLOCK]
            if live:  # a block can be sent when its last sample was spoken
                spoken_s = (start + len(block)) / SAMPLE_BYTES / RATE
                await asyncio.sleep(max(0.0, began_s + spoken_s - time.monotonic()))
            await connection.send(block)
        await connection.finish()

    speaking = asyncio.create_task(speak())
    events = [(time.monotonic() - began_s, news) async for news in connection]
    await speaking
    await connection.close()
    return Listened(pcm, events)


def children() -> tuple[float, float]:
    """CPU seconds of all children that have ended, and the most memory one of them had, MB."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / MB


async def listening_run(clips: Sequence[bytes], *, live: bool) -> tuple[list[Listened], float, float]:
    """Listen to clips in one process: the events, its CPU seconds, and seconds on the clock until it was ready."""
    before_s, _ = children()
    with tempfile.TemporaryDirectory() as folder:
        engine = LocalEngine(LocalOptions(), Path(folder) / "log")
        began_s = time.monotonic()
        await (await engine.connect(Request())).close()
        ready_s = time.monotonic() - began_s
        try:
            events = [await listen(engine, pcm, live=live) for pcm in clips]
        finally:
            await engine.close()
    return events, children()[0] - before_s, ready_s


def measure(report: Report) -> None:
    """Loading alone, the wheel's recordings live, then every clip as fast as it goes."""
    clips = clips_of_the_wheel()
    if not clips:
        report.add("not on this platform", 0, "", "moonshine-voice 0.1.0 has no wheel for it")
        return
    _, load_s, ready_s = asyncio.run(listening_run([], live=False))
    report.add("start → model loaded", ready_s, "s", f"{load_s:.2f} s of CPU")

    events, cpu_s, _ = asyncio.run(listening_run([clip.pcm() for clip in clips], live=True))
    delays = [each.delays() for each in events]
    report.add_delays("onset → first partial, live", [s for partials, _ in delays for s in partials])
    report.add_delays("end of speech → final, live", [s for _, finals in delays for s in finals])
    seconds = sum(each.seconds for each in events)
    report.add("CPU per second of sound, live", (cpu_s - load_s) / seconds, "s/s", f"{seconds:.0f} s, loading left out")

    _measure_words(report, [*clips, *clips_of_the_folder()], load_s)
    report.add("most memory of the engine's process", children()[1], "MB")


def _measure_words(report: Report, clips: Sequence[Clip], load_s: float) -> None:
    events, cpu_s, _ = asyncio.run(listening_run([clip.pcm() for clip in clips], live=False))
    seconds = sum(each.seconds for each in events)
    report.add("CPU per second of sound, at speed", (cpu_s - load_s) / seconds, "s/s", f"{seconds:.0f} s")
    wrong = total = 0.0
    for clip, each in zip(clips, events, strict=True):
        words, rate = len(normal(clip.reference).split()), word_error_rate(clip.reference, each.text)
        wrong, total = wrong + rate * words, total + words
        report.add(f"WER, {clip.name}", 100 * rate, "%", f"{words} words, {each.seconds:.1f} s")
    more = "" if len(clips) > len(clips_of_the_wheel()) else f"{SPEECH_VARIABLE} may name a folder of more"
    report.add("WER, all words", 100 * wrong / total, "%", f"{total:.0f} words; {more}".rstrip("; "))
