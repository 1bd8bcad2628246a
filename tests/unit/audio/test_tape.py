"""The tape on a real disk: whatever is appended, reopened and read equals the bytes."""

import asyncio
import os
import shutil
import stat
import wave
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.audio.clock import Anchor
from mictape.audio.messages import Account, Hole
from mictape.audio.tape import (
    Tape,
    TapeError,
    TapeWriter,
    count_samples,
    find_parts,
    read_journal,
)
from support.sound import pcm

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 90)),
        st.tuples(st.just("reopen"), st.just(0)),
        st.tuples(st.just("killed"), st.integers(0, 1)),
        st.tuples(st.just("silence"), st.integers(1, 40)),
    ),
    max_size=12,
)


@given(steps=STEPS, part_samples=st.integers(1, 64), start=st.integers(0, 400), count=st.integers(0, 400))
def test_any_sequence_of_appends_and_restarts_reads_as_the_bytes(
    steps: list[tuple[str, int]], part_samples: int, start: int, count: int
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        expected = b""
        writer = TapeWriter(folder, 1, part_samples=part_samples)
        for step, size in steps:
            end = len(expected) // 2
            if step == "append":
                writer.append(pcm(end, size))
                expected += pcm(end, size)
            elif step == "silence":
                writer.silence(size, Hole(end, end + size, "overflow"))
                expected += bytes(2 * size)
            else:
                if step == "reopen":
                    writer.close()
                elif size and (parts := find_parts(folder, 1)):
                    last = parts[-1]
                    if last.path.stat().st_size % 2 == 0:
                        with last.path.open("ab") as file:  # half a sample, as when the disk was full
                            file.write(b"x")
                writer = TapeWriter(folder, 1, part_samples=part_samples)
            assert writer.samples == len(expected) // 2
        for part in find_parts(folder, 1):
            assert part.samples <= part_samples
            with wave.open(str(part.path)) as whole:
                assert (whole.getframerate(), whole.getnchannels(), whole.getsampwidth()) == (16_000, 1, 2)
                assert whole.readframes(part.samples + 1) == expected[2 * part.first :][: 2 * part.samples]
        tape = Tape.finished(folder, 1)
        assert tape.samples == len(expected) // 2
        assert tape.read(start, count) == expected[2 * start : 2 * (start + count)]
        writer.close()


def test_every_append_leaves_a_whole_file(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path, 1)
    for n in range(1, 4):
        writer.append(pcm(0, 320))
        with wave.open(str(find_parts(tmp_path, 1)[0].path)) as file:
            assert file.getnframes() == 320 * n
    writer.sync()
    writer.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has to seek")
def test_an_append_looks_at_the_file_once_and_writes_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    class Counted(FileIO):
        def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
            calls.append("write")
            return super().write(data)

        def seek(self, *where: int) -> int:
            calls.append("seek")
            return super().seek(*where)

    monkeypatch.setattr("mictape.audio.tape.writer.FileIO", Counted)
    writer = TapeWriter(tmp_path, 1)
    writer.append(pcm(0, 320))
    fstat, pwrite = os.fstat, os.pwrite
    monkeypatch.setattr(os, "fstat", lambda file: calls.append("fstat") or fstat(file))
    monkeypatch.setattr(os, "pwrite", lambda *call: calls.append("pwrite") or pwrite(*call))
    calls.clear()
    writer.append(pcm(320, 320))
    writer.close()
    assert calls == ["fstat", "write", "pwrite"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_files_are_private_and_named_by_their_first_sample(tmp_path: Path) -> None:
    TapeWriter(tmp_path, 2).append(pcm(0, 5))
    TapeWriter(tmp_path, 2).append(pcm(5, 5))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["track2-000000000000.wav", "track2-000000000005.wav", "track2.jsonl"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_part_without_samples_is_used_again(tmp_path: Path) -> None:
    (tmp_path / "track1-000000000000.wav").write_bytes(b"RIFF")
    writer = TapeWriter(tmp_path, 1)
    writer.append(pcm(0, 3))
    assert Tape.finished(tmp_path, 1).read(0, 9) == pcm(0, 3)


def test_a_second_writer_goes_on_where_the_first_one_ended(tmp_path: Path) -> None:
    first = TapeWriter(tmp_path, 1)
    second = TapeWriter(tmp_path, 1)  # ready, while the first one still writes
    first.append(pcm(0, 100))
    first.close()
    second.begin()
    second.append(pcm(100, 20))
    assert Tape.finished(tmp_path, 1).read(0, 200) == pcm(0, 120)


def test_a_reader_sees_what_was_reported_to_it_and_no_more(tmp_path: Path) -> None:
    TapeWriter(tmp_path, 1).append(pcm(0, 100))
    tape = Tape(tmp_path, 1)
    assert tape.read(0, 50) == b""
    tape.report(40)
    tape.report(30)
    assert (tape.samples, tape.read(30, 50)) == (40, pcm(30, 10))


def test_a_missing_piece_is_an_error_and_never_short(tmp_path: Path) -> None:
    TapeWriter(tmp_path, 1).append(pcm(0, 100))
    tape = Tape(tmp_path, 1)
    tape.report(101)
    with pytest.raises(TapeError, match="missing"):
        tape.read(0, 101)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")
def test_a_folder_that_vanishes_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    writer = TapeWriter(folder, 1)
    writer.append(pcm(0, 10))
    shutil.rmtree(folder)
    with pytest.raises(TapeError, match="vanished"):
        writer.append(pcm(10, 10))
    with pytest.raises(TapeError, match="vanished"):
        TapeWriter(folder, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_and_what_is_written_stays(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path, 1, part_samples=100)
    writer.append(pcm(0, 100))
    (tmp_path / "track1-000000000100.wav").symlink_to("/dev/full")
    with pytest.raises(TapeError, match="No space is left"):
        writer.append(pcm(100, 10))
    (tmp_path / "track1-000000000100.wav").unlink()
    assert Tape.finished(tmp_path, 1).read(0, 200) == pcm(0, 100)
    with wave.open(str(find_parts(tmp_path, 1)[0].path)) as file:
        assert file.getnframes() == 100


def test_accounts_of_several_writers_add_up(tmp_path: Path) -> None:
    for account in (Account(100, 110, 1, 20, 0), Account(200, 200, 0, 40, 40), Account(300, 305, 2, 5, 0)):
        writer = TapeWriter(tmp_path, 1)
        writer.note(account)
        writer.close()
    assert read_journal(tmp_path, 1).account == Account(300, 305, 3, 65, 40)


def test_journal_is_read_without_the_line_that_was_cut_off(tmp_path: Path) -> None:
    first, second = Anchor(0, 1.5, 2.5, "start"), Anchor(90, 9.0, 10.0, "hole")
    writer = TapeWriter(tmp_path, 1)
    writer.note(first)
    writer.note(Anchor(99, 8.0, 9.0, "tick"))  # of a sample that its writer did not live to write
    with (tmp_path / "track1.jsonl").open("ab") as file:
        file.write(b'{"type":"anchor","sam')
    writer = TapeWriter(tmp_path, 1)
    writer.note(Hole(10, 90, "restart"))
    writer.note(second)
    writer.note(Hole(50, 120, "restart"))
    journal = read_journal(tmp_path, 1)
    assert journal.anchors == (first, second)
    assert journal.holes == (Hole(10, 50, "restart"), Hole(50, 120, "restart"))


def test_tracks_are_counted_one_by_one(tmp_path: Path) -> None:
    for track in (1, 2):
        TapeWriter(tmp_path, track).append(pcm(0, track))
    assert [count_samples(tmp_path, track) for track in (1, 2, 3)] == [1, 2, 0]


async def test_a_waiting_reader_wakes_when_there_is_more_and_at_the_end(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 1)
    woken: list[tuple[int, int]] = []

    async def reader(beyond: int) -> None:
        woken.append((beyond, await tape.wait(beyond)))

    readers = [asyncio.create_task(reader(beyond)) for beyond in (10, 20, 99)]
    given_up = asyncio.create_task(reader(15))
    await asyncio.sleep(0)
    given_up.cancel()
    tape.report(15)
    await readers[0]
    assert woken == [(10, 15)]
    tape.report(30)
    await readers[1]
    tape.end()
    await readers[2]
    assert woken == [(10, 15), (20, 30), (99, 30)]
    assert (tape.ended, await tape.wait(1000)) == (True, 30)
