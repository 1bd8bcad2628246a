"""Which files a person means by names, folders and patterns."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from mictape.failure import ExitCode, MictapeError
from mictape.recording.files import files_in
from support.rights import without_rights


def test_a_folder_stands_for_the_sound_files_below_it(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    for name in ("b.WAV", "deeper/a.mp3", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert files_in([str(tmp_path)]) == [tmp_path / "b.WAV", tmp_path / "deeper" / "a.mp3"]


def test_a_pattern_stands_for_files_only(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "b.wav").mkdir()
    for pattern in ("*.wav", "**", "***a.wav", "[a].wav"):
        assert files_in([str(tmp_path / pattern)]) == [tmp_path / "a.wav"], pattern


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("", "is empty", ExitCode.USAGE),
        ("a" * 300, "File name too long", ExitCode.SOUND),
        ("a" * 300 + "*", "File name too long", ExitCode.SOUND),
        ("no*thing", "No file fits", ExitCode.USAGE),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(name: str, said: str, code: ExitCode) -> None:
    with pytest.raises(MictapeError, match=said) as caught:
        files_in([name])
    assert caught.value.failure.code is code


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_a_folder_that_cannot_be_read_is_not_passed_over() -> None:
    outer = Path(tempfile.mkdtemp())  # unlike tmp_path in a folder that anybody may look into
    try:
        outer.chmod(0o755)
        closed = outer / "closed"
        closed.mkdir()
        (closed / "a.wav").write_bytes(b"")
        closed.chmod(0o000)
        with without_rights():
            for name in (outer, closed, closed / "a.wav"):
                with pytest.raises(MictapeError, match=r"[Pp]ermission denied"):
                    files_in([str(name)])
        closed.chmod(0o700)
    finally:
        shutil.rmtree(outer)
