"""A transcript as text and as JSON."""

import asyncio
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.base import Word
from mictape.library.export import json_line, json_session, markdown, standing, txt, visible
from mictape.library.export_file import SLICE, write
from mictape.library.records import LineRecord, SessionRecord, TrackRecord
from mictape.transcript.model import Kind, Transcript
from support.app_driver import handled
from support.waiting import until_async

HELLO = LineRecord(
    1, 1, 0, 16_000, "Hello there.", words=(Word("Hello", 0, 8_000, 0.9, estimated=True), Word("there."))
)
DIVIDER = LineRecord(2, 1, 16_000, 16_000, "microphone: Two", kind=Kind.DIVIDER)
BYE = LineRecord(3, 1, 17_000, 32_000, "Bye.", speaker="You", language="en")
TRACK = TrackRecord(1, "You", "Blue Yeti", samples=33_000, lost=160)
SESSION = SessionRecord("20261123-190418", 1795460658.5, None, "open", "Talk", "0.1.0", {}, 33_000, 2)


def is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Zl", "Zp")


def test_plain_text_is_what_was_said() -> None:
    assert list(txt([HELLO, DIVIDER, BYE])) == ["Hello there.", "Bye."]


def test_a_line_begins_with_the_name_of_its_track_where_that_is_told() -> None:
    assert list(txt([HELLO, BYE], {1: "You"})) == ["You: Hello there.", "You: Bye."]
    assert list(txt([HELLO], {2: "Computer"})) == ["Hello there."]
    assert json.loads(json_line(BYE, "Computer"))["track_name"] == "Computer"


def test_brackets_and_markup_stay_as_they_were_said() -> None:
    assert visible("[laughs] [/etc/hosts] [b]x[/b]") == "[laughs] [/etc/hosts] [b]x[/b]"


def test_escape_codes_are_seen_not_obeyed() -> None:
    assert visible("\x1b[31mred\x00\x7f") == "␛[31mred␀␡"
    assert visible("\x9b31m") == "\ufffd31m", "the C1 control that is short for ESC ["
    assert visible("\u202eabc\ud800") == "\ufffdabc\ufffd", "no row is reordered, nothing fails to print"
    assert visible("one\r\ntwo\tthree\u2028four\x85five") == "one  two three four five"


@given(st.text())
def test_any_text_is_one_line_without_controls(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert not any(map(is_control, shown))
    assert visible(shown) == shown


def test_a_line_in_json() -> None:
    assert json.loads(json_line(HELLO)) == {
        "id": 1,
        "track": 1,
        "start_s": 0.0,
        "end_s": 1.0,
        "text": "Hello there.",
        "words": [
            {"text": "Hello", "start_s": 0.0, "end_s": 0.5, "confidence": 0.9, "estimated": True},
            {"text": "there."},
        ],
    }
    assert json.loads(json_line(BYE)) == {
        **{"id": 3, "track": 1, "start_s": 1.062, "end_s": 2.0, "text": "Bye.", "speaker": "You", "language": "en"},
    }


@given(st.text())
def test_json_gives_any_text_back_on_one_safe_line(text: str) -> None:
    written = json_line(LineRecord(1, 1, 0, 1, text))
    assert json.loads(written)["text"] == text
    assert not any(map(is_control, written))
    assert len(written.splitlines()) == 1


def test_a_session_in_json() -> None:
    document = json.loads(json_session(SESSION, [TRACK], [HELLO, DIVIDER, BYE]))
    assert document["id"] == "20261123-190418"
    assert document["started"] == "2026-11-23T19:04:18.500000+00:00"
    assert document["tracks"] == [
        {
            **{"number": 1, "name": "You", "source": "Blue Yeti", "kind": "microphone"},
            **{"origin_s": 0.0, "duration_s": 2.062, "lost_s": 0.01},
        }
    ]
    assert [line["text"] for line in document["lines"]] == ["Hello there.", "Bye."]


def test_a_session_that_is_not_kept() -> None:
    document = json.loads(json_session(None, [], []))
    assert document == {"id": None, "title": "", "started": None, "tracks": [], "lines": []}


def test_a_line_as_it_stands() -> None:
    marked = LineRecord(1, 1, 744 * 16_000, 745 * 16_000, "It *was*.", speaker="Anna", mark="why [1]")
    assert standing(marked) == "★ 00:12:24  Anna: It *was*. (why [1])"
    assert standing(marked, times=False) == "Anna: It *was*."
    assert markdown(marked) == r"★ `00:12:24` **Anna:** It \*was\*. — *why \[1\]*"
    assert markdown(LineRecord(2, 1, 0, 0, "ask", kind=Kind.NOTE)) == "> `00:00:00` ask"
    assert markdown(DIVIDER) == "`00:00:01` *microphone: Two*"


async def test_a_file_is_whole_and_never_replaced_unasked(tmp_path: Path) -> None:
    transcript = Transcript()
    ids = [transcript.add(1, start, start, f"line {start}") for start in range(SLICE * 2 + 1)]
    path = tmp_path / "talk.txt"
    assert await write(transcript, ids, path, over=False) == len(ids)
    written = path.read_text(encoding="utf-8")
    assert written.splitlines() == [standing(transcript.line_of(id)) for id in ids]
    with pytest.raises(FileExistsError):
        await write(transcript, ids[:1], path, over=False)
    assert path.read_text(encoding="utf-8") == written
    assert await write(transcript, [*ids[:2], 9_999_999], path, over=True) == 2
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == [path], "nothing is left beside it"


async def test_the_selection_is_written_and_a_second_enter_replaces(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "talk.md"
    async with handled(home) as (app, pilot):
        await pilot.press("home", "shift+down", "shift+down")
        assert list(app._main.selected) == [app.transcript.id_at(0), app.transcript.id_at(1)]
        await pilot.press("x", "ctrl+u", *str(target), "enter")
        await until_async(target.exists)
        assert [line[-2:] for line in target.read_text().split("\n\n") if line] == ["w1", "w2"]
        target.write_text("mine")
        await pilot.press("x", "ctrl+u", *str(target), "enter")
        assert app.screen is not app._main
        assert target.read_text() == "mine"
        await pilot.press("enter")
        await until_async(lambda: target.read_text() != "mine")
