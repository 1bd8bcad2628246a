"""Names and numbers that a person may type, and that nothing can be done with: a sentence and exit code 2 or 3."""

import logging
from pathlib import Path

import pytest

from conftest import Speech
from mictape.cli.main import run as mictape
from mictape.library.store import Store
from mictape.paths import places
from mictape.text_files import LARGEST_BYTES

TOO_LONG = "a" * 300


@pytest.fixture
def session(home: Path) -> None:
    """A session in the library."""
    where = places()
    where.prepare()
    with Store(where.library, where.sessions) as store, store.create_session():
        pass


@pytest.mark.parametrize(
    "command",
    [
        "transcribe {file} -o ~nosuchuser/x.md",
        "transcribe {file} -o {long}.md",
        "transcribe {file} {file} -o {long}",
        "transcribe {long}.wav",
        "transcribe {long}*.wav",
        "transcribe ***a",
        "transcribe {file} --give-up nan",
        "transcribe {file} --give-up -1",
        "import {long}",
        "import {file} --give-up 1e999",
        "sessions export last -o ~nosuchuser/x.md",
        "sessions export last -o {long}.md",
        "sessions export last last -o {long}",
        "sessions audio last -o ~nosuchuser/x.wav",
        "sessions audio last -o {long}.wav",
        "sessions complete last --give-up nan",
        "sessions transcribe last --give-up nan",
        "sessions prune --older-than nan",
        "sessions prune --older-than -1",
        "sessions prune --older-than 1e8",
        "--key-terms {large} transcribe {file}",
    ],
)
@pytest.mark.usefixtures("session")
def test_it_is_a_sentence(command: str, speech: Speech, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (large := tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    words = [word.format(file=speech.beckett, long=TOO_LONG, large=large) for word in command.split()]
    assert mictape(words) in (2, 3)
    said = capsys.readouterr()
    assert said.err.startswith("mictape: ")
    assert "nexpected" not in said.err
    assert "Traceback" not in said.err
    assert not said.out


@pytest.mark.parametrize("command", ["transcribe", "import", "sessions export last -o"])
@pytest.mark.usefixtures("session")
def test_an_empty_name_is_no_folder(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a script leaves empty by mistake must not stand for the current folder."""
    assert mictape([*command.split(), ""]) in (2, 3)
    assert capsys.readouterr().err.startswith("mictape: ")


@pytest.mark.usefixtures("session")
def test_a_place_for_models_that_cannot_be_is_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICTAPE_MODELS", "~nosuchuser/x")
    assert mictape(["models", "list"]) == 3
    assert "There is no such user" in capsys.readouterr().err


@pytest.mark.usefixtures("session")
def test_what_is_unexpected_goes_to_the_log_in_every_command(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the reason")

    before = logging.getLogger().handlers[:]
    try:
        monkeypatch.setattr("mictape.session.documents.read_document", fail)
        assert mictape(["sessions", "export", "last"]) == 1
    finally:
        logging.getLogger().handlers[:] = before
    said = capsys.readouterr().err
    assert said == f"mictape: Unexpected error. The details are in {home / 'mictape.log'}.\n"
    assert "RuntimeError: the reason" in (home / "mictape.log").read_text("utf-8")
