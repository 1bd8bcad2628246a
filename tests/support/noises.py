"""Sounds of a room that are no speech, and that levels alone take for it."""

from collections.abc import Sequence

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


def siren(seconds: int) -> Samples:
    """A tone that rises and falls between 600 and 1,200 Hz, with its harmonics."""
    at = np.arange(seconds * RATE, dtype=np.float64) / RATE
    phase = 2 * np.pi * np.cumsum(900 + 300 * np.sin(2 * np.pi * 0.5 * at)) / RATE
    return np.sum([0.1 / k * np.sin(k * phase) for k in (1, 2, 3)], axis=0).astype(np.float32)


def laughter(seconds: int) -> Samples:
    """Bursts of breath, five a second, with the bands of a vowel."""
    chance = np.random.default_rng(2)
    at = np.arange(seconds * RATE, dtype=np.float64) / RATE
    breath = chance.standard_normal(len(at)) * np.clip(np.sin(2 * np.pi * 5 * at), 0, 1) ** 2
    bands = sum(np.sin(2 * np.pi * hertz * at) for hertz in (700, 1100, 2500))
    return (0.05 * breath * (1 + bands)).astype(np.float32)


def mixed(voices: Sequence[Samples]) -> Samples:
    """Voices that speak at once, each as loud as the others, as long as the shortest of them."""
    length = min(map(len, voices))
    parts = [voice[:length] / np.sqrt(np.mean(voice[:length] ** 2)) for voice in voices]
    return (0.08 * np.sum(parts, axis=0) / np.sqrt(len(parts))).astype(np.float32)
