"""A library on a file system that cannot share memory, as 9p and some NFS cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mictape.library.library import Store

SOURCE = Path(__file__).parents[2] / "support" / "no_shared_memory.c"

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


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """A library to preload, in whose world SQLite's shared memory cannot be mapped."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("needs a C compiler and LD_PRELOAD")
    built = tmp_path / "no_shared_memory.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", built, SOURCE, "-ldl"], check=True)
    return built


@pytest.mark.parametrize("there", [False, True], ids=["new", "made with shared memory"])
def test_a_library_works_without_shared_memory(tmp_path: Path, shim: Path, there: bool) -> None:
    path = tmp_path / "library.db"
    if there:
        with Store(path) as store:
            store.create_session().release()
    env = {**os.environ, "LD_PRELOAD": str(shim)}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", USE, path], env=env, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("delete ['word']\n", "")
    with Store(path) as store:
        assert store.rows("PRAGMA journal_mode")[0][0] == "wal", "elsewhere it is as fast as ever"
        assert len(store.sessions()) == 2 + there
