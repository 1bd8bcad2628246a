"""Sound files as recorders, converters and accidents leave them, made here byte by byte."""

import shutil
import struct
import subprocess
import wave
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mictape.audio.capture.decoding.mp3 import frame_at
from mictape.audio.capture.levels import Samples

RATE = 16_000

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def chirp(seconds: float, *, rate: int = RATE, channels: int = 1) -> Samples:
    """Sound that is nowhere the same, as floats, shape (frames, channels): a rising tone that swells twice a second."""
    at = np.arange(round(seconds * rate)) / rate
    mono = (0.3 + 0.2 * np.sin(4 * np.pi * at)) * np.sin(2 * np.pi * (200 + 150 * at) * at)
    return np.repeat(mono[:, np.newaxis], channels, axis=1)


def encoded(samples: Samples, kind: str, subtype: str | None = None, *, rate: int = RATE, vbr: bool = False) -> bytes:
    """A whole file of libsndfile's making."""
    file = BytesIO()
    bits = "VARIABLE" if vbr else None
    soundfile.write(file, samples, rate, format=kind, subtype=subtype, bitrate_mode=bits)
    return file.getvalue()


def without_tag_frame(mp3: bytes) -> bytes:
    """An MP3 as it comes out of a pipe, where nobody can go back and write how long it is."""
    start = 0
    if mp3.startswith(b"ID3"):
        start = 10 + (mp3[6] << 21 | mp3[7] << 14 | mp3[8] << 7 | mp3[9])
    frame = frame_at(mp3[start : start + 4])
    assert frame is not None
    first = mp3[start : start + frame.size]
    assert b"Xing" in first or b"Info" in first, "the encoder wrote no such frame"
    return mp3[start + frame.size :]


def patched(data: bytes, mark: bytes, offset: int, new: bytes) -> bytes:
    """With other bytes at an offset from the first place where `mark` is."""
    at = data.index(mark) + offset
    return data[:at] + new + data[at + len(new) :]


def wav_saying(data_size: int, riff_size: int, pcm: bytes, *, rate: int = RATE, between: bytes = b"") -> bytes:
    """A 16-bit mono WAV whose header says these sizes, whatever is true."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", riff_size, b"WAVE")
    return head + form + between + struct.pack("<4sI", b"data", data_size) + pcm


def by_ffmpeg(folder: Path, samples: Samples, name: str, *options: str) -> Path:
    """A file as ffmpeg writes it."""
    source, path = folder / "for-ffmpeg.wav", folder / name
    soundfile.write(source, samples, RATE)
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(source), *options, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def beginning(recording: Path, seconds: float, path: Path) -> Path:
    """The first seconds of a recording."""
    with wave.open(str(recording)) as whole, wave.open(str(path), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(round(seconds * whole.getframerate())))
    return path
