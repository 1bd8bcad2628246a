"""A long transcript on the screen: what a step costs, as a ratio to Textual's own Log with the same lines."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from stage import Stage
from textual.widget import Widget
from textual.widgets import Log

from bench.report import Part, Report, percentile
from tui.transcript.model import PartialText, Transcript
from tui.widgets.transcript_view import TranscriptView

SIZE: Final = (100, 30)
NARROWER: Final = (80, 30)
STEPS: Final = 40
SECOND: Final = 16_000
VOCABULARY: Final = ("so", "it", "was", "the", "age", "of", "wisdom", "foolishness", "incredulity", "and", "season")


@dataclass
class Costs:
    """Seconds: of everything at once, the median of a step, and the CPU of a resize."""

    fill_s: float = 0.0
    add_s: float = 0.0
    grow_s: float = 0.0
    resize_s: float = 0.0


def lines(count: int) -> list[str]:
    """Sentences of 3 to 30 words."""
    chance = random.Random(1)
    return [" ".join(chance.choices(VOCABULARY, k=chance.randint(3, 30))) for _ in range(count)]


async def _step(stage: Stage, act: Callable[[], object]) -> float:
    """Do something and have the screen drawn; seconds."""
    began_s = time.perf_counter()
    act()
    stage.screen._on_timer_update()
    stage.screen._compositor.render_strips()
    took_s = time.perf_counter() - began_s
    await asyncio.sleep(0)
    return took_s


async def _steps(stage: Stage, act: Callable[[int], object]) -> float:
    return percentile([await _step(stage, partial(act, number)) for number in range(STEPS)], 50)


async def _measured(
    widget: Widget, fill: Callable[[], object], add: Callable[[int], object], grow: Callable[[int], object] | None
) -> Costs:
    costs, stage = Costs(), Stage(widget)
    async with stage.run_test(size=SIZE) as pilot:
        await pilot.pause()
        costs.fill_s = await _step(stage, fill)
        await pilot.pause()
        costs.add_s = await _steps(stage, add)
        costs.grow_s = await _steps(stage, grow) if grow else 0.0
        began_s = time.process_time()  # a resize goes through Textual's own messages, and its tests wait in between
        await pilot.resize_terminal(*NARROWER)
        await pilot.pause()
        costs.resize_s = time.process_time() - began_s
    return costs


async def _mictape(texts: list[str]) -> Costs:
    transcript = Transcript()
    view = TranscriptView(transcript)

    def put(text: str) -> None:
        start = len(transcript) * SECOND
        transcript.add(1, start, start + SECOND, text)

    def fill() -> None:
        for text in texts:
            put(text)
        view.pull()

    def add(number: int) -> None:
        put(texts[number])
        view.pull()

    def grow(number: int) -> None:
        start = len(transcript) * SECOND
        transcript.set_partial(1, PartialText(start, " ".join(VOCABULARY[word % 11] for word in range(number + 1))))
        view.pull()

    return await _measured(view, fill, add, grow)


async def _log(texts: list[str]) -> Costs:
    log = Log()
    return await _measured(log, lambda: log.write_lines(texts), lambda number: log.write_line(texts[number]), None)


def _compare(report: Report, count: int) -> None:
    texts = lines(count)
    ours, theirs = asyncio.run(_mictape(texts)), asyncio.run(_log(texts))
    note = "Log wraps nothing and has no partials"
    report.add("append all", ours.fill_s, "s", f"Log: {theirs.fill_s:.3f} s")
    report.add("append all : Log", ours.fill_s / theirs.fill_s, "×", note)
    report.add("one line more", 1000 * ours.add_s, "ms", f"Log: {1000 * theirs.add_s:.2f} ms")
    report.add("one line more : Log", ours.add_s / theirs.add_s, "×")
    report.add("a partial grows by a word", 1000 * ours.grow_s, "ms", "drawn; 16 ms is a frame")
    report.add(
        "resize", 1000 * ours.resize_s, "ms", f"Log: {1000 * theirs.resize_s:.0f} ms; CPU, with the whole layout"
    )
    report.add("resize : Log", ours.resize_s / theirs.resize_s, "×")


PARTS: Final = tuple(Part(f"{count:,} lines", partial(_compare, count=count)) for count in (10_000, 100_000))
