"""Keys: where they come from, how they are given and taken back, and what is said when one is missing or wrong."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail

from mictape import credentials
from mictape.failure import ExitCode, MictapeError
from support import file_keyring
from support.background import in_background
from support.command_line import called
from support.example_service import Parrot, environment, sound
from support.file_keyring import FileKeyring, keyring_env
from support.screen_app import ScreenApp
from support.waiting import until

KEY = "pk-0123456789abcdef"
ANOTHER = "pk-fedcba9876543210"


@pytest.fixture
def ring(parrot_installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a keyring that this process uses, with the example engine installed."""
    path = tmp_path / "keyring.json"
    monkeypatch.setenv(file_keyring.VARIABLE, str(path))
    keyring.set_keyring(FileKeyring())
    return path


def failure_text(caught: pytest.ExceptionInfo[MictapeError], code: ExitCode) -> str:
    assert caught.value.failure.code is code
    return str(caught.value)


# Where a key comes from.


def test_the_environment_goes_before_the_keyring(ring: Path) -> None:
    assert credentials.key_for("parrot", {}) is None
    credentials.store("parrot", KEY)
    assert json.loads(ring.read_text()) == {"mictape PARROT_API_KEY": KEY}
    assert credentials.key_for("parrot", {}) == KEY
    assert credentials.key_for("parrot", {"PARROT_API_KEY": f" {ANOTHER}\n"}) == ANOTHER
    assert credentials.key_for("parrot", {"PARROT_API_KEY": " "}) == KEY, "an empty one counts as not set"
    assert credentials.forget("parrot")
    assert not credentials.forget("parrot")
    assert credentials.key_for("parrot", {}) is None


@pytest.mark.usefixtures("ring")
def test_engines_that_name_the_same_variable_share_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "site" / "macaw-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: macaw\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mictape.engines]\nmacaw = mictape_parrot:ParrotEngine\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    credentials.store("parrot", KEY)
    assert credentials.key_for("macaw", {}) == KEY


@pytest.mark.usefixtures("ring")
def test_an_engine_that_needs_no_key_has_none() -> None:
    assert credentials.key_for("local", {"LOCAL_API_KEY": KEY}) is None
    for act in (credentials.variable_of, credentials.forget, credentials.keyring_for):
        with pytest.raises(MictapeError) as caught:
            act("local")
        assert failure_text(caught, ExitCode.USAGE) == "The engine local needs no key. Use it as it is."


@pytest.mark.usefixtures("ring")
def test_a_keyring_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(credentials, "KEYRING_S", 0.1)
    monkeypatch.setattr(FileKeyring, "get_password", lambda *_: answer.wait() and None)
    for _ in range(2):  # the first one still holds the lock
        with pytest.raises(MictapeError, match="did not answer") as caught:
            credentials.key_for("parrot", {})
        assert "PARROT_API_KEY" in failure_text(caught, ExitCode.ENGINE)
    answer.set()
    until(lambda: not credentials._one_at_a_time.locked())


@pytest.mark.usefixtures("ring")
def test_without_a_keyring_the_sentence_names_the_variable() -> None:
    keyring.set_keyring(fail.Keyring())
    assert credentials.key_for("parrot", {}) is None
    assert credentials.key_for("parrot", {"PARROT_API_KEY": KEY}) == KEY
    with pytest.raises(MictapeError) as caught:
        credentials.store("parrot", KEY)
    assert "PARROT_API_KEY" in failure_text(caught, ExitCode.ENGINE)


def test_a_keyring_that_is_locked_is_a_sentence_without_its_own_words(
    ring: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ring.write_text("locked")
    with caplog.at_level(logging.DEBUG), pytest.raises(MictapeError) as caught:
        credentials.key_for("parrot", {})
    said = failure_text(caught, ExitCode.ENGINE)
    assert "Unlock it" in said and "PARROT_API_KEY" in said
    assert "KeyringLocked" in caplog.text
    assert "hunter2" not in caplog.text + said
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["", " \n", "two words", "schlüssel", "esc\x1b[0m", "new\nline"])
def test_what_cannot_be_a_key_is_not_taken(text: str) -> None:
    with pytest.raises(MictapeError) as caught:
        credentials.checked(text)
    said = failure_text(caught, ExitCode.USAGE)
    assert not text.strip() or text not in said


def test_what_was_pasted_along_is_left_out() -> None:
    assert credentials.checked(f"  {KEY}\r\n") == KEY


# The commands.


def stored(ring: Path) -> dict[str, str]:
    return json.loads(ring.read_text()) if ring.exists() else {}


def login(url: str) -> subprocess.CompletedProcess[str]:
    done = called("login", "parrot", "--set", f"url={url}", stdin=f"{KEY}\n".encode())
    assert KEY not in done.stdout + done.stderr
    return done


def test_login_tries_the_key_and_keeps_it(tmp_path: Path, ring: Path) -> None:
    with in_background(Parrot(KEY).serve()) as server:
        done = login(server.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "parrot takes the key. It is kept in a file for tests.\n"
        assert stored(ring) == {"mictape PARROT_API_KEY": KEY}
        assert len(server.asked) == 1
        file = str(sound(tmp_path / "x.wav"))
        said = called("transcribe", "--engine", "parrot", "--set", f"url={server.url}", file)
        assert said.returncode == 0, said.stderr
        assert "second 2" in said.stdout
    assert called("logout", "parrot").stdout == "The key for parrot is forgotten.\n"
    assert called("logout", "parrot").stdout == "No key for parrot was kept.\n"
    assert stored(ring) == {}


@pytest.mark.parametrize("refuses", ["upgrade", "close"])
def test_a_key_that_the_service_refuses_is_not_kept(ring: Path, refuses: str) -> None:
    with in_background(Parrot(ANOTHER, "close" if refuses == "close" else "upgrade").serve()) as server:
        done = login(server.url)
    assert (done.returncode, done.stdout) == (4, "")
    assert "does not accept the key" in done.stderr
    assert stored(ring) == {}


def test_a_key_that_cannot_be_tried_is_kept_and_that_is_said(ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_background(Parrot(KEY).serve()) as server:
        url = server.url
    monkeypatch.setenv("PARROT_API_KEY", ANOTHER)
    done = login(url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "could not be tried" in done.stdout
    assert "PARROT_API_KEY is set in the environment to another key" in done.stdout
    assert stored(ring) == {"mictape PARROT_API_KEY": KEY}


@pytest.mark.usefixtures("parrot_installed")
def test_login_without_a_keyring_says_so_before_it_asks() -> None:
    done = called("login", "parrot")
    assert done.returncode == 4
    assert "PARROT_API_KEY" in done.stderr


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [("local", KEY, "needs no key"), ("parot", KEY, "Did you mean parrot?"), ("parrot", "", "No key was given")],
)
def test_login_misused(ring: Path, name: str, key: str, words: str) -> None:
    done = called("login", name, stdin=key.encode())
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert stored(ring) == {}


@pytest.fixture
def ring_env(tmp_path: Path) -> dict[str, str]:
    """The environment of a process with a keyring."""
    return environment(**keyring_env(tmp_path / "keyring.json"))


async def test_in_a_terminal_the_key_is_asked_for_and_not_shown(tmp_path: Path, ring_env: dict[str, str]) -> None:
    async with Parrot(KEY).serve() as server:
        app = ScreenApp([sys.executable, "-m", "mictape", "login", "parrot", "--set", f"url={server.url}"], ring_env)
        try:
            await asyncio.to_thread(app.sees, "not shown")
            app.press(KEY, "enter")
            assert await asyncio.to_thread(app.ends) == 0
            screen = app.read()
            assert "parrot takes the key" in screen
            assert KEY not in screen
        finally:
            app.close()
    assert stored(tmp_path / "keyring.json") == {"mictape PARROT_API_KEY": KEY}


async def test_ctrl_c_instead_of_a_key_changes_nothing(tmp_path: Path, ring_env: dict[str, str]) -> None:
    # As a shell starts it: tests that run in the background have handed down a Ctrl-C that is ignored.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from mictape.cli.main import run; sys.exit(run(['login', 'parrot']))"
    )
    app = ScreenApp([sys.executable, "-c", program], ring_env)
    try:
        await asyncio.to_thread(app.sees, "not shown")
        app.press("\x03")
        try:
            code = await asyncio.to_thread(app.ends)
        except AssertionError:  # it came before the question was ready for it, and was lost
            app.press("\x03")
            code = await asyncio.to_thread(app.ends)
        assert code == 130
        assert app.modes() == app.before
    finally:
        app.close()
    assert stored(tmp_path / "keyring.json") == {}


# What the engines need.


@pytest.mark.usefixtures("ring")
def test_engines_says_what_each_needs_what_leaves_and_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = called("engines").stdout
    assert "local           ready                nothing leaves this machine\n" in listed
    assert "parrot          needs a key          sound goes to parrot.invalid; $0.12 an hour\n" in listed
    assert "Set one with mictape login parrot" in listed
    assert "assemblyai-v2   retired " in listed, "trying again would not help"
    monkeypatch.setenv("PARROT_API_KEY", KEY)
    assert "parrot          not reachable " in called("engines").stdout


@pytest.mark.usefixtures("ring")
def test_engines_for_programs_follow_the_service(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARROT_API_KEY", KEY)

    def parrot() -> dict[str, object]:
        listed = json.loads(called("engines", "--json").stdout)
        return next(one for one in listed if one["name"] == "parrot")

    with in_background(Parrot(KEY).serve()) as server:
        configure(home, f'[engines.parrot]\nurl = "{server.url}/v1?token=4711"\n')
        assert parrot() == {
            "name": "parrot",
            "title": f"parrot · plain · {server.url.removeprefix('ws://')}",
            "state": "ready",
            "why": None,
            "remedy": None,
            "leaves": "sound goes to a server on this machine",
            "usd_per_hour": None,
        }
        assert server.peers == [], "to look costs nothing"
    gone = parrot()
    assert gone["state"] == "not reachable"
    assert "cannot be reached" in str(gone["why"])
    configure(home, "[engines.parrot]\npause_ms = 'x'\n")
    broken = parrot()
    assert broken["state"] == "cannot be used"
    assert f"{home / 'config.toml'}, line 2" in str(broken["remedy"])


def configure(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)


# A session without a key, or with a wrong one.


@pytest.mark.usefixtures("parrot_installed")
def test_transcribe_without_a_key_says_how_to_give_one(tmp_path: Path) -> None:
    done = called("transcribe", "--engine", "parrot", str(sound(tmp_path / "x.wav")))
    assert (done.returncode, done.stdout) == (4, "")
    assert "PARROT_API_KEY" in done.stderr
    assert "mictape login parrot" in done.stderr


@pytest.mark.parametrize("refuses", ["upgrade", "close"])
@pytest.mark.usefixtures("parrot_installed")
def test_transcribe_with_a_wrong_key_ends_at_once(
    tmp_path: Path, refuses: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARROT_API_KEY", KEY)
    file = str(sound(tmp_path / "x.wav"))
    with in_background(Parrot(ANOTHER, "close" if refuses == "close" else "upgrade").serve()) as server:
        done = called("transcribe", "--engine", "parrot", "--set", f"url={server.url}", file)
        until(lambda: server.open == 0)
    assert (done.returncode, done.stdout) == (4, "")
    assert "does not accept the key" in done.stderr
    assert "mictape login" in done.stderr
    assert len(server.asked) == 1
