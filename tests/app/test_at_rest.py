"""Nothing is drawn, and nothing ticks, while nothing moves."""

from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from mictape.models.background import Downloads
from mictape.models.catalogue import Catalogue
from mictape.models.store import Store
from mictape.screens.device_picker import DevicePicker
from mictape.screens.engine_picker import EnginePicker
from mictape.screens.help import HelpScreen
from mictape.screens.library.screen import LOOK_S, LibraryScreen
from mictape.screens.models import ModelsScreen
from mictape.screens.palette import Palette
from mictape.screens.theme_picker import ThemePicker
from support.app_driver import handled
from support.model_files import content, file_of, model_of
from support.waiting import until_async
from support.widget_app import WidgetApp


def ticking(screen: Screen[Any]) -> list[float]:
    """The seconds between two ticks of each timer that goes on and on."""
    timers: list[Timer] = [timer for node in screen.walk_children(with_self=True) for timer in node._timers]
    return [timer._interval for timer in timers if timer._repeat is None and timer._active.is_set()]


@pytest.mark.parametrize(
    ("key", "screen", "intervals"),
    [
        ("ctrl+p", Palette, []),
        ("question_mark", HelpScreen, []),
        ("T", ThemePicker, []),
        ("e", EnginePicker, []),
        ("d", DevicePicker, []),
        ("L", LibraryScreen, [LOOK_S]),
    ],
)
async def test_nothing_ticks_in_a_dialog(
    home: Path, key: str, screen: type[Screen[Any]], intervals: list[float]
) -> None:
    async with handled(home) as (app, pilot):
        await pilot.press(key)
        await until_async(lambda: isinstance(app.screen, screen))
        await until_async(lambda: app.screen.focused is not None)
        await until_async(lambda: ticking(app.screen) == intervals, what=f"no other timer than of {intervals} s")


async def test_the_list_of_models_draws_nothing_while_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tuple(model_of(file_of(content(1000)), name=name) for name in ("sample", "other"))
    screen = ModelsScreen(Catalogue(models), Store(tmp_path), Downloads(lambda _: None))
    async with (app := WidgetApp()).run_test(size=(100, 24)) as pilot:
        await app.push_screen(screen)
        await pilot.press("ctrl+k")  # so that there is something to say
        await pilot.pause()
        drawn: list[Widget] = []
        monkeypatch.setattr(Widget, "_set_dirty", lambda widget, *_: drawn.append(widget))
        screen.refresh_rows()
        assert drawn == []
