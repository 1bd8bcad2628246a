"""Standard output that is full, or that nobody reads: every command says so, or ends as a filter does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Speech
from support.sessions import lines_of

FULL = "The output cannot be written: no space left on device. Free some space, or write it somewhere else."
MICTAPE = [sys.executable, "-m", "mictape"]


@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("command", ["--help", "--version", "listen --help", "engines", "engines --json"])
def test_a_full_disk_is_a_sentence(command: str, buffered: bool) -> None:
    assert _to_full_disk(command.split(), buffered=buffered) == (3, f"mictape: {FULL}\n")


def test_a_full_disk_ends_a_transcription(speech: Speech) -> None:
    code, said = _to_full_disk(["transcribe", str(speech.beckett)], buffered=True)
    assert code == 3
    assert said.strip().endswith(FULL)


def test_bad_usage_is_still_bad_usage() -> None:
    code, said = _to_full_disk(["nosuch"], buffered=True)
    assert code == 2
    assert 'There is no command "nosuch".' in said


def test_a_reader_that_has_gone_is_no_failure() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as gone:
        done = subprocess.run([*MICTAPE, "engines"], stdout=gone, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("closed", "said"),
    [
        pytest.param("2>&-", "No matter", marks=pytest.mark.proof),
        pytest.param("<&-", "No matter", marks=pytest.mark.proof),
        (">&- 2>&-", ""),
    ],
)
def test_closed_streams_cost_nothing_else(closed: str, said: str, home: Path, speech: Speech) -> None:
    command = f'exec "$@" {closed}'
    arguments = ["sh", "-c", command, "sh", *MICTAPE, "transcribe", "--keep", str(speech.beckett)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert "No matter." in lines_of(home)


def _to_full_disk(arguments: list[str], *, buffered: bool) -> tuple[int, str]:
    env = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*MICTAPE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env=env,
            timeout=120,
        )
    return done.returncode, done.stderr.decode()
