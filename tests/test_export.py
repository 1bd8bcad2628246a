"""A transcript as text and as JSON."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tui.transcript.export import json_line, json_session, txt, visible
from tui.transcript.kept import KeptLine, KeptSession, KeptTrack, Word
from tui.transcript.model import Kind

HELLO = KeptLine(1, 1, 0, 16_000, "Hello there.", words=(Word("Hello", 0, 8_000, 0.9), Word("there.")))
DIVIDER = KeptLine(2, 1, 16_000, 16_000, "microphone: Two", kind=Kind.DIVIDER)
BYE = KeptLine(3, 1, 17_000, 32_000, "Bye.", speaker="You", language="en")
TRACK = KeptTrack(1, "You", "Blue Yeti", samples=33_000, lost=160)
SESSION = KeptSession("20261123-190418", 1795460658.5, None, "open", "Talk", "0.1.0", {}, 33_000, 2)


def is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Zl", "Zp")


def test_plain_text_is_what_was_said() -> None:
    assert list(txt([HELLO, DIVIDER, BYE])) == ["Hello there.", "Bye."]


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
        "words": [{"text": "Hello", "start_s": 0.0, "end_s": 0.5, "confidence": 0.9}, {"text": "there."}],
    }
    assert json.loads(json_line(BYE)) == {
        **{"id": 3, "track": 1, "start_s": 1.062, "end_s": 2.0, "text": "Bye.", "speaker": "You", "language": "en"},
    }


@given(st.text())
def test_json_gives_any_text_back_on_one_safe_line(text: str) -> None:
    written = json_line(KeptLine(1, 1, 0, 1, text))
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
