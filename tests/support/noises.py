"""Sounds of a room that are no speech, and that levels alone take for it."""

import numpy as np

from mictape.units import RATE
from mictape.vad.onnx import Samples


def hum(seconds: int) -> Samples:
    """A mains hum with its harmonics."""
    at = np.arange(seconds * RATE, dtype=np.float32) / RATE
    return np.sum([0.05 * np.sin(2 * np.pi * 50 * k * at) / k for k in range(1, 8)], axis=0).astype(np.float32)


def clatter(seconds: int) -> Samples:
    """Keys that are struck, up to ten a second."""
    chance = np.random.default_rng(1)
    sound = np.zeros(seconds * RATE, np.float32)
    at = 0
    while at < len(sound) - 2_000:
        length = int(chance.uniform(800, 1_800))
        sound[at : at + length] += chance.standard_normal(length) * np.exp(-np.arange(length) / 400) * 0.2
        at += int(chance.uniform(1_500, 6_000))
    return sound


def music(seconds: int) -> Samples:
    """A chord whose tones come and go."""
    at = np.arange(seconds * RATE, dtype=np.float32) / RATE
    tones = [np.sin(2 * np.pi * hertz * at) * (np.sin(12 * at + k) > 0) for k, hertz in enumerate((220, 277, 330, 440))]
    return (0.1 * np.sum(tones, axis=0)).astype(np.float32)
