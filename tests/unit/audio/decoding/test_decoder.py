"""Files are read whole, whatever their headers say, or it is said what is missing."""

import os
import shlex
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mictape.audio.capture.decoding import ffmpeg
from mictape.audio.capture.decoding.decoder import FileDecoder, UnreadableError
from mictape.audio.capture.levels import Samples
from support.sound import pcm
from support.soundfiles import (
    RATE,
    by_ffmpeg,
    chirp,
    encoded,
    needs_ffmpeg,
    patched,
    wav_saying,
    without_tag_frame,
)

SECONDS = 4.0
FRAMES = round(SECONDS * RATE)


def read(source: Path | int, folder: Path, *, skip: int = 0) -> tuple[Samples, str]:
    """All of a file as floats, and the warning at its end."""
    decoder = FileDecoder(source, "it", folder, skip)
    pieces: list[Samples] = []
    while len(samples := decoder.read(decoder.rate // 10)):
        pieces.append(samples / 32_768 if samples.dtype == np.int16 else samples)
    return np.concatenate(pieces) if pieces else np.zeros((0, 1)), decoder.warning()


def read_bytes(data: bytes, folder: Path) -> tuple[Samples, str]:
    path = folder / "sound"
    path.write_bytes(data)
    return read(path, folder)


def through_a_pipe(data: bytes, folder: Path) -> tuple[Samples, str]:
    reading, writing = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), os.fdopen(writing, "wb", buffering=0) as pipe:
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return read(reading, folder)
    finally:
        os.close(reading)
        writer.join()


def counted(samples: Samples) -> bytes:
    """What was read of 16-bit sound, as it was written."""
    return np.rint(samples * 32_768).astype("<i2").tobytes()


ways = pytest.mark.parametrize("way", [read_bytes, through_a_pipe])
Way = Callable[[bytes, Path], tuple[Samples, str]]


# MP3.


def speech_then_silence() -> Samples:
    """Its first frames have a high bit rate and its last ones a low one, so that an estimate is far too short."""
    sound = chirp(10 * SECONDS)
    sound[len(sound) // 4 :] = 0
    return sound


@ways
def test_an_mp3_without_a_header_is_read_to_its_end(tmp_path: Path, way: Way) -> None:
    mp3 = without_tag_frame(encoded(speech_then_silence(), "MP3", vbr=True))
    samples, warning = way(mp3, tmp_path)
    assert 10 * FRAMES <= len(samples) < 10 * FRAMES + 3 * 1152
    assert warning == ""


@ways
def test_an_mp3_with_a_header_is_as_long_as_what_was_encoded(tmp_path: Path, way: Way) -> None:
    sound = chirp(SECONDS)
    samples, warning = way(encoded(sound, "MP3"), tmp_path)
    assert (len(samples), warning) == (FRAMES, "")
    assert np.corrcoef(samples[:, 0], sound[:, 0])[0, 1] > 0.99, (
        "the silence that the encoder put before it is left out"
    )


@ways
@pytest.mark.parametrize("tagged", [True, False])
def test_joined_mp3s_are_read_one_after_the_other(tmp_path: Path, way: Way, tagged: bool) -> None:
    mp3 = encoded(chirp(SECONDS), "MP3")
    mp3 = mp3 if tagged else without_tag_frame(mp3)
    alone, _ = way(mp3, tmp_path)
    both, warning = way(mp3 + b"TAG" + bytes(125) + mp3, tmp_path)
    assert (len(both), warning) == (2 * len(alone), "")
    if tagged:
        assert np.array_equal(both, np.concatenate([alone, alone]))


def test_joined_mp3s_of_other_rates_and_channels_are_fitted_to_the_first(tmp_path: Path) -> None:
    first = encoded(chirp(SECONDS), "MP3")
    second = encoded(chirp(SECONDS, rate=44_100, channels=2), "MP3", rate=44_100)
    samples, warning = read_bytes(first + second, tmp_path)
    assert abs(len(samples) - 2 * FRAMES) < RATE // 100
    assert (samples.shape[1], warning) == (1, "")
    again = samples[FRAMES:, 0]
    assert np.corrcoef(again[: FRAMES - 200], chirp(SECONDS)[: FRAMES - 200, 0])[0, 1] > 0.95


@ways
def test_an_mp3_header_that_says_too_little_is_not_believed(tmp_path: Path, way: Way) -> None:
    mp3 = encoded(chirp(SECONDS), "MP3", vbr=True)
    mark = b"Xing" if b"Xing" in mp3[:1000] else b"Info"
    samples, warning = way(patched(mp3, mark, 8, (10).to_bytes(4)), tmp_path)
    assert len(samples) >= FRAMES
    assert "the header of it says 0." in warning


def test_an_mp3_that_was_cut_off_says_how_much_is_missing(tmp_path: Path) -> None:
    mp3 = encoded(chirp(SECONDS), "MP3")
    samples, warning = read_bytes(mp3[: len(mp3) // 2], tmp_path)
    assert 0.4 < len(samples) / FRAMES < 0.6
    assert warning == f"it is truncated: {len(samples) / RATE:.1f} s of 4.0 s could be read"


def test_what_was_read_before_is_passed_over_in_a_lossy_file(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp3"
    mp3 = encoded(chirp(SECONDS), "MP3")
    path.write_bytes(mp3 + mp3)
    whole, _ = read(path, tmp_path)
    rest, warning = read(path, tmp_path, skip=FRAMES + 1_000)
    assert np.array_equal(rest, whole[FRAMES + 1_000 :])
    assert warning == ""


# Ogg.


@ways
@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_a_chain_of_oggs_is_read_one_after_the_other(tmp_path: Path, way: Way, codec: str) -> None:
    links = [encoded(chirp(SECONDS), "OGG", codec), encoded(chirp(SECONDS / 2), "OGG", codec)]
    alone = [way(link, tmp_path)[0] for link in links]
    both, warning = way(links[0] + links[1], tmp_path)
    assert np.array_equal(both, np.concatenate(alone))
    assert warning == ""


def test_an_ogg_that_was_cut_off_says_so(tmp_path: Path) -> None:
    ogg = encoded(chirp(4 * SECONDS), "OGG", "VORBIS")
    samples, warning = read_bytes(ogg[: len(ogg) // 2], tmp_path)
    assert 0 < len(samples) < 4 * FRAMES
    assert warning == f"it may be truncated: it has no end mark. {len(samples) / RATE:.1f} s were read"


# FLAC.


@ways
def test_a_streamed_flac_of_unknown_length_is_whole(tmp_path: Path, way: Way) -> None:
    flac = encoded(chirp(SECONDS), "FLAC")
    streamed = patched(flac, b"fLaC", 8 + 13, bytes([flac[21] & 0xF0, 0, 0, 0, 0]))  # how many samples: not known
    samples, warning = way(streamed, tmp_path)
    assert (len(samples), warning) == (FRAMES, "")


@ways
def test_joined_flacs_are_read_one_after_the_other(tmp_path: Path, way: Way) -> None:
    flac = encoded(chirp(SECONDS), "FLAC")
    samples, warning = way(flac + flac, tmp_path)
    assert np.array_equal(samples[:FRAMES], samples[FRAMES:])
    assert (len(samples), warning) == (2 * FRAMES, "")


def test_a_flac_that_was_cut_off_says_how_much_is_missing(tmp_path: Path) -> None:
    flac = encoded(chirp(SECONDS), "FLAC")
    samples, warning = read_bytes(flac[: len(flac) // 2], tmp_path)
    assert warning == f"it is truncated: {len(samples) / RATE:.1f} s of 4.0 s could be read"


# WAV and its relatives.

COUNTER = pcm(0, FRAMES)
LIST = b"LIST\x03\0\0\0abc\0"


@pytest.mark.parametrize(
    ("data_size", "riff_size"),
    [(0, 36), (0, 0), (0xFFFF_FFFF, 0xFFFF_FFFF), (0x7FFF_F000, 0x7FFF_F024), (0x8000_0000, 0x8000_0024)],
)
@ways
def test_a_wav_whose_recorder_was_killed_is_read_to_its_end(
    tmp_path: Path, way: Way, data_size: int, riff_size: int
) -> None:
    samples, warning = way(wav_saying(data_size, riff_size, COUNTER, between=LIST), tmp_path)
    assert (counted(samples), warning) == (COUNTER, "")


@ways
def test_a_wav_whose_header_was_true_some_time_before_is_read_to_its_end(tmp_path: Path, way: Way) -> None:
    samples, warning = way(wav_saying(32_000, 32_036, COUNTER), tmp_path)
    assert counted(samples) == COUNTER
    assert warning == "All 4.0 s were read, although the header of it says 1.0 s"


@ways
def test_chunks_behind_the_sound_of_a_wav_are_no_sound(tmp_path: Path, way: Way) -> None:
    cover = struct.pack("<4sI", b"id3 ", 300_000) + os.urandom(300_000)
    samples, warning = way(wav_saying(len(COUNTER), 36 + len(COUNTER), COUNTER) + LIST + cover, tmp_path)
    assert (counted(samples), warning) == (COUNTER, "")


@ways
def test_a_large_chunk_before_the_sound_of_a_wav_is_passed_over(tmp_path: Path, way: Way) -> None:
    cover = struct.pack("<4sI", b"id3 ", 3_000_000) + bytes(3_000_000)
    samples, warning = way(wav_saying(len(COUNTER), 36 + len(COUNTER), COUNTER, between=cover), tmp_path)
    assert (counted(samples), warning) == (COUNTER, "")


@ways
def test_joined_wavs_are_read_one_after_the_other(tmp_path: Path, way: Way) -> None:
    wav = wav_saying(len(COUNTER), 36 + len(COUNTER), COUNTER) + LIST
    samples, warning = way(wav + wav, tmp_path)
    assert (counted(samples), warning) == (COUNTER + COUNTER, "")


KILLED = {
    "AIFF": (b"SSND", 4, (8).to_bytes(4)),
    "CAF": (b"data", 4, b"\xff" * 8),
    "AU": (b".snd", 8, bytes(4)),
    "W64": (b"data\xf3\xac", 16, (24).to_bytes(8, "little")),
    "RF64": (b"ds64", 16, bytes(8)),
}


@pytest.mark.parametrize("kind", KILLED)
@ways
def test_relatives_of_wav_whose_recorder_was_killed_are_read_to_their_end(tmp_path: Path, way: Way, kind: str) -> None:
    sound = np.frombuffer(COUNTER, dtype="<i2").reshape(-1, 1)
    samples, warning = way(patched(encoded(sound, kind, "PCM_16"), *KILLED[kind]), tmp_path)
    assert (counted(samples), warning) == (COUNTER, "")


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64", "AIFF", "CAF", "AU", "W64"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_relatives_of_wav_that_were_cut_off_say_how_much_is_missing(tmp_path: Path, kind: str, subtype: str) -> None:
    whole = encoded(chirp(SECONDS), kind, subtype)
    assert len(read_bytes(whole, tmp_path)[0]) == FRAMES
    samples, warning = read_bytes(whole[: len(whole) // 2], tmp_path)
    assert abs(len(samples) - FRAMES // 2) < 1_100  # CAF keeps 4 KiB free before its sound
    assert warning == f"it is truncated: {len(samples) / RATE:.1f} s of 4.0 s could be read"


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "ULAW", "GSM610", "PCM_U8"])
def test_packed_wavs_whose_recorder_was_killed_are_read_to_their_end(tmp_path: Path, subtype: str) -> None:
    whole = encoded(chirp(SECONDS), "WAV", subtype)
    expected, warning = read_bytes(whole, tmp_path)
    assert (abs(len(expected) - FRAMES) < 2_000, warning) == (True, "")
    samples, warning = read_bytes(patched(whole, b"data", 4, bytes(4)), tmp_path)
    assert np.array_equal(samples, expected)
    assert warning == ""


# What is refused.


@pytest.mark.parametrize("rate", [1, 7, 2_000_000_000])
@ways
def test_a_rate_that_cannot_be_is_refused(tmp_path: Path, way: Way, rate: int) -> None:
    with pytest.raises(UnreadableError, match=f"header of it is damaged: it says {rate} samples a second"):
        way(wav_saying(len(COUNTER), 36 + len(COUNTER), COUNTER, rate=rate), tmp_path)


def test_a_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "empty", "it is empty")):
        with pytest.raises(UnreadableError, match=words):
            read(path, tmp_path)


# ffmpeg.

NAMED = ("it.mp4", "it.webm", "it.avi")
"""One for each kind of container; the others are in the proof."""

BY_FFMPEG = {
    "it.m4a": ("-c:a", "aac"),
    "it.mp4": ("-c:a", "aac", "-movflags", "+faststart"),
    "it.mov": ("-c:a", "aac"),
    "it.aac": ("-c:a", "aac"),
    "it.webm": ("-c:a", "libopus"),
    "it.mkv": ("-c:a", "pcm_s16le"),
    "it.avi": ("-c:a", "libmp3lame"),
    "it.wma": ("-c:a", "wmav2"),
    "it.ts": ("-c:a", "aac"),
}


@needs_ffmpeg
@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in NAMED else [pytest.mark.proof]) for each in BY_FFMPEG]
)
@pytest.mark.parametrize("piped", [False, True])
def test_what_only_ffmpeg_reads_is_read_through_it(tmp_path: Path, name: str, piped: bool) -> None:
    path = by_ffmpeg(tmp_path, chirp(SECONDS), name, *BY_FFMPEG[name])
    samples, warning = through_a_pipe(path.read_bytes(), tmp_path) if piped else read(path, tmp_path)
    rate = 48_000 if name == "it.webm" else RATE
    assert abs(len(samples) / rate - SECONDS) < 0.2
    assert warning == ""


AMR = b"#!AMR\n" + (b"\x3c" + bytes(31)) * 150
"""3 s of near silence at 12.2 kbit/s: free builds of ffmpeg have no encoder for it."""


@needs_ffmpeg
def test_amr_is_read_through_ffmpeg(tmp_path: Path) -> None:
    path = tmp_path / "it.amr"
    path.write_bytes(AMR)
    samples, warning = read(path, tmp_path)
    assert (len(samples), warning) == (150 * 160, "")


@needs_ffmpeg
def test_an_mp4_without_its_index_is_refused_in_ffmpegs_words(tmp_path: Path) -> None:
    path = by_ffmpeg(tmp_path, chirp(SECONDS), "it.m4a", "-c:a", "aac")
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(UnreadableError, match="moov atom not found"):
        read(path, tmp_path)


@needs_ffmpeg
def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    path = by_ffmpeg(tmp_path, chirp(SECONDS), "it.mkv", "-f", "lavfi", "-i", "color=s=16x16:d=1", "-map", "1:v")
    with pytest.raises(UnreadableError, match="it has no sound in it"):
        read(path, tmp_path)


def test_without_ffmpeg_the_commands_to_get_on_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)
    path = tmp_path / "it's.m4a"
    path.write_bytes(struct.pack(">I4s4s", 24, b"ftyp", b"M4A ") + bytes(600))
    convert = ["ffmpeg", "-i", "it's.m4a", "it's.flac"]
    with pytest.raises(UnreadableError) as caught:
        FileDecoder(path, path.name, tmp_path)
    assert caught.value.what == "it's.m4a can be read with ffmpeg only, which is not installed"
    assert caught.value.remedy.endswith("or convert the file elsewhere: " + shlex.join(convert))
