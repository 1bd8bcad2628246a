"""Bad lines to every engine: each word is written once, in its order."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from mictape.engines import network, remote
from mictape.recognition.live import Plan
from mictape.units import RATE
from support.engine_cases import CASES, Case
from support.faulty_proxy import Line, proxy
from support.follower_harness import FollowerHarness, said
from support.scripted import SLOT, spoken, words_in

UTTERANCES: Final = 7
WORDS: Final = [word for first in range(1, 3 * UTTERANCES, 3) for word in (first, first + 1, first + 2, 0, 0, 0, 0, 0)]
"""Utterances of three words, a second of silence behind each: eleven seconds."""

PACE: Final = 6.0
"""Times real time, in the short form: slow enough for answers to come between."""
LONG: Final = WORDS * 2
LONG_S: Final = len(LONG) * SLOT / RATE
"""For lines that are cut every five seconds, in real time."""
CUT_S: Final = 5.0
OUTAGE_S: Final = 15.0


def lines_of(fault: str, second: int) -> list[Line]:
    """What the first connections suffer, where a second of sound is so many bytes."""
    match fault:
        case "cut":
            return [Line(refuses=503), Line(cut_after=round(4.5 * second)), Line(cut_after=round(3.5 * second))]
        case "garbled up":
            return [Line(garble_up_after=round(4.5 * second)), Line(garble_up_after=round(3.5 * second))]
        case "garbled down":
            return [Line(garble_down_after=700)]  # the quietest server says little more than that in all
        case "half-open":
            return [Line(swallow_after=round(4.5 * second))]
        case _:
            return [Line(delay_s=0.3)]


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on this machine is given up as soon as a service is."""
    monkeypatch.setattr(remote, "OWN_SERVER_S", 3.0)
    monkeypatch.setattr(network, "PING_S", 1.0)


async def follow(
    case: Case, folder: Path, words: list[int], pace: float, *faults: Line, then: Callable[[], Line] = Line
) -> int:
    """Have an engine follow a finished tape with these words over bad lines: each is there once, and nothing is left.

    A stretch over which connections break again and again becomes a gap. On a busy machine answers may come too late to
    show that it was none: then it is followed once more, at a third of the pace.

    Returns:
        How many connections it took.
    """
    async with case.serves(words_in) as server, proxy(server.url, *faults, then=then) as bad:
        engine = case.engine(bad.url, folder, pace)
        harness = FollowerHarness(folder, engine, plan=Plan())  # pyright: ignore[reportArgumentType] (an engine as any other)
        harness.write(spoken(words))
        harness.end()
        await harness.follow()
    if harness.coverage.gaps and pace > 1:
        (folder / "slower").mkdir()
        return await follow(case, folder / "slower", words, max(1.0, pace / 3), *faults, then=then)
    assert harness.words == said(words)
    assert harness.coverage.gaps == ()
    assert harness.settled()
    return len(bad.lines)


each = pytest.mark.parametrize("case", CASES, ids=str)


@each
async def test_every_word_is_written_once_over_a_line_that_is_refused_and_cut(case: Case, tmp_path: Path) -> None:
    faults = lines_of("cut", case.bytes_per_s)
    assert await follow(case, tmp_path, WORDS, PACE, *faults) > len(faults)


@pytest.mark.proof
@pytest.mark.parametrize("fault", ["garbled up", "garbled down", "half-open", "slow"])
@each
async def test_every_word_is_written_once_over_every_bad_line(case: Case, fault: str, tmp_path: Path) -> None:
    if case.name == "openai-http" and "garbled" in fault:
        pytest.skip("what HTTP sends has no checks of its own: without TLS a garbled file is another file")
    faults = lines_of(fault, case.bytes_per_s)
    assert await follow(case, tmp_path, WORDS, PACE, *faults) > (0 if fault == "slow" else len(faults))


@pytest.mark.proof
@each
async def test_every_word_is_written_once_over_a_line_that_is_cut_every_five_seconds(
    case: Case, tmp_path: Path
) -> None:
    assert await follow(case, tmp_path, LONG, 1.0, then=lambda: Line(cut_after_s=CUT_S)) >= LONG_S // CUT_S


@pytest.mark.proof
@each
async def test_every_word_is_written_once_after_an_outage(case: Case, tmp_path: Path) -> None:
    down_until_s: float | None = None

    def line() -> Line:
        """Every connection is closed at once for so long after the first one was cut."""
        nonlocal down_until_s
        now_s = asyncio.get_running_loop().time()
        down_until_s = down_until_s or now_s + OUTAGE_S
        return Line(cut_after=0) if now_s < down_until_s else Line()

    assert await follow(case, tmp_path, WORDS, 1.0, Line(cut_after_s=CUT_S), then=line) > 2
