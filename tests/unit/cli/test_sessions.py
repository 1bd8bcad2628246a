"""`mictape sessions` and `mictape search` on a library that is there."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mictape.cli.main import run
from mictape.library.library import Store
from mictape.library.records import LineRecord
from mictape.transcript.line import Kind

VERSION_2 = Path(__file__).parents[1] / "library" / "data" / "version-2.db"
TALK, MEETING = "20261123-093000", "20261124-093000"

Mictape = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mictape(home: Path, capsys: pytest.CaptureFixture[str]) -> Mictape:
    """Runs a command line: its exit code, what it printed, and what it printed on stderr."""
    home.mkdir()
    shutil.copyfile(VERSION_2, home / "library.db")

    def call(*args: str) -> tuple[int, str, str]:
        code = run(args)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_the_list_says_what_a_session_is(mictape: Mictape) -> None:
    code, printed, _ = mictape("sessions")
    meeting, talk = printed.splitlines()
    assert code == 0
    assert meeting.startswith(MEETING)
    assert meeting.endswith("interrupted")
    said = "Good morning, everybody  2 marks  00:00:01 without text"
    assert talk.split(maxsplit=5) == [TALK, "Mon", "00:00:07", "3", "lines", said]


def test_of_a_session_with_notes_only_the_notes_are_counted(mictape: Mictape, home: Path) -> None:
    with Store(home / "library.db", home / "sessions") as store, store.create_session() as folder:
        store.add_line(folder.session, LineRecord(0, 1, 0, 0, "ask Anna", kind=Kind.NOTE))
        store.close_session(folder.session)
    assert mictape("sessions")[1].splitlines()[0].split()[3:5] == ["1", "note"]


def test_an_empty_list_says_so_and_makes_no_library(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sessions"]) == 0
    assert capsys.readouterr() == ("", "No sessions.\n")
    assert run(["search", "word"]) == 0
    assert capsys.readouterr() == ("", "Nothing found.\n")
    assert not home.exists()


def test_json_has_all_that_is_known(mictape: Mictape) -> None:
    listed = {each["id"]: each for each in json.loads(mictape("sessions", "list", "--json")[1])}
    assert (listed[TALK]["marks"], listed[TALK]["lines"], listed[TALK]["without_text_s"]) == (2, 3, 1.0)
    assert listed[TALK]["devices"] == ["Blue Yeti", "Monitor of Speakers"]
    shown = json.loads(mictape("sessions", "show", TALK, "--json")[1])
    lines = {line["id"]: line for line in shown["lines"]}
    assert (lines[3]["text"], lines[3]["original"], lines[3]["mark"]) == (
        "We talk about the budget.",
        "We talk about the budgett.",
        "",
    )
    assert (lines[1]["mark"], lines[1]["speaker"], lines[1]["track_name"]) == ("opening hours", "B", "Computer")
    assert [event["text"] for event in shown["events"] if event["kind"] == "note"] == ["Ask Anna for the figures"]


def ids(done: tuple[int, str, str]) -> list[str]:
    return [line[:15] for line in done[1].splitlines()]


def test_the_list_is_filtered_and_sorted(mictape: Mictape) -> None:
    assert ids(mictape("sessions", "list", "after:2026-11-24")) == [MEETING]
    assert ids(mictape("sessions", "list", "device:yeti", "before:2026-11-24")) == [TALK]
    assert ids(mictape("sessions", "list", "--sort", "oldest")) == [TALK, MEETING]
    assert mictape("sessions", "list", "in:nothing") == (0, "", "No such sessions.\n")
    code, _, said = mictape("sessions", "list", "budget", "speaker:anna")
    assert (code, "Use mictape search budget speaker:anna.\n" in said) == (2, True)
    code, _, said = mictape("sessions", "list", "budget")
    assert (code, "Use mictape search budget, or for a title in:budget.\n" in said) == (2, True)
    code, _, said = mictape("sessions", "list", "after:soon")
    assert (code, "is neither a date nor a time" in said) == (2, True)


def test_a_title_and_tags_are_given_and_found(mictape: Mictape) -> None:
    assert "Budget talk" in mictape("sessions", "rename", TALK, "Budget talk")[1]
    assert "#work" in mictape("sessions", "tag", "budget talk", "work", "old")[1]
    assert "#old" not in mictape("sessions", "tag", TALK, "--remove", "OLD")[1]
    assert ids(mictape("sessions", "list", "tag:work")) == [TALK]
    assert '#c# #"opening hours" #q3' in mictape("sessions", "tag", TALK, "#opening hours #q3, C#")[1].lower()
    code, _, said = mictape("sessions", "tag", TALK, "new", "--remove", "x")
    assert (code, f'Session {TALK} has no tag "x". Its tags: C#, opening hours, q3, work.' in said) == (2, True)
    assert "#new" not in mictape("sessions", "list")[1]
    assert (
        ids(mictape("sessions", "list", 'tag:"opening hours"')) == ids(mictape("sessions", "list", "tag:q3")) == [TALK]
    )
    assert mictape("search", "tag:work", "budget")[1].splitlines()[0].startswith(TALK)


def test_search_prints_hits_by_session(mictape: Mictape) -> None:
    code, printed, _ = mictape("search", "ZURICH")
    assert code == 0
    head, hit, end = printed.splitlines()
    assert (head.startswith(TALK), head.endswith("Good morning, everybody"), end) == (True, True, "")
    assert hit == "  ★ 00:00:02  Computer B: The café in Zürich opens at nine. [opening hours]"
    [found] = [json.loads(line) for line in mictape("search", "会議", "--json")[1].splitlines()]
    assert found["id"] == MEETING
    assert [[hit["text"][start:end] for start, end in hit["spans"]] for hit in found["hits"]] == [["会議"]]
    assert mictape("search", "--", "we", "-budget")[:2] == (0, "")
    assert "neither a date nor a time" in mictape("search", "after:soon")[2]
    for nothing in ("", "speaker:", "-budget"):
        code, _, said = mictape("search", "--", nothing)
        assert (code, said.startswith("mictape: There is nothing to search for. Name a word")) == (2, True)
    assert mictape("search", "good morning")[1], "quotes that the shell took off"
    assert mictape("search", "morning after:2020-01-01 good")[1], "with a filter it is a search, as in the library"
    assert mictape("search", "morning good")[1] == ""


def test_deleting_asks_and_can_be_undone(mictape: Mictape, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    code, _, asked = mictape("sessions", "delete", TALK)
    assert (code, "Move to the trash?" in asked, "Nothing was deleted" in asked) == (2, True, True)
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert mictape("sessions", "delete", TALK)[0] == 0
    assert TALK not in mictape("sessions")[1]
    assert TALK in mictape("sessions", "list", "--trash")[1]
    assert mictape("search", "zurich")[1] == ""
    assert mictape("sessions", "restore", TALK)[0] == 0
    assert TALK in mictape("sessions")[1]
    assert mictape("sessions", "delete", TALK, "--yes")[0] == 0
    assert "delete --for-good" in mictape("sessions", "delete", TALK, "--yes")[2]
    assert mictape("sessions", "delete", TALK, "--yes", "--for-good")[0] == 0
    assert mictape("sessions", "list", "--trash") == (0, "", "The trash is empty.\n")
    assert "in the trash" in mictape("sessions", "restore", TALK)[2]
