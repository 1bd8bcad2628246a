"""Where one line ends and the next begins."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.local.recognizer.segmenter import WINDOWED, Rules, Segment, Segmenter
from mictape.units import RATE
from mictape.vad.silero import FRAME

SECOND = RATE // FRAME + 1
"""Frames of a good second."""


def fed(segmenter: Segmenter, frames: Iterable[tuple[float, float]]) -> list[Segment]:
    return [segment for frame in frames if (segment := segmenter.feed(*frame)) is not None]


SPEECH, SILENCE = (0.9, -20.0), (0.02, -60.0)


def test_a_segment_begins_a_little_before_speech_and_ends_a_little_after_it() -> None:
    segmenter = Segmenter()
    segments = fed(segmenter, [*[SILENCE] * SECOND, *[SPEECH] * SECOND, *[SILENCE] * SECOND])
    begun, ended = SECOND * FRAME, 2 * SECOND * FRAME
    assert segments == [Segment(begun - Rules().lead, ended + Rules().tail)]


def test_a_click_opens_nothing() -> None:
    segmenter = Segmenter()
    assert fed(segmenter, [*[SILENCE] * SECOND, *[SPEECH] * 2, *[SILENCE] * SECOND]) == []
    assert segmenter.start is None


@pytest.mark.parametrize(
    ("spoken_s", "pause_s", "parts"), [(2, 0.5, 1), (2, 0.7, 2), (7, 0.3, 1), (7, 0.45, 2), (10, 0.25, 2)]
)
def test_the_longer_a_segment_the_shorter_the_silence_that_ends_it(spoken_s: int, pause_s: float, parts: int) -> None:
    segmenter = Segmenter()
    pause = int(pause_s * RATE / FRAME)
    frames = [*[SPEECH] * (spoken_s * RATE // FRAME), *[SILENCE] * pause, *[SPEECH] * SECOND, *[SILENCE] * SECOND]
    assert len(fed(segmenter, frames)) == parts


def test_whisper_is_given_one_long_segment_with_wide_margins() -> None:
    pause = RATE * 45 // 100 // FRAME
    spoken = [*[SPEECH] * (10 * SECOND), *[SILENCE] * pause, *[SPEECH] * (7 * SECOND)]
    (segment,) = fed(Segmenter(WINDOWED), [*[SILENCE] * SECOND, *spoken, *[SILENCE] * SECOND])
    margin = 4 * RATE // 10
    assert segment == Segment(SECOND * FRAME - margin, (SECOND + len(spoken)) * FRAME + margin)


def test_without_a_pause_it_is_cut_at_a_dip_that_no_deeper_one_follows_and_goes_on_there() -> None:
    segmenter = Segmenter()
    dip = 12 * RATE // FRAME
    frames = [SPEECH] * (14 * RATE // FRAME)
    frames[dip - 3 : dip + 3] = [(0.6, -35.0)] * 6
    frames[dip - 20 : dip - 14] = [(0.7, -30.0)] * 6
    frames[3 * RATE // FRAME] = (0.4, -60.0)  # deeper, but too early
    (cut,) = fed(segmenter, frames)
    assert cut.cut
    assert abs(cut.end - dip * FRAME) <= 2 * FRAME
    assert segmenter.start == cut.end
    rest = segmenter.close()
    assert rest is not None
    assert rest.start == cut.end


@given(st.integers(0, 10_000))
def test_a_cut_is_known_soon_and_its_parts_are_neither_long_nor_short(seed: int) -> None:
    """What is said before a cut waits for its final: never for longer than two seconds, decoding included."""
    chance = np.random.default_rng(seed)
    segmenter, begin = Segmenter(), None
    for speech, level in zip(chance.uniform(0.4, 1, 1500), chance.normal(-25, 8, 1500), strict=True):
        if (segment := segmenter.feed(float(speech), float(level))) is None:
            continue
        assert segment.cut
        assert segmenter.position - segment.end <= Rules().waits + FRAME
        assert Rules().cuts_from <= segment.end - segment.start <= Rules().longest
        assert begin in (None, segment.start)
        begin = segment.end
    assert begin is not None


def test_no_segment_begins_before_what_is_settled() -> None:
    rng = np.random.default_rng(6)
    segmenter, settled = Segmenter(), 0
    for likely in np.clip(rng.normal(0.45, 0.3, 4000), 0, 1):
        segment = segmenter.feed(float(likely), -40.0 + 20 * float(likely))
        for start in (segment.start if segment else None, segmenter.start):
            assert start is None or start >= settled
        settled = max(settled, min(segmenter.settled, segmenter.position))
