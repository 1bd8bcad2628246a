"""What the person did is taken back, on the screen and in the library."""

from pathlib import Path

from textual.widgets import Input

from mictape.library.library import Store
from mictape.library.records import LineRecord
from mictape.screens.prompt import Ask
from mictape.units import RATE, clock
from support.app_driver import handled, messages, texts
from support.waiting import until_async


def kept(home: Path) -> list[LineRecord]:
    with Store.to_read(home / "library.db") as store:
        return store.lines(store.session("last").id)


async def test_marks_edits_and_names_are_undone_one_after_the_other(home: Path) -> None:
    async with handled(home) as (app, pilot):
        session = app.session
        assert session is not None
        said, line, track = texts(app), app._main.view.cursor_id, session.tracks[0].name
        assert line is not None
        await pilot.press("m")
        app._main._editing.did("edit", session.writer.edit(line, "changed"))
        app._main._editing.did("edit", session.writer.edit(line, "changed again"))
        app._main._editing.did("name", session.writer.name_speaker(line, "Anna"))
        app._main._editing.did("name", session.writer.name_speaker(line, "Berta"))
        await pilot.press("R")
        await until_async(lambda: isinstance(app.screen, Ask))
        await pilot.press(*"Me", "enter")
        await until_async(lambda: session.tracks[0].name == "Me")
        await until_async(lambda: next(each for each in kept(home) if each.id == line).speaker == "Berta")
        await pilot.press("u")
        assert session.tracks[0].name == track, "what was typed had replaced it"
        await pilot.press("u")
        assert app.transcript.line_of(line).speaker == "Anna"
        await pilot.press("u")
        assert app.transcript.line_of(line).speaker is None
        await pilot.press("u")
        assert app.transcript.text_of(line) == "changed"
        await pilot.press("u")
        assert texts(app) == said
        assert app.transcript.line_of(line).original is None
        assert app.transcript.line_of(line).mark == ""
        await pilot.press("u")
        assert app.transcript.line_of(line).mark is None
        await pilot.press("u")
        await until_async(lambda: any("nothing to undo" in each.message for each in app._notifications))
        await pilot.press(*["U"] * 6)
        again = app.transcript.line_of(line)
        assert (again.mark, again.text, again.speaker, session.tracks[0].name) == ("", "changed again", "Berta", "Me")
        await pilot.press("U")
        assert "There is nothing to redo." in messages(app)
        await pilot.press(*["u"] * 6)
        await until_async(lambda: kept(home)[-1].mark is None)
        last = kept(home)[-1]
        assert (last.text, last.original, last.speaker) == (said[-1], None, None)


async def test_speakers_that_have_one_name_now_are_not_torn_apart_wrongly(home: Path) -> None:
    async with handled(home) as (app, pilot):
        session = app.session
        assert session is not None
        first, second = app.transcript.id_at(0), app.transcript.id_at(1)
        session.writer.name_speaker(first, "A")
        session.writer.name_speaker(second, "B")
        app._main._editing.did("name", session.writer.name_speaker(second, "A"))
        await pilot.press("u")
        await until_async(lambda: any("separated again" in each.message for each in app._notifications))
        assert [app.transcript.line_of(id).speaker for id in (first, second)] == ["A", "A"]


async def test_meters_fold_to_a_row_each_and_stay_so_at_the_next_start(home: Path) -> None:
    async with handled(home) as (app, pilot):
        assert app._main.meters.size.height > 1
        await pilot.press("z")
        await until_async(lambda: app._main.meters.size.height == 1)
    async with handled(home) as (app, pilot):
        await until_async(lambda: app._main.meters.size.height == 1)
        await pilot.press("z")
        await until_async(lambda: app._main.meters.size.height > 1)


async def test_a_name_that_is_asked_for_again_is_selected_and_so_replaced(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("R")
        await until_async(lambda: isinstance(app.screen, Ask))
        answer = app.screen.query_one(Input)
        await until_async(lambda: not answer.selection.is_empty)
        await pilot.press("escape")


async def test_a_time_leads_to_the_line_that_is_labelled_so_and_marks_keys_to_notes(home: Path) -> None:
    async with handled(home) as (app, pilot):
        transcript, view = app.transcript, app._main.view
        session = app.session
        assert session is not None
        line = next(each for each in map(transcript.line_of, transcript.ids()) if each.start % RATE)
        label = clock(line.start)
        first = next(each for each in map(transcript.line_of, transcript.ids()) if clock(each.start) == label)
        await pilot.press("g")
        await until_async(lambda: isinstance(app.screen, Ask))
        await pilot.press(*label, "enter")
        await until_async(lambda: view.cursor_id == first.id)
        note, _ = session.writer.note(session.tracks[0], "written")
        await pilot.press("home", "right_curly_bracket")
        await until_async(lambda: view.cursor_id == note)


async def test_paragraphs_are_shown_by_a_key_and_at_the_next_start(home: Path) -> None:
    async with handled(home) as (app, pilot):
        assert not app._main.view.paragraphs
        await pilot.press("backslash")
        await until_async(lambda: app._main.view.paragraphs)
    async with handled(home) as (app, pilot):
        await until_async(lambda: app._main.view.paragraphs)
        await pilot.press("P")
        await until_async(lambda: not app._main.view.paragraphs)


async def test_the_title_is_in_the_state_line_until_it_is_undone(home: Path) -> None:
    async with handled(home) as (app, pilot):
        session, shown = app.session, lambda: app._main.status.render_line(0).text
        assert session is not None
        await pilot.press("i")
        await until_async(lambda: isinstance(app.screen, Ask))
        await pilot.press(*"Budget", "enter")
        await until_async(lambda: "Budget" in shown())
        with Store.to_read(home / "library.db") as store:
            assert store.session("last").title == "Budget"
        await pilot.press("u")
        await until_async(lambda: session.title == "")
        app.tick()
        assert "Budget" not in shown()


async def test_what_is_joined_written_and_titled_is_done_again_until_something_else_is_done(home: Path) -> None:
    async with handled(home) as (app, pilot):
        session = app.session
        assert session is not None
        said = texts(app)
        await pilot.press("home", "J")
        await until_async(lambda: texts(app)[0] == "w1 w2")
        for key, text in (("t", "later"), ("i", "Title")):
            await pilot.press(key)
            await until_async(lambda: isinstance(app.screen, Ask))
            await pilot.press(*text, "enter")
            await until_async(lambda: not isinstance(app.screen, Ask))
        await until_async(lambda: session.title == "Title")
        done = texts(app)
        assert "later" in done
        await pilot.press("u", "u", "u")
        await until_async(lambda: session.title == "")
        assert texts(app) == said
        assert app._main.view.cursor_id == app.transcript.id_at(0)
        await pilot.press("U", "U", "U")
        await until_async(lambda: session.title == "Title")
        assert texts(app) == done
        assert app._main.view.cursor_id == app.transcript.id_at(0)
        await pilot.press("u", "u", "m", "U")
        assert "There is nothing to redo." in messages(app)
        assert "later" not in texts(app)
    assert [line.text for line in kept(home)] == ["w1 w2", "w3", "w1", "w2", "w3"]


async def test_each_undo_says_what_it_undid_also_the_same_twice(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("home", "m", "m", "m", "u", "u", "u")
        at = clock(0)
        assert [each for each in messages(app) if each.startswith("Undone")] == [
            f"Undone: mark at {at}. 2 more.",
            f"Undone: removing a mark at {at}. 1 more.",
            f"Undone: mark at {at}. Nothing more to undo.",
        ]
