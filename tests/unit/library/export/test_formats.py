"""A transcript in every format, as other programs read it."""

import csv
import io
import json
import unicodedata
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mictape.engines.base import Word
from mictape.failure import MictapeError
from mictape.library.export import FORMATS, Document, Style, endings, format_of, json_line, plain
from mictape.library.formats import NAMES
from mictape.library.records import LineRecord, SessionRecord, TrackRecord
from mictape.plain_text import one_line
from mictape.transcript.line import Kind
from mictape.units import RATE
from support.export_texts import HOSTILE, hostile

HELLO = LineRecord(
    1,
    1,
    0,
    16_000,
    "Hello there.",
    words=(Word("Hello", 0, 8_000, 0.9, estimated=True), Word("there.")),
    engine="local",
)
DIVIDER = LineRecord(2, 1, 16_000, 16_000, "microphone: Two", kind=Kind.DIVIDER)
NOTE = LineRecord(4, 1, 16_500, 16_500, "ask Bob", kind=Kind.NOTE)
BYE = LineRecord(3, 1, 17_000, 32_000, "Bye.", speaker="Anna", language="en", mark="why", original="By.")
TRACK = TrackRecord(1, "You", "Blue Yeti", samples=33_000, lost=160)
COMPUTER = TrackRecord(2, "Client", "Monitor", kind="computer sound")
REPLY = LineRecord(5, 2, 40_000, 48_000, "Good day.")
SESSION = SessionRecord("20261123-190418", 1795460658.5, None, "closed", "Talk", "0.1.0", {}, 33_000, 2)
ALONE = Document(SESSION, [TRACK], [HELLO, DIVIDER, NOTE])
BOTH = Document(SESSION, [TRACK, COMPUTER], [HELLO, DIVIDER, NOTE, BYE, REPLY])


def written(name: str, document: Document) -> str:
    return "".join(FORMATS[name].write(document))


ALL = hostile()


def is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Zl", "Zp")


# ---- The list --------------------------------------------------------------------------------------------------------


def test_every_name_has_a_format_and_every_ending_one_only() -> None:
    assert tuple(FORMATS) == NAMES
    all_endings = [ending for each in FORMATS.values() for ending in each.endings]
    assert len(all_endings) == len(set(all_endings))
    for each in FORMATS.values():
        for ending in each.endings:
            assert format_of(Path(f"talk{ending.upper()}")) is each
        assert each.endings[0] in endings()


@pytest.mark.parametrize("name", ["talk.docx", "talk", "talk.srt.bak", ".srt"])
def test_an_ending_of_no_format_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(MictapeError, match=r"\.txt, \.md, \.srt, \.vtt, \.json, \.csv, \.html"):
        format_of(Path(name))


@pytest.mark.parametrize("name", FORMATS)
def test_who_speaks_is_in_every_format_where_several_do_and_in_none_where_one_does(name: str) -> None:
    both, alone = written(name, BOTH), written(name, ALONE)
    assert "Client" in both
    assert "Anna" in both
    if name not in ("json", "csv"):  # which have the track of each line
        assert "You" not in "".join(line for line in alone.splitlines() if "Recorded from" not in line)
    assert "Client" not in written("txt", Document(SESSION, BOTH.tracks, BOTH.lines, Style(speakers=False)))


@pytest.mark.parametrize("name", ["txt", "md", "vtt", "json", "csv", "html"])
def test_notes_and_marks_are_kept(name: str) -> None:
    text = written(name, BOTH)
    assert "ask Bob" in text
    assert "why" in text


@pytest.mark.parametrize(
    ("name", "text"),
    [("txt", "Client: [1.0 s lost]"), ("md", "**Client:** *1.0 s lost*"), ("html", "<b>Client:</b> 1.0 s lost")],
)
def test_it_is_said_whose_sound_was_lost(name: str, text: str) -> None:
    lost = LineRecord(6, 2, 50_000, 66_000, "1.0 s lost", kind=Kind.HOLE)
    assert text in written(name, Document(SESSION, BOTH.tracks, [*BOTH.lines, lost]))
    assert "You" not in written("txt", Document(SESSION, [TRACK], [HELLO, replace(lost, track=1)]))


def test_notes_are_not_spoken_in_subtitles() -> None:
    assert "ask Bob" not in written("srt", BOTH)
    assert "NOTE\nAt 00:00:01: ask Bob\n" in written("vtt", BOTH)


@pytest.mark.parametrize("name", ["md", "html", "json"])
def test_the_head_says_what_it_is(name: str) -> None:
    text = written(name, BOTH)
    for fact in ("Talk", "2026", "Blue Yeti", "Monitor", "local"):
        assert fact in text
    assert ("00:00:02" in text) or '"duration_s": 2.062' in text


@pytest.mark.parametrize("name", ["md", "html", "json"])
def test_what_is_not_kept_has_its_length_and_the_title_that_is_proposed(name: str) -> None:
    file = TrackRecord(2, "File", "talk.wav", kind="file", origin=RATE, samples=33_000)
    text = written(name, Document(None, [TRACK, file], [HELLO]))
    assert ("00:00:03" in text) or '"duration_s": 3.062' in text
    assert (name == "json") or "talk" in text.splitlines()[0] + text[text.find("<title>") :]
    assert (name == "json") or "Hello there" in written(name, Document(None, [TRACK], [HELLO])).split("00:00")[0]


def test_times_and_wall_clock() -> None:
    def of(name: str, style: Style) -> str:
        return written(name, Document(SESSION, [TRACK], [HELLO], style, utc_of=lambda at: 1795460658.5 + at / RATE))

    assert "00:00:00" not in of("txt", Style())
    assert of("txt", Style(times=True)) == "00:00:00  Hello there.\n"
    assert "00:00:00" in of("md", Style())
    assert "`00:00:00`" not in of("md", Style(times=False))
    wall = f"{SESSION.started:%H:%M:%S}"
    style = Style(times=True, wall_clock=True)
    assert wall in of("txt", style)
    assert wall in of("csv", Style(wall_clock=True))
    unknown = Document(SESSION, [TRACK], [HELLO], Style(times=True, wall_clock=True), utc_of=lambda _: None)
    assert "00:00:00" in written("txt", unknown)
    began = SESSION.started.timestamp()
    paused = Document(SESSION, [TRACK], [DIVIDER, BYE], style, utc_of=lambda at: began + 60 * (at > DIVIDER.start))
    times = [row.split()[0] for row in written("txt", paused).replace("★ ", "").splitlines()]
    assert times == [wall, f"{SESSION.started + timedelta(minutes=1):%H:%M:%S}"], "a divider is not behind its pause"


# ---- Text that is markup somewhere -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_has_a_character_that_a_terminal_obeys(name: str) -> None:
    assert not any(map(is_control, written(name, ALL).replace("\r\n", "\n").replace("\n", "")))


class _Page(HTMLParser):
    """The tags of a page, and the text of its paragraphs."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_is_made_of_our_tags_only() -> None:
    page = _Page()
    page.feed(written("html", ALL))
    assert page.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "dl",
        "dt",
        "dd",
        "p",
        "time",
        "b",
        "i",
    }
    for text in HOSTILE:
        assert one_line(text) in page.text


def test_a_table_has_a_row_a_line_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv", ALL), newline="")))
    assert len(rows) == len(HOSTILE)
    for row, text in zip(rows, HOSTILE, strict=True):
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in (row["text"], row["mark_note"]))
        assert row["text"].removeprefix("'") == one_line(text)


@given(st.lists(st.text()))
def test_any_text_comes_back_from_json(texts: list[str]) -> None:
    lines = [LineRecord(at, 1, at, at + 1, text) for at, text in enumerate(texts)]
    document = written("json", Document(None, [TRACK], lines))
    assert [line["text"] for line in json.loads(document)["lines"]] == texts


# ---- Plain text, Markdown, JSON --------------------------------------------------------------------------------------


def test_a_line_as_plain_text() -> None:
    marked = LineRecord(1, 1, 744 * RATE, 745 * RATE, "It *was*.", mark="why [1]")
    assert plain(marked, time="00:12:24", voice="Anna") == "★ 00:12:24  Anna: It *was*. [why [1]]"
    assert plain(HELLO) == "Hello there."
    assert plain(NOTE) == "[note: ask Bob]"
    assert plain(DIVIDER) == "[microphone: Two]"


def test_markdown() -> None:
    text = written("md", BOTH)
    assert text.startswith("# Talk\n\n- Date: ")
    assert "`00:00:00` **You:** Hello there.\n\n" in text
    assert "> `00:00:01` ask Bob\n\n" in text
    assert "★ `00:00:01` **Anna:** Bye. — *why*\n\n" in text
    assert r"\<script\>" in written("md", ALL)
    bare = Document(
        None, [TRACK], [LineRecord(1, 1, 0, 1, "1. list"), LineRecord(2, 1, 1, 2, "- list")], Style(times=False)
    )
    assert written("md", bare).endswith("1\\. list\n\n\\- list\n\n")


def test_the_head_names_the_device_that_was_recorded_later() -> None:
    changed = replace(TRACK, device="Headset")
    assert "- Recorded from: Blue Yeti, then Headset (You)\n" in written("md", Document(SESSION, [changed], [HELLO]))


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("txt", "★ 00:00:01  [note: ask Bob] [urgent]"),
        ("md", "> ★ `00:00:01` ask Bob — *urgent*\n\n"),
        ("vtt", "NOTE\nAt 00:00:01: ask Bob, marked urgent\n"),
        ("html", '<p class="note">★ <time>00:00:01</time><i>Note:</i> ask Bob <i>(urgent)</i></p>\n'),
    ],
)
def test_a_note_can_be_marked(name: str, row: str) -> None:
    marked = replace(NOTE, mark="urgent")
    assert row in written(name, Document(SESSION, [TRACK], [marked], Style(times=True)))


def test_escape_codes_are_seen_not_obeyed() -> None:
    assert one_line("\x1b[31mred\x00\x7f") == "␛[31mred␀␡"
    assert one_line("\x9b31m") == "\ufffd31m", "the C1 control that is short for ESC ["
    assert one_line("\u202eabc\ud800") == "\ufffdabc\ufffd", "no row is reordered, nothing fails to print"
    assert one_line("one\r\ntwo\tthree\u2028four\x85five") == "one  two three four five"


@given(st.text())
def test_any_text_is_one_line_without_controls(text: str) -> None:
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert not any(map(is_control, shown))
    assert one_line(shown) == shown


def test_a_line_in_json() -> None:
    assert json.loads(json_line(HELLO)) == {
        "type": "final",
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
    assert json.loads(json_line(BYE, "Computer", revised=True)) == {
        **{
            "type": "revision",
            "id": 3,
            "track": 1,
            "start_s": 1.062,
            "end_s": 2.0,
            "text": "Bye.",
            "speaker": "Anna",
            "language": "en",
        },
        **{"original": "By.", "mark": "why", "track_name": "Computer"},
    }


@given(st.text())
def test_json_gives_any_text_back_on_one_safe_line(text: str) -> None:
    line = json_line(LineRecord(1, 1, 0, 1, text))
    assert json.loads(line)["text"] == text
    assert not any(map(is_control, line))
    assert len(line.splitlines()) == 1


def test_a_session_in_json() -> None:
    document = json.loads(written("json", BOTH))
    assert document["id"] == "20261123-190418"
    assert document["started"] == "2026-11-23T19:04:18.500000+00:00"
    assert document["tracks"][0] == {
        **{"number": 1, "name": "You", "source": "Blue Yeti", "kind": "microphone"},
        **{"origin_s": 0.0, "duration_s": 2.062, "lost_s": 0.01},
    }
    assert [line["text"] for line in document["lines"]] == ["Hello there.", "Bye.", "Good day."]
    assert [(event["kind"], event["text"]) for event in document["events"]] == [
        ("divider", "microphone: Two"),
        ("note", "ask Bob"),
    ]
    assert (document["version"], document["engines"]) == (1, ["local"])


def test_a_session_that_is_not_kept() -> None:
    document = json.loads(written("json", Document(None, [], [])))
    assert (document["id"], document["started"], document["lines"]) == (None, None, [])
