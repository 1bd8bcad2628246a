"""Runs a command as a shell with job control does: in a process group of its own, in the foreground.

Says STOPPED when the command is stopped and lets it go on at SIGUSR1. Without such a parent the system never stops
a process by Ctrl-Z.
"""

import os
import signal
import sys


def main() -> None:
    """Run the command of the arguments; its exit code."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(sys.argv[1], sys.argv[1:])
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            sys.exit(os.waitstatus_to_exitcode(status))
        os.tcsetpgrp(0, os.getpgrp())
        os.write(1, b"\r\nSTOPPED\r\n")
        signal.sigwait({signal.SIGUSR1})
        os.tcsetpgrp(0, child)
        os.killpg(child, signal.SIGCONT)


if __name__ == "__main__":
    main()
