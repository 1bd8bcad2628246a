"""docs/json.md tells the truth: what is printed has the fields and types of the shapes that it is made from."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mictape.cli.main import run
from mictape.engines.base import Word
from mictape.library.export import json_line
from mictape.library.export.documentation import SHAPES, field_docs, markdown
from mictape.library.export.lists import HitsObject, ListObject
from mictape.library.export.objects import FinalObject, PartialObject, RevisionObject, SessionObject, json_partial
from mictape.library.records import LineRecord
from mictape.transcript.line import PartialText
from mictape.units import RATE

VERSION_2 = Path(__file__).parents[1] / "data" / "version-2.db"
LINE = LineRecord(3, 1, 0, RATE, "Bye.", speaker="Anna", words=(Word("Bye.", 0, RATE, 0.5),), mark="why", original="By")


def check(printed: str, shape: Any) -> Any:
    """Decode it as the shape; a field that the shape does not have makes a difference."""
    value = msgspec.json.decode(printed, type=shape)
    assert json.loads(msgspec.json.encode(value)) == json.loads(printed)
    return value


def test_every_field_is_documented() -> None:
    page = markdown()
    for title, shape in SHAPES:
        assert f"## {title}\n" in page
        fields = {field.name for field in msgspec.structs.fields(shape)}
        assert field_docs(shape).keys() >= fields, title
        assert all(f"| `{field}` |" in page for field in fields)


def printed_by(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert run(command) == 0
    return capsys.readouterr().out


def test_what_the_library_prints_is_as_documented(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    shutil.copyfile(VERSION_2, home / "library.db")
    for each in ("20261123-093000", "20261124-093000"):
        session: SessionObject = check(printed_by(capsys, "sessions", "show", each, "--json"), SessionObject)
        kinds = {event.kind for event in session.events}
        assert session.lines and (kinds >= {"note", "gap"} or each != "20261123-093000")
    listed: Sequence[ListObject] = check(printed_by(capsys, "sessions", "list", "--json"), list[ListObject])
    assert len(listed) == 2
    for found in printed_by(capsys, "search", "--json", "--", "the").splitlines():
        assert check(found, HitsObject).hits


def test_what_listen_prints_is_as_documented() -> None:
    check(json_line(LINE, "You"), FinalObject)
    check(json_line(LINE, revised=True), RevisionObject)
    check(json_partial(1, PartialText(RATE, "good mor", 4), "You"), PartialObject)
    check(json_partial(1, None), PartialObject)
