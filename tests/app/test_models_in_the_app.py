"""Models in the whole app, in a real terminal: asked for once, downloaded while it records, chosen, removed."""

import json
import os
import tomllib
from collections.abc import Generator
from hashlib import sha256
from pathlib import Path

import pytest
import tomli_w

from servers import files
from servers.base import CERTIFICATE
from servers.files import FileServer
from support.gguf_files import random_streaming_model
from support.screen_app import ScreenApp, screen_app
from support.waiting import until

pytest.importorskip("transcribe_cpp")

NAME = "deutsch"


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Generator[FileServer]:
    """A server with a small German model, which the user's own catalogue names."""
    data = random_streaming_model(tmp_path / "model.gguf").read_bytes()
    with files.serving() as running:
        running.content["/model.gguf"] = data
        model = {
            "name": NAME,
            "title": "Random",
            "runtime": "transcribe-cpp",
            "languages": ["de"],
            "streaming": True,
            "licence": "CC-BY-4.0",
            "attribution": "Random by nobody",
            "files": [
                {
                    "name": "model.gguf",
                    "bytes": len(data),
                    "sha256": sha256(data).hexdigest(),
                    "urls": [f"{running.url}/model.gguf"],
                }
            ],
        }
        home.mkdir(exist_ok=True)
        (home / "models.toml").write_text(tomli_w.dumps({"version": 1, "models": [model]}))
        yield running


def environment(language: str = "de_DE.UTF-8") -> dict[str, str]:
    return {**os.environ, "LC_ALL": language, "SSL_CERT_FILE": str(CERTIFICATE), "no_proxy": "localhost"}


def remembered(home: Path) -> dict[str, object]:
    path = home / "state.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def leave(app: ScreenApp) -> None:
    app.press("q", "q")
    app.ends(60)


def test_a_german_speaker_is_asked_once_and_goes_on_in_german(server: FileServer, quiet_room: Path, home: Path) -> None:
    server.behaviours.append(files.stop_after(1000))
    with screen_app("--input", str(quiet_room), env=environment()) as app:
        app.sees("Which language do you speak?", "set to German", "Licence: CC-BY-4.0", "English is fine")
        assert not server.requests, "nothing is fetched before the answer"
        app.press("down", "enter")
        app.sees("is being downloaded", "moonshine tiny-en")
        until(lambda: server.requests)
        server.released.set()
        app.sees("deutsch is installed", "Random · German", "engine: local · Random · German", timeout_s=60)
        assert remembered(home)["language"] == "de"
        leave(app)
    with screen_app("--input", str(quiet_room), env=environment()) as app:
        app.sees("Random · German", timeout_s=60)
        assert "Which language" not in app.read()


@pytest.mark.proof
def test_an_answer_is_remembered_when_it_is_no(server: FileServer, quiet_room: Path, home: Path) -> None:
    with screen_app("--input", str(quiet_room), env=environment()) as app:
        app.sees("Which language do you speak?")
        app.press("escape")
        until(lambda: remembered(home).get("language") == "en")
        leave(app)
    with screen_app("--input", str(quiet_room), env=environment()) as app:
        app.sees("moonshine tiny-en", "LISTENING", timeout_s=60)
        assert "Which language" not in app.read()
    assert not server.requests


def test_without_a_network_it_says_so_and_goes_on_recording(server: FileServer, quiet_room: Path, home: Path) -> None:
    server.content.clear()
    with screen_app("--input", str(quiet_room), env=environment()) as app:
        app.sees("Which language do you speak?")
        app.press("down", "enter")
        app.sees("model.gguf could not be downloaded", timeout_s=60)
        app.sees("LISTENING", timeout_s=60)
        assert remembered(home)["language"] == "de"


@pytest.mark.proof
def test_an_english_system_is_asked_nothing(server: FileServer, quiet_room: Path) -> None:
    with screen_app("--input", str(quiet_room), env=environment("en_GB.UTF-8")) as app:
        app.sees("moonshine tiny-en", "LISTENING", timeout_s=60)
        assert "Which language" not in app.read()


@pytest.mark.proof
def test_a_model_is_installed_cancelled_used_and_kept_from_removal(
    server: FileServer, quiet_room: Path, home: Path
) -> None:
    server.behaviours.append(files.stop_after(300_000))
    with screen_app("--input", str(quiet_room), env=environment("C.UTF-8"), columns=110) as app:
        app.sees("LISTENING", timeout_s=60)
        app.press("e")
        app.sees("Engine", "tab models")
        app.press("\t")
        app.sees("Models", NAME, "world", "German")
        app.press("enter")
        app.sees("Random by nobody. Licence: CC-BY-4.0. Enter downloads")
        assert not server.requests
        app.press("enter")
        app.sees("% of 1 MB")
        until(lambda: any(part.stat().st_size for part in (home / "models" / NAME).glob("*.part")))
        app.press("\x18")
        app.sees("% downloaded")
        app.press("enter", "enter")
        app.sees("installed", timeout_s=60)
        app.press("enter")
        app.sees("Random · German", timeout_s=60)
        app.press("e")
        app.sees("tab models")
        app.press("\t")
        app.sees("enter choose", f"● {NAME}")
        # Again until it is answered: a key before the list has its cursor does nothing.
        app.until(lambda screen: f"{NAME} is in use" in screen or app.press("\x0b"))
    metadata = json.loads((home / "models" / NAME / "model.json").read_bytes())
    assert metadata["model"]["name"] == NAME
    assert remembered(home)["model"] == NAME
