"""Finished parts as FLAC: the same samples, and at no moment none of them."""

import asyncio
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mictape.audio.tape import Tape, TapeError, TapeWriter, count_samples, find_parts, packing
from mictape.audio.tape.packing import pack, remove_sound
from support.sound import pcm

SAMPLES = 100_000


def recorded(folder: Path, *, part_samples: int = 30_000, samples: int = SAMPLES) -> bytes:
    """A tape of several parts."""
    writer = TapeWriter(folder, 1, part_samples=part_samples)
    writer.append(pcm(0, samples))
    writer.close()
    return pcm(0, samples)


def sound_of(folder: Path) -> bytes:
    tape = Tape.finished(folder, 1)
    return tape.read(0, tape.samples)


def test_a_packed_tape_reads_as_before_at_any_place(tmp_path: Path) -> None:
    sound = recorded(tmp_path)
    before = sum(part.path.stat().st_size for part in find_parts(tmp_path, 1))
    freed = pack(tmp_path)
    parts = find_parts(tmp_path, 1)
    assert [part.path.suffix for part in parts] == [".flac"] * 4
    assert [(part.first, part.samples) for part in parts] == [
        (0, 30_000),
        (30_000, 30_000),
        (60_000, 30_000),
        (90_000, 10_000),
    ]
    assert freed == before - sum(part.path.stat().st_size for part in parts) > 0
    assert {stat.S_IMODE(part.path.stat().st_mode) for part in parts} == {0o600}
    tape = Tape.finished(tmp_path, 1)
    assert tape.samples == count_samples(tmp_path, 1) == SAMPLES
    for start, count in ((0, SAMPLES), (29_999, 2), (59_000, 31_500), (99_999, 10), (SAMPLES, 5)):
        assert tape.read(start, count) == sound[2 * start : 2 * (start + count)]
    assert pack(tmp_path) == 0


READER = """
import sys
from pathlib import Path
from mictape.audio.tape import Tape
tape = Tape.finished(Path(sys.argv[1]), 1)
sys.stdout.buffer.write(tape.read(0, tape.samples))
print([name for name in ("numpy", "soundfile") if name in sys.modules], file=sys.stderr)
"""


def test_who_reads_a_packed_tape_needs_no_numpy(tmp_path: Path) -> None:
    sound = recorded(tmp_path)
    pack(tmp_path)
    done = subprocess.run([sys.executable, "-c", READER, str(tmp_path)], capture_output=True, check=True)
    assert done.stdout == sound
    assert done.stderr.decode() == "[]\n"


async def test_a_packed_tape_is_read_beside_the_event_loop_and_after_a_kill(tmp_path: Path) -> None:
    sound = recorded(tmp_path)
    pack(tmp_path)
    tape = Tape.finished(tmp_path, 1)
    reads = asyncio.gather(*(tape.fetch(start, 1_000) for start in (0, 50_000, 29_500)))
    assert await reads == [sound[2 * start : 2 * (start + 1_000)] for start in (0, 50_000, 29_500)]
    process = tape._unpacker._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(TapeError, match="has ended"):
        await tape.fetch(0, 10)
    assert await tape.fetch(0, 10) == sound[:20]
    (tmp_path / "track1-000000030000.flac").write_bytes(b"no sound")
    with pytest.raises(TapeError, match="cannot be read"):
        await tape.fetch(30_000, 10)


def test_a_packed_tape_can_be_written_further(tmp_path: Path) -> None:
    sound = recorded(tmp_path)
    pack(tmp_path)
    writer = TapeWriter(tmp_path, 1)
    writer.begin()
    writer.append(pcm(SAMPLES, 5_000))
    writer.close()
    assert sound_of(tmp_path) == sound + pcm(SAMPLES, 5_000)
    pack(tmp_path)
    assert sound_of(tmp_path) == sound + pcm(SAMPLES, 5_000)


@pytest.mark.skipif(shutil.which("flac") is None, reason="needs flac")
def test_the_flac_files_pass_flacs_own_test(tmp_path: Path) -> None:
    recorded(tmp_path)
    pack(tmp_path)
    files = [str(part.path) for part in find_parts(tmp_path, 1)]
    subprocess.run(["flac", "--test", "--silent", *files], check=True)


@pytest.mark.parametrize("wrong", ["one sample", "cut short"])
def test_the_wav_stays_when_the_flac_is_not_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    sound = recorded(tmp_path, part_samples=SAMPLES)
    pieces = packing._pieces
    asked: list[object] = []

    def first_time_wrong(part: packing.Part) -> object:
        asked.append(part)
        for piece in pieces(part):
            if len(asked) == 1:
                yield piece[:-2] + b"\x34\x12" if wrong == "one sample" else piece[:-2]
            else:
                yield piece

    monkeypatch.setattr(packing, "_pieces", first_time_wrong)
    with pytest.raises(TapeError, match="differs"):
        pack(tmp_path)
    assert [path.suffix for path in tmp_path.glob("track1-*")] == [".wav"]
    assert sound_of(tmp_path) == sound


def test_without_room_the_wav_stays(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    sound = recorded(tmp_path, part_samples=SAMPLES)
    code = (
        "import resource, signal, sys; from pathlib import Path; from mictape.audio.tape import TapeError\n"
        "from mictape.audio.tape.packing import pack; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try: pack(Path(sys.argv[1]))\nexcept TapeError as error: print(error)"
    )
    assert resource.RLIMIT_FSIZE is not None
    said = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert "recording" in said.stdout
    assert [path.suffix for path in tmp_path.glob("track1-*")] == [".wav"]
    assert sound_of(tmp_path) == sound


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("most", [4, pytest.param(40, marks=pytest.mark.proof)])
def test_a_kill_at_any_moment_leaves_all_of_the_sound(most: int, tmp_path: Path) -> None:
    sound = recorded(tmp_path, samples=400_000)
    code = "import sys; from pathlib import Path; from mictape.audio.tape.packing import pack, _soundfile\n"
    code += "_soundfile(); print('ready', flush=True); pack(Path(sys.argv[1]))"
    moments = random.Random(most)
    kills = 0
    while any(not part.packed for part in find_parts(tmp_path, 1)) and kills < most:
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.03))  # the moment is the case that is tried; nothing is waited for
            process.send_signal(signal.SIGKILL)
        kills += 1
        assert sound_of(tmp_path) == sound
    pack(tmp_path)
    assert kills > 1
    assert sound_of(tmp_path) == sound
    assert not list(tmp_path.glob("*.packing"))


def test_a_reader_goes_on_while_the_tape_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = recorded(tmp_path)
    tape = Tape.finished(tmp_path, 1)
    parts = find_parts(tmp_path, 1)
    pack(tmp_path)
    monkeypatch.setattr("mictape.audio.tape.reader.find_parts", lambda *_: parts)  # as they were a moment ago
    assert tape.read(0, SAMPLES) == sound


def test_removing_the_sound_leaves_the_journal(tmp_path: Path) -> None:
    recorded(tmp_path)
    shutil.copy(find_parts(tmp_path, 1)[0].path, tmp_path / "copy")
    pack(tmp_path)
    (tmp_path / "copy").rename(tmp_path / "track1-000000000000.wav")  # killed between the FLAC and the WAV's end
    size = sum(path.stat().st_size for path in tmp_path.glob("track1-*"))
    assert remove_sound(tmp_path) == size
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("track")] == ["track1.jsonl"]
    assert count_samples(tmp_path, 1) == 0
