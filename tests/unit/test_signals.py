"""Signals end the process whatever its loop does: real processes, really stuck."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.waiting import TIMEOUT_S

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

BEGIN = """
import asyncio, signal, sys, threading
from pathlib import Path
from mictape import signals

signals.NOT_TAKEN_S = signals.NO_LOOP_S = signals.NOT_ENDED_S = signals.SHUTDOWN_S = 0.2
log = Path(sys.argv[1])

def ready():
    print("ready", flush=True)

"""

ORDERLY = """
async def main(watch):
    end = asyncio.Event()

    def take(number):
        print("took", int(number), flush=True)
        end.set()
        return True

    watch.attach(asyncio.get_running_loop(), take)
    ready()
    await end.wait()

with signals.watched(log) as watch:
    asyncio.run(main(watch))
print("in order", flush=True)
"""

BLOCKED_LOOP = """
async def main(watch):
    watch.attach(asyncio.get_running_loop(), print)
    ready()
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()

with signals.watched(log) as watch:
    watch.before_force = lambda: print("given back", flush=True)
    asyncio.run(main(watch))
"""

NO_LOOP = """
with signals.watched(log) as watch:
    ready()
    threading.Event().wait()
"""

NO_END = """
async def main(watch):
    watch.attach(asyncio.get_running_loop(), lambda number: True)
    ready()
    await asyncio.Event().wait()

with signals.watched(log) as watch:
    asyncio.run(main(watch))
"""

DEALT_WITH = """
async def main(watch):
    end = asyncio.Event()
    numbers = []

    def take(number):
        numbers.append(number)
        if len(numbers) == 1:
            asyncio.get_running_loop().call_later(5 * signals.NOT_TAKEN_S, end.set)
        return False

    watch.attach(asyncio.get_running_loop(), take)
    ready()
    await end.wait()

with signals.watched(log) as watch:
    asyncio.run(main(watch))
print("in order", flush=True)
"""

CLOSED_AND_STUCK = """
with signals.watched(log) as watch:
    watch.ending(7)
    ready()
    threading.Event().wait()
"""

HANG_UP = """
async def main(watch):
    end = asyncio.Event()

    def take(number):
        print("took", int(number), flush=True)
        end.set()
        return True

    watch.attach(asyncio.get_running_loop(), take)
    threading.Thread(target=watch.send, args=[signal.SIGHUP]).start()
    await end.wait()

with signals.watched(log) as watch:
    asyncio.run(main(watch))
"""


@contextmanager
def running(code: str, log: Path, ignored: Sequence[signal.Signals] = ()) -> Generator[subprocess.Popen[str]]:
    """A process that runs this code and is ready; started with some signals ignored, as nohup does."""

    def ignore() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + code, log],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=ignore,  # noqa: PLW1509 (nothing in it takes a lock)
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def after(process: subprocess.Popen[str], *numbers: signal.Signals) -> tuple[int, list[str]]:
    """Its exit code and its lines, once it has got these signals when it was ready."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for number in numbers:
        process.send_signal(number)
    text = process.stdout.read()
    return process.wait(TIMEOUT_S), text.splitlines()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "log"
    log.touch()
    return log


def test_a_living_loop_takes_a_signal_and_ends_in_order(log: Path) -> None:
    with running(ORDERLY, log) as process:
        assert after(process, signal.SIGTERM) == (0, ["took 15", "in order"])
    assert log.read_text() == ""


def test_a_loop_that_is_blocked_is_ended_and_its_stacks_are_in_the_log(log: Path) -> None:
    with running(BLOCKED_LOOP, log) as process:
        assert after(process, signal.SIGTERM) == (143, ["given back"])
    assert "in main" in log.read_text()


def test_a_process_without_a_loop_yet_ends(log: Path) -> None:
    with running(NO_LOOP, log) as process:
        assert after(process, signal.SIGINT) == (130, [])


def test_a_loop_that_takes_the_signal_and_does_not_end_is_ended(log: Path) -> None:
    with running(NO_END, log) as process:
        assert after(process, signal.SIGHUP) == (129, [])


def test_a_signal_that_does_not_end_the_process_gives_it_all_the_time_it_needs(log: Path) -> None:
    with running(DEALT_WITH, log) as process:
        assert after(process, signal.SIGINT) == (0, ["in order"])


def test_what_is_stuck_after_all_is_kept_is_ended_with_its_own_code(log: Path) -> None:
    with running(CLOSED_AND_STUCK, log) as process:
        assert after(process) == (7, [])


def test_what_nohup_ignores_stays_ignored_but_not_a_terminal_that_is_gone(log: Path) -> None:
    with running(ORDERLY, log, [signal.SIGHUP, signal.SIGINT]) as process:
        code, lines = after(process, signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
        assert (code, lines) == (0, ["took 15", "in order"])
    with running(HANG_UP, log, [signal.SIGHUP]) as process:
        assert process.stdout is not None
        assert process.stdout.read() == "took 1\n"


def test_everything_is_put_back(log: Path) -> None:
    code = """
import os
before = signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1), len(os.listdir("/dev/fd"))
with signals.watched(log):
    pass
assert (signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1), len(os.listdir("/dev/fd"))) == before
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", BEGIN + code, log], check=True, env=dict(os.environ))
