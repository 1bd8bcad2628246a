"""Standard output that is full, or that nobody reads: every command says so, or ends as a filter does."""

import os
import subprocess
from pathlib import Path

import pytest

from servers.base import Server
from support.command_line import MICTAPE
from support.example_service import environment, leading_to, sound
from support.sessions import lines_of

FULL = "The output cannot be written: no space left on device. Free some space, or write it somewhere else."
RUN = {("--help", True), ("--help", False), ("engines", True)}
"""What `make test` tries of them: what the parser writes, and what a command writes."""


@pytest.mark.parametrize(
    ("command", "buffered"),
    [
        pytest.param(command, buffered, marks=[pytest.mark.proof] * ((command, buffered) not in RUN))
        for command in ("--help", "--version", "listen --help", "engines", "engines --json")
        for buffered in (True, False)
    ],
)
def test_a_full_disk_is_a_sentence(command: str, buffered: bool) -> None:
    assert _to_full_disk(command.split(), buffered=buffered) == (3, f"mictape: {FULL}\n")


def test_a_full_disk_ends_a_transcription(parrot: Server, tmp_path: Path) -> None:
    command = ["transcribe", *leading_to(parrot), str(sound(tmp_path / "x.wav"))]
    code, said = _to_full_disk(command, buffered=True, **environment(PARROT_API_KEY=os.environ["PARROT_API_KEY"]))
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
        pytest.param("2>&-", "second 1", marks=pytest.mark.proof),
        pytest.param("<&-", "second 1", marks=pytest.mark.proof),
        (">&- 2>&-", ""),
    ],
)
def test_closed_streams_cost_nothing_else(closed: str, said: str, home: Path, parrot: Server, tmp_path: Path) -> None:
    command = [*MICTAPE, "transcribe", "--keep", *leading_to(parrot), str(sound(tmp_path / "x.wav"))]
    arguments = ["sh", "-c", f'exec "$@" {closed}', "sh", *command]
    env = environment(PARROT_API_KEY=os.environ["PARROT_API_KEY"])
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert "second 1" in lines_of(home)


def _to_full_disk(arguments: list[str], *, buffered: bool, **more: str) -> tuple[int, str]:
    env = {**os.environ, **more, "PYTHONUNBUFFERED": "" if buffered else "1"}
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
