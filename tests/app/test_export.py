"""Exporting from the app: what is written, what is asked, and what happens when it cannot be written."""

import json
from pathlib import Path

import pytest
from textual.events import Paste

from mictape.failure import LONGEST_SENTENCE
from mictape.library.library import Library
from mictape.screens.export import ExportScreen
from mictape.terminal_app import LONGEST_PASTE
from mictape.units import RATE
from support.app_driver import handled, paste
from support.sessions import held
from support.waiting import until_async


async def test_the_selection_is_written_and_a_second_enter_replaces(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "talk.md"
    async with handled(home) as (app, pilot):
        await pilot.press("home", "shift+down")
        assert list(app._main.selected) == [app.transcript.id_at(0), app.transcript.id_at(1)]
        await pilot.press("x", "ctrl+u")
        await paste(pilot, str(target))
        await pilot.press("enter")
        await until_async(target.exists)
        assert [line[-2:] for line in target.read_text().split("\n\n") if line.startswith("`")] == ["w1", "w2"]
        await until_async(lambda: app.screen is app._main)
        target.write_text("mine")
        await pilot.press("x", "ctrl+u")
        await paste(pilot, str(target))
        await pilot.press("enter")
        assert app.screen is not app._main
        assert target.read_text() == "mine"
        await pilot.press("enter")
        await until_async(lambda: target.read_text() != "mine")


async def test_lines_of_speech_are_counted_and_a_note_alone_can_be_exported(home: Path) -> None:
    async with handled(home) as (app, pilot):
        assert app.session is not None
        note, _ = app.session.writer.note(app.session.tracks[0], "a note")
        app.session.writer.mark(note)
        await pilot.press("x")
        await until_async(lambda: isinstance(app.screen, ExportScreen))
        assert isinstance(app.screen, ExportScreen)
        assert [str(option.prompt) for option in app.screen._parts.options] == [
            "everything  (6 lines)",
            "marks and notes",
        ]
        await pilot.press("escape")


async def test_everything_has_what_has_no_text_and_the_name_of_the_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with handled(home) as (app, pilot):
        assert app.session is not None
        [track] = app.session.tracks
        track.coverage.hole(0, RATE, "gone")
        app.session.writer.store_progress(track)
        await pilot.press("x", "enter")
        await until_async((tmp_path / "words.md").exists)
    assert "*1.0 s lost: the device was gone*" in (tmp_path / "words.md").read_text()


async def test_what_cannot_be_written_is_said_in_the_dialog_which_stays(home: Path, tmp_path: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("x", "ctrl+u")
        await paste(pilot, str(tmp_path / "talk.docx"))
        await pilot.press("enter")
        screen = app.screen
        assert isinstance(screen, ExportScreen)
        await until_async(lambda: "No format ends in .docx" in str(screen._note.content))
        await pilot.press("ctrl+u")
        await paste(pilot, str(tmp_path / "no" / "talk.txt"))
        await pilot.press("enter")
        await until_async(lambda: "There is no folder" in str(screen._note.content))
        assert screen._path.value == str(tmp_path / "no" / "talk.txt")
        await pilot.press("ctrl+u")
        await paste(pilot, str(tmp_path / "talk.json"))
        await pilot.press("enter")
        await until_async(lambda: app.screen is app._main)
    document = json.loads((tmp_path / "talk.json").read_text())
    assert [line["text"] for line in document["lines"]] == ["w1", "w2", "w3", "w1", "w2", "w3"]


async def test_what_the_library_does_not_take_is_exported_as_it_is_shown(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library.open.__func__, "__kwdefaults__", {"busy_s": 0.05})  # type: ignore[attr-defined]
    target = tmp_path / "talk.txt"
    async with handled(home) as (app, pilot):
        session = app.session
        assert session is not None
        await session.rename("Budget")
        with held(home / "library.db"):
            await pilot.press("t")
            await paste(pilot, "the last word")
            await pilot.press("enter")
            await until_async(lambda: session.unwritten)
            await pilot.press("x")
            await until_async(lambda: isinstance(app.screen, ExportScreen))
            screen = app.screen
            assert isinstance(screen, ExportScreen)
            assert Path(screen._path.value).name == "Budget.md"
            await pilot.press("ctrl+u")
            await paste(pilot, str(target))
            await pilot.press("enter")
            await until_async(target.exists)
    said = [line.split("  ")[1] for line in target.read_text().splitlines()]
    assert said == ["w1", "w2", "w3", "w1", "w2", "w3", "[note: the last word]"]


async def test_a_megabyte_that_is_pasted_is_cut_and_said(home: Path) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press("x", "ctrl+u")
        screen = app.screen
        assert isinstance(screen, ExportScreen)
        app.post_message(Paste("a/b" * 400_000))
        await until_async(lambda: len(screen._path.value) == LONGEST_PASTE)
        assert any("Only the first 10,000 characters" in each.message for each in app._notifications)
        await pilot.press("enter")
        await until_async(lambda: "File name too long" in str(screen._note.content))
        assert len(str(screen._note.content)) < 2 * LONGEST_SENTENCE
        await pilot.press("ctrl+u")
        app.post_message(Paste("notes of\n\nMonday.md\n"))
        await until_async(lambda: screen._path.value == "notes of Monday.md")
