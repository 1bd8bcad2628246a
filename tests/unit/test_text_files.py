"""Files that a person has written, and files that nobody can have written."""

import os
import tomllib
from errno import EFBIG
from pathlib import Path

import pytest

from mictape.cli.main import run as mictape
from mictape.text_files import LARGEST_BYTES, read_text, toml

FILES = ("config.toml", "state.toml", "models.toml", "themes/mine.toml")


def test_the_mark_of_some_editors_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_text('a = "é"', "utf-8-sig")
    assert toml(read_text(tmp_path / "file")) == {"a": "é"}


def test_what_is_not_utf_8_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "file")


def test_no_file_is_read_without_end(tmp_path: Path) -> None:
    (tmp_path / "largest").write_bytes(b"a" * LARGEST_BYTES)
    assert len(read_text(tmp_path / "largest")) == LARGEST_BYTES
    with (tmp_path / "larger").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(OSError, match=os.strerror(EFBIG)):
        read_text(tmp_path / "larger")


@pytest.mark.parametrize("text", [f"a = {'[' * 50_000}", f"a = 1{'0' * 10_000}"])
def test_what_python_cannot_read_is_no_toml(text: str) -> None:
    with pytest.raises(ValueError, match="too many"):
        toml(text)
    with pytest.raises(tomllib.TOMLDecodeError, match="end of document"):
        toml("a = ")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", [f"a = {'[' * 50_000}", f"a = 1{'0' * 10_000}", "\0", "a" * (LARGEST_BYTES + 1)])
def test_a_broken_file_of_any_kind_is_no_unexpected_error(
    name: str, text: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / name).parent.mkdir(parents=True)
    (home / name).write_text(text)
    for command in ("models", "config show", "--theme mine"):
        assert mictape(command.split()) in (0, 2), command
        said = capsys.readouterr().err
        assert "nexpected" not in said
        assert "Traceback" not in said


@pytest.mark.skipif(os.name == "nt", reason="needs named pipes")
@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / name).parent.mkdir(parents=True)
    os.mkfifo(home / name)
    said = ""
    for command in ("models", "config show", "--theme mine"):
        assert mictape(command.split()) in (0, 2), command
        said += capsys.readouterr().err
    assert "it is a pipe" in said or name == "state.toml", "what is only remembered is forgotten"
    assert "nexpected" not in said


def test_a_value_that_is_typed_may_look_like_anything(capsys: pytest.CaptureFixture[str]) -> None:
    assert mictape(["--set", f"language={'[' * 50_000}", "config", "show"]) == 2
    assert capsys.readouterr().err.startswith("mictape: Invalid value for language")
