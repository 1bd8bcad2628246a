"""Going to a time, a mark, another speaker, a gap; and completing a gap."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from mictape.audio.clock import Clock
from mictape.audio.tape import read_journal
from mictape.failure import MictapeError
from mictape.session.goto import sample_of
from mictape.transcript.line import Kind
from mictape.transcript.times import FromHere, OnTape, OnWall, parse
from support.app_driver import handled, texts
from support.scripted import SLOT
from support.waiting import until_async

S = 16_000


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("12:30", OnTape(750 * S, 45_000, True)),
        ("1:02:03", OnTape(3_723 * S, 3_723, False)),
        ("100:00", OnTape(6_000 * S, None, True)),
        ("@14:05", OnWall(50_700, True)),
        ("-5m", FromHere(-300 * S)),
        ("+30s", FromHere(30 * S)),
        ("+1:30", FromHere(90 * S)),
        ("1h30m", OnTape(5_400 * S)),
        ("90", OnTape(90 * S)),
    ],
)
def test_times_that_a_person_types(text: str, wish: object) -> None:
    assert parse(text) == wish


@pytest.mark.parametrize("text", ["", "-", "noon", "12:60", "@25:00", "1:2:3:4", "5x"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(MictapeError):
        parse(text)


async def test_jumps(home: Path) -> None:
    async with handled(home) as (app, pilot):
        view, transcript = app._main.view, app.transcript

        def at(index: int) -> bool:
            return view.cursor_id == transcript.id_at(index)

        await pilot.press("g", *"0", "enter")
        await until_async(lambda: at(0))
        await pilot.press("g", *"+1s", "enter")
        await until_async(lambda: at(5))
        await pilot.press("g", *"-10m", "enter")
        await until_async(lambda: at(0))
        assert app.session is not None
        tape = app.session.tracks[0].tape
        began = Clock(read_journal(tape.folder, 1).anchors).utc(0)
        assert began is not None
        await pilot.press("g", "@", *f"{datetime.fromtimestamp(began):%H:%M}", "enter")
        await until_async(lambda: app.screen is app._main)
        await pilot.press("g", *"5h", "enter")
        assert app.screen is not app._main, "it says that the session is shorter"
        await pilot.press("escape")

        app.session.writer.mark(transcript.id_at(2))
        app.session.writer.name_speaker(transcript.id_at(4), "Anna")
        gap = transcript.add(1, 4 * SLOT, 4 * SLOT, "gap", kind=Kind.GAP)
        await pilot.press("home", "right_curly_bracket")
        await until_async(lambda: at(2))
        await pilot.press("home", "right_parenthesis")
        await until_async(lambda: transcript.line_of(view.cursor_id or 0).speaker == "Anna")
        await pilot.press("greater_than_sign")
        await until_async(lambda: view.cursor_id == gap)


async def test_the_wall_clock_stands_beside_the_lines_and_g_understands_it(home: Path) -> None:
    async with handled(home) as (app, pilot):
        view = app._main.view
        on_tape = view.render_line(0).text
        assert "00:00:0" in on_tape

        await pilot.press("w")
        await until_async(lambda: "@" in view.render_line(0).text)
        shown_time = re.search(r"@\d\d:\d\d:\d\d", view.render_line(1).text)
        assert shown_time is not None
        assert app.session is not None
        assert sample_of(parse(shown_time[0]), app.session.tracks[0], 0) <= app.transcript.start(1)

        await pilot.press("w")
        await until_async(lambda: view.render_line(0).text == on_tape)


async def test_a_gap_is_completed_beside_the_session(home: Path) -> None:
    async with handled(home) as (app, pilot):
        transcript, session = app.transcript, app.session
        assert session is not None
        [track] = session.tracks
        # As if nobody had answered for the second word.
        transcript.remove(transcript.id_at(1))
        track.coverage.covered.remove(SLOT, 2 * SLOT)
        track.coverage.give_up(SLOT, 2 * SLOT, "network was down")
        gap = transcript.add(1, SLOT, 2 * SLOT, "0 s not transcribed", kind=Kind.GAP)
        app._main.view.go_to(gap)
        await pilot.press("c")
        await until_async(lambda: gap not in transcript)
        assert texts(app) == ["w1", "w2", "w3", "w1", "w2", "w3"]
        assert not track.coverage.gaps
