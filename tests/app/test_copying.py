"""What is selected with the mouse or the keys is copied."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from mictape.app import MictapeApp
from support.app_driver import handled
from support.waiting import until_async


@pytest.mark.parametrize("key", ["ctrl+c", "y"])
async def test_words_that_were_dragged_over_are_copied(home: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr("os.environ", {"PATH": "/nonexistent", "MICTAPE_HOME": str(home)})
    async with handled(home) as (app, pilot):
        view = app._main.view
        first, second = (app.transcript.text(index) for index in (0, 1))
        await drag(pilot, app, (14, 0), (12 + len(second) - 1, 1))
        await pilot.press(key)
        await until_async(lambda: app.clipboard == f"{first[2:]}\n{second}")
        assert view.is_running


async def drag(pilot: Pilot[Any], app: MictapeApp, start: tuple[int, int], end: tuple[int, int]) -> None:
    view = app._main.view
    await pilot.mouse_down(view, offset=start)
    await pilot.hover(view, offset=end)
    await pilot.mouse_up(view, offset=end)
    await pilot.pause()
