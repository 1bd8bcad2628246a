"""Where things are kept, and what is said when they cannot be."""

import os
import stat
import sys
from pathlib import Path

import pytest

from mictape.failure import ExitCode, MictapeError
from mictape.paths import HOME_VARIABLE, is_there, make_folder, places, typed_path, working_folder, writable


def test_one_folder_for_everything(tmp_path: Path) -> None:
    where = places({HOME_VARIABLE: str(tmp_path / "all")})
    for path in (where.library, where.sessions, where.config_file, where.state_file, where.themes, where.log):
        assert path.is_relative_to(tmp_path / "all")
    assert not (tmp_path / "all").exists(), "asking for a path makes nothing"


def test_an_empty_home_counts_as_none() -> None:
    assert places({HOME_VARIABLE: ""}) == places({})


def test_a_relative_home_does_not_follow_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    where = places({HOME_VARIABLE: "here"})
    assert where.data == tmp_path / "here"


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        places({HOME_VARIABLE: str(tmp_path / "new" / "deep")}).prepare()
    finally:
        os.umask(old)
    for folder in (tmp_path / "new", tmp_path / "new" / "deep", tmp_path / "new" / "deep" / "sessions"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    make_folder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_a_file_in_the_way_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MictapeError) as caught:
        places({HOME_VARIABLE: str(tmp_path / "file")}).prepare()
    assert caught.value.failure.code is ExitCode.SOUND
    assert str(tmp_path / "file") in caught.value.failure.what
    assert HOME_VARIABLE in caught.value.failure.remedy


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that takes no files, even from root")
def test_a_folder_that_takes_nothing_is_a_sentence() -> None:
    with pytest.raises(MictapeError, match="Nothing can be kept in /proc/self"):
        make_folder(Path("/proc/self"))
    with pytest.raises(MictapeError, match="Nothing can be kept in /proc/self/mictape"):
        make_folder(Path("/proc/self/mictape"))


@pytest.mark.parametrize("text", ["~nosuchuser/notes.md", "a\0b"])
def test_what_is_no_path_is_a_sentence(text: str) -> None:
    with pytest.raises(MictapeError):
        typed_path(text)
    if "\0" not in text:  # no environment holds one
        with pytest.raises(MictapeError, match="There is no such user"):
            places({HOME_VARIABLE: text})


def test_a_path_that_cannot_be_looked_at_is_a_sentence(tmp_path: Path) -> None:
    assert is_there(tmp_path)
    assert not is_there(tmp_path / "nothing" / "here")
    with pytest.raises(MictapeError, match="File name too long"):
        is_there(tmp_path / ("a" * 300))


@pytest.mark.skipif(sys.platform == "win32", reason="an open folder cannot be deleted there")
def test_a_deleted_working_folder_is_a_sentence_and_offers_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(MictapeError, match="does not exist any more"):
        places({HOME_VARIABLE: "here"})
    assert working_folder().is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="users are POSIX")
def test_a_user_without_a_home_is_asked_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.delenv("HOME")
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_: int) -> None:
        raise KeyError("no entry")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(MictapeError, match=HOME_VARIABLE):
        places({})


def test_what_is_not_to_be_kept_needs_no_home_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    where = places({"MICTAPE_HOME": str(tmp_path / "home")})
    with writable(where, keeps=False) as there:
        assert there.sessions.is_dir() and there.state.is_dir() and there.config == where.config
        folder = there.data
    assert not folder.exists()
    with pytest.raises(MictapeError, match="Nothing can be kept"), writable(where, keeps=True):
        pass
    (tmp_path / "home").unlink()
    with writable(where, keeps=False) as there:
        assert there == where
