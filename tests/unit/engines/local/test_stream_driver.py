"""The streaming driver, with the real runtime and random weights; its deafness with a model that says nothing."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from conftest import Speech
from mictape.engines.local import ipc
from mictape.engines.local.recognizer.model import RecognizedWord
from mictape.engines.local.recognizer.segment_driver import Options
from mictape.engines.local.recognizer.stream_driver import DEAF, StreamDriver, deaf
from mictape.engines.local.recognizer.streaming import Hypothesis, Stream
from mictape.units import RATE
from mictape.vad.onnx import Samples
from mictape.vad.silero import FRAME, SpeechDetector
from support.gguf_files import random_streaming_model
from support.local_engine import samples_of
from support.recognizing import times

pytest.importorskip("transcribe_cpp")

from mictape.engines.local.runtimes.transcribe_cpp import StreamingCpp

MUTE = 50.0
"""A bias for silence at which no frame has a token."""


class MuteStream:
    """A stream that says nothing: as deaf as they are reported to become."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def feed(self, samples: Samples) -> Hypothesis:
        self._stream.feed(samples)
        return Hypothesis()

    def finalize(self) -> Hypothesis:
        self._stream.finalize()
        return Hypothesis()

    def close(self) -> None:
        self._stream.close()


class Deaf(StreamingCpp):
    """The real model, deaf while it streams."""

    def stream(self) -> MuteStream:  # pyright: ignore[reportIncompatibleMethodOverride]
        return MuteStream(super().stream())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_streaming_model(tmp_path_factory.mktemp("model") / "model.gguf")


@pytest.fixture(scope="module")
def mute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_streaming_model(tmp_path_factory.mktemp("mute") / "model.gguf", blank_bias=MUTE)


@pytest.fixture(scope="module")
def fluent(speech: Speech) -> bytes:
    """Speech with pauses short enough for lines of more than three seconds."""
    return samples_of(speech.two_cities)[: 2 * 9 * RATE]


def reports(
    model: StreamingCpp,
    pcm: bytes,
    *,
    block: int = RATE // 10,
    partials: bool = True,
    second_pass: ipc.SecondPass = "off",
) -> list[ipc.Report]:
    events: list[ipc.Report] = []
    driver = StreamDriver(1, model, SpeechDetector.load(), events.append, Options(second_pass=second_pass))
    for at in range(0, len(pcm), 2 * block):
        driver.feed(pcm[at : at + 2 * block])
        driver.report_progress()
        if partials:
            driver.update_partial()
        if driver.has_deferred and driver.line_is_open:  # as late as on a machine that has other work
            driver.step_deferred()
    driver.finish()
    driver.report_progress()
    return events


def final_texts(events: list[ipc.Report]) -> list[str]:
    return [report.text for report in events if isinstance(report, ipc.TurnReport) and report.final]


def test_without_a_second_model_there_is_no_second_pass(file: Path, speech: Speech) -> None:
    # The model would be asked for two things at once: for lines before, and for the one that is spoken.
    pcm = samples_of(speech.beckett)[: 2 * 5 * RATE]
    once = final_texts(reports(StreamingCpp(file, "de"), pcm))
    assert final_texts(reports(StreamingCpp(file, "de"), pcm, second_pass="live")) == once


@pytest.fixture(scope="module")
def expected(file: Path, fluent: bytes) -> list[str]:
    """What is said of it without partials."""
    return final_texts(reports(StreamingCpp(file, "de"), fluent, partials=False))


@pytest.mark.parametrize("block", [*(pytest.param(each, marks=pytest.mark.proof) for each in (160, 1600)), 9999])
def test_the_text_does_not_depend_on_the_blocks(file: Path, fluent: bytes, expected: list[str], block: int) -> None:
    assert expected
    assert final_texts(reports(StreamingCpp(file, "de"), fluent, block=block)) == expected


def test_no_word_is_in_two_lines_where_a_long_line_is_cut(file: Path, fluent: bytes) -> None:
    # The same second again and again has no pause in it.
    second = fluent[2 * 4 * RATE : 2 * 5 * RATE]
    events = reports(StreamingCpp(file, "de"), second * 28)
    turns = [report for report in events if isinstance(report, ipc.TurnReport) and report.final]
    assert len(turns) >= 2
    for before, after in pairwise(turns):
        assert before.end <= after.start
        assert not before.words or not after.words or times(before)[-1][1] <= times(after)[0][0]


def test_what_a_deaf_stream_does_not_say_is_recognized_as_a_whole(file: Path, fluent: bytes) -> None:
    events = reports(Deaf(file, "de"), fluent)
    long = [r for r in events if isinstance(r, ipc.TurnReport) and r.final and r.end - r.start > DEAF + 2 * RATE]
    assert long, "the speech has lines long enough to be sure"
    assert all(turn.words for turn in long)
    # Long before the line ends it is shown, too.
    partials = [r for r in events if isinstance(r, ipc.TurnReport) and not r.final and r.text]
    assert partials


def test_speech_in_which_nothing_is_recognized_at_all_is_reported(mute: Path, fluent: bytes) -> None:
    events = reports(StreamingCpp(mute, "de"), fluent)
    assert not final_texts(events)
    missed = [report for report in events if isinstance(report, ipc.UnrecognizedReport)]
    assert missed
    answered = 0
    for report in events:
        if isinstance(report, ipc.AnsweredReport):
            answered = report.until
        elif isinstance(report, ipc.UnrecognizedReport):
            assert answered <= report.start < report.end, "it comes before what answers for it"
    assert answered == len(fluent) // 2


def test_silence_is_never_reported(mute: Path) -> None:
    events = reports(StreamingCpp(mute, "de"), bytes(2 * 10 * RATE))
    assert not [report for report in events if isinstance(report, ipc.UnrecognizedReport)]


def frames(seconds: float, start: float = 0.0) -> list[int]:
    return list(range(round(start * RATE), round((start + seconds) * RATE), FRAME))


def word(start_s: float, end_s: float) -> RecognizedWord:
    return RecognizedWord("a", -0.1, (1,), round(start_s * RATE), round(end_s * RATE))


def test_deafness_is_three_seconds_of_speech_behind_the_last_word() -> None:
    assert not deaf((), frames(2.9), 0, 0)
    assert deaf((), frames(3.2), 0, 0)
    assert not deaf((), frames(3.2), 0, RATE)
    assert not deaf((word(2, 3),), frames(5.8), 0, 0)
    assert deaf((word(0, 1),), frames(5), 0, 0)
    assert deaf((word(0, 1),), frames(5, start=10), 10 * RATE, 0)
    assert not deaf((RecognizedWord("without times"),), frames(9), 0, 0)


def test_quiet_speech_is_raised_the_same_way_each_time(file: Path, fluent: bytes) -> None:
    quiet = (np.frombuffer(fluent, "<i2") // 50).astype("<i2").tobytes()
    expected = final_texts(reports(StreamingCpp(file, "de"), quiet))
    assert final_texts(reports(StreamingCpp(file, "de"), quiet, block=333)) == expected
