"""The file of an export: whole, where it was meant, and never in the place of what is no file."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mictape.failure import MictapeError
from mictape.library.export import write

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and pipes are POSIX")


def refused(path: Path, *, over: bool = True) -> str:
    with pytest.raises(MictapeError) as caught:
        write(["new"], path, over=over)
    return str(caught.value)


def test_a_file_is_written_once_and_replaced_when_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    write(["one\n", "two\r\n\ud800"], path, over=False)
    assert path.read_bytes() == b"one\ntwo\r\n?"
    assert "exists" in refused(path, over=False)
    assert path.read_bytes().startswith(b"one")
    write(["three"], path, over=True)
    assert path.read_text() == "three"
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"


def test_what_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def pieces() -> Iterator[str]:
        yield "one"
        raise RuntimeError

    path = tmp_path / "talk.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write(pieces(), path, over=True)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    missing = tmp_path / "no"
    assert refused(missing / "talk.txt") == f"There is no folder {missing}. Make it, or use another one."


@posix_only
def test_a_link_stays_one_and_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "there" / "real.md"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.md"
    link.symlink_to(target)
    write(["new"], link, over=True)
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    write(["new"], tmp_path / "other.md", over=True)
    assert stat.S_IMODE((tmp_path / "other.md").stat().st_mode) == 0o600


@posix_only
def test_a_link_to_nothing_is_followed_too(tmp_path: Path) -> None:
    link = tmp_path / "link.md"
    link.symlink_to(tmp_path / "later.md")
    write(["new"], link, over=False)
    assert (tmp_path / "later.md").read_text() == "new"
    assert link.is_symlink()


@posix_only
def test_a_pipe_a_device_and_a_folder_stay_what_they_are(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    link = tmp_path / "null.txt"
    link.symlink_to("/dev/null")
    for path in (pipe, link, tmp_path):
        assert "Use the name of a file" in refused(path)
    assert pipe.is_fifo()
    assert Path("/dev/null").is_char_device()


@posix_only
def test_links_in_a_circle_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to("b.md")
    (tmp_path / "b.md").symlink_to("a.md")
    assert "a.md cannot be written" in refused(tmp_path / "a.md")
