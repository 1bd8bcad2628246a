"""Completion for shells, as the shells take it; and the parser with presets."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mictape.cli.completion import SHELLS
from mictape.cli.main import run as mictape
from mictape.cli.parser import parser, preset_names


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_accepts_it(shell: str, home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[presets.meeting]\nkeep = false\n")
    assert mictape(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    for word in ("transcribe", "sounddevice", "meeting"):
        assert word in script.read_text()
    if shell in ("bash", "zsh", "fish") and (program := shutil.which(shell)):
        subprocess.run([program, "-n", script], check=True)


def test_a_preset_is_a_command_unless_there_is_one_of_its_name(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[presets.meeting]\n[presets.listen]\n[presets."--x"]\n')
    assert preset_names(config) == ["meeting", "listen"]
    top = parser(preset_names(config))
    assert top.parse_args(["meeting"]).preset == "meeting"
    assert not hasattr(top.parse_args(["listen"]), "preset")
    config.write_text("presets = [")
    assert preset_names(config) == []


def test_a_dumb_terminal_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert mictape([]) == 2
    assert "TERM is dumb. Use mictape listen." in capsys.readouterr().err
