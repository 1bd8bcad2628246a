"""The main screen with fixed text, for pictures: no clock runs and nothing is recorded."""

from math import sin
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.command import Provider

import mictape
from mictape.audio.ballistics import Meter
from mictape.audio.messages import LevelCell
from mictape.commands import Command, KeyMap, bindings
from mictape.failure import Advice
from mictape.screens.main.screen import Level, MainScreen
from mictape.screens.palette import CommandProvider
from mictape.session.state import State, Status
from mictape.themes import load_themes, shipped_folder, theme_variables
from mictape.transcript.line import GAP, PartialText
from mictape.transcript.model import Transcript
from mictape.units import RATE

SAID = (
    (2, "Good morning, everybody; the first point is the kettle."),
    (6, "It whistles [laughs] and nobody in /etc/hosts minds."),
    (12, "那么我们下一个议题是什么呢, and then the budget, which is longer than one row of a small terminal can show."),
    (24, "Ask not what your country can do for you."),
)


def transcript() -> Transcript:
    """Four lines, a gap and a partial."""
    text = Transcript()
    for start_s, said in SAID:
        text.add(1, start_s * RATE, (start_s + 2) * RATE, said)
    text.add(1, 30 * RATE, 68 * RATE, "38 s not transcribed: the network was down", kind=GAP)
    text.set_partial(1, PartialText(70 * RATE, "and so my fellow Americ", 10))
    return text


def status(state: State = State.LISTENING, hint: Advice | None = None) -> Status:
    """What the state line shows."""
    return Status(
        state,
        device="Blue Yeti",
        engine="local · moonshine tiny-en · English",
        position=761 * RATE,
        behind_s=0.4,
        hint=hint,
        recording=state is State.LISTENING,
    )


def level() -> Level:
    """A meter after ten seconds of a swelling tone."""
    meter = Meter()
    for step in range(500):
        amplitude = 0.3 * abs(sin(step / 25))
        meter.feed(LevelCell(1, amplitude, amplitude**2 / 2, clips=step // 200))
    return Level(meter, 761 * RATE)


class StillApp(App[None]):
    """The main screen with everything on it."""

    CSS_PATH = Path(mictape.__file__).with_name("app.tcss")
    BINDINGS = bindings()
    COMMANDS: ClassVar[set[type[Provider]]] = {CommandProvider}  # pyright: ignore[reportIncompatibleVariableOverride]  (Textual takes a function as well)

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.keymap: KeyMap = {}
        for each in load_themes(shipped_folder()).themes:
            self.register_theme(each)
        self.theme = theme

    def run_command(self, command: Command) -> None:
        """Do nothing: the palette only shows them."""

    def get_default_screen(self) -> MainScreen:
        return MainScreen(transcript())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theme_variables(self.current_theme)
