"""A key is nowhere but in the environment or the keyring: not after any kind of failing session, not while it runs.

The service quotes the key in its refusals, since real ones do.
"""

import asyncio
import base64
import json
import logging
import secrets
from pathlib import Path
from typing import Literal

import pytest

from mictape.failure import SHORTEST_SECRET, Failure, discreet, keep_secret
from mictape.terminal import set_up_log
from support.example_service import Parrot, environment, mictape, sound
from support.file_keyring import keyring_env
from support.screen_app import screen_app

Refuses = Literal["upgrade", "close", "after a second"]
REFUSALS: tuple[Refuses, ...] = ("upgrade", "close", "after a second")
RUN = {("environment", "after a second"), ("keyring", "upgrade")}
"""What `make test` tries of the ways to get a key and to refuse it: each starts the command once more."""


@pytest.fixture
def key() -> str:
    """A key that exists nowhere else."""
    return f"pk-{secrets.token_hex(16)}"


def places_of(key: str, *texts: str, folder: Path) -> list[str]:
    """Where a key is: files of a folder, texts; in clear or in a common disguise."""
    disguises = [key, key[::-1], key.encode().hex(), base64.b64encode(key.encode()).decode().rstrip("=")]
    found = [text for text in texts if any(each in text for each in disguises)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return found + [str(path) for path in files if any(each.encode() in path.read_bytes() for each in disguises)]


def is_kept(home: Path) -> bool:
    """Whether there is where to look: the library, a session's folder, the log."""
    return all(list(home.glob(what)) for what in ("library.db", "sessions/*", "mictape.log"))


def test_the_search_finds_what_is_there(tmp_path: Path, key: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"\x00" + base64.b64encode(key.encode()))
    assert places_of(key, f"say {key}", "nothing", folder=tmp_path) == [f"say {key}", str(tmp_path / "a" / "file")]


@pytest.mark.parametrize(
    ("source", "refuses"),
    [
        pytest.param(source, refuses, marks=[] if (source, refuses) in RUN else pytest.mark.proof)
        for source in ("environment", "keyring")
        for refuses in REFUSALS
    ],
)
async def test_a_failing_session_leaves_no_key(
    tmp_path: Path, home: Path, key: str, source: str, refuses: Refuses
) -> None:
    ring = tmp_path / "keyring.json"
    ring.write_text(json.dumps({"mictape PARROT_API_KEY": key}))
    given = {"PARROT_API_KEY": key} if source == "environment" else keyring_env(ring)
    parrot = Parrot("another", refuses)
    async with parrot.serve() as server:
        done = await mictape(
            *("transcribe", "--engine", "parrot", "--set", f"url={server.url}", "--keep"),
            *("--format", "json", str(sound(tmp_path / "x.wav", seconds=5))),
            env=environment(**given),
        )
    assert done.code == 4
    assert "does not accept the key" in done.err
    assert server.asked[0].headers["authorization"] == f"Parrot {key}", "it was used"
    assert any("transcribe" in line for line in parrot.command_lines)
    assert is_kept(home)
    assert places_of(key, done.out, done.err, *parrot.command_lines, folder=home) == []


@pytest.mark.parametrize(
    "refuses", [pytest.param(refuses, marks=[] if refuses == "upgrade" else pytest.mark.proof) for refuses in REFUSALS]
)
async def test_login_with_a_key_that_is_refused_leaves_no_key(
    tmp_path: Path, home: Path, key: str, refuses: Refuses
) -> None:
    parrot = Parrot("another", refuses)
    async with parrot.serve() as server:
        env = environment(**keyring_env(tmp_path / "keyring.json"))
        done = await mictape("login", "parrot", "--set", f"url={server.url}", env=env, stdin=key.encode())
    assert places_of(key, done.out, done.err, *parrot.command_lines, folder=home) == []


async def test_the_screen_shows_no_key(tmp_path: Path, home: Path, key: str) -> None:
    file = str(sound(tmp_path / "x.wav", seconds=30))
    async with Parrot("another", "after a second").serve() as server:
        settings = ("--engine", "parrot", "--set", f"url={server.url}", "--input", file)
        with screen_app(*settings, env=environment(PARROT_API_KEY=key), columns=160) as app:
            screen = await asyncio.to_thread(app.sees, "does not accept the key")
            app.press("q", "q")
            await asyncio.to_thread(app.ends)
            screen += app.read()
    assert places_of(key, screen, folder=home) == []


def test_what_others_say_is_made_discreet(tmp_path: Path, key: str) -> None:
    keep_secret(key)
    assert str(Failure(f"{key} is wrong", f"Replace {key}")) == "[key] is wrong. Replace [key]."
    log = tmp_path / "log"
    before = logging.getLogger().handlers[:]
    try:
        set_up_log(log)
        try:
            raise ValueError(key)
        except ValueError:
            logging.getLogger("somebody").exception("cannot use %s", key)
    finally:
        for handler in logging.getLogger().handlers[:]:
            logging.getLogger().removeHandler(handler)
            handler.close()
        for handler in before:
            logging.getLogger().addHandler(handler)
    assert "ValueError: [key]" in log.read_text()
    assert places_of(key, folder=tmp_path) == []


def test_a_word_is_no_secret() -> None:
    word = "a" * (SHORTEST_SECRET - 1)
    keep_secret(word)
    keep_secret("")
    assert discreet(f"{word}, said the parrot") == f"{word}, said the parrot"
