"""Pictures of the main screen, two sizes, a dark and a light theme. Nothing in them moves: no clock runs.

After a change that is meant to be seen: `make test ARGS="tests/test_snapshots.py --snapshot-update"`, and look.
"""

from collections.abc import Callable
from math import sin
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

import mictape
from mictape.audio.ballistics import Meter
from mictape.audio.messages import LevelCell
from mictape.commands import bindings
from mictape.failure import Advice
from mictape.screens.main.screen import Level, MainScreen
from mictape.session.state import State, Status
from mictape.themes import load_themes, shipped_folder, theme_variables
from mictape.transcript.model import GAP, PartialText, Transcript
from mictape.units import RATE

SAID = (
    (2, "Good morning, everybody; the first point is the kettle."),
    (6, "It whistles [laughs] and nobody in /etc/hosts minds."),
    (12, "那么我们下一个议题是什么呢, and then the budget, which is longer than one row of a small terminal can show."),
    (24, "Ask not what your country can do for you."),
)


class Still(App[None]):
    """The main screen with everything on it."""

    CSS_PATH = Path(mictape.__file__).with_name("app.tcss")
    BINDINGS = bindings()

    def __init__(self, theme: str) -> None:
        super().__init__()
        for each in load_themes(shipped_folder()).themes:
            self.register_theme(each)
        self.theme = theme
        self.transcript = Transcript()
        for start_s, text in SAID:
            self.transcript.add(1, start_s * RATE, (start_s + 2) * RATE, text)
        self.transcript.add(1, 30 * RATE, 68 * RATE, "38 s not transcribed: the network was down", kind=GAP)
        self.transcript.set_partial(1, PartialText(70 * RATE, "and so my fellow Americ", 10))

    def get_default_screen(self) -> MainScreen:
        return MainScreen(self.transcript)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theme_variables(self.current_theme)


def shown(state: State, hint: Advice | None = None) -> Callable[[Pilot[None]], object]:
    """Brings the screen to one moment."""

    async def show(pilot: Pilot[None]) -> None:
        main = pilot.app.screen
        assert isinstance(main, MainScreen)
        status = Status(
            state,
            device="Blue Yeti",
            engine="local · moonshine tiny-en · English",
            position=761 * RATE,
            behind_s=0.4,
            hint=hint,
            recording=state is State.LISTENING,
        )
        meter = Meter()
        for step in range(500):
            amplitude = 0.3 * abs(sin(step / 25))
            meter.feed(LevelCell(1, amplitude, amplitude**2 / 2, clips=step // 200))
        main.show(status, [Level(meter, 761 * RATE)])
        await pilot.pause()
        main.show(status, [Level(meter, 761 * RATE)])
        await pilot.pause()

    return show


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["mictape-dark", "mictape-light"])
def test_listening(snap_compare: Callable[..., bool], theme: str, size: tuple[int, int]) -> None:
    assert snap_compare(Still(theme), terminal_size=size, run_before=shown(State.LISTENING))


def test_trouble_says_what_to_do_on_a_small_screen(snap_compare: Callable[..., bool]) -> None:
    hint = Advice("Blue Yeti is gone", "Plug it in again, or choose another device", action="choose_device")
    run_before = shown(State.DEVICE_LOST, hint)
    assert snap_compare(Still("mictape-contrast"), terminal_size=(60, 20), run_before=run_before)
