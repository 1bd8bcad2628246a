"""The embedded recogniser: cutting, recognising, looking again; the real models in this process, without pipes."""

import asyncio
from copy import copy
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soxr

from conftest import Speech
from mictape.engines.base import Request
from mictape.engines.local import ipc
from mictape.engines.local.client import LocalConnection
from mictape.engines.local.engine import LocalEngine, LocalOptions
from mictape.engines.local.recognizer import second_pass as second
from mictape.engines.local.recognizer.model import Decoded, Decoding
from mictape.engines.local.recognizer.segment_driver import Options, Report, SegmentDriver
from mictape.engines.local.recognizer.segmenter import Rules, Segment
from mictape.units import RATE
from mictape.vad.onnx import Samples
from mictape.vad.silero import FRAME, MOST_DB, level_db, raised
from support.local_engine import pid_of, samples_of, send_all
from support.recognizing import BLOCK, Recognized, floats_of, models, pcm_of, recognize, times, without_pauses
from support.references import BECKETT, TWO_CITIES, words_in_order

SECOND = RATE // FRAME + 1
"""Frames of a good second."""


@pytest.fixture(scope="module")
def two_cities(speech: Speech) -> bytes:
    return samples_of(speech.two_cities)


@pytest.fixture(scope="module")
def beckett(speech: Speech) -> bytes:
    return samples_of(speech.beckett)


@pytest.fixture(scope="module")
def reading(two_cities: bytes) -> bytes:
    """The beginning of the long recording: two lines."""
    return two_cities[: 2 * 13 * RATE]


@pytest.fixture(scope="module")
def once(reading: bytes) -> Recognized:
    """It recognized without a second pass."""
    return recognize(reading)


@pytest.fixture(scope="module")
def twice(reading: bytes) -> Recognized:
    """It recognized with a second pass."""
    return recognize(reading, second_pass="live")


def test_confidence_is_low_where_a_word_is_wrong(once: Recognized) -> None:
    events = once
    words = [word for turn in events.turns for word in turn.words]
    confidences = [word.confidence or 0.0 for word in words]
    assert all(0 < confidence <= 1 for confidence in confidences)
    assert " ".join(word.text for word in words) == events.text
    [wrong] = [word.confidence or 0.0 for word in words if word.text == "that"]  # "the epoch of belief, it was"
    assert wrong < sorted(confidences)[len(words) // 4]


def test_measured_times_find_a_word_behind_a_pause_where_guesses_do_not_know_it(beckett: bytes) -> None:
    """Two lines of the recording put together with a pause that parts no lines: the onset behind it is known."""
    sound = floats_of(beckett)
    one, two = recognize(beckett[: 2 * 4 * RATE]).turns[:2]
    front, pause = sound[one.start : one.end - Rules().tail], np.zeros(RATE * 3 // 10, np.float32)
    onset = len(front) + len(pause) + Rules().lead
    joined = np.concatenate([front, pause, sound[two.start : two.end], np.zeros(RATE, np.float32)])
    (turn,) = recognize(joined, word_times="measured").turns
    assert not any(word.estimated for word in turn.words)
    assert abs(times(turn)[len(one.words)][0] - onset) < RATE // 5
    (guess,) = recognize(joined).turns
    assert all(word.estimated for word in guess.words)
    assert abs(times(guess)[len(one.words)][0] - onset) > RATE // 5
    assert times(turn) == sorted(times(turn))
    assert all(turn.start <= start < end <= turn.end for start, end in times(turn))


# Sound


@pytest.mark.parametrize("quiet_db", [-65, -50])
def test_quiet_sound_is_raised_within_bounds(quiet_db: int) -> None:
    tone = np.sin(np.arange(RATE, dtype=np.float32) * 0.1) * np.float32(10 ** (quiet_db / 20))
    louder = level_db(raised(tone, level_db(tone))) - level_db(tone)
    assert 0 < louder <= MOST_DB + 0.1


def test_loud_sound_is_left_alone_and_nothing_leaves_full_scale() -> None:
    loud = np.full(FRAME, 0.5, np.float32)
    assert raised(loud, level_db(loud)) is loud
    assert np.abs(raised(loud, -60.0)).max() <= 1


def test_very_quiet_speech_is_understood(two_cities: bytes) -> None:
    quiet = floats_of(two_cities)[: 9 * RATE] * np.float32(10 ** (-40 / 20))
    assert words_in_order(TWO_CITIES, recognize(quiet).text) >= 20


USUAL = {("noise", -20), ("tone", -40), ("hum", -60)}
"""Of the sounds and levels, those that are tried each time."""


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        pytest.param(*each, marks=() if each in USUAL else pytest.mark.proof)
        for each in product(("noise", "tone", "hum"), (-60, -40, -20))
    ],
)
def test_what_is_no_speech_gives_no_text(kind: str, level: int) -> None:
    time = np.arange(8 * RATE) / RATE
    sound = {
        "noise": np.random.default_rng(1).normal(size=len(time)),
        "tone": np.sin(2 * np.pi * 440 * time),
        "hum": np.sign(np.sin(2 * np.pi * 50 * time)),
    }[kind] * 10 ** (level / 20)
    events = recognize(sound.astype(np.float32), partials=True)
    assert not any(isinstance(said, ipc.TurnReport) for said in events.reports)
    assert ipc.AnsweredReport(1, 8 * RATE) in events.reports


@pytest.mark.parametrize(
    "harm", [*(pytest.param(each, marks=pytest.mark.proof) for each in ("clipped", "dc")), "8 kHz"]
)
def test_harmed_sound_is_still_understood(two_cities: bytes, harm: Literal["clipped", "dc", "8 kHz"]) -> None:
    sound = floats_of(two_cities)[: 9 * RATE]
    harmed = {
        "clipped": lambda: np.clip(sound * 20, -1, 1),
        "dc": lambda: sound + np.float32(0.2),
        "8 kHz": lambda: soxr.resample(soxr.resample(sound, RATE, 8000), 8000, RATE),
    }[harm]()
    assert words_in_order(TWO_CITIES, recognize(harmed).text) >= 20


@pytest.mark.parametrize("at", [131, pytest.param(262, marks=pytest.mark.proof)])
def test_words_are_right_whatever_sample_the_recording_begins_at(reading: bytes, once: Recognized, at: int) -> None:
    for text in (once.text, recognize(reading[2 * at :]).text):
        assert words_in_order(TWO_CITIES, text) >= 29


def test_speech_without_pauses_is_understood_as_well(reading: bytes, once: Recognized) -> None:
    gapless = without_pauses(floats_of(reading))
    assert len(gapless) < 0.95 * len(reading) / 2
    assert words_in_order(TWO_CITIES, recognize(gapless).text) >= words_in_order(TWO_CITIES, once.text) - 2


def test_a_key_term_is_found_and_spelled_as_the_person_spells_it(two_cities: bytes) -> None:
    spring = two_cities[2 * 17 * RATE : 2 * 20 * RATE]
    assert "spring" not in recognize(spring).text
    text = recognize(spring, key_terms=("Spring of Hope", "Tellson", "Manette")).text
    assert "the Spring of Hope" in text
    assert "Tellson" not in text


def cut_at(sound: Samples, place: int) -> list[str]:
    """The lines of speech that is cut so far behind its beginning, wherever a better place would be."""
    model, voice = models()
    model = copy(model)
    model.rules = Rules(cuts_from=place, waits=0, longest=place)
    reports: list[ipc.Report] = []
    driver = SegmentDriver(1, model, voice, reports.append, Options(second_pass="off"))
    driver.feed(pcm_of(sound))
    driver.finish()
    return [line.text for line in Recognized(reports).turns]


def test_a_word_that_a_cut_parts_is_written_once_and_one_that_is_said_twice_twice(reading: bytes) -> None:
    """Each half of "of" is enough for the model to write it; the second time a "times" is put behind the first."""
    gapless = without_pauses(floats_of(reading[: 2 * 8 * RATE]))
    within_of = 44_000
    first, second = cut_at(gapless[: within_of + 2 * RATE], within_of)
    assert first.endswith("worst of")
    assert second.startswith("times")
    said_twice = np.concatenate([gapless[:58_000], np.zeros(RATE * 3 // 10, np.float32), gapless[45_500:90_000]])
    first, second = cut_at(said_twice, 58_000 + RATE * 15 // 100)
    assert first.endswith("worst of times")
    assert second.startswith("Times")


# Looking again


def test_the_second_pass_revises_lines_and_adds_none(once: Recognized, twice: Recognized) -> None:
    assert [(turn.turn, turn.start, turn.end) for turn in twice.turns] == [
        (turn.turn, turn.start, turn.end) for turn in once.turns
    ]
    assert twice.text != once.text
    assert words_in_order(TWO_CITIES, twice.text) >= words_in_order(TWO_CITIES, once.text)


def test_the_second_pass_leaves_full_stops_behind_pauses(beckett: bytes) -> None:
    assert recognize(beckett, second_pass="live").text == BECKETT


class Hopeful:
    """A second model that knows a term which the first one does not: the real weights, given it."""

    def decoding(self, samples: Samples, key_terms: tuple[str, ...] = ()) -> Decoding:
        return models()[0].decoding(samples, (*key_terms, "spring of hope"))


def into(finals: list[ipc.TurnReport]) -> Report:
    """Adds the final texts among the reports to a list."""

    def report(said: ipc.Report) -> None:
        if isinstance(said, ipc.TurnReport) and said.final:
            finals.append(said)

    return report


def test_a_second_model_gives_the_final_text_of_single_lines_too(two_cities: bytes) -> None:
    model, voice = models()
    finals: list[ipc.TurnReport] = []
    driver = SegmentDriver(1, model, voice, into(finals), Options(second_model=Hopeful()))
    driver.feed(two_cities[2 * 17 * RATE : 2 * 20 * RATE])
    driver.finish()
    first, second = finals
    assert (first.turn, first.start, first.end) == (second.turn, second.start, second.end)
    assert "spring" not in first.text
    assert "the spring of hope" in second.text
    assert [word.text for word in second.words] == second.text.split()


def test_a_second_pass_after_the_session_revises_nothing_before_its_end(
    reading: bytes, once: Recognized, twice: Recognized
) -> None:
    after = recognize(reading, second_pass="after")
    finals = [said for said in after.reports if isinstance(said, ipc.TurnReport) and said.final]
    assert [said.text for said in finals[: len(once.turns)]] == [turn.text for turn in once.turns]
    assert len(finals) > len(once.turns)
    assert after.text == twice.text


def test_sound_that_comes_faster_than_it_is_spoken_does_not_pile_up_work(
    beckett: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mictape.engines.local.recognizer.segment_driver.WAITING", 1)
    model, voice = models()
    driver = SegmentDriver(1, model, voice, lambda _: None, Options())
    parted = beckett + bytes(2 * second.APART)
    waiting: list[int] = []
    for _ in range(2):
        driver.feed(parted)
        waiting.append(len(driver._deferred))
    assert waiting == [1, 1], "one piece waits each time: what waited before is done"


def test_where_finals_alone_take_the_time_nothing_is_looked_at_again(
    reading: bytes, once: Recognized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mictape.engines.local.recognizer.segment_driver.AFFORDABLE", 0.0)
    assert recognize(reading, second_pass="live").text == once.text


def test_a_pause_is_used_to_have_the_final_ready(beckett: bytes) -> None:
    """What was decoded in a pause is the final: it is not worked out again when the pause ends the line."""
    model, voice = models()
    reports: list[ipc.Report] = []
    driver = SegmentDriver(1, model, voice, reports.append, Options(second_pass="off"))
    decoding, decoded = driver._decode, 0

    def counted(segment: Segment) -> Decoded:
        nonlocal decoded
        decoded += 1
        return decoding(segment)

    driver._decode = counted
    for at in range(0, len(beckett) // 2, 2 * BLOCK):
        before = decoded
        driver.feed(beckett[at : at + 2 * BLOCK])
        assert decoded == before, "the text of a line that ends is there already"
        driver.update_partial()
    assert any(isinstance(said, ipc.TurnReport) and said.final for said in reports)


def test_the_final_of_a_line_that_is_cut_without_a_pause_is_ready_as_well(two_cities: bytes) -> None:
    model, voice = models()
    model = copy(model)
    model.rules = rules = Rules(cuts_from=4 * RATE, longest=6 * RATE)
    finals: list[ipc.TurnReport] = []
    driver = SegmentDriver(1, model, voice, into(finals), Options(second_pass="off", clock=lambda: 0.0))
    decoding, decoded = driver._decode, list[Segment]()

    def counted(segment: Segment) -> Decoded:
        decoded.append(segment)
        return decoding(segment)

    driver._decode = counted
    gapless = pcm_of(without_pauses(floats_of(two_cities[: 2 * 9 * RATE])))
    before = 0
    for at in range(0, len(gapless), 2 * BLOCK):
        before = len(decoded)
        driver.feed(gapless[at : at + 2 * BLOCK])
        if finals:
            break
        if at > 2 * rules.cuts_from and at % (8 * BLOCK) == 0:  # others cost time, and show nothing here
            driver.update_partial()
    assert decoded[-1].cut
    assert (decoded[-1].start, decoded[-1].end) == (finals[0].start, finals[0].end)
    assert len(decoded) == before, "the text of the line was there when it was cut"


def test_sound_is_forgotten_when_nothing_needs_it(beckett: bytes) -> None:
    model, voice = models()
    driver = SegmentDriver(1, model, voice, lambda _: None, Options(second_pass="off"))
    for _ in range(90 * RATE // BLOCK):
        driver.feed(bytes(2 * BLOCK))
    assert driver._audio.end - driver._audio.begin <= Rules().lead + RATE
    for at in range(0, len(beckett), 2 * BLOCK):
        driver.feed(beckett[at : at + 2 * BLOCK])
        assert driver._audio.end - driver._audio.begin <= second.LONGEST + Rules().longest + 2 * RATE


@pytest.mark.proof
async def test_memory_is_flat_over_an_hour_at_speed(two_cities: bytes, tmp_path: Path) -> None:
    engine = LocalEngine(LocalOptions(), tmp_path / "log")
    connection = await engine.connect(Request())
    listening = asyncio.create_task(_drained(connection))
    kept_mb: list[float] = []
    for _ in range(3600 * RATE * 2 // len(two_cities)):
        await send_all(connection, two_cities)
        kept_mb.append(_resident_mb(pid_of(engine)))
    await connection.finish()
    await listening
    await engine.close()
    settled = len(kept_mb) // 6  # ten minutes: by then a second pass of every length was made
    assert max(kept_mb[settled:]) - max(kept_mb[:settled]) < 30


async def _drained(connection: LocalConnection) -> None:
    async for _ in connection:
        pass


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("memory is looked up in /proc")
    (line,) = (line for line in status.read_text("ascii").splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
