"""The embedded recogniser: cutting, recognising, looking again; the real models in this process, without pipes."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soxr

from conftest import Speech
from mictape.engines.base import Request
from mictape.engines.local import ipc as wire
from mictape.engines.local.client import LocalConnection
from mictape.engines.local.engine import LocalEngine, LocalOptions
from mictape.engines.local.recognizer import second_pass as second
from mictape.engines.local.recognizer.listener import WAITING, Line, Listener, revised
from mictape.engines.local.recognizer.model import Decoded
from mictape.engines.local.recognizer.segments import Rules, Segment, Segmenter
from mictape.engines.local.recognizer.tokens import Tokens
from mictape.engines.local.recognizer.words import HeardWord, estimated, onset, words_of
from mictape.units import RATE
from mictape.vad.silero import FRAME, MOST_DB, level_db, raised
from support.local_engine import pid_of, samples_of, send_all
from support.recognizing import BLOCK, Heard, floats_of, hear, models, without_pauses
from support.references import TWO_CITIES, word_error_rate, words_in_order

SECOND = RATE // FRAME + 1
"""Frames of a good second."""


@pytest.fixture(scope="module")
def two_cities(speech: Speech) -> bytes:
    return samples_of(speech.two_cities)


@pytest.fixture(scope="module")
def beckett(speech: Speech) -> bytes:
    return samples_of(speech.beckett)


@pytest.fixture(scope="module")
def once(two_cities: bytes) -> Heard:
    """The long recording, heard without a second pass."""
    return hear(two_cities)


# Cutting


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


def test_without_a_pause_it_is_cut_at_the_deepest_dip_of_the_last_seconds_and_goes_on_there() -> None:
    segmenter = Segmenter()
    dip = 12 * RATE // FRAME
    frames = [SPEECH] * (16 * RATE // FRAME)
    frames[dip - 3 : dip + 3] = [(0.6, -35.0)] * 6
    frames[3 * RATE // FRAME] = (0.4, -60.0)  # deeper, but out of reach
    (cut,) = fed(segmenter, frames)
    assert abs(cut.end - dip * FRAME) <= 2 * FRAME
    assert segmenter.start == cut.end
    rest = segmenter.close()
    assert rest is not None
    assert rest.start == cut.end


def test_no_segment_begins_before_what_is_settled() -> None:
    rng = np.random.default_rng(6)
    segmenter, settled = Segmenter(), 0
    for likely in np.clip(rng.normal(0.45, 0.3, 4000), 0, 1):
        segment = segmenter.feed(float(likely), -40.0 + 20 * float(likely))
        for start in (segment.start if segment else None, segmenter.start):
            assert start is None or start >= settled
        settled = max(settled, min(segmenter.settled, segmenter.position))


# Tokens and words


def test_lengths_of_two_bytes_and_pieces_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.bin"
    long = b"x" * 300
    file.write_bytes(b"\x01a\x00" + bytes([128 + 300 % 128, 300 // 128]) + long)
    assert Tokens.load(file)._pieces == [b"a", b"", long]
    for broken in (b"\x05ab", b"\x80"):
        file.write_bytes(broken)
        with pytest.raises(ValueError, match="ends inside"):
            Tokens.load(file)


def test_a_letter_in_pieces_is_whole_again_and_words_are_parted() -> None:
    space = "\u2581".encode()
    tokens = Tokens([b"", b"", b"", space + b"caf", b"\xc3", b"\xa9", space + b"is", space])
    assert tokens.text([3, 4, 5, 6]) == "café is"
    assert tokens.words([3, 4, 5, 6]) == [(0, 3), (3, 4)]
    assert tokens.words([3, 4]) == [(0, 2)]
    assert tokens.words([6, 7]) == [(0, 1)], "a space alone is no word"


def test_guessed_times_stay_within_the_line_in_order_and_skip_the_pause() -> None:
    words = [HeardWord(text, 1.0, ()) for text in ("one", "two", "three")]
    voiced = [*range(0, 5 * FRAME, FRAME), *range(30 * FRAME, 35 * FRAME, FRAME)]
    timed = estimated(words, voiced, 0, 36 * FRAME)
    assert timed[0].start == 0
    assert timed[-1].end == 35 * FRAME
    assert [word.start for word in timed] == sorted(word.start for word in timed)
    assert not any(6 * FRAME < word.start < 30 * FRAME for word in timed)
    assert estimated(words, [], 10, 5000)[-1].end <= 5000


def test_confidence_is_low_where_a_word_is_wrong(once: Heard) -> None:
    heard = once
    words = [word for turn in heard.turns for word in turn.words]
    assert all(0 < word.confidence <= 1 for word in words)
    assert " ".join(word.text for word in words) == heard.text
    wrong = [word.confidence for word in words if word.text == "string"]  # "the spring of hope"
    right = sorted(word.confidence for word in words)
    assert not wrong or max(wrong) < right[len(right) // 4]


def test_a_word_found_shortly_before_a_pause_begins_behind_it() -> None:
    voiced = [*range(0, 20 * FRAME, FRAME), *range(40 * FRAME, 60 * FRAME, FRAME)]
    assert onset(18 * FRAME, 50 * FRAME, voiced) == 40 * FRAME, "the border is a little too early"
    assert onset(25 * FRAME, 50 * FRAME, voiced) == 40 * FRAME, "nobody speaks there"
    assert onset(8 * FRAME, 50 * FRAME, voiced) == 8 * FRAME, "a word that goes on across the pause"
    assert onset(18 * FRAME, 30 * FRAME, voiced) == 18 * FRAME, "a short word before the pause"
    assert onset(45 * FRAME, 50 * FRAME, voiced) == 45 * FRAME
    assert onset(18 * FRAME, 50 * FRAME, []) == 18 * FRAME
    closure = [*range(0, 20 * FRAME, FRAME), *range(22 * FRAME, 60 * FRAME, FRAME)]
    assert onset(18 * FRAME, 50 * FRAME, closure) == 18 * FRAME


def test_measured_times_find_a_word_behind_a_pause_where_guesses_do_not_know_it(beckett: bytes) -> None:
    """Two lines of the recording put together with a pause that parts no lines: the onset behind it is known."""
    sound = floats_of(beckett)
    one, two = hear(beckett).turns[:2]
    front, pause = sound[one.start : one.end - Rules().tail], np.zeros(RATE * 3 // 10, np.float32)
    onset = len(front) + len(pause) + Rules().lead
    joined = np.concatenate([front, pause, sound[two.start : two.end], np.zeros(RATE, np.float32)])
    (turn,) = hear(joined, word_times="measured").turns
    assert turn.measured
    assert abs(turn.words[len(one.words)].start - onset) < RATE // 5
    (guess,) = hear(joined).turns
    assert not guess.measured
    assert abs(guess.words[len(one.words)].start - onset) > RATE // 5
    starts = [word.start for word in turn.words]
    assert starts == sorted(starts)
    assert all(turn.start <= word.start < word.end <= turn.end for word in turn.words)


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
    quiet = floats_of(two_cities)[: 12 * RATE] * np.float32(10 ** (-40 / 20))
    assert words_in_order(TWO_CITIES, hear(quiet).text) >= 20


@pytest.mark.parametrize("level", [-60, -40, -20])
@pytest.mark.parametrize("kind", ["noise", "tone", "hum"])
def test_what_is_no_speech_gives_no_text(kind: str, level: int) -> None:
    time = np.arange(8 * RATE) / RATE
    sound = {
        "noise": np.random.default_rng(1).normal(size=len(time)),
        "tone": np.sin(2 * np.pi * 440 * time),
        "hum": np.sign(np.sin(2 * np.pi * 50 * time)),
    }[kind] * 10 ** (level / 20)
    heard = hear(sound.astype(np.float32), partials=True)
    assert not any(isinstance(said, wire.Turn) for said in heard.reports)
    assert wire.Answered(1, 8 * RATE) in heard.reports


@pytest.mark.parametrize("harm", ["clipped", "dc", "8 kHz"])
def test_harmed_sound_is_still_understood(two_cities: bytes, harm: Literal["clipped", "dc", "8 kHz"]) -> None:
    sound = floats_of(two_cities)[: 12 * RATE]
    harmed = {
        "clipped": lambda: np.clip(sound * 20, -1, 1),
        "dc": lambda: sound + np.float32(0.2),
        "8 kHz": lambda: soxr.resample(soxr.resample(sound, RATE, 8000), 8000, RATE),
    }[harm]()
    assert words_in_order(TWO_CITIES, hear(harmed).text) >= 20


def test_words_are_right_whatever_sample_the_recording_begins_at(two_cities: bytes, once: Heard) -> None:
    texts = [once.text, *(hear(two_cities[2 * at :]).text for at in (131, 262, 393))]
    assert sum(word_error_rate(TWO_CITIES, text) for text in texts) / len(texts) <= 0.09


def test_speech_without_pauses_is_understood_as_well(two_cities: bytes, once: Heard) -> None:
    gapless = without_pauses(floats_of(two_cities))
    assert len(gapless) < 0.9 * len(two_cities) / 2
    with_pauses = word_error_rate(TWO_CITIES, once.text)
    assert word_error_rate(TWO_CITIES, hear(gapless).text) <= with_pauses + 0.03


# Looking again


def test_joined_text_goes_back_to_its_lines() -> None:
    lines = [["It", "was", "the"], ["best", "off", "times,"], ["it", "was"]]
    assert second.split(lines, ["It", "was", "the", "best", "of", "times,", "it", "was"]) == [0, 3, 6, 8]
    assert second.split(lines, ["It", "was", "the", "very", "best", "of", "times,", "it", "was"]) == [0, 3, 7, 9]
    assert second.split(lines, ["best", "of", "times,", "it", "was"]) is None, "the first line has nothing left"
    assert second.split([["a"], ["b"]], ["x", "y"]) == [0, 1, 2]


def test_a_joined_text_that_lost_half_is_not_trusted_unless_it_is_surer() -> None:
    assert second.trusted(20, 20, -0.1, -0.9)
    assert not second.trusted(20, 10, -0.1, -0.2)
    assert second.trusted(20, 10, -0.2, -0.1)


def test_lines_keep_turn_and_place_when_they_are_revised() -> None:
    model, _ = models()
    group = [
        Line(0, 0, RATE, (HeardWord("Hello", 0.9, ()),), (), -0.2),
        Line(1, 2 * RATE, 3 * RATE, (HeardWord("word", 0.9, ()),), (), -0.2),
    ]
    words = (HeardWord("Hello", 0.9, ()), HeardWord("world", 0.9, ()))
    new = revised(group, Decoded((3,), (-0.1,)), words)
    assert [(line.turn, line.start, line.end, line.words[0].text) for line in new] == [
        (0, 0, RATE, "Hello"),
        (1, 2 * RATE, 3 * RATE, "world"),
    ]
    assert revised(group, Decoded(), words_of(model, Decoded())) == group


def test_the_second_pass_revises_lines_and_adds_none(two_cities: bytes, once: Heard) -> None:
    twice = hear(two_cities, second_pass="live")
    assert [(turn.turn, turn.start, turn.end) for turn in twice.turns] == [
        (turn.turn, turn.start, turn.end) for turn in once.turns
    ]
    assert twice.text != once.text
    assert word_error_rate(TWO_CITIES, twice.text) <= word_error_rate(TWO_CITIES, once.text) + 0.02


def test_a_second_pass_after_the_session_revises_nothing_before_its_end(two_cities: bytes, once: Heard) -> None:
    after = hear(two_cities, second_pass="after")
    finals = [said for said in after.reports if isinstance(said, wire.Turn) and said.final]
    assert [said.text for said in finals[: len(once.turns)]] == [turn.text for turn in once.turns]
    assert len(finals) > len(once.turns)
    assert after.text == hear(two_cities, second_pass="live").text


def test_sound_that_comes_faster_than_it_is_spoken_does_not_pile_up_work(two_cities: bytes) -> None:
    model, voice = models()
    listener = Listener(1, model, voice, lambda _: None)
    waiting: list[int] = []
    for at in range(0, len(two_cities), 2 * BLOCK):
        listener.take(two_cities[at : at + 2 * BLOCK])
        waiting.append(len(listener._later))
    assert max(waiting) <= WAITING
    assert waiting[-1] > 0, "some of it still waits"


def test_where_finals_alone_take_the_time_nothing_is_looked_at_again(
    two_cities: bytes, once: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mictape.engines.local.recognizer.listener.AFFORDABLE", 0.0)
    assert hear(two_cities, second_pass="live").text == once.text


def test_a_pause_is_used_to_have_the_final_ready(beckett: bytes) -> None:
    """What was decoded in a pause is the final: it is not worked out again when the pause ends the line."""
    model, voice = models()
    reports: list[wire.Report] = []
    listener = Listener(1, model, voice, reports.append, second_pass="off")
    decoding, decoded = listener._decode, 0

    def counted(start: int, end: int) -> Decoded:
        nonlocal decoded
        decoded += 1
        return decoding(start, end)

    listener._decode = counted
    for at in range(0, len(beckett), 2 * BLOCK):
        before = decoded
        listener.take(beckett[at : at + 2 * BLOCK])
        assert decoded == before, "the text of a line that ends is there already"
        listener.update()
    assert any(isinstance(said, wire.Turn) and said.final for said in reports)


async def test_the_process_has_one_onnx_runtime_and_not_the_wheels_own_library(tmp_path: Path) -> None:
    engine = LocalEngine(LocalOptions(), tmp_path / "log")
    connection = await engine.connect(Request())
    loaded = _loaded(pid_of(engine))
    await connection.close()
    await engine.close()
    runtimes = [path for path in loaded if ".so" in path and "onnxruntime" in path and "pybind" not in path]
    assert not any("libmoonshine" in path for path in loaded)
    assert len(runtimes) <= 1
    assert any("onnxruntime" in path for path in loaded)


def test_sound_is_forgotten_when_nothing_needs_it(beckett: bytes) -> None:
    model, voice = models()
    listener = Listener(1, model, voice, lambda _: None, second_pass="off")
    for _ in range(90 * RATE // BLOCK):
        listener.take(bytes(2 * BLOCK))
    assert listener._sound.end - listener._sound.begin <= Rules().lead + RATE
    for at in range(0, len(beckett), 2 * BLOCK):
        listener.take(beckett[at : at + 2 * BLOCK])
        assert listener._sound.end - listener._sound.begin <= second.LONGEST + Rules().longest + 2 * RATE


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


def _loaded(pid: int) -> set[str]:
    maps = Path(f"/proc/{pid}/maps")
    if not maps.exists():
        pytest.skip("what a process has loaded is looked up in /proc")
    return {line.split()[-1] for line in maps.read_text("utf-8").splitlines()}


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("memory is looked up in /proc")
    (line,) = (line for line in status.read_text("ascii").splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
