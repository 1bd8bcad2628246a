"""A line opened: its text, its speaker, a word to expect; and what the engine said restored."""

import threading
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from mictape.screens.edit_line import EditLine, NameSpeaker, SplitLine
from mictape.screens.prompt import Ask
from mictape.units import clock
from mictape.widgets.choice import Choice
from mictape.widgets.line_field import LineField
from mictape.widgets.transcript_selection import selection_of
from support.app_driver import handled, messages, texts
from support.waiting import until_async
from support.widget_app import sees


async def test_what_the_engine_said_can_be_restored(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("home", "enter", *"?!", "enter")
        await until_async(lambda: texts(app)[0] == "w1?!")
        await pilot.press("enter", "ctrl+r", "enter")
        await until_async(lambda: texts(app)[0] == "w1")
        assert app.transcript.line(0).original is None


async def test_a_line_that_is_emptied_is_removed_and_undo_brings_it_back(home: Path) -> None:
    async with handled(home) as (app, pilot):
        before = texts(app)
        await pilot.press("home", "down", "m", "enter")
        await until_async(lambda: isinstance(app.screen, EditLine))
        await pilot.press("ctrl+u", "enter")
        await until_async(lambda: texts(app) == before[:1] + before[2:])
        assert "The line is removed, the sound stays; u brings it back." in messages(app)
        assert app._main.line is not None and app._main.line.text == before[2]
        await pilot.press("u")
        await until_async(lambda: texts(app) == before)
        assert app._main.line is not None and (app._main.line.text, app._main.line.mark) == (before[1], "")


async def test_a_line_is_opened_while_the_library_waits_for_a_full_disk(home: Path) -> None:
    async with handled(home) as (app, pilot):
        assert app.session is not None
        disk = threading.Event()
        app.session._writes._thread.submit(disk.wait)
        try:
            await pilot.press("home", "enter")
            await until_async(lambda: isinstance(app.screen, EditLine))
            await pilot.press(*" q", "enter")
            await until_async(lambda: texts(app)[0] == "w1 q")
        finally:
            disk.set()


async def test_lines_are_removed_one_after_the_other(home: Path) -> None:
    async with handled(home) as (app, pilot):
        before = texts(app)
        await pilot.press("home", "down", "delete")
        await until_async(lambda: texts(app) == before[:1] + before[2:])
        await pilot.press("delete")
        await until_async(lambda: texts(app) == before[:1] + before[3:])
        await pilot.press("end", "delete")
        await until_async(lambda: texts(app) == [before[0], *before[3:-1]])
        assert app._main.line is not None and app._main.line.text == before[-2], "no line follows the last one"
        await pilot.press("u", "u", "u")
        await until_async(lambda: texts(app) == before)


async def test_all_selected_lines_are_removed_in_one_step(home: Path) -> None:
    async with handled(home) as (app, pilot):
        assert app.session is not None
        app.session.writer.note(app.session.tracks[0], "a note", app.transcript.start(2))
        before, at = texts(app), clock(app.transcript.start(1))
        await pilot.press("home", "down", "shift+down", "shift+down", "delete")
        await until_async(lambda: texts(app) == [before[0], *before[4:]])
        assert "3 lines are removed, the sound stays; u brings them back." in messages(app)
        for _ in range(2):
            assert app._main.line is not None and app._main.line.text == before[4]
            await pilot.press("u")
            await until_async(lambda: texts(app) == before)
            assert "a note" in before[1:4]
            assert app._main.line is not None and app._main.line.text == before[1]
            await pilot.press("U")
            await until_async(lambda: texts(app) == [before[0], *before[4:]])
        assert f"Redone: removing 3 lines at {at}. Nothing more to redo." in messages(app)


async def test_all_selected_lines_are_marked_and_joined(home: Path) -> None:
    async with handled(home) as (app, pilot):
        text = app.transcript
        before, ids = texts(app), text.ids()
        await pilot.press("home", "m", "shift+down", "shift+down", "m")
        assert dict(text.marks) == dict.fromkeys(ids[:3], "")
        assert "2 lines are marked." in messages(app)
        await pilot.press("m")
        assert not text.marks
        await pilot.press("u", "u")
        assert dict(text.marks) == {ids[0]: ""}, "one step each"
        await pilot.press("M")
        await until_async(lambda: isinstance(app.screen, Ask))
        await pilot.press(*"why", "enter")
        await until_async(lambda: dict(text.marks) == dict.fromkeys(ids[:3], "why"))
        await pilot.press("u", "J")
        await until_async(lambda: texts(app) == [" ".join(before[:3]), *before[3:]])
        await pilot.press("u")
        await until_async(lambda: texts(app) == before)


async def test_lines_that_were_joined_split_or_brought_back_do_not_count_as_new(home: Path) -> None:
    async with handled(home, lines=60, words=[1, 2, 3] * 20) as (app, pilot):
        view, ids = app._main.view, app.transcript.ids()
        await pilot.press("home")
        assert app.session is not None
        undo = await app.session.writer.remove(*ids[30:33])
        undo(app.session.writer)
        _, undo = await app.session.writer.join(*ids[40:44])
        undo(app.session.writer)
        view.pull()
        assert (len(app.transcript), view.new_count) == (60, 0)
        app.session.writer.note(app.session.tracks[0], "a note")
        view.pull()
        assert view.new_count == 1


async def test_escape_changes_nothing(home: Path) -> None:
    async with handled(home) as (app, pilot):
        version = app.transcript.version
        await pilot.press("enter", *"?!", "escape")
        await until_async(lambda: app.screen is app._main)
        assert app.transcript.version == version


async def test_a_speaker_is_named_and_a_word_is_expected_from_now_on(home: Path) -> None:
    async with handled(home) as (app, pilot):
        assert app.session is not None
        await pilot.press("home", "enter", "down", *"Anna", "down", "down", *"Telson, Manette", "enter")
        await until_async(lambda: app.transcript.line(0).speaker == "Anna")
        await until_async(lambda: app.session and app.session.key_terms == ("Telson", "Manette"))
        assert app.transcript.line(1).speaker is None, "a line without a speaker has one of its own"
        await pilot.press("home", "enter", "down", "down", "down", "ctrl+u", *"Tellson,", "enter")
        await until_async(lambda: app.session and app.session.key_terms == ("Tellson",))
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, EditLine))
        assert app.screen.query_one("#key_terms", Input).value == "Tellson"
        await pilot.press("escape", "t", *"a note", "enter")
        await until_async(lambda: app.transcript.line(len(app.transcript) - 1).text == "a note")
        app.push_screen(EditLine(app.transcript.line(len(app.transcript) - 1)))
        await until_async(lambda: isinstance(app.screen, EditLine) and sees(app, "a note"))
        assert not app.screen.query("#key_terms"), "a note is nobody's speech"


async def test_another_persons_name_corrects_the_line_and_a_new_one_renames_the_speaker(home: Path) -> None:
    async with handled(home) as (app, pilot):
        text = app.transcript

        async def name(who: str, *keys: str) -> None:
            await pilot.press("s")
            await until_async(lambda: isinstance(app.screen, NameSpeaker))
            await pilot.press(*who, *keys, "enter")
            await until_async(lambda: not isinstance(app.screen, NameSpeaker))

        def speakers() -> list[str | None]:
            return [text.line(at).speaker for at in range(3)]

        for id, who in zip(text.ids()[:3], ("Cleo", "Ben", "Cleo"), strict=True):
            app._main.view.go_to(id)
            await name(who)
        assert speakers() == ["Cleo", "Ben", "Cleo"]
        await name("Ben")
        assert speakers() == ["Cleo", "Ben", "Ben"]
        await name("Benjamin")
        assert speakers() == ["Cleo", "Benjamin", "Benjamin"]
        await name("Cleo", "down", "left")
        assert speakers() == ["Cleo", "Cleo", "Cleo"], "the choice is the person's"


async def test_lines_of_different_speakers_are_joined_into_one_without_and_that_is_said(home: Path) -> None:
    async with handled(home) as (app, pilot):
        assert app.session is not None
        app.session.writer.name_lines(app.transcript.ids()[1:2], "Ann")
        await pilot.press("home", "J")
        said = "The lines had different speakers, so the joined one has none. Name one (s)."
        await until_async(lambda: said in messages(app))
        assert app.transcript.line(0).speaker is None


async def test_the_field_grows_with_the_text_and_enter_saves_all_of_it(home: Path) -> None:
    async with handled(home) as (app, pilot):
        session, line = app.session, app.transcript.id_at(0)
        assert session is not None
        long = "word " * 60 + "end"
        session.writer.edit(line, long)
        await pilot.press("home", "enter")
        await until_async(lambda: isinstance(app.screen, EditLine))
        field = app.screen.query_one(LineField)
        await until_async(lambda: field.size.height > 2)
        assert field.place == len(long)
        rows = field.size.height
        await pilot.press("up")
        await until_async(lambda: field.place < len(long))
        assert app.focused is field, "there is another row above"
        await pilot.press("down", "end", *" and more", "enter")
        await until_async(lambda: app.transcript.text_of(line) == long + " and more")
        assert rows == 4  # 303 characters in rows of about 86


async def test_all_rows_of_a_text_are_deleted_before_or_behind_the_cursor(home: Path) -> None:
    async with handled(home) as (app, pilot):
        assert app.session is not None
        app.session.writer.edit(app.transcript.id_at(0), "word " * 60 + "end")
        await pilot.press("home", "enter")
        await until_async(lambda: isinstance(app.screen, EditLine))
        field = app.screen.query_one(LineField)
        field.place = 250
        await pilot.press("ctrl+k")
        assert field.text == "word " * 50
        field.place = 200
        await pilot.press("ctrl+u")
        assert (field.text, field.place) == ("word " * 10, 0)


async def test_the_cursor_begins_at_the_word_that_is_selected_or_found(home: Path) -> None:
    async with handled(home) as (app, pilot):
        session, line = app.session, app.transcript.id_at(0)
        assert session is not None
        session.writer.edit(line, "find the word here")
        await pilot.press("slash", *"word", "enter")
        await until_async(lambda: app._main.view.cursor_id == line)
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, EditLine))
        await until_async(lambda: app.screen.query_one(LineField).place == 9)
        await pilot.press("X", "enter")
        await until_async(lambda: app.transcript.text_of(line) == "find the Xword here")


async def test_what_is_pasted_stays_one_line(home: Path) -> None:
    async with handled(home) as (app, pilot):
        line = app.transcript.id_at(0)
        await pilot.press("home", "enter")
        await until_async(lambda: isinstance(app.screen, EditLine))
        app.post_message(events.Paste(" two\nrows"))
        field = app.screen.query_one(LineField)
        await until_async(lambda: field.text == "w1 two rows")
        await pilot.press("enter")
        await until_async(lambda: app.transcript.text_of(line) == "w1 two rows")


async def test_a_name_goes_to_this_line_and_the_following(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("home", "down", "enter")
        await until_async(lambda: isinstance(app.screen, EditLine))
        await pilot.press("down", *"Anna", "tab", "right")
        assert app.screen.query_one(Choice).value == "following"
        await pilot.press("enter")
        await until_async(lambda: app.transcript.line(1).speaker == "Anna")
        assert [app.transcript.line(at).speaker for at in (0, 1, 5)] == [None, "Anna", "Anna"]
        await pilot.press("u")
        assert app.transcript.line(1).speaker is None


async def test_selected_lines_get_a_speaker(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("home", "shift+down", "s")
        await until_async(lambda: isinstance(app.screen, NameSpeaker))
        assert "2 selected lines" in str(app.screen.query_one(Choice).render())
        await pilot.press(*"Ben", "enter")
        await until_async(lambda: app.transcript.line(1).speaker == "Ben")
        assert [app.transcript.line(at).speaker for at in (0, 1, 2)] == ["Ben", "Ben", None]
        await pilot.press("s")
        await until_async(lambda: isinstance(app.screen, NameSpeaker))
        name = app.screen.query_one("#speaker", Input)
        await pilot.press("b")
        await until_async(lambda: sees(app, "ben"))
        await pilot.press("tab")
        assert (name.value, name.has_focus) == ("Ben", True), "Tab takes the name that is proposed"
        await pilot.press("escape")
        await pilot.press("u")
        assert [app.transcript.line(at).speaker for at in (0, 1, 2)] == [None, None, None]


async def test_naming_a_speaker_on_a_note_names_that_of_the_line_beside_it(home: Path) -> None:
    async with handled(home) as (app, pilot):
        session = app.session
        assert session is not None
        note, _ = session.writer.note(session.tracks[0], "later")
        app._main.view.go_to(note)
        await pilot.press("s")
        await until_async(lambda: isinstance(app.screen, NameSpeaker))
        await pilot.press(*"Ben", "enter")
        await until_async(lambda: app.transcript.line(-2).speaker == "Ben")
        assert app._main.view.cursor_id == app.transcript.id_at(-2)


async def test_lines_are_joined_and_split_with_the_cursor_on_what_comes_of_it(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("home", "J")
        await until_async(lambda: texts(app)[0] == "w1 w2")
        assert app._main.view.cursor_id == app.transcript.id_at(0)
        await pilot.press("S")
        await until_async(lambda: isinstance(app.screen, SplitLine))
        await pilot.press("left", "right", "enter")
        await until_async(lambda: texts(app)[:2] == ["w1", "w2"])
        assert app._main.view.cursor_id == app.transcript.id_at(1)
        await pilot.press("u")
        assert texts(app)[0] == "w1 w2"
        await pilot.press("u")
        assert texts(app)[:3] == ["w1", "w2", "w3"]
        assert app._main.view.cursor_id == app.transcript.id_at(0)


@pytest.mark.parametrize("selected", [(4, 7), (6, 13)])
async def test_a_line_is_split_before_the_word_in_which_the_selection_begins(
    home: Path, selected: tuple[int, int]
) -> None:
    async with handled(home) as (app, pilot):
        session, line = app.session, app.transcript.id_at(0)
        assert session is not None
        session.writer.edit(line, "one two three")
        app._main.view.go_to(line)
        app._main.selections = {app._main.view: selection_of(line, selected)}
        await pilot.press("S")
        await until_async(lambda: texts(app)[:2] == ["one", "two three"])
        assert app.transcript.line(0).end <= app.transcript.line(1).start


async def test_a_note_is_undone(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("t")
        await until_async(lambda: len(app.screen.query(Input)) == 1)
        await pilot.press(*"wrong", "enter")
        await until_async(lambda: "wrong" in texts(app))
        await pilot.press("u")
        assert "wrong" not in texts(app)
