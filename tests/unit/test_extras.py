"""Extras: each is what pyproject.toml says, and the command fits what Mictape is installed in."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mictape.cli.models import here, row, show_terms
from mictape.extras import PACKAGES, command_for
from mictape.paths import places

ROOT = Path(__file__).parents[2]


def test_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {name: list(packages) for name, packages in PACKAGES.items()} == project["optional-dependencies"]


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/anna/.local/share/uv/tools/mictape", "uv tool install 'mictape[models]'"),
        ("/home/anna/.local/share/pipx/venvs/mictape", "pipx inject mictape 'transcribe-cpp==0.4.*'"),
        ("/home/anna/mictape/.venv", f"{sys.executable} -m pip install 'transcribe-cpp==0.4.*'"),
    ],
)
def test_the_command_is_that_of_the_tool_that_installed_it(
    prefix: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    assert command_for("models") == command


def test_an_environment_without_pip_gets_its_packages_from_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else found(name))
    command = f"uv pip install --python {sys.executable} 'python-socks[asyncio]>=2.7' 'socksio>=1'"
    assert command_for("socks") == command


def test_a_shell_gives_the_packages_to_pip_as_they_are_written() -> None:
    words = command_for("socks").removeprefix(f"{sys.executable} -m pip install ")
    said = subprocess.run(["sh", "-c", f"printf '%s\\n' {words}"], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == list(PACKAGES["socks"])


def test_a_list_of_models_and_what_is_shown_before_a_download_say_what_a_model_needs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "transcribe_cpp" else found(name))
    catalogue, store = here(places({"MICTAPE_HOME": str(home)}))
    needs = {
        model.name: any("needs transcribe-cpp" in line for line in row(model, store)) for model in catalogue.models
    }
    assert needs == {model.name: model.runtime == "transcribe-cpp" for model in catalogue.models}
    show_terms(catalogue.named("world"))
    assert f"is not installed. Type: {command_for('models')}" in capsys.readouterr().out
