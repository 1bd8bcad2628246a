"""A tmux server of a test's own, with Mictape in one of its panes."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from shlex import join

from support.child_processes import alive, descendants_of
from support.waiting import until


class Tmux:
    """One server, one session, one window, one pane."""

    def __init__(self, folder: Path, *arguments: str, columns: int = 100, rows: int = 30) -> None:
        self._socket = str(folder / "tmux")
        size = ["-x", str(columns), "-y", str(rows)]
        command = join(["exec", sys.executable, "-m", "mictape", *arguments])
        self.run("-f", "/dev/null", "new-session", "-d", *size, command)
        self.pid = int(self.run("display-message", "-p", "#{pane_pid}"))

    def run(self, *arguments: str) -> str:
        """Run a tmux command; what it prints."""
        done = subprocess.run(["tmux", "-S", self._socket, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def sees(self, *words: str, timeout_s: float = 60.0) -> str:
        """Wait until all of `words` are in the pane; its text."""

        def look() -> str:
            text = self.run("capture-pane", "-p")
            return text if all(word in text for word in words) else ""

        return until(look, timeout_s, what=f"{words} in the pane")

    def press(self, *keys: str) -> None:
        """Type, in tmux's names of keys."""
        self.run("send-keys", *keys)

    def processes(self) -> list[int]:
        """Mictape's process and all below it."""
        return [self.pid, *descendants_of(self.pid)]

    def close(self) -> None:
        """End the server, and what is left in it."""
        left = self.processes() if alive(self.pid) else []
        with contextlib.suppress(subprocess.CalledProcessError):
            self.run("kill-server")
        for pid in left:
            until(lambda pid=pid: not alive(pid), what="the end of what ran in tmux")


@contextlib.contextmanager
def tmux(*arguments: str) -> Generator[Tmux]:
    """Mictape with these arguments in a tmux pane; all of it ended afterwards."""
    # A socket's path has at most 107 characters, and pytest's folders are long.
    folder = Path(tempfile.mkdtemp(prefix="mt-"))
    server = Tmux(folder, *arguments)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
