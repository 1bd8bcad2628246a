"""The list of models: what it says stays while it is true."""

from pathlib import Path

from textual.widgets import Static

from mictape.models.background import Downloads
from mictape.models.catalogue import Catalogue
from mictape.models.store import Store
from mictape.screens.models import ModelsScreen
from support.model_files import content, file_of, model_of
from support.widget_app import WidgetApp

DATA = content(1000)


async def test_why_a_model_cannot_be_removed_is_said_until_the_cursor_moves(tmp_path: Path) -> None:
    models = tuple(model_of(file_of(DATA), name=name) for name in ("sample", "other"))
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "weights.gguf").write_bytes(DATA)
    screen = ModelsScreen(Catalogue(models), Store(tmp_path), Downloads(lambda _: None), in_use="sample")
    async with (app := WidgetApp()).run_test(size=(100, 24)) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        note = screen.query_one("#note", Static)
        await pilot.press("ctrl+k")
        screen.refresh_rows()  # as the timer does
        await pilot.pause()
        assert app.sees("sample is in use. Choose another model first.")
        assert note.has_class("-trouble")
        await pilot.press("down", "up")
        await pilot.pause()
        assert not app.sees("is in use.")
        assert not note.has_class("-trouble")


async def test_a_model_that_is_not_there_is_not_removed_without_a_word(tmp_path: Path) -> None:
    screen = ModelsScreen(
        Catalogue((model_of(file_of(DATA), name="sample"),)), Store(tmp_path), Downloads(lambda _: None)
    )
    async with (app := WidgetApp()).run_test(size=(100, 24)) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        await pilot.press("ctrl+k")
        await pilot.pause()
        assert app.sees("sample is not installed.")


async def test_a_model_is_found_by_each_of_its_languages_and_shows_that(tmp_path: Path) -> None:
    european = ("en", "es", "fr", "it", "pt", "nl")
    models = (model_of(file_of(DATA), name="european", languages=european), model_of(file_of(DATA), name="other"))
    screen = ModelsScreen(Catalogue(models), Store(tmp_path), Downloads(lambda _: None))
    async with (app := WidgetApp()).run_test(size=(100, 24)) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        assert not app.sees("Dutch")
        for typed in ("dutch", "nl"):
            await pilot.press(*typed)
            screen.refresh_rows()  # as the timer does
            await pilot.pause()
            assert app.sees("Dutch, English, Spanish")
            assert not app.sees("other")
            await pilot.press("ctrl+u")
