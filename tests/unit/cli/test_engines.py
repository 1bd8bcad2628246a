"""`mictape engines`: what is known of one engine waits for no other."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from support.example_service import environment
from support.file_keyring import keyring_env


def upto(rows: Iterable[str], front: str) -> Iterator[str]:
    """The rows up to and with the first that begins so."""
    for row in rows:
        yield row
        if row.startswith(front):
            break


def test_each_row_is_printed_as_soon_as_it_is_known(tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    ring.write_text("silent", encoding="utf-8")
    env = environment() | keyring_env(ring)
    with subprocess.Popen(
        [sys.executable, "-m", "mictape", "engines"], stdout=subprocess.PIPE, text=True, env=env
    ) as run:
        assert run.stdout is not None
        early = "".join(upto(run.stdout, "local "))
        ring.write_text("{}", encoding="utf-8")
        late = run.stdout.read()
    assert "elevenlabs  " in late, "its key is looked for in the keyring"
    assert "did not answer" not in early + late, "the keyring was not waited for"
    assert run.returncode == 0
