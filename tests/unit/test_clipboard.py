"""Copying: what takes the text, and what is said about it."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from mictape.clipboard import OSC_52_LIMIT_BYTES, copy
from support.waiting import until


def program(folder: Path, name: str, code: str) -> None:
    """Put a program into a folder: a shell script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{code}\n", encoding="utf-8")
    path.chmod(0o700)


def test_the_systems_own_clipboard_comes_first_and_a_broken_one_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path, "xclip", "exit 1")
    program(tmp_path, "xsel", f"/bin/cat > {tmp_path}/taken")
    environ = {"PATH": str(tmp_path), "DISPLAY": ":0", "TERM": "xterm-256color"}
    sent: list[str] = []
    assert copy("grüße", sent.append, tmp_path / "spare", environ) == "Copied with xsel."
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "grüße"
    assert sent == []
    over_ssh = environ | {"SSH_CONNECTION": "1 2 3 4"}
    said = copy("a", sent.append, tmp_path / "spare", over_ssh)
    assert said == "Passed to the terminal. If it does not arrive, use OSC 52 in the terminal's settings."
    assert sent == ["a"]


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("short", {"TERM": "linux"}),
        ("short", {"TERM": "screen.xterm-256color", "STY": "12.pts-0.host"}),
        ("short", {"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}),
        ("x" * (OSC_52_LIMIT_BYTES + 1), {"TERM": "xterm-256color"}),
    ],
)
def test_without_a_clipboard_a_copy_goes_to_a_file_that_is_named(
    tmp_path: Path, text: str, environ: dict[str, str]
) -> None:
    spare = tmp_path / "state" / "copied.txt"
    said = copy(text, pytest.fail, spare, environ | {"PATH": str(tmp_path)})
    assert str(spare) in said
    assert spare.read_text(encoding="utf-8") == text
    assert stat.S_IMODE(spare.stat().st_mode) == 0o600


@pytest.fixture
def tmux() -> Generator[str]:
    """The socket of a tmux server as it is without a configuration: programs may not set the clipboard."""
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux")
    folder = Path(tempfile.mkdtemp(prefix="mt-"))  # a socket's path has at most 107 characters
    socket = str(folder / "tmux")
    subprocess.run(["tmux", "-S", socket, "-f", "/dev/null", "new-session", "-d", "exec cat"], check=True)
    try:
        yield socket
    finally:
        subprocess.run(["tmux", "-S", socket, "kill-server"], check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("text", ["grüße\n\x1b]52;c;!\x07 'x'", "long " * OSC_52_LIMIT_BYTES], ids=["odd", "long"])
def test_in_tmux_the_text_arrives_whatever_its_options_say(tmux: str, text: str, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "TERM": "tmux-256color", "TMUX": f"{tmux},1,0"}
    assert copy(text, pytest.fail, tmp_path / "spare", environ).startswith("Copied to tmux")
    shown = ["tmux", "-S", tmux, "show-buffer"]
    got = until(lambda: subprocess.run(shown, capture_output=True, check=True).stdout)
    assert got.decode() == text


def test_where_tmux_cannot_be_asked_its_option_is_named(tmp_path: Path) -> None:
    program(tmp_path, "tmux", "exit 1")
    sent: list[str] = []
    said = copy("a", sent.append, tmp_path / "spare", {"PATH": str(tmp_path), "TERM": "tmux", "TMUX": "/nowhere,1,0"})
    assert (said, sent) == ("Passed to the terminal. If it does not arrive, use set-clipboard on in tmux.", ["a"])
