"""What is made of the parser: completion, as the shells take it, the manual page; presets, the demonstration."""

import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mictape.cli import parser as parsing
from mictape.cli.completion import SHELLS
from mictape.cli.main import run as mictape
from mictape.cli.parser import parser, preset_names
from mictape.failure import keep_secret
from mictape.library.library import Store
from mictape.library.trash import delete
from mictape.settings import Settings
from mictape.start import Start
from support.command_line import MICTAPE
from support.stored_sessions import fill


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_accepts_it(shell: str, home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[presets.meeting]\nkeep = false\n")
    assert mictape(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    for word in ("transcribe", "sounddevice", "meeting"):
        assert word in script.read_text()
    for name in ("openai-http", "mictape-light", "textual-dark", "english-best"):
        assert name in script.read_text()
    if shell in ("bash", "zsh", "fish") and (program := shutil.which(shell)):
        subprocess.run([program, "-n", script], check=True)


def test_sessions_and_presets_that_come_later_are_completed_too(
    home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert mictape(["completion", "bash"]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    [kept, deleted] = fill(home, 2)
    with Store(home / "library.db", home / "sessions") as store:
        delete(store, deleted)
    (home / "config.toml").write_text("[presets.meeting]\nkeep = false\n")
    (tmp_path / "mictape").write_text(f'#!/bin/sh\nexec {shlex.join(MICTAPE)} "$@"\n')
    (tmp_path / "mictape").chmod(0o755)

    def completed(*words: str) -> set[str]:
        """What bash offers for the last word."""
        asked = f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}"
        shown = 'printf "%s\\n" "${COMPREPLY[@]}"'
        name = re.search(r"complete -o \S+ -F (\S+)", script.read_text())
        assert name is not None
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = f". {script}; {asked}; {name[1]} mictape {shlex.quote(words[-1])} {words[-2]}; {shown}"
        return set(
            subprocess.run(["bash", "-c", command], env=env, check=True, capture_output=True, text=True).stdout.split()
        )

    assert {kept, "last"} <= completed("mictape", "sessions", "show", "") and deleted not in completed(
        "mictape", "open", ""
    )
    assert completed("mictape", "--preset", "m") == {"meeting"}
    assert completed("mictape", "sessions", "restore", deleted[:8]) == {deleted}


def test_a_preset_is_a_command_unless_there_is_one_of_its_name(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[presets.meeting]\n[presets.listen]\n[presets."--x"]\n[presets.besprechung-2]\n')
    assert preset_names(config) == ["meeting", "listen", "besprechung-2"]
    top = parser(preset_names(config))
    assert top.parse_args(["meeting"]).preset == "meeting"
    assert not hasattr(top.parse_args(["listen"]), "preset")
    config.write_text("presets = [")
    assert preset_names(config) == []


def test_a_dumb_terminal_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert mictape([]) == 2
    assert "TERM is dumb. Use mictape listen." in capsys.readouterr().err


def test_the_manual_page_names_every_command_and_can_be_laid_out() -> None:
    script = Path(__file__).parents[3] / "scripts" / "make_man.py"
    page = subprocess.run([sys.executable, script], capture_output=True, check=True, text=True).stdout
    for command in ("transcribe", "sessions export", "models install", "completion"):
        assert f"mictape {command}" in page
    if groff := shutil.which("groff"):
        laid_out = subprocess.run(
            [groff, "-man", "-Tutf8", "-wmac"], input=page, capture_output=True, check=True, text=True
        )
        assert "Live speech recognition in the terminal." in laid_out.stdout
        assert "macro" not in laid_out.stderr, "no unknown or broken macro; long lines may not be justified"


def started(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, Start]:
    """What the app is started with by a command line."""
    seen: list[tuple[Settings, Start]] = []

    def full_screen(settings: Settings, _where: object, start: Start) -> int:
        seen.append((settings, start))
        return 0

    monkeypatch.setattr(parsing, "full_screen", full_screen)
    assert mictape(argv) == 0
    return seen[0]


def test_the_demonstration_needs_no_network_and_no_device_and_keeps_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(
        'engine = "deepgram"\nlanguage = "de"\nalso = ["Monitor"]\n[engines.local]\nmodel = "other"\n'
    )
    settings, start = started(["--demo"], monkeypatch)
    assert (settings.engine, settings.language, settings.keep) == ("local", "en", False)
    assert (settings.also, settings.engines) == ((), {})
    assert start.file is not None
    assert start.file.stat().st_size < 200_000
    assert started([], monkeypatch)[1] == Start()


@pytest.mark.usefixtures("own_logging")
def test_options_say_how_much_is_printed_and_logged(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mictape(["search", "nothing-like-it"]) == 0
    assert capsys.readouterr().err == "Nothing found.\n"
    for quiet in (["-q", "search", "nothing-like-it"], ["search", "nothing-like-it", "--quiet"]):
        assert mictape(quiet) == 0
        assert capsys.readouterr().err == ""
    assert mictape(["-q", "sessions", "show", "nothing"]) == 2, "failures are always printed"
    assert "mictape: " in capsys.readouterr().err
    assert mictape(["search", "nothing-like-it", "--log-level", "error"]) == 0
    assert logging.getLogger("mictape").level == logging.ERROR
    assert mictape(["-v", "search", "nothing-like-it"]) == 0
    keep_secret("swordfish-swordfish")
    logging.getLogger("mictape.audio").debug("details of swordfish-swordfish")
    assert "DEBUG mictape.audio: details of [key]" in capsys.readouterr().err
    started(["-v"], monkeypatch)
    assert mictape(["search", "--log-level", "loud", "x"]) == 2


@pytest.mark.parametrize("name", ["50%", "%(prog)x", "$(touch x)", "`touch x`", "a;b", "a\nb", "\x1b]0;x", "a b"])
def test_a_preset_that_a_shell_or_the_help_would_expand_is_no_command(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(f"[presets.{json.dumps(name)}]\nkeep = false\n")
    assert mictape(["--help"]) == 0
    assert mictape(["completion", "bash"]) == 0
    said = capsys.readouterr()
    assert not said.err
    assert f"presets.{name}" not in said.out
    assert preset_names(home / "config.toml") == []
    assert mictape(["--preset", name, "config", "show"]) == 0
