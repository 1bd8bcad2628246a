"""`mictape transcribe` into files and with times: the real engine on real speech."""

import re
from pathlib import Path

import pysubs2
import pytest

from mictape.cli.main import run as mictape
from servers.base import Server
from support.command_line import called
from support.example_service import leading_to, sound


def test_a_file_gets_the_format_of_its_ending_and_stdout_nothing(parrot: Server, tmp_path: Path) -> None:
    target = tmp_path / "talk.srt"
    target.write_text("what was there")
    done = called("transcribe", *leading_to(parrot), "-o", str(target), "--force", str(sound(tmp_path / "x.wav")))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "second 1" in pysubs2.load(str(target))[0].plaintext


def test_lines_begin_with_their_times_when_that_is_wanted(parrot: Server, tmp_path: Path) -> None:
    done = called("transcribe", *leading_to(parrot), "--times", str(sound(tmp_path / "x.wav")))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("00:00:00  second 1\n00:00:0")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "talk.docx"], "No format ends in .docx"),
        (["-o", "talk.srt", "--format", "md"], "--format says md"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_starts(
    options: list[str], words: str, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sound(tmp_path / "x.wav")
    assert mictape(["transcribe", str(file), "--keep", *options]) == 2
    assert words in capsys.readouterr().err
    assert not list(home.glob("sessions/*")), "no session was begun"


@pytest.mark.parametrize("output", ["talk.txt", "."])
def test_a_file_that_exists_is_not_replaced_and_nothing_is_transcribed_for_it(
    output: str, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "talk.txt").write_text("corrected by hand")
    file = sound(tmp_path / "talk.wav")
    assert mictape(["transcribe", str(file), "--keep", "-o", str(tmp_path / output)]) == 3
    assert "talk.txt exists. Use another name, or replace it (--force on the command line)" in capsys.readouterr().err
    assert (tmp_path / "talk.txt").read_text() == "corrected by hand"
    assert not list(home.glob("sessions/*")), "no session was begun"


def test_several_files_go_into_a_folder_and_one_that_fails_costs_no_other(parrot: Server, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "texts"
    (tmp_path / "b").mkdir()
    for name in ("a.wav", "b.wav", "b.WAVE", "b/b.wav"):
        sound(tmp_path / name)
    files = [str(tmp_path / name) for name in ("a.wav", "gone.wav", "b.wav", "b.WAVE", "b/b.wav")]
    done = called("transcribe", *leading_to(parrot), "-o", str(folder), "--format", "srt", *files)
    assert (done.returncode, done.stdout) == (3, "")
    assert "gone.wav cannot be opened" in done.stderr
    assert sorted(each.name for each in folder.iterdir()) == sorted(
        ["a.srt", "b.WAVE.srt", f"{tmp_path.name} b.wav.srt", "b b.wav.srt"]
    )
    assert all("second 1" in each.read_text() for each in folder.iterdir())


def test_several_files_are_printed_under_their_names_with_who_speaks(parrot: Server, tmp_path: Path) -> None:
    files = [str(sound(tmp_path / name)) for name in ("a.wav", "b.wav")]
    done = called("transcribe", *leading_to(parrot), "--speakers", "--name", "Ann", *files)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("\n\n")[:2]
    assert first.splitlines()[:2] == [f"==> {files[0]} <==", "Ann: second 1"]
    assert second.splitlines()[0] == f"==> {files[1]} <=="


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", __file__], "is not a folder. Name a folder."),
        (["--json"], "Several files cannot be printed as json. Add -o FOLDER."),
        (["-o", "both.srt"], "one file, both.srt. Name a folder: -o FOLDER --format srt."),
        (["-"], "Give - alone"),
    ],
)
def test_an_output_that_does_not_fit_several_files_is_refused(
    options: list[str], words: str, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(sound(tmp_path / name)) for name in ("a.wav", "b.wav")]
    assert mictape(["transcribe", *files, *options]) == 2
    assert words in capsys.readouterr().err


def test_what_is_not_to_be_kept_needs_no_place_to_keep_it(
    parrot: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "file"
    place.touch()
    monkeypatch.setenv("MICTAPE_HOME", str(place))
    options = (*leading_to(parrot), str(sound(tmp_path / "x.wav")))
    done = called("transcribe", *options)
    kept = called("transcribe", "--keep", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("second 1")
    assert kept.returncode == 3
    assert f"Nothing can be kept in {place}" in kept.stderr


def test_a_library_in_what_is_no_folder_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "file"
    place.touch()
    monkeypatch.setenv("MICTAPE_HOME", str(place))
    assert mictape(["sessions"]) == 3
    assert f"{place} is not a folder" in capsys.readouterr().err


def test_completing_what_is_complete_says_so(parrot: Server, tmp_path: Path) -> None:
    called("transcribe", "--keep", *leading_to(parrot), str(sound(tmp_path / "x.wav")))
    done = called("sessions", "complete", *leading_to(parrot))
    assert done.returncode == 0
    assert re.search(r"There is nothing to complete: all of session \d{8}-\d{6} is transcribed\.", done.stderr)
