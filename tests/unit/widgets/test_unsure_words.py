"""Words that an engine was unsure of: where they stand, how they are shown, and going from one to the next."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs

from mictape.engines.base import Capabilities, Connection, EngineEvent, FinalTurn, Request, Word
from mictape.failure import Failure, MictapeError
from mictape.library.library import Store
from mictape.library.low_confidence import UNSURE_BELOW, unsure_spans
from mictape.library.records import LineRecord
from mictape.transcript.line import NOTE
from mictape.transcript.model import Transcript
from mictape.transcript.query import Matcher, Query
from mictape.units import Span
from mictape.widgets.transcript_view import TranscriptView
from support.app_driver import handled
from support.scripted import ScriptedEngine
from support.transcript_app import fill, shown
from support.waiting import until_async

SURE, UNSURE = UNSURE_BELOW, UNSURE_BELOW - 0.01
SECOND = 16_000


def words(said: str) -> tuple[Word, ...]:
    """The words of a text; those that end in a question mark, which is left out, are unsure."""
    return tuple(Word(word.rstrip("?"), confidence=UNSURE if word.endswith("?") else SURE) for word in said.split())


@pytest.mark.parametrize(
    ("text", "said", "found"),
    [
        ("It was the best", "It was? the best", ["was"]),
        ("a cat, a Hat.", "a cat a? hat?", ["a", "Hat"]),
        ("I owe you $5,000 in all", "i owe? you five? thousand dollars? in? all", ["owe", "in"]),
        ("一二三", "一? 二 三?", ["一", "三"]),
        ("İstanbul is", "istanbul is?", ["is"]),
        ("nothing of it", "something? else?", []),
        ("", "word?", []),
    ],
)
def test_where_unsure_words_stand(text: str, said: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in unsure_spans(text, words(said))] == found


def test_words_of_which_the_engine_does_not_say_how_sure_it_is_are_not_unsure() -> None:
    assert unsure_spans("one two", (Word("one"), Word("two", confidence=0.0))) == ((4, 7),)


def test_the_library_knows_them_as_the_line_is_now(tmp_path: Path) -> None:
    with Store(tmp_path / "library.db") as store, store.create_session() as folder:
        session = folder.session
        for id, said in enumerate(["one? two", "one two", "one two?", "three?"]):
            store.add_line(session, LineRecord(id, 1, id, id, said.replace("?", ""), words=words(said)))
        store.add_line(session, LineRecord(4, 1, 4, 4, "no words"))
        assert store.unsure(session, [0, 1, 2, 4, 9]) == {0: ((0, 3),), 2: ((4, 7),)}
        store.edit_line(session, 0, "One two", "one two")
        store.revise_line(session, LineRecord(2, 1, 2, 2, "one, two", words=words("one? two")))
        assert store.unsure(session, range(5)) == {2: ((0, 3),), 3: ((0, 5),)}


class Library:
    """Answers as it is set to, and notes what it was asked."""

    def __init__(self, **spans: Span) -> None:
        self.spans = {int(name.removeprefix("line")): (span,) for name, span in spans.items()}
        self.asked: list[list[int]] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self, lines: Sequence[int]) -> Mapping[int, tuple[Span, ...]]:
        self.asked.append(list(lines))
        spans = dict(self.spans)
        await self.answers.wait()
        return spans


def marked(view: TranscriptView, y: int) -> list[str]:
    """What is drawn as unsure in a row."""
    return [part.text for part in view.render_line(y) if part.style and part.style.underline2]


async def test_only_lines_on_the_screen_are_asked_about_and_each_once() -> None:
    transcript, library = Transcript(), Library(line97=(0, 4), line0=(5, 6))
    fill(transcript, 100)
    async with shown(transcript) as (view, pilot):
        view.mark_unsure(library)
        await pilot.pause()
        assert library.asked == [list(range(76, 100))]
        assert marked(view, 21) == ["line"]
        fill(transcript, 1, first=100)
        view.pull()
        await pilot.pause()
        assert library.asked[1:] == [[100]]
        await pilot.press("home")
        assert library.asked[2:] == [list(range(23))], "the last row says that it does not follow"
        assert marked(view, 0) == ["0"]
        await pilot.press("end")
        assert library.asked[3:] == [list(range(77, 101))], "what is no longer shown is forgotten"


async def test_a_line_that_changes_is_asked_about_again_and_an_edited_one_has_none() -> None:
    transcript, library = Transcript(), Library(line0=(0, 4), line1=(0, 4))
    fill(transcript, 2)
    transcript.add(0, 9 * SECOND, 9 * SECOND, "a note", kind=NOTE)
    async with shown(transcript) as (view, pilot):
        library.answers.clear()
        view.mark_unsure(library)
        await until_async(lambda: library.asked == [[0, 1]])
        transcript.revise(0, "the line")
        view.pull()
        library.spans[0] = ((4, 8),)
        library.answers.set()
        await until_async(lambda: marked(view, 0) == ["line"])
        assert library.asked[1:] == [[0]], "the answer about what it was before does not count"
        assert marked(view, 1) == ["line"]
        transcript.edit(1, "line one")
        view.pull()
        await pilot.pause()
        assert marked(view, 1) == []
        transcript.edit(1, "line 1")
        view.pull()
        await until_async(lambda: marked(view, 1) == ["line"])
        assert library.asked[2:] == [[1]]


async def test_unsure_words_differ_from_hits_and_selection_without_colour() -> None:
    transcript, library = Transcript(), Library(line0=(0, 4))
    transcript.add(0, 0, SECOND, "teapot kettle teapot tea")
    transcript.add(0, SECOND, SECOND, "teapot")
    async with shown(transcript) as (view, _):
        view.mark_unsure(library)
        view.search(Matcher(Query("teapot")))
        view.move_to_hit(-1)
        await until_async(lambda: view.walk.current == 1)
        await until_async(lambda: marked(view, 0))
        looks = {
            (part.text, bool(part.style.italic), bool(part.style.underline2), bool(part.style.underline))
            for part in view.render_line(0)
            if part.style is not None
        }
        assert {(" kettle ", False, False, False), ("teapot", False, False, True)} <= looks
        assert ("teap", True, True, True) in looks, "also where it was found"


async def test_a_library_that_cannot_be_read_marks_nothing() -> None:
    async def broken(lines: Sequence[int]) -> Mapping[int, tuple[Span, ...]]:
        raise MictapeError(Failure("The library cannot be read"))

    transcript = Transcript()
    fill(transcript, 2)
    async with shown(transcript) as (view, pilot):
        view.mark_unsure(broken)
        await pilot.pause()
        assert marked(view, 0) == []
        assert not view._unsure.missing([0, 1]), "it is not asked again and again"


@dataclass
class Mumbling:
    """A connection whose word 2 is always unsure."""

    inner: Connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        async for event in self.inner:
            said = (event.words if isinstance(event, FinalTurn) else None) or ()
            sure = tuple(structs.replace(word, confidence=UNSURE if word.text == "w2" else SURE) for word in said)
            yield replace(event, words=sure) if isinstance(event, FinalTurn) else event


class MumblingEngine(ScriptedEngine):
    """Says how sure it is."""

    async def connect(self, request: Request) -> Connection:
        return cast(Connection, Mumbling(await super().connect(request)))


async def test_keys_go_from_one_to_the_next(home: Path) -> None:
    async with handled(home, MumblingEngine(Capabilities(offline=True, word_times=True))) as (app, pilot):
        view, transcript = app._main.view, app.transcript
        first, second = transcript.id_at(1), transcript.id_at(4)

        def said_no() -> int:
            return sum("unsure words" in each.message for each in app._notifications)

        await until_async(lambda: [id for id in transcript.ids() if view._unsure.spans(id)] == [first, second])
        await until_async(lambda: view.cursor_id == transcript.id_at(-1))
        await pilot.press("left_square_bracket")
        await until_async(lambda: view.cursor_id == second)
        await pilot.press("left_square_bracket")
        await until_async(lambda: view.cursor_id == first)
        await pilot.press("left_square_bracket")
        await until_async(lambda: said_no() == 1)
        assert view.cursor_id == first
        await pilot.press("right_square_bracket")
        await until_async(lambda: view.cursor_id == second)
        assert app.session is not None
        app.session.writer.edit(second, "two")
        app.clear_notifications()  # what is in sight is not said again
        await pilot.press("left_square_bracket")
        await until_async(lambda: view.cursor_id == first)
        await pilot.press("right_square_bracket")
        await until_async(lambda: said_no() == 1)
        assert view.cursor_id == first, "an edited line is the person's word"
