"""Marks, notes and edits: on the screen at once, in the library a moment later, and again at the next start."""

from pathlib import Path

from mictape.engines.base import Word
from mictape.library.library import Store
from mictape.library.records import LineRecord
from mictape.transcript.line import Kind
from mictape.transcript.model import Transcript
from support.app_driver import handled, texts
from support.waiting import until, until_async


def kept(home: Path) -> list[LineRecord]:
    """What a start after kill -9 would find, while the app still runs."""
    with Store.to_read(home / "library.db") as store:
        return store.lines(store.session("last").id)


async def test_marks_notes_and_edits_outlive_the_process(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("up", "m", "up", "M")
        await pilot.press(*"why", "enter", "t", *"ask", "enter")
        await pilot.press("home", "enter", *"!", "enter")
        await until_async(lambda: "ask" in texts(app))
        assert texts(app) == ["w1!", "w2", "w3", "w1", "w2", "w3", "ask"]
        assert sorted(app.transcript.marks.values()) == ["", "why"]
        until(lambda: kept(home)[0].original == "w1")
        lines = kept(home)
        assert [line.text for line in lines] == texts(app)
        assert [(line.text, line.mark) for line in lines if line.mark is not None] == [("w1", "why"), ("w2", "")]
        assert lines[-1].kind is Kind.NOTE
        await pilot.press("right_curly_bracket", "m")
        until(lambda: [line.mark for line in kept(home) if line.mark is not None] == [""])


async def test_gaps_cannot_be_marked(home: Path) -> None:
    async with handled(home) as (app, pilot):
        gap = app.transcript.add(1, 0, 1, "1 s not transcribed", kind=Kind.GAP)
        app._main.view.go_to(gap)
        await pilot.press("m")
        await until_async(lambda: any("can be marked" in each.message for each in app._notifications))
        assert not app.transcript.marks


def test_a_later_revision_leaves_an_edit_alone_and_is_what_comes_back() -> None:
    transcript = Transcript()
    id = transcript.add(1, 0, 1, "teh end")
    transcript.edit(id, "the end")
    transcript.revise(id, "The end.", end=2)
    line = transcript.line_of(id)
    assert (line.text, line.original, line.end) == ("the end", "The end.", 2)
    transcript.edit(id, "The end.")
    assert transcript.line_of(id).original is None
    transcript.revise(id, "The End.")
    assert transcript.text_of(id) == "The End."


def test_a_renamed_speaker_is_renamed_everywhere_and_for_what_comes() -> None:
    transcript = Transcript()
    ids = [transcript.add(1, start, start, "", speaker=name) for start, name in enumerate("ABA")]
    transcript.rename_speaker(1, "A", "Anna")
    ids.append(transcript.add(1, 9, 9, "", speaker="A"))
    assert [transcript.line_of(id).speaker for id in ids] == ["Anna", "B", "Anna", "Anna"]
    transcript.rename_speaker(1, "B", "Anna")
    assert transcript.voices.speakers == ("Anna",)
    transcript.rename_speaker(1, "Anna", "Ann")
    assert {transcript.line_of(id).speaker for id in ids} == {"Ann"}


def test_speakers_of_two_tracks_that_are_called_alike_are_two_people(tmp_path: Path) -> None:
    transcript = Transcript()
    ids = [transcript.add(track, 0, 0, "", speaker="A") for track in (1, 2)]
    transcript.rename_speaker(2, "A", "Anna")
    assert [transcript.line_of(id).speaker for id in ids] == ["A", "Anna"]
    called = transcript.voices.called
    assert (called(1, "A"), called(2, "A"), called(2, "B")) == ("A", "Anna", "B")
    words = (Word("x", speaker="A"), Word("y", speaker="B"))
    with Store(tmp_path / "library.db") as store, store.create_session() as folder:
        for id, track in zip(ids, (1, 2), strict=True):
            store.add_line(folder.session, LineRecord(id, track, 0, 1, "x y", speaker="A", words=words))
        store.rename_speaker(folder.session, 2, "A", "Anna")
        store.set_speakers(folder.session, {ids[0]: "B"})
        lines = store.lines(folder.session)
    assert [line.speaker for line in lines] == ["B", "Anna"]
    assert [[word.speaker for word in line.words or ()] for line in lines] == [["B", "B"], ["Anna", "B"]]


def test_the_library_keeps_one_mark_a_line(tmp_path: Path) -> None:
    with Store(tmp_path / "library.db") as store, store.create_session() as folder:
        store.add_line(folder.session, LineRecord(3, 1, 0, 1, "x", speaker="A"))
        store.set_mark(folder.session, 3, "")
        store.set_mark(folder.session, 3, "note")
        store.set_mark(folder.session, 4, "no such line")
        store.edit_line(folder.session, 3, "y", "x")
        store.rename_speaker(folder.session, 1, "A", "Anna")
        store.revise_line(folder.session, LineRecord(3, 1, 0, 1, "X", speaker="Anna"))
        [line] = store.lines(folder.session)
        assert (line.text, line.original, line.speaker, line.mark) == ("y", "X", "Anna", "note")
        store.set_mark(folder.session, 3, None)
        assert store.lines(folder.session)[0].mark is None
