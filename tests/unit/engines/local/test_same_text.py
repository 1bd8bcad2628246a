"""The same sound gives the same text, however it is cut into blocks, with partials or without."""

import zlib
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Speech
from mictape.engines.local import ipc
from mictape.engines.local.recognizer.model import NOTHING, Decoded, Decoding, Locating, RecognizedWord, SegmentModel
from mictape.engines.local.recognizer.segment_driver import Options, SegmentDriver
from mictape.engines.local.recognizer.segmenter import Rules
from mictape.units import RATE
from mictape.vad.onnx import Array, Network, Samples
from mictape.vad.silero import STATE
from support.local_engine import samples_of
from support.recognizing import models, pcm_of

WORDS = ("the", "The", "one", "nineteen", "seventy.", "kettle", "Kettle,", "so", "it", "is.", "five", "zero,", "Paris.")


class Loudness:
    """A speech detector that takes what is loud for speech."""

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Array]) -> list[Array]:
        likely = float(np.sqrt(np.mean(input_feed["input"] ** 2)) > 0.05)
        return [np.array([[likely]]), np.zeros(STATE, np.float32)]


class Digest:
    """A model whose words follow from every sample it is given."""

    language = "en"
    shortest = 2048
    takes_key_terms = True
    rules = Rules()

    def decoding(self, samples: Samples, key_terms: tuple[str, ...] = (), draft: Decoded = NOTHING) -> Decoding:
        yield
        chance = np.random.default_rng(zlib.crc32(samples.tobytes()))
        said = chance.choice(WORDS, size=int(len(samples) / RATE * 2))
        yield
        return Decoded(tuple(RecognizedWord(str(word), -float(chance.random()), (at,)) for at, word in enumerate(said)))

    def draft(self, samples: Samples, previous: Decoded) -> Decoded:
        return Decoded(tuple(RecognizedWord(f"draft{at}", -1.0, (at,)) for at in range(len(previous.words) + 1)))

    def locating(self, samples: Samples, words: Sequence[RecognizedWord]) -> Locating | None:
        return None


def lines(
    model: SegmentModel, voice: Network, pcm: bytes, blocks: Sequence[int], does: Sequence[int]
) -> list[tuple[int, str, int, int]]:
    """Every line as it stands in the end.

    Args:
        model: Recognizes.
        voice: Detects speech.
        pcm: The sound.
        blocks: Samples of the blocks it is sent in, again and again.
        does: What is done after each block, again and again: nothing, a partial (1), or steps of what can wait.
    """
    found: dict[int, tuple[int, str, int, int]] = {}

    def report(message: ipc.Report) -> None:
        if isinstance(message, ipc.TurnReport) and message.final:
            found[message.turn] = message.turn, message.text, message.start, message.end

    driver = SegmentDriver(1, model, voice, report, Options(clock=lambda: 0.0))
    driver.key_terms = ("kettle",)
    at = count = 0
    while at < len(pcm):
        size = 2 * blocks[count % len(blocks)]
        driver.feed(pcm[at : at + size])
        driver.report_progress()
        todo = does[count % len(does)]
        if todo == 1:
            driver.update_partial()
        for _ in range(todo - 1):
            if driver.has_deferred:
                driver.step_deferred()
        at += size
        count += 1
    driver.finish()
    return list(found.values())


@settings(max_examples=settings().max_examples // 5)
@given(
    st.integers(0, 1000),
    st.lists(st.integers(400, 2 * RATE), min_size=1, max_size=6),
    st.lists(st.integers(0, 5), min_size=1, max_size=5),
)
def test_text_does_not_depend_on_blocks_partials_or_time(seed: int, blocks: list[int], does: list[int]) -> None:
    chance = np.random.default_rng(seed)
    # Speech and pauses of all lengths that matter: kept together, ended early or late, cut, parted from a group.
    stretches = [
        chance.normal(0, 0.2 * (at % 2), int(chance.choice([0.15, 0.25, 0.5, 0.7, 2, 8, 16]) * RATE)) for at in range(9)
    ]
    pcm = pcm_of(np.concatenate(stretches).astype(np.float32))
    model, voice = cast("SegmentModel", Digest()), Loudness()
    assert lines(model, voice, pcm, blocks, does) == lines(model, voice, pcm, [RATE // 10], [0])


@pytest.mark.proof
def test_speech_has_the_same_text_live_and_at_speed(speech: Speech) -> None:
    pcm = samples_of(speech.two_cities)[: 2 * 13 * RATE]
    at_speed = lines(*models(), pcm, [RATE // 10], [0])
    assert len(at_speed) == 2
    for blocks, does in (([1600], [1, 0, 0]), ([333, 7000, 1], [1, 0, 9]), ([10**7], [0])):
        assert lines(*models(), pcm, blocks, does) == at_speed, (blocks, does)
