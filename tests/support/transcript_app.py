"""An app that shows nothing but a transcript."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from mictape.themes import theme_variables
from mictape.transcript.model import Transcript
from mictape.widgets.transcript_view import TranscriptView

SECOND = 16_000


class ViewApp(App[None]):
    """Nothing but a transcript, 80x24."""

    def __init__(self, transcript: Transcript, *, grows: bool = True) -> None:
        super().__init__()
        self.view = TranscriptView(transcript, grows=grows)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The variables that the program's themes give."""
        return {
            **theme_variables(self.current_theme),
            "transcript-time": "#888888",
            "transcript-partial": "#aaaaaa",
            "transcript-gap": "#ffaa00",
            "transcript-cursor": "#222244",
            "transcript-selection": "#444466",
            "transcript-mark": "#ffff00",
            "transcript-pill": "#00aaff",
        }

    def compose(self) -> ComposeResult:
        """Only the view."""
        yield self.view


@asynccontextmanager
async def shown(
    transcript: Transcript, size: tuple[int, int] = (80, 24), *, grows: bool = True
) -> AsyncGenerator[tuple[Any, Pilot[None]]]:
    app = ViewApp(transcript, grows=grows)
    async with app.run_test(size=size) as pilot:
        app.view.focus()
        await pilot.pause()
        app.view.pull()
        await pilot.pause()
        yield app.view, pilot


def fill(transcript: Transcript, count: int, text: str = "line {}", first: int = 0) -> None:
    for number in range(first, first + count):
        transcript.add(0, number * SECOND, (number + 1) * SECOND, text.format(number))
