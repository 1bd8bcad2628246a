"""The whole app with a streaming engine: a real terminal, real sound, a server that speaks AssemblyAI's protocol."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from servers.assemblyai import V3Server
from servers.base import Server, serve
from support.background import in_background
from support.pulse import PulseServer
from support.screen_app import screen_app
from support.sessions import lines_of, room
from support.utterances import talk

KEY = "planted-key-0123456789"


def serving(handler: V3Server, port: int = 0) -> AbstractContextManager[Server]:
    """Serve while a test waits for the screen."""
    return in_background(serve(handler, admit=handler.admit, port=port))


def configure(home: Path, url: str) -> None:
    """The person's own config.toml."""
    home.mkdir()
    (home / "config.toml").write_text(f'[engines.assemblyai]\nurl = "{url}"\n')


@pytest.mark.proof  # what it does is tried without a terminal: test_session.py, test_engine_picker.py
def test_the_engine_is_changed_in_mid_session_and_everything_stays(pulse: PulseServer, home: Path) -> None:
    room(pulse)
    with serving(V3Server(talk(20), key=KEY)) as server:
        configure(home, server.url)
        env = {**pulse.env, "ASSEMBLYAI_API_KEY": KEY}
        with screen_app("--device", "PulseAudio:vmic2", env=env, columns=120) as app:
            app.sees("LISTENING", "moonshine", timeout_s=60)
            app.press("e")
            app.sees("Engine", "assemblyai", "ready", timeout_s=60)
            app.press("down", "enter")
            app.sees("engine: ", "the kettle is boiling", "LISTENING", timeout_s=60)
            screen = app.read()
            assert KEY not in screen
            app.press("q")
            assert app.ends() == 0
    assert "the kettle is boiling" in [line.lower().rstrip(".") for line in lines_of(home)]
    assert not server.violations
    assert 'engine = "assemblyai"' in (home / "state.toml").read_text()


@pytest.mark.proof
def test_a_network_that_goes_is_said_and_nothing_is_lost_when_it_is_back(pulse: PulseServer, home: Path) -> None:
    room(pulse)
    first = V3Server(talk(40), key=KEY)
    with serving(first) as server:
        configure(home, server.url)
        port = int(server.url.split(":")[2].split("/")[0])
        env = {**pulse.env, "ASSEMBLYAI_API_KEY": KEY}
        running = screen_app("--device", "PulseAudio:vmic2", "--engine", "assemblyai", env=env, columns=120)
        app = running.__enter__()
        app.sees("LISTENING", "the kettle is boiling", timeout_s=60)
    try:
        app.sees("OFFLINE", timeout_s=60)
        assert "REC" in app.read(), "the recording goes on"
        with serving(V3Server(talk(40), key=KEY), port) as again:
            app.sees("LISTENING", timeout_s=60)
            app.press("q", "q")
            assert app.ends() == 0
            assert not again.violations
    finally:
        running.__exit__(None, None, None)
    assert not server.violations
