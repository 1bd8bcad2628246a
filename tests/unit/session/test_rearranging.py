"""Lines joined and split: text, times, words, marks, speakers; in library, search and exports; and undone."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from mictape.engines.base import FinalTurn, Word
from mictape.failure import MictapeError
from mictape.library.export import FORMATS, Style
from mictape.library.library import Library, Store
from mictape.library.query import parse
from mictape.library.records import NO_LINE, LineRecord
from mictape.library.search import find
from mictape.recognition.stretches import FollowerEvent
from mictape.session.rearranging import joined_line, split_line, word_start
from mictape.session.session import Session
from mictape.session.track import Track
from mictape.transcript.line import Kind
from support.running_session import begun, recording, running
from support.scripted import ScriptedEngine
from support.waiting import until_async

WORDS = (Word("I", 0, 10), Word("said", 20, 40), Word("so", 60, 80), Word("yes", 100, 120))
LINE = LineRecord(3, 1, 0, 130, "I said so, yes.", connection=0, turn=2, words=WORDS, mark="here")


def test_the_second_half_begins_when_its_word_was_said() -> None:
    first, second = split_line(LINE, LINE.text.index("so"))
    assert (first.text, first.start, first.end, first.words) == ("I said", 0, 40, WORDS[:2])
    assert (second.text, second.start, second.end, second.words) == ("so, yes.", 60, 130, WORDS[2:])
    assert (first.mark, second.mark) == ("here", None)
    assert (first.turn, second.turn, first.id, second.id) == (None, None, NO_LINE, NO_LINE)


def test_two_halves_make_the_line_again() -> None:
    again = joined_line(*split_line(LINE, 7))
    assert (again.text, again.start, again.end, again.words, again.mark) == (
        LINE.text,
        LINE.start,
        LINE.end,
        LINE.words,
        LINE.mark,
    )


def test_a_joined_line_has_the_speaker_of_both_halves() -> None:
    first, second = (replace(half, speaker="Anna") for half in split_line(LINE, 7))
    assert joined_line(first, second).speaker == "Anna"
    for other in (None, "Bob"):
        assert joined_line(first, replace(second, speaker=other)).speaker is None
        assert joined_line(replace(first, speaker=other), second).speaker is None


def test_a_line_without_times_of_words_is_split_in_proportion() -> None:
    _, second = split_line(LineRecord(0, 1, 100, 200, "ab cd ef gh "), 6)
    assert (second.text, second.start) == ("ef gh", 150)


@pytest.mark.parametrize("at", [0, len(LINE.text)])
def test_a_half_without_text_is_refused(at: int) -> None:
    with pytest.raises(MictapeError, match="no text before"):
        split_line(LINE, at)


def test_of_an_edited_line_the_engine_s_text_and_words_are_split_at_the_same_word() -> None:
    edited = "I have always said so, yes."
    line = LineRecord(0, 1, 0, 130, edited, original=LINE.text, words=WORDS)
    first, second = split_line(line, edited.index("so"))
    assert (first.text, first.original, first.words) == ("I have always said", "I said", WORDS[:2])
    assert (second.text, second.original, second.words, second.start) == ("so, yes.", None, WORDS[2:], 60)


def test_halves_of_two_speakers_have_theirs() -> None:
    words = (Word("Well?", 0, 1, speaker="A"), Word("Yes.", 5, 6, speaker="B"))
    first, second = split_line(LineRecord(0, 1, 0, 9, "Well? Yes.", speaker="A", words=words), 6)
    assert (first.speaker, second.speaker) == ("A", "B")


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [("a ", " b", "a b"), ("你好", "世界", "你好世界"), ("안녕", "하세요", "안녕 하세요")],
)
def test_a_space_joins_where_the_script_has_spaces(first: str, second: str, together: str) -> None:
    lines = [LineRecord(id, 1, id, id + 1, text) for id, text in enumerate((first, second))]
    assert joined_line(*lines).text == together


def test_marks_and_edits_of_both_lines_are_the_joined_line_s() -> None:
    first = LineRecord(0, 1, 0, 5, "The end", original="Teh end", mark="one")
    joined = joined_line(first, LineRecord(1, 1, 6, 9, "of it", mark=""))
    assert (joined.original, joined.mark, joined.start, joined.end) == ("Teh end of it", "one", 0, 9)


def test_the_word_at_a_place_or_the_next_one() -> None:
    text = "ab  cd"
    assert [word_start(text, at) for at in range(7)] == [0, 0, 4, 4, 4, 4, 6]
    assert [word_start("我们、ok", at) for at in range(5)] == [0, 1, 1, 3, 3], "without spaces, each character"
    assert [word_start("กี่", at) for at in range(3)] == [0, 0, 0], "marks stand with their letter"
    assert [word_start("한국 어", at) for at in range(4)] == [0, 0, 3, 3]


async def found(library: Library, words: str) -> list[int | None]:
    page = await library.run(find, parse(words))
    return [hit.line for session in page.sessions for hit in session.hits]


@asynccontextmanager
async def with_lines(library: Library, tmp_path: Path, count: int = 3) -> AsyncGenerator[tuple[Session, Track]]:
    """A session that runs and has `count` lines: `w1`, `w2` and so on."""
    words = list(range(1, count + 1))
    session, track = await begun(library, ScriptedEngine(), recording(tmp_path / "a.wav", words))
    async with running(session, track):
        await until_async(lambda: len(session.transcript) == count)
        yield session, track


async def test_a_joined_line_is_one_in_library_search_and_exports_until_it_is_undone(
    library: Library, tmp_path: Path
) -> None:
    async with with_lines(library, tmp_path) as (session, _):
        text = session.transcript
        before = [text.line(at) for at in range(3)]
        session.writer.mark(before[1].id, "why")
        joined, undo = await session.writer.join(before[0].id, session.writer.next_of(before[0]).id)
        stored = await session._writes.run(Store.lines)
        assert [(line.text, line.mark) for line in stored] == [("w1 w2", "why"), ("w3", None)]
        assert (stored[0].start, stored[0].end) == (before[0].start, before[1].end)
        assert [text.text(at) for at in range(len(text))] == ["w1 w2", "w3"]
        assert await found(library, '"w1 w2"') == [joined]
        document = await session.document(Style())
        assert "w1 w2" in "".join(FORMATS["txt"].write(document))
        undo(session.writer)
        again = await session._writes.run(Store.lines)
        assert [(line.id, line.text, line.mark) for line in again] == [
            (before[0].id, "w1", None),
            (before[1].id, "w2", "why"),
            (before[2].id, "w3", None),
        ]
        assert not await found(library, '"w1 w2"')


async def test_what_an_engine_says_again_of_a_split_line_comes_when_that_is_undone(
    library: Library, tmp_path: Path
) -> None:
    async with with_lines(library, tmp_path) as (session, track):
        text = session.transcript

        def say(said: str) -> None:
            words = (Word("new", 100, 200), Word("year", 300, 400))
            turn = FinalTurn(77, said, words, 100, 400)
            session.writer.write(track, FollowerEvent(5, turn, "scripted", live=False))

        say("new year")
        line = next(each.id for each in map(text.line_of, text.ids()) if each.text == "new year")
        second, undo = await session.writer.split(line, 4)
        assert (text.text_of(second), text.start_of(second)) == ("year", 300)
        assert [each.words for each in await session._writes.run(Store.lines) if each.id == second] == [
            (Word("year", 300, 400),)
        ]
        say("New year.")
        assert sorted(map(text.text_of, text.ids())) == ["new", "w1", "w2", "w3", "year"]
        redo = undo(session.writer)
        assert redo is not None and text.text_of(line) == "New year."
        assert second not in text
        stored = await session._writes.run(Store.lines)
        assert [each.text for each in stored if each.id in {line, second}] == ["New year."]
        undo = redo(session.writer)
        assert undo is not None
        undo(session.writer)
        assert text.text_of(line) == "New year.", "each time"
        say("A new year.")
        _, undo = await session.writer.split(line, 5)
        undo(session.writer)
        assert text.text_of(line) == "A new year.", "the latest"


async def test_a_removed_line_is_nowhere_until_that_is_undone(library: Library, tmp_path: Path) -> None:
    async with with_lines(library, tmp_path) as (session, track):
        first = session.transcript.id_at(0)
        before = await session._writes.run(Store.lines)
        undo = await session.writer.remove(first)
        assert [line.text for line in await session._writes.run(Store.lines)] == ["w2", "w3"]
        assert not await found(library, "w1")
        redo = undo(session.writer)
        assert redo is not None
        assert await session._writes.run(Store.lines) == before
        assert await found(library, "w1") == [first]
        redo(session.writer)
        assert len(session.transcript) == 2
        session.transcript.add(9, 0, 0, "7 s not transcribed", kind=Kind.GAP)
        with pytest.raises(MictapeError, match="Only speech and notes"):
            await session.writer.remove(session.transcript.id_at(0))
        assert track.coverage.gaps == ()


async def test_a_line_of_another_track_or_none_cannot_be_joined(library: Library, tmp_path: Path) -> None:
    async with with_lines(library, tmp_path) as (session, track):
        session.transcript.add(9, 1 << 30, 1 << 30, "elsewhere")
        note, _ = session.writer.note(track, "a note")
        with pytest.raises(MictapeError, match="No other line follows"):
            session.writer.next_of(session.transcript.line(2))
        with pytest.raises(MictapeError, match="Only speech"):
            session.writer.next_of(session.transcript.line_of(note))
        with pytest.raises(MictapeError, match="Only lines of one track"):
            await session.writer.join(*(session.transcript.id_at(at) for at in (2, 4)))
        with pytest.raises(MictapeError, match="Only speech"):
            await session.writer.split(note, 2)


async def test_this_line_the_following_or_all_of_a_speaker_are_named_and_that_is_undone(
    library: Library, tmp_path: Path
) -> None:
    async with with_lines(library, tmp_path, 4) as (session, _):
        first, second, third, fourth = session.transcript.ids()
        writer = session.writer

        async def speakers() -> list[str | None]:
            shown = [session.transcript.line_of(id).speaker for id in (first, second, third, fourth)]
            assert [line.speaker for line in await session._writes.run(Store.lines)] == shown
            return shown

        undos = [writer.name_speaker(second, "A", "following")]
        assert await speakers() == [None, "A", "A", "A"]
        undos.append(writer.name_speaker(third, "B", "line"))
        assert await speakers() == [None, "A", "B", "A"]
        undos.append(writer.name_speaker(second, "Anna", "all"))
        assert await speakers() == [None, "Anna", "B", "Anna"]
        undos.append(writer.name_lines([first, second, third], "C"))
        assert await speakers() == ["C", "C", "C", "Anna"]
        session.transcript.revise(first, speaker="engine's")
        assert session.transcript.line_of(first).speaker == "C", "a person's name stays"
        for expected in (
            [None, "Anna", "B", "Anna"],
            [None, "A", "B", "A"],
            [None, "A", "A", "A"],
            [None, None, None, None],
        ):
            undos.pop()(writer)
            assert await speakers() == expected
        session.transcript.revise(first, speaker="engine's")
        assert session.transcript.line_of(first).speaker == "engine's"


async def test_a_note_is_taken_away_again(library: Library, tmp_path: Path) -> None:
    async with with_lines(library, tmp_path) as (session, track):
        note, undo = session.writer.note(track, "a note")
        undo(session.writer)
        assert note not in session.transcript
        assert note not in [line.id for line in await session._writes.run(Store.lines)]
        assert not await found(library, "note")
