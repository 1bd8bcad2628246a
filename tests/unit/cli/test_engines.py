"""`mictape engines`: what can be used is printed at once, the rest in order, what is retired last."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from mictape.cli.main import run as mictape
from support.example_service import environment
from support.file_keyring import keyring_env, without_keys


def upto(rows: Iterable[str], front: str) -> Iterator[str]:
    """The rows up to and with the first that begins so."""
    for row in rows:
        yield row
        if row.startswith(front):
            break


def test_what_can_be_used_is_printed_as_soon_as_it_is_known_and_what_is_retired_last(tmp_path: Path) -> None:
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
    rows = [row for row in (early + late).splitlines() if not row.startswith(" ")]
    states = [row[16:37].strip() for row in rows]
    assert states == sorted(states, key=["ready", "not reachable", "needs a key", "retired"].index), rows
    assert rows[-1].startswith("assemblyai-v2")


@pytest.mark.usefixtures("home")
def test_without_a_keyring_there_is_nothing_to_forget(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with without_keys():
        assert mictape(["logout", "assemblyai"]) == 0
        assert capsys.readouterr().out == "No key for assemblyai was kept.\n"
        monkeypatch.setenv("ASSEMBLYAI_API_KEY", "a-key")
        assert mictape(["logout", "assemblyai"]) == 0
        assert capsys.readouterr().out.endswith("ASSEMBLYAI_API_KEY is still set in the environment.\n")
