"""The clipboard: the system's own, tmux's, the terminal's, or a file."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from mictape.failure import Failure, MictapeError
from mictape.paths import PRIVATE_FILE, make_folder

OSC_52_LIMIT_BYTES: Final = 74_994
"""The longest text that terminals are known to take: xterm and hterm stop at 100,000 characters of base64."""

_PROGRAM_S: Final = 3.0
"""How long a program may take."""

_NATIVE: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
    ("", ("pbcopy",)),
    ("", ("clip.exe",)),
)
"""Programs that fill the system's clipboard, and the variable without which there is none to fill."""


def copy(text: str, osc_52: Callable[[str], None], spare: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Put a text into the clipboard, one way or another; says which, in a sentence.

    It may take seconds, so it is for a thread. The system's own clipboard comes first, because there it is known
    whether it worked; over SSH that would be the wrong machine's. tmux takes the text itself and passes it on to its
    terminal; OSC 52 from a program it drops, unless its option `set-clipboard` is `on`. Else the terminal is asked.

    Args:
        text: what to copy.
        osc_52: sends it to the terminal, which does not answer (OSC 52 of xterm's control sequences).
        spare: a file to write it to when neither can be.
        environ: shows which of them there are.

    Raises:
        MictapeError: (`ExitCode.SOUND`) not even the file can be written.
    """
    remote = bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
    if not remote and (program := _copy_natively(text, environ)):
        return f"Copied with {program}."
    if environ.get("TMUX") and _run(["tmux", "load-buffer", "-w", "-"], text, environ):
        return "Copied to tmux."
    if _takes_osc_52(environ) and len(text.encode("utf-8", "replace")) <= OSC_52_LIMIT_BYTES:
        osc_52(text)
        option = "set-clipboard on in tmux" if environ.get("TMUX") else "OSC 52 in the terminal's settings"
        return f"Passed to the terminal. If it does not arrive, use {option}."
    try:
        make_folder(spare.parent)
        with os.fdopen(os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb") as file:
            file.write(text.encode("utf-8", "replace"))
    except OSError as error:
        what = f"There is no clipboard here, and {spare} cannot be written: {error.strerror}"
        raise MictapeError(Failure(what, "Export it to a file", action="export")) from error
    return f"There is no clipboard here that takes it; written to {spare}."


def _copy_natively(text: str, environ: Mapping[str, str]) -> str:
    """The program that took the text; empty when there is none."""
    for variable, command in _NATIVE:
        if (not variable or environ.get(variable)) and _run(command, text, environ):
            return command[0]
    return ""


def _run(command: Sequence[str], text: str, environ: Mapping[str, str]) -> bool:
    """Whether a program is there, has taken the text on its stdin, and succeeded."""
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        return False
    # Windows' program takes its console's code page, or UTF-16 when that is what it gets.
    data = text.encode("utf-16" if command[0] == "clip.exe" else "utf-8", "replace")
    quiet = subprocess.DEVNULL  # xclip stays to serve the selection and would keep a pipe open
    arguments = [program, *command[1:]]
    try:
        done = subprocess.run(
            arguments, input=data, stdout=quiet, stderr=quiet, timeout=_PROGRAM_S, check=False, env=dict(environ)
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _takes_osc_52(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is not one of those that are known to ignore it; GNU screen keeps it from its terminal."""
    if environ.get("STY"):
        return False
    return environ.get("TERM") not in {None, "", "dumb", "linux"} and environ.get("TERM_PROGRAM") != "Apple_Terminal"
