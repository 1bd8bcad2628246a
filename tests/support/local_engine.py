"""Speech as samples, and helpers for tests that use the local engine's real process."""

import wave
from pathlib import Path
from typing import Final

import numpy as np
import soxr

from mictape.audio.tape import Tape, TapeWriter
from mictape.engines.base import Connection
from mictape.engines.local.engine import LocalEngine
from mictape.units import RATE

BLOCK: Final = RATE // 10
"""Samples a block, as the app sends them."""


def samples_of(path: Path) -> bytes:
    """A mono WAV file as 16 kHz PCM."""
    with wave.open(str(path)) as file:
        pcm = file.readframes(file.getnframes())
        rate = file.getframerate()
    if rate == RATE:
        return pcm
    return soxr.resample(np.frombuffer(pcm, "<i2"), rate, RATE).tobytes()


async def send_all(connection: Connection, pcm: bytes) -> None:
    for start in range(0, len(pcm), 2 * BLOCK):
        await connection.send(pcm[start : start + 2 * BLOCK])


def pid_of(engine: LocalEngine) -> int:
    (process,) = engine._processes
    return process.pid


def tape_of(folder: Path, track: int, sound: bytes) -> Tape:
    """A track that has ended with this sound on its tape."""
    writer = TapeWriter(folder, track)
    writer.append(sound)
    tape = Tape(folder, track)
    tape.report(writer.samples)
    writer.close()
    tape.end()
    return tape
