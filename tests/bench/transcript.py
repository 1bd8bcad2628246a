"""A long transcript on the screen and searched: what a step costs, beside Textual's own widgets and `str.find`."""

import asyncio
import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from textual.widget import Widget
from textual.widgets import Log, RichLog

from bench.report import MILLI, Part, Report, percentile
from mictape.transcript.layout import Layout
from mictape.transcript.line import PartialText
from mictape.transcript.model import Transcript
from mictape.transcript.query import Matcher, Query
from mictape.transcript.search import Search
from mictape.widgets.transcript_view import TranscriptView
from support.widget_app import WidgetApp

SIZE: Final = (100, 30)
NARROWER: Final = (80, 30)
STEPS: Final = 40
SECOND: Final = 16_000
VOCABULARY: Final = ("so", "it", "was", "the", "age", "of", "wisdom", "foolishness", "incredulity", "and", "season")
RARE: Final = "kettle"
"""Said once, in the first line: the farthest from where one reads."""
COMMON: Final = "teapot"
"""Said in one line of fourteen."""
SIZES: Final = (10_000, 100_000, 1_000_000)
RICH_LOG: Final = 10_000
"""RichLog takes 0.5 ms and 5 kB a line."""


@dataclass
class Costs:
    """Seconds: of everything at once, the median of a step, and the CPU of a resize."""

    fill_s: float = 0.0
    add_s: float = 0.0
    grow_s: float = 0.0
    resize_s: float = 0.0
    scroll_s: list[float] = field(default_factory=list[float])
    """At the top, in the middle, at the end."""


def lines(count: int) -> list[str]:
    """Sentences of 3 to 30 words; the first one has the rare word, every fourteenth the common one."""
    chance = random.Random(1)
    texts = [" ".join(chance.choices(VOCABULARY, k=chance.randint(3, 30))) for _ in range(count)]
    texts[::14] = [f"{text} {COMMON} of tin" for text in texts[::14]]
    return [f"{texts[0]} {RARE}", *texts[1:]]


def filled(texts: list[str]) -> Transcript:
    """A transcript of these lines, one a second."""
    transcript = Transcript()
    for number, text in enumerate(texts):
        transcript.add(1, number * SECOND, (number + 1) * SECOND, text)
    return transcript


async def _step(app: WidgetApp, act: Callable[[], object]) -> float:
    """Do something and have the screen drawn; seconds."""
    began_s = time.perf_counter()
    act()
    app.screen._on_timer_update()
    app.screen._compositor.render_strips()
    took_s = time.perf_counter() - began_s
    await asyncio.sleep(0)
    return took_s


async def _steps(app: WidgetApp, act: Callable[[int], object]) -> float:
    return percentile([await _step(app, partial(act, number)) for number in range(STEPS)], 50)


async def _measured(
    widget: Widget, fill: Callable[[], object], add: Callable[[int], object], grow: Callable[[int], object] | None
) -> Costs:
    costs, app = Costs(), WidgetApp(widget)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        costs.fill_s = await _step(app, fill)
        await pilot.pause()
        costs.add_s = await _steps(app, add)
        costs.grow_s = await _steps(app, grow) if grow else 0.0
        for share in (0.0, 0.5, 1.0):
            top = round(share * widget.max_scroll_y)
            costs.scroll_s.append(
                await _steps(app, lambda number, top=top: widget.scroll_to(y=top + number % 2, animate=False))
            )
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


async def _rich_log(texts: list[str]) -> Costs:
    log = RichLog(wrap=True)

    def fill() -> None:
        for text in texts:
            log.write(text)

    return await _measured(log, fill, lambda number: log.write(texts[number]), None)


def _compare(report: Report, count: int) -> Costs:
    """The view beside Log and, as long as that is bearable, RichLog."""
    texts = lines(count)
    ours, theirs = asyncio.run(_mictape(texts)), asyncio.run(_log(texts))
    report.add("append all", ours.fill_s, "s", f"Log: {theirs.fill_s:.3f} s; it wraps nothing")
    report.add("append all : Log", ours.fill_s / theirs.fill_s, "×")
    report.add("one line more", MILLI * ours.add_s, "ms", f"Log: {MILLI * theirs.add_s:.2f} ms")
    report.add("one line more : Log", ours.add_s / theirs.add_s, "×")
    report.add("a partial grows by a word", MILLI * ours.grow_s, "ms", "from the model to what is drawn; a frame is 16")
    for where, our_s, their_s in zip(("top", "middle", "end"), ours.scroll_s, theirs.scroll_s, strict=True):
        report.add(f"scroll at the {where}", MILLI * our_s, "ms", f"Log: {MILLI * their_s:.2f} ms")
        report.add(f"scroll at the {where} : Log", our_s / their_s, "×")
    report.add("resize", MILLI * ours.resize_s, "ms", f"Log: {MILLI * theirs.resize_s:.0f} ms; CPU, the whole layout")
    report.add("resize : Log", ours.resize_s / theirs.resize_s, "×")
    if count <= RICH_LOG:
        rich = asyncio.run(_rich_log(texts))
        report.add("append all : RichLog", ours.fill_s / rich.fill_s, "×", f"RichLog: {rich.fill_s:.2f} s")
        report.add("one line more : RichLog", ours.add_s / rich.add_s, "×")
    return ours


def _memory(report: Report, texts: list[str]) -> None:
    """What a line takes beyond its text and the list of texts."""
    tracemalloc.start()
    transcript = filled(texts)
    layout = Layout(transcript, SIZE[0])
    taken = tracemalloc.get_traced_memory()[0] - transcript._texts.__sizeof__()
    tracemalloc.stop()
    report.add("memory beyond the text", taken / len(texts), "bytes/line", f"{layout.lines:,} lines, model and layout")


def _through(search: Search) -> tuple[float, float, float]:
    """Seconds until the first hit is found, until all is counted, and of the longest slice."""
    began_s, first_s, longest_s, more = time.perf_counter(), 0.0, 0.0, True
    while more:
        slice_s = time.perf_counter()
        more = search.step()
        now_s = time.perf_counter()
        longest_s = max(longest_s, now_s - slice_s)
        if search.hits and not first_s:
            first_s = now_s - began_s
    return first_s, time.perf_counter() - began_s, longest_s


def _search(report: Report, texts: list[str]) -> tuple[float, float]:
    """From the end, as one follows: a word in every other line, one in the first line only, and the same narrowed."""
    transcript, end = filled(texts), len(texts)
    plain = "\n".join(texts).lower()
    began_s = time.perf_counter()
    plain.find(RARE + "s")
    find_s = time.perf_counter() - began_s
    near_s, count_s, longest_s = _through(wide := Search(transcript, Matcher(Query("tea")), end))
    _, narrow_s, _ = _through(Search(transcript, Matcher(Query("teap")), end, wide))
    far_s, rare_s, _ = _through(Search(transcript, Matcher(Query(RARE)), end))
    _, regex_s, slice_s = _through(Search(transcript, Matcher(Query("t.a.*t[aeiou]n", regex=True)), end))
    report.add("first hit, near", MILLI * near_s, "ms", "work until it is found")
    report.add("first hit, in the first line", MILLI * far_s, "ms", "the whole transcript lies before it")
    report.add("full count, common word", MILLI * count_s, "ms", f"{len(wide.hits):,} lines")
    report.add("full count, rare word", MILLI * rare_s, "ms")
    report.add(
        "rare word : str.find", rare_s / find_s, "×", f"{MILLI * find_s:.1f} ms in text joined and folded before"
    )
    report.add("narrowing by a letter", MILLI * narrow_s, "ms")
    report.add("regular expression", MILLI * regex_s, "ms", "the regex package")
    report.add("longest slice", MILLI * max(longest_s, slice_s), "ms", "a frame is 16")
    return count_s, rare_s


_smallest: dict[str, float] = {}
"""What the smallest transcript cost, for how costs grow."""


def _part(report: Report, count: int) -> None:
    costs = _compare(report, count)
    texts = lines(count)
    _memory(report, texts)
    counting_s, rare_s = _search(report, texts)
    grown = {
        "append all": costs.fill_s,
        "one line more": costs.add_s,
        "a partial": costs.grow_s,
        "scroll in the middle": costs.scroll_s[1],
        "resize": costs.resize_s,
        "full count, common word": counting_s,
        "full count, rare word": rare_s,
    }
    for name, cost_s in grown.items():
        first = _smallest.setdefault(name, cost_s)
        if count != SIZES[0]:
            report.add(
                f"growth: {name}", cost_s / first, "×", f"of the first size measured; lines: × {count // SIZES[0]}"
            )


PARTS: Final = tuple(Part(f"{count:,} lines", partial(_part, count=count)) for count in SIZES)
