"""Another program holds the library while one quits: exit code 3, and the text can still be completed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import SpeakingMic, Speech
from support.command_line import MICTAPE, called
from support.screen_app import screen_app
from support.sessions import held, lines_of

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

HELD = "is held by another program"


def is_completed(home: Path) -> None:
    """The session is listed as interrupted, and completing it brings the text of its sound back."""
    assert lines_of(home) == []
    assert "interrupted" in called("sessions").stdout
    completed = called("sessions", "complete", "last")
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.split()
    assert " ".join(completed.stdout.split()) == " ".join(" ".join(lines_of(home)).split())


@pytest.mark.proof
@pytest.mark.parametrize("leave", ["q q", "SIGTERM"])
def test_the_app_ends_with_code_3(leave: str, home: Path, speech: Speech) -> None:
    with screen_app("--input", str(speech.beckett), env=os.environ) as app:
        app.sees("REC", timeout_s=60)
        with held(home / "library.db"):
            app.sees("Try again", timeout_s=60)
            if leave == "q q":
                app.press("q", "q")
            else:
                app.signal(signal.SIGTERM)
            assert app.ends(60) == 3
        assert HELD in app.read()
        assert app.modes() == app.before
    is_completed(home)


def test_listen_ends_with_code_3(home: Path, speaking_mic: SpeakingMic) -> None:
    command = [*MICTAPE, "listen", "--device", "ALSA:speaking"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=speaking_mic.env
    ) as listen:
        assert listen.stdout is not None
        assert listen.stderr is not None
        assert "Listening to" in listen.stderr.readline()
        with held(home / "library.db"):
            assert listen.stdout.readline()
            listen.send_signal(signal.SIGINT)
            rest = listen.communicate()[1]
        assert HELD in rest
        assert listen.returncode == 3
    is_completed(home)
