"""Whether Mictape can be installed where README says so: by what the package index has files for, today."""

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.proof

PROJECT: Final = Path(__file__).parents[2] / "pyproject.toml"
UV: Final = Path(sysconfig.get_path("scripts")) / "uv"

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
WITH_ENGINE: Final = (
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
)
WITHOUT_ENGINE: Final = ("x86_64-apple-darwin",)
OLDEST_MACOS: Final = {"aarch64-apple-darwin": "14.0", "x86_64-apple-darwin": "13.0"}


def resolved(platform: str, python: str) -> set[str]:
    """The names of the packages that are installed, all of them from wheels. Fails where there are none that fit."""
    done = subprocess.run(
        [
            *(UV, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"),
            *("--python-version", python, "--python-platform", platform, PROJECT),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS.get(platform, "")},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {line.partition("==")[0] for line in done.stdout.splitlines() if line}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", WITH_ENGINE)
def test_it_installs_with_its_engine(platform: str, python: str) -> None:
    assert {"textual", "onnxruntime", "soxr"} <= resolved(platform, python)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", WITHOUT_ENGINE)
def test_it_installs_without_its_engine(platform: str, python: str) -> None:
    packages = resolved(platform, python)
    assert "textual" in packages
    assert "onnxruntime" not in packages


@pytest.mark.parametrize(
    ("platform", "python"), [("x86_64-unknown-linux-musl", "3.13"), ("x86_64-manylinux_2_28", "3.15")]
)
def test_what_cannot_be_installed_is_found_out(platform: str, python: str) -> None:
    with pytest.raises(AssertionError, match=r"no wheels|no usable wheels|unsatisfiable"):
        resolved(platform, python)
