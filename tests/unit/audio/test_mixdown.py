"""Channels to one: the mean, unless they cancel each other out."""

import numpy as np
import pytest

from mictape.audio.capture.levels import Samples
from mictape.audio.capture.mixdown import Mixdown
from support.sound import tone

RATE = 16_000
BLOCK = 320


def mixed(mixdown: Mixdown, samples: Samples) -> Samples:
    return np.concatenate([mixdown.feed(samples[at : at + BLOCK]) for at in range(0, len(samples), BLOCK)])


def stereo(left: Samples, right: Samples) -> Samples:
    return np.concatenate([left, right], axis=1)


LOUD = tone(RATE, 440, -12)
QUIET = tone(RATE, 440, -70)
OTHER = tone(RATE, 997, -12)


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_opposite_phase_is_the_louder_channel_alone(kind: type) -> None:
    softer = (LOUD * 0.8).astype(np.int16)
    both = stereo(-softer, LOUD).astype(kind) / (1 if kind is np.int16 else 32_768)
    mixdown = Mixdown(RATE)
    assert np.abs(mixed(mixdown, both.astype(kind)).astype(int) - LOUD[:, 0]).max() <= 1
    assert mixdown.alone == 2


@pytest.mark.parametrize(
    "both",
    [
        stereo(LOUD, LOUD),
        stereo(LOUD, OTHER),
        stereo(LOUD, LOUD * 0),
        stereo(QUIET, -QUIET),
        np.repeat(LOUD, 8, axis=1),
    ],
    ids=["same", "different", "one silent", "too quiet to tell", "eight"],
)
def test_all_else_is_the_mean(both: Samples) -> None:
    mixdown = Mixdown(RATE)
    assert np.array_equal(mixed(mixdown, both), np.rint(both.mean(axis=1)).astype(np.int16))
    assert mixdown.alone is None


def test_it_is_the_mean_again_once_the_channels_have_added_up_for_a_second() -> None:
    mixdown = Mixdown(RATE)
    mixed(mixdown, stereo(LOUD, -LOUD))
    assert mixdown.alone == 1
    mixed(mixdown, stereo(LOUD, OTHER)[: RATE // 2])
    assert mixdown.alone == 1
    mixed(mixdown, stereo(LOUD, OTHER))
    assert mixdown.alone is None


def test_one_channel_passes_unchanged() -> None:
    assert np.array_equal(mixed(Mixdown(RATE), LOUD), LOUD[:, 0])


SILENT = LOUD * 0
HISS = (LOUD * 0.001).astype(np.int16)


@pytest.mark.parametrize(
    ("pieces", "turns"),
    [
        ([stereo(LOUD, HISS)] * 3 + [stereo(HISS, OTHER)] * 3, True),
        ([stereo(LOUD, SILENT)] * 6, False),
        ([stereo(LOUD, HISS)] * 3 + [stereo(HISS, OTHER)], False),
        ([stereo(LOUD, HISS)] * 3 + [stereo(HISS, OTHER)] * 3 + [stereo(LOUD, OTHER)] * 6, False),
        ([stereo(LOUD, LOUD)] * 6, False),
        (
            [np.concatenate([stereo(LOUD, HISS), HISS], axis=1), np.concatenate([stereo(HISS, LOUD), HISS], axis=1)]
            * 3,
            False,
        ),
    ],
    ids=["call", "one silent", "a word only", "mostly together", "same", "three channels"],
)
def test_channels_that_take_turns_are_noticed(pieces: list[Samples], turns: bool) -> None:
    mixdown = Mixdown(RATE)
    mixed(mixdown, np.concatenate(pieces))
    assert mixdown.takes_turns is turns
