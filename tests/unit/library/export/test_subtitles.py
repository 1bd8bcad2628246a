"""Subtitles: the limits hold for any text, and other programs read what was meant."""

import html
import itertools
import shutil
import subprocess
from pathlib import Path

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mictape.engines.base import Word
from mictape.library.export import FORMATS, Document
from mictape.library.export.subtitles import (
    COLUMNS,
    LONGEST_MS,
    ROWS,
    SHORTEST_MS,
    Cue,
    cues,
    subrip_text,
    webvtt_text,
    width_of,
)
from mictape.library.records import LineRecord, TrackRecord
from mictape.units import RATE
from support.export_texts import hostile

ALL = hostile()
YOU, CLIENT = TrackRecord(1, "You", "Blue Yeti"), TrackRecord(2, "Client", "Monitor", kind="computer sound")


def spoken(
    text: str, *, start_s: float = 0.0, word_s: float = 0.4, pause_s: float = 0.0, id: int = 1, track: int = 1
) -> LineRecord:
    """A line with the times of its words."""
    words: list[Word] = []
    at = start_s
    for word in text.split():
        words.append(Word(word, int(at * RATE), int((at + word_s) * RATE)))
        at += word_s + (pause_s if word.endswith((".", ",")) else 0.0)
    return LineRecord(id, track, int(start_s * RATE), int(at * RATE), text, words=tuple(words))


def shown(
    *lines: LineRecord, tracks: tuple[TrackRecord, ...] = (YOU,), names_in_text: bool = False
) -> list[tuple[int, int, str]]:
    found = cues(Document(None, tracks, lines), str, names_in_text=names_in_text)
    return [(cue.start, cue.end, " / ".join(cue.rows)) for cue in found]


def test_a_short_line_is_one_cue_that_stays_for_a_second() -> None:
    assert shown(spoken("Hello.", start_s=2)) == [(2000, 3000, "Hello.")]


def test_a_long_line_is_cut_where_sentences_and_clauses_end() -> None:
    text = (
        "It was the best of times, it was the worst of times, it was the age of wisdom. "
        "It was the age of foolishness, it was the epoch of belief, it was the epoch of incredulity."
    )
    rows = [text for _, _, text in shown(spoken(text, word_s=0.3, pause_s=0.4))]
    assert " ".join(rows).replace(" / ", " ") == text
    assert all(row.endswith((",", ".")) for row in rows)


def test_times_are_those_of_the_words() -> None:
    line = spoken("one two three. four five six.", word_s=0.5, pause_s=3.0)
    assert [(start, text) for start, _, text in shown(line)] == [(0, "one two three."), (4500, "four five six.")]
    silent = shown(line)[0]
    assert silent[1] <= 2000, "nothing is shown long after it was said"


def test_an_edited_line_keeps_its_place_though_its_words_are_others() -> None:
    line = LineRecord(
        1, 1, 16_000, 48_000, "quite another text", words=(Word("other", 16_000, 20_000),), original="other"
    )
    assert [(start, text) for start, _, text in shown(line)] == [(1000, "quite another text")]


def test_short_lines_of_one_voice_are_shown_together() -> None:
    lines = [spoken(text, start_s=at * 0.5, word_s=0.4, id=at + 1) for at, text in enumerate(("Yes.", "No.", "Well."))]
    assert [text for *_, text in shown(*lines)] == ["Yes. No. Well."]


def test_a_name_stands_where_the_voice_changes() -> None:
    lines = [
        spoken("Hello there.", id=1),
        spoken("How are you?", start_s=4, id=2),
        spoken("Fine.", start_s=8, id=3, track=2),
        spoken("Good.", start_s=12, id=4),
    ]
    texts = [text for *_, text in shown(*lines, tracks=(YOU, CLIENT), names_in_text=True)]
    assert texts == ["You: Hello there.", "How are you?", "Client: Fine.", "You: Good."]


def test_a_voice_without_a_name_is_not_taken_for_the_one_before() -> None:
    lines = [
        spoken("Hello there.", id=1),
        replace(spoken("How are you?", start_s=4, id=2), speaker="Bob"),
        spoken("Fine.", start_s=8, id=3),
        spoken("Good.", start_s=12, id=4),
    ]
    texts = [text for *_, text in shown(*lines, names_in_text=True)]
    assert texts == ["Hello there.", "Bob: How are you?", "- Fine.", "Good."]


def test_a_name_stands_again_where_two_speak_at_once_and_another_cue_comes_between() -> None:
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    lines = [spoken(long, id=1), spoken("And so it goes.", start_s=2, id=2, track=2)]
    texts = [text for *_, text in shown(*lines, tracks=(YOU, CLIENT), names_in_text=True)]
    assert [text.split()[0] for text in texts] == ["You:", "Client:", "You:"]
    said = " ".join(texts).replace(" /", "").replace("You: ", "").replace("Client: And so it goes. ", "")
    assert said == long


def test_a_language_without_spaces_is_cut_between_its_words() -> None:
    words = tuple(
        Word(character, at * 3200, at * 3200 + 3200) for at, character in enumerate("今日はとても良い天気ですね" * 6)
    )
    line = LineRecord(1, 1, 0, len(words) * 3200, "".join(word.text for word in words), words=words)
    found = shown(line)
    assert "".join(text.replace(" / ", "") for *_, text in found) == line.text
    assert len(found) > 1


_word = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cf")), min_size=1, max_size=60
)
_times = st.tuples(st.integers(0, 30_000), st.integers(0, 60_000))


@st.composite
def lines(draw: st.DrawFn) -> list[LineRecord]:
    found: list[LineRecord] = []
    at = 0
    for id in range(draw(st.integers(0, 6))):
        words: list[Word] = []
        at += draw(st.integers(0, 80_000))
        start = at
        for text in draw(st.lists(_word, max_size=30)):
            gap, length = draw(_times)
            words.append(Word(text, at + gap, at + gap + length))
            at += gap + length
        known = tuple(words) if draw(st.booleans()) else None
        found.append(
            LineRecord(id, draw(st.integers(1, 2)), start, at, " ".join(word.text for word in words), words=known)
        )
    return found


@given(lines(), st.booleans())
def test_the_limits_hold_for_any_speech(said: list[LineRecord], named: bool) -> None:
    document = Document(None, [YOU, CLIENT], said)
    found = cues(document, str, names_in_text=named)
    assert [cue.start for cue in found] == sorted(cue.start for cue in found)
    for cue in found:
        assert 1 <= len(cue.rows) <= ROWS
        assert all(width_of(row) <= COLUMNS for row in cue.rows)
        assert 0 < cue.end - cue.start <= LONGEST_MS
    for before, cue in itertools.pairwise(found):
        assert not named or cue.voice == before.voice or cue.rows[0].startswith(f"{cue.voice}:")
    for track in (1, 2):
        mine = cues(Document(None, [YOU, CLIENT], [line for line in said if line.track == track]), str)
        for one, other in itertools.pairwise(mine):
            assert one.end <= max(other.start, one.start + 1), "cues of one voice do not overlap"
            assert one.end - one.start >= SHORTEST_MS or other.start - one.start < SHORTEST_MS
        text = "".join("".join(cue.rows) for cue in mine)
        assert "".join(text.split()) == "".join("".join(line.text.split()) for line in said if line.track == track)


# ---- Judges ----------------------------------------------------------------------------------------------------------


def meant_by(name: str) -> list[Cue]:
    return cues(ALL, subrip_text, names_in_text=True) if name == "srt" else cues(ALL, webvtt_text)


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_pysubs2_reads_every_cue_with_its_time_and_its_text(name: str) -> None:
    text = "".join(FORMATS[name].write(ALL))
    meant = meant_by(name)
    read = pysubs2.SSAFile.from_string(text, format_=name)
    assert [(event.start, event.end) for event in read] == [(cue.start, cue.end) for cue in meant]
    texts = [event.plaintext if name == "srt" else html.unescape(event.plaintext) for event in read]
    assert texts == ["\n".join(cue.rows) for cue in meant]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_ffmpeg_reads_every_cue(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"talk.{name}"
    path.write_text("".join(FORMATS[name].write(ALL)), encoding="utf-8")
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "ass", "-"]
    done = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    read = pysubs2.SSAFile.from_string(done.stdout.decode(), format_="ass")
    meant = meant_by(name)
    assert [(event.start, event.end) for event in read] == [(cue.start, cue.end) for cue in meant]
    assert done.stderr == b""
    assert [event.plaintext for event in read] == ["\n".join(cue.rows) for cue in meant]
