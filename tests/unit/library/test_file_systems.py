"""A library on a file system that cannot share memory, lock files or be written to: 9p, some NFS, shared folders."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mictape.failure import MictapeError
from mictape.library.library import LineRecord, Store
from support.poor_file_system import poor_file_system
from support.small_disk import small_disk

USE = """
import sys
from pathlib import Path
from mictape.library.library import LineRecord, Store
path = Path(sys.argv[1])
with Store(path) as store, store.create_session() as folder:
    store.add_line(folder.session, LineRecord(0, 1, 0, 16_000, "word"))
    with Store(path) as beside:
        print(store.rows("PRAGMA journal_mode")[0][0], [line.text for line in beside.lines(folder.session)])
"""

HOLD = """
import sys
from pathlib import Path
from mictape.library.folders import SessionFolder
folder = SessionFolder(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""

TRY = """
import sys
from pathlib import Path
from mictape.failure import MictapeError
from mictape.library.folders import SessionFolder, is_alive
folder = Path(sys.argv[1])
print(is_alive(folder))
try:
    SessionFolder(folder).release()
except MictapeError as error:
    print(error)
"""


def run(code: str, path: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, path], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("there", [False, True], ids=["new", "made with shared memory"])
def test_a_library_works_without_shared_memory(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "library.db"
    if there:
        with Store(path) as store:
            store.create_session().release()
    env = poor_file_system(tmp_path, "shm")
    for _ in range(2):
        done = run(USE, path, env)
        assert (done.stdout, done.stderr) == ("delete ['word']\n", "")
    with Store(path) as store:
        assert store.rows("PRAGMA journal_mode")[0][0] == "wal", "elsewhere it is as fast as ever"
        assert len(store.sessions()) == 2 + there


@pytest.mark.parametrize("lacking", [errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_session_is_held_without_locks_of_files_and_is_free_once_its_process_was_killed(
    tmp_path: Path, lacking: int
) -> None:
    env = poor_file_system(tmp_path, f"flock={lacking}")
    session = tmp_path / "session"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, session], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        alive, refused = run(TRY, session, env).stdout.splitlines()
        assert alive == "True"
        assert "Session session is being recorded" in refused
        holder.kill()
    assert run(TRY, session, env).stdout == "False\n"


@pytest.mark.parametrize("lacking", [errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_file_system_that_sqlite_cannot_lock_is_not_taken_for_another_program(home: Path, lacking: int) -> None:
    with Store(home / "library.db"):
        pass
    env = poor_file_system(home.parent, f"fcntl={lacking}")
    done = subprocess.run(
        [sys.executable, "-m", "mictape", "sessions"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr == (
        f"mictape: The library {home / 'library.db'} lies on a file system that cannot lock files. "
        "Name a folder on a local disk in MICTAPE_HOME.\n"
    )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


def test_a_library_that_may_only_be_read_is_read(disk: Path) -> None:
    path = disk / "library.db"
    with Store(path) as store, store.create_session(title="Yeti") as folder:
        store.add_line(folder.session, LineRecord(0, 1, 0, 16_000, "word"))
    before = {each.name: each.read_bytes() for each in disk.iterdir() if each.is_file()}
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with Store.to_read(path) as store:
        [session] = store.sessions()
        assert session.title == "Yeti"
        assert [line.text for line in store.lines(session.id)] == ["word"]
    assert {each.name: each.read_bytes() for each in disk.iterdir() if each.is_file()} == before
    with pytest.raises(MictapeError, match="Nothing can be kept in"):
        Store(path)
