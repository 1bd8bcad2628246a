"""The sound of a session as one file, read back by libsndfile and by ffmpeg."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mictape.audio.capture.levels import Samples
from mictape.audio.clock import Anchor
from mictape.audio.tape import TapeWriter
from mictape.audio.tape.packing import pack
from mictape.failure import MictapeError
from mictape.library.records import TrackRecord
from mictape.session import sound_export
from mictape.session.sound_export import KINDS, PIECE, sound_between, write_sound
from support.sound import pcm
from support.soundfiles import needs_ffmpeg

RATE = 16_000
LENGTH = PIECE + 50_000


def tape(folder: Path, number: int, sound: bytes, *anchors: Anchor, part_samples: int = 60_000) -> None:
    writer = TapeWriter(folder, number, part_samples=part_samples)
    for anchor in anchors:
        writer.note(anchor)
    writer.append(sound)
    writer.close()


def read(path: Path) -> Samples:
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    assert rate == RATE
    return samples


def track(number: int, origin: int = 0) -> TrackRecord:
    return TrackRecord(number, f"track {number}", "a device", origin=origin)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_all_parts_are_one_file(tmp_path: Path, ending: str, packed: bool) -> None:
    tape(tmp_path, 1, pcm(0, LENGTH))
    if packed:
        pack(tmp_path)
    path = tmp_path / f"talk{ending}"
    steps: list[tuple[int, int]] = []
    assert write_sound(tmp_path, [track(1)], path, wrote=lambda *step: steps.append(step)) == LENGTH
    assert read(path).tobytes() == pcm(0, LENGTH)
    assert steps == [(PIECE, LENGTH), (LENGTH, LENGTH)]


def test_a_stretch_of_it(tmp_path: Path) -> None:
    tape(tmp_path, 1, pcm(0, LENGTH))
    path = tmp_path / "talk.wav"
    assert write_sound(tmp_path, [track(1)], path, 59_000, 61_000) == 2_000
    assert read(path).tobytes() == pcm(59_000, 2_000)
    assert write_sound(tmp_path, [track(1)], path, LENGTH - 10, LENGTH + 10) == 10
    for start, end in ((LENGTH, None), (100, 100), (200, 100)):
        with pytest.raises(MictapeError, match="no sound in that part"):
            write_sound(tmp_path, [track(1)], path, start, end)


def test_each_track_is_a_channel_at_its_place_in_session_time(tmp_path: Path) -> None:
    tape(tmp_path, 1, pcm(0, LENGTH), Anchor(0, 100.0, 0.0, "start"))
    tape(tmp_path, 2, pcm(7, 30_000), Anchor(0, 102.0, 0.0, "start"))
    path = tmp_path / "talk.wav"
    write_sound(tmp_path, [track(1), track(2, origin=32_000)], path)
    samples = read(path)
    assert samples.shape == (LENGTH, 2)
    assert samples[:, 0].tobytes() == pcm(0, LENGTH)
    assert samples[:, 1].tobytes() == bytes(2 * 32_000) + pcm(7, 30_000) + bytes(2 * (LENGTH - 62_000))
    write_sound(tmp_path, [track(2, origin=32_000)], path, 40_000, 42_000)
    assert read(path).tobytes() == pcm(7 + 8_000, 2_000)


def test_where_a_track_was_not_recorded_there_is_silence(tmp_path: Path) -> None:
    """It is recorded for a second, taken away for two, and recorded again."""
    tape(tmp_path, 1, pcm(0, 5 * RATE), Anchor(0, 100.0, 0.0, "start"))
    again = [Anchor(RATE, 101.0, 0.0, "pause"), Anchor(RATE, 103.0, 0.0, "start")]
    tape(tmp_path, 2, pcm(7, 2 * RATE), Anchor(0, 100.0, 0.0, "start"), *again)
    path = tmp_path / "talk.wav"
    write_sound(tmp_path, [track(1), track(2)], path)
    expected = pcm(7, RATE) + bytes(2 * 2 * RATE) + pcm(7 + RATE, RATE) + bytes(2 * RATE)
    assert read(path)[:, 1].tobytes() == expected
    write_sound(tmp_path, [track(2)], path, 2 * RATE, 4 * RATE)
    assert read(path).tobytes() == bytes(2 * RATE) + pcm(7 + RATE, RATE)
    assert sound_between(tmp_path, track(2), RATE // 2, 3 * RATE + 1) == expected[RATE : 2 * (3 * RATE + 1)]


def test_a_track_whose_clock_runs_otherwise_stays_near_its_place(tmp_path: Path) -> None:
    """2 % slower: in 12 s it would be 240 ms late."""
    tape(tmp_path, 1, bytes(2 * 200_000), Anchor(0, 100.0, 0.0, "start"), Anchor(200_000, 112.5, 0.0, "tick"))
    tape(tmp_path, 2, pcm(0, 196_000), Anchor(0, 100.0, 0.0, "start"), Anchor(196_000, 112.5, 0.0, "tick"))
    path = tmp_path / "talk.wav"
    write_sound(tmp_path, [track(1), track(2)], path)
    second = read(path)[:, 1].view(np.uint16)
    assert second[PIECE - 1] == (PIECE - 1) % 65_536
    assert second[PIECE] == round(PIECE * 0.98) % 65_536


@needs_ffmpeg
@pytest.mark.parametrize("ending", KINDS)
def test_every_kind_is_read_by_another_program(tmp_path: Path, ending: str) -> None:
    at = np.arange(LENGTH)
    tape(tmp_path, 1, np.rint(8_000 * np.sin(at / 8)).astype("<i2").tobytes())
    path = tmp_path / f"talk{ending}"
    write_sound(tmp_path, [track(1)], path)
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert float(said["format"]["duration"]) == pytest.approx(LENGTH / RATE, abs=0.1)
    assert said["streams"][0]["channels"] == 1
    if ending == ".flac" and shutil.which("flac"):
        subprocess.run(["flac", "--test", "--silent", str(path)], check=True)


def test_a_wav_that_would_be_too_long_is_an_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_export, "LONGEST_WAV", 1_000)
    tape(tmp_path, 1, pcm(0, 4_000))
    write_sound(tmp_path, [track(1)], tmp_path / "talk.wav")
    assert (tmp_path / "talk.wav").read_bytes()[:4] == b"RF64"
    assert read(tmp_path / "talk.wav").tobytes() == pcm(0, 4_000)


def test_what_cannot_be_written_is_reported(tmp_path: Path) -> None:
    tape(tmp_path, 1, pcm(0, 4_000))
    for name, words in (("talk.txt", "which kind of sound file"), ("no/talk.wav", "cannot be written")):
        with pytest.raises(MictapeError, match=words) as caught:
            write_sound(tmp_path, [track(1)], tmp_path / name)
        assert caught.value.failure.remedy
    with pytest.raises(MictapeError, match="has no sound"):
        write_sound(tmp_path, [track(3)], tmp_path / "talk.wav")
