"""`mictape transcribe` into files and with times: the real engine on real speech."""

from pathlib import Path

import pysubs2
import pytest

from mictape.cli.main import run as mictape
from support.example_service import Parrot, environment, sound
from support.example_service import mictape as started

KEY = "key-of-the-parrot"


async def test_a_file_gets_the_format_of_its_ending_and_stdout_nothing(tmp_path: Path) -> None:
    target = tmp_path / "talk.srt"
    async with Parrot(KEY).serve() as server:
        options = ("--engine", "parrot", "--set", f"url={server.url}", "-o", str(target))
        done = await started(
            "transcribe", *options, str(sound(tmp_path / "x.wav")), env=environment(PARROT_API_KEY=KEY)
        )
    assert (done.code, done.out) == (0, ""), done.err
    assert "second 1" in pysubs2.load(str(target))[0].plaintext


async def test_lines_begin_with_their_times_when_that_is_wanted(tmp_path: Path) -> None:
    async with Parrot(KEY).serve() as server:
        options = ("--engine", "parrot", "--set", f"url={server.url}", "--times")
        done = await started(
            "transcribe", *options, str(sound(tmp_path / "x.wav")), env=environment(PARROT_API_KEY=KEY)
        )
    assert done.code == 0, done.err
    assert done.out.startswith("00:00:00  second 1\n00:00:0")


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
