"""`--exec`: real shell commands for lines."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from mictape.cli import line_command
from mictape.cli.line_command import LineCommand
from mictape.failure import Failure
from support.waiting import until_async

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells and signals")


@posix
async def test_the_command_gets_every_line_in_order_also_those_that_wait_at_the_end(tmp_path: Path) -> None:
    failures: list[Failure] = []
    command = LineCommand(f"cat >> '{tmp_path}/lines'", failures.append)
    async with command.running(asyncio.Event(), finish_s=60):
        for number in range(5):
            command.add(json.dumps({"id": number, "text": 'said "$(touch nothing)" `x`\n'}))
    lines = (tmp_path / "lines").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [0, 1, 2, 3, 4]
    assert failures == []


@posix
@pytest.mark.parametrize("to_stderr", [False, True])
async def test_what_the_command_prints_is_not_among_objects(capfd: pytest.CaptureFixture[str], to_stderr: bool) -> None:
    command = LineCommand("echo printed", lambda _: None, to_stderr=to_stderr)
    async with command.running(asyncio.Event(), finish_s=60):
        command.add("{}")
    assert tuple(capfd.readouterr()) == (("", "printed\n") if to_stderr else ("printed\n", ""))


@posix
async def test_a_run_that_takes_too_long_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    failures: list[Failure] = []
    script = f"sleep 600 & echo $! > '{tmp_path}/child'; wait"
    command = LineCommand(script, failures.append, run_s=1)
    async with command.running(asyncio.Event(), finish_s=60):
        command.add("{}")
        await until_async(lambda: bool(failures))
    assert str(failures[0]) == "The command of --exec took more than 1 s and was killed."
    await _gone(int((tmp_path / "child").read_text()))


@posix
@pytest.mark.parametrize("leaves", [True, False], ids=["left", "too slow"])
async def test_the_end_does_not_wait_for_ever(tmp_path: Path, leaves: bool) -> None:
    failures: list[Failure] = []
    left, child = asyncio.Event(), tmp_path / "child"
    command = LineCommand(f"echo $$ > '{child}'; sleep 600", failures.append)
    async with command.running(left, finish_s=600 if leaves else 0.01):
        command.add("{}")
        command.add("{}")
        await until_async(lambda: child.exists() and child.read_text().strip())
        if leaves:
            left.set()
    await _gone(int(child.read_text()))
    expected = "The command of --exec did not end in time: it was killed and 1 more lines were skipped."
    assert [str(failure) for failure in failures] == ([] if leaves else [expected])


@posix
async def test_it_is_killed_when_the_recording_fails(tmp_path: Path) -> None:
    child = tmp_path / "child"
    command = LineCommand(f"echo $$ > '{child}'; sleep 600", lambda _: None)
    with pytest.raises(ZeroDivisionError):
        async with command.running(asyncio.Event()):
            command.add("{}")
            await until_async(lambda: child.exists() and child.read_text().strip())
            raise ZeroDivisionError
    await _gone(int(child.read_text()))


@posix
@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("no-such-command-here 2>/dev/null", 127)])
async def test_a_command_that_fails_is_reported_once_and_the_next_line_goes_on(script: str, code: int) -> None:
    failures: list[Failure] = []
    command = LineCommand(script, failures.append)
    async with command.running(asyncio.Event(), finish_s=60):
        command.add("{}")
        command.add("{}")
    assert [str(failure) for failure in failures] == [f"The command of --exec failed with exit code {code}."]


@posix
async def test_a_command_that_reads_nothing_is_no_failure() -> None:
    failures: list[Failure] = []
    command = LineCommand("exec true", failures.append)
    async with command.running(asyncio.Event(), finish_s=60):
        command.add("x" * 1_000_000)
    assert failures == []


@posix
async def test_lines_do_not_pile_up_without_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_command, "WAITING", 2)
    failures: list[Failure] = []
    command = LineCommand(f"cat >> '{tmp_path}/lines'", failures.append)
    for number in range(4):
        command.add(str(number))
    async with command.running(asyncio.Event(), finish_s=60):
        pass
    assert (tmp_path / "lines").read_text().split() == ["2", "3"]
    assert [str(failure) for failure in failures] == [
        "The command of --exec is too slow: lines are skipped. Use a faster command."
    ]


async def _gone(pid: int) -> None:
    def ended() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")  # an orphan may stay as a zombie where nothing reaps it
        return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"

    try:
        await until_async(ended)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
