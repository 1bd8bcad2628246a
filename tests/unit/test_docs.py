"""Pages that follow from the code are as the code is now, and what others say of the command line can be typed."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from mictape.cli.parser import parser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def script(path: str) -> ModuleType:
    """A script of the project, imported."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_current() -> None:
    pages: dict[str, str] = script("scripts/generate_docs.py").pages()
    assert pages
    old = [name for name, text in pages.items() if (DOCS / name).read_text(encoding="utf-8") != text]
    assert old == [], "run scripts/generate_docs.py"


def test_the_pictures_are_of_the_app_as_it_is() -> None:
    screenshot = script("docs/screenshot.py")
    for picture in (screenshot.STILL, screenshot.LIVE):
        assert f"<!-- made from {screenshot.inputs()} -->" in picture.read_text(encoding="utf-8"), (
            "run docs/screenshot.py"
        )


@pytest.mark.parametrize("page", ["README.md", "docs/command-line.md"])
def test_every_command_line_of_the_docs_can_be_typed(page: str) -> None:
    lines = re.findall(r"^    mictape\b(.*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) > 5
    known = parser()
    for line in lines:
        assert known.parse_args(shlex.split(line, comments=True)).run is not None
