"""Mictape as `python -m mictape` starts it, in a process that can be held up from outside by a signal.

`python held_app.py SECONDS ARGUMENTS...`: SIGUSR1 blocks the event loop for that long, with other threads running;
SIGUSR2 keeps the interpreter's lock, so that nothing in Python runs.
"""

import ctypes
import signal
import sys
import time
from collections.abc import Callable
from typing import cast


def obey_holds(seconds: float) -> None:
    """Let both signals hold this process up. Python runs a signal's handler in the main thread, the loop's own."""
    # A function of `PyDLL` keeps the lock while it runs, as a careless C extension does.
    usleep = cast(Callable[[int], int], ctypes.PyDLL(None).usleep)
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(seconds))
    signal.signal(signal.SIGUSR2, lambda *_: usleep(round(seconds * 1_000_000)))


def main() -> None:
    """Get ready to be held up, and run the app."""
    obey_holds(float(sys.argv.pop(1)))
    from mictape.__main__ import main as run

    run()


if __name__ == "__main__":
    main()
