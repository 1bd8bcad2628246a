"""What a person did to the text outlives `kill -9` the moment it is on the screen: the real app, in a real terminal."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from conftest import Speech
from mictape.library.library import Store
from mictape.library.records import LineRecord
from mictape.transcript.line import NOTE
from support.screen_app import ScreenApp, screen_app

SAID: Final = "Ever tried"
"""The first line of the recording begins so."""
EDITING: Final = "enter: save"
"""Stands on the screen while a line is open."""
EMPTY: Final = "a name"
"""Stands in the field of the speaker while it is empty."""


def kept(home: Path) -> list[LineRecord]:
    """The lines that a next start finds."""
    with Store.to_read(home / "library.db") as store:
        return store.lines(store.session("last").id)


def has_cursor(app: ScreenApp, text: str, words: str) -> bool:
    """Whether the input that shows `words` has the keys: its first cell is the cursor, for half of each second."""
    found = [(y, row) for y, row in enumerate(text.split("\n")) if words in row]
    if not found:
        return False
    [(y, row)] = found
    first, second = (app.cell(row.index(words) + x, y) for x in (0, 1))
    return (first.bg, first.reverse) != (second.bg, second.reverse)


Holds: TypeAlias = Callable[[list[LineRecord]], object]
"""Whether what a person did is in the lines."""
Act: TypeAlias = Callable[[ScreenApp], Holds]


def mark(app: ScreenApp) -> Holds:
    app.press("M")
    app.sees("Note on the line at")
    app.press("why this", "enter")
    app.sees("★", "» why this")
    return lambda lines: lines[0].mark == "why this"


def note(app: ScreenApp) -> Holds:
    app.press("t")
    app.sees("Note at this moment")
    app.press("ask about it", "enter")
    app.until(lambda text: re.search(r"» *00:.*ask about it", text))
    return lambda lines: [line.text for line in lines if line.kind is NOTE] == ["ask about it"]


def edit(app: ScreenApp) -> Holds:
    app.press("enter")
    app.sees(EDITING)
    app.press("end", " indeed", "enter")
    app.until(lambda text: re.search(r"▸00:00:00.* indeed", text))
    return lambda lines: lines[0].text.endswith("indeed") and (lines[0].original or "").startswith(SAID)


def name_speaker(app: ScreenApp, name: str) -> None:
    """Name the speaker of the line under the cursor, who had no name."""
    app.press("enter")
    app.sees(EDITING)
    app.press("down")
    app.until(lambda text: has_cursor(app, text, EMPTY))
    app.press(name)
    app.until(lambda text: re.search(rf"speaker +{name} ", text))
    app.press("enter")
    app.until(lambda text: EDITING not in text)


def names(app: ScreenApp) -> Holds:
    app.sees("00:00:01")
    name_speaker(app, "Anna")
    app.press("down")
    app.until(lambda text: "▸00:00:01" in text)
    name_speaker(app, "Ben")
    # Names are beside the lines when there are two.
    app.until(lambda text: re.search(r"0:00  Anna +Ever", text) and re.search(r"0:01  Ben ", text))
    return lambda lines: [line.speaker for line in lines[:2]] == ["Anna", "Ben"]


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([[mark, edit, names, note]], id="one after the other"),
        pytest.param([[mark], [edit], [names], [note]], id="each", marks=pytest.mark.proof),
    ],
)
def test_marks_notes_edits_and_names_are_there_after_a_kill_as_soon_as_they_are_seen(
    runs: list[list[Act]], home: Path, speech: Speech
) -> None:
    holds: list[Holds] = []
    for acts in runs:
        with screen_app("--input", str(speech.beckett), env=os.environ) as app:
            if holds:
                app.sees("A session was cut off")
                app.press("enter")
            app.sees(SAID, timeout_s=60)
            app.press("home")
            app.until(lambda text: "▸00:00:00" in text)
            holds += [act(app) for act in acts]
            app.process.kill()
            app.process.wait()
        lines = kept(home)
        reported = [(line.text, line.speaker, line.mark) for line in lines]
        assert all(hold(lines) for hold in holds), reported
