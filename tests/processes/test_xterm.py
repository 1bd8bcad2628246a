"""A real xterm under a virtual X server: however its window goes, no process stays and the session is closed."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from conftest import SpeakingMic
from mictape.audio.tape import count_samples
from mictape.units import RATE
from support.child_processes import descendants_of, with_variable
from support.sessions import sessions_of, states_of
from support.waiting import until

KEPT: Final = 3 * RATE
"""Shorter sessions without text are discarded."""

WINDOWS: Final = 6
"""For each way to go. Three of six stayed before (Textual's own driver)."""


@contextlib.contextmanager
def x_server() -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """A virtual X server and its display's name."""
    reads, writes = os.pipe()
    command = ["Xvfb", "-displayfd", str(writes), "-nolisten", "tcp", "-screen", "0", "1024x768x24"]
    with subprocess.Popen(command, pass_fds=[writes], stderr=subprocess.DEVNULL) as server:
        os.close(writes)
        try:
            with os.fdopen(reads) as said:
                yield server, f":{said.readline().strip()}"
        finally:
            server.kill()


def end_xterm(_: subprocess.Popen[bytes], xterm: subprocess.Popen[bytes]) -> None:
    xterm.terminate()


def kill_xterm(_: subprocess.Popen[bytes], xterm: subprocess.Popen[bytes]) -> None:
    xterm.kill()


def kill_x(server: subprocess.Popen[bytes], _: subprocess.Popen[bytes]) -> None:
    server.kill()


def is_kept(home: Path, sessions: int) -> bool:
    """Whether the newest of so many sessions is long enough to be kept."""
    found = sessions_of(home) if (home / "sessions").exists() else []
    return len(found) == sessions and count_samples(found[-1], 1) >= KEPT


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("goes", [end_xterm, kill_xterm, kill_x], ids=["SIGTERM", "SIGKILL", "X server gone"])
def test_a_window_that_goes_leaves_no_process(
    goes: Callable[[subprocess.Popen[bytes], subprocess.Popen[bytes]], None], home: Path, speaking_mic: SpeakingMic
) -> None:
    if not (shutil.which("xterm") and shutil.which("Xvfb")):
        pytest.skip("xterm or Xvfb is not installed")
    command = ["xterm", "-geometry", "120x40", "-e", sys.executable, "-m", "mictape", "--device", "ALSA:speaking"]
    for window in range(1, WINDOWS + 1):
        with x_server() as (server, display):
            with subprocess.Popen(command, env=speaking_mic.env | {"DISPLAY": display}) as xterm:
                until(partial(is_kept, home, window), 60, what="a tape that is kept")
                until(
                    lambda pid=xterm.pid: len(descendants_of(pid)) >= 3, 60, what="the app, its capture and its engine"
                )
                goes(server, xterm)
            until(
                lambda: not (set(with_variable("MICTAPE_HOME", str(home))) - {server.pid}),
                what=f"the end of all processes of window {window}",
            )
    assert list(states_of(home).values()) == ["closed"] * WINDOWS
