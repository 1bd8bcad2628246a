"""The state line: every state has its sign, the important things stay when it gets narrow."""

from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.geometry import Region

from mictape.failure import Advice
from mictape.session.state import State, Status
from mictape.units import RATE, clock, span
from mictape.widgets.status_line import LAMPS, StatusLine
from support.widget_app import WidgetApp

LISTENING = Status(
    State.LISTENING,
    "Blue Yeti",
    "local · moonshine tiny-en · English",
    position=(12 * 60 + 41) * RATE,
    behind_s=0.4,
    recording=True,
)


class CountingLine(StatusLine):
    """Counts what it asks to have drawn."""

    def __init__(self) -> None:
        self.refreshed = 0
        super().__init__()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        self.refreshed += 1
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


async def rows_at(columns: int, status: Status) -> list[str]:
    async with (app := WidgetApp(line := StatusLine())).run_test(size=(columns, 20)) as pilot:
        line.show(status)
        await pilot.pause()
        return [row.rstrip() for row in app.rows[: line.size.height]]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_span_is_as_exact_as_useful(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_clock_counts_hours_on() -> None:
    assert clock((12 * 60 + 41) * RATE + RATE - 1) == "00:12:41"
    assert clock(100 * 3600 * RATE) == "100:00:00"


async def test_wide_says_everything() -> None:
    (row,) = await rows_at(120, LISTENING)
    left, right = row.split("English")
    assert left == " ● LISTENING  REC   Blue Yeti   local · moonshine tiny-en · "
    assert right.lstrip() == "00:12:41   0.4 s behind   lost 0"


@pytest.mark.parametrize("device", ["Blue Yeti", "Monitor of Built-in Audio Analog Stereo of this computer"])
async def test_a_wide_line_says_that_nothing_is_lost_whatever_else_there_is(device: str) -> None:
    status = replace(LISTENING, device=device, kept=False, title="Standup", latency_s=0.6)
    for columns in (100, 120):
        (row,) = await rows_at(columns, status)
        assert row.endswith("lost 0"), row


@pytest.mark.parametrize("columns", [80, 100, 120])
async def test_a_long_name_of_a_device_leaves_room_for_the_title(columns: int) -> None:
    status = replace(LISTENING, device="Monitor of Built-in Audio Analog Stereo of this computer", title="Standup")
    (row,) = await rows_at(columns, status)
    assert " Standup   Monitor of Built-in" in row
    (row,) = await rows_at(columns, replace(status, title="The budget of next year and of the year after"))
    assert " The budget of" in row
    assert " Monitor of " in row


async def test_eighty_columns_keep_the_model() -> None:
    (row,) = await rows_at(80, LISTENING)
    assert row.startswith(" ● LISTENING  REC   Blue Yeti   moonshine tiny-en")
    assert row.endswith("00:12:41   0.4 s behind")


async def test_one_of_several_tracks_is_named_behind_the_state_word() -> None:
    (row,) = await rows_at(80, replace(LISTENING, state=State.NO_SIGNAL, track="Computer"))
    assert row.startswith(" ! NO SIGNAL Computer  REC   Blue Yeti")
    (row,) = await rows_at(60, replace(LISTENING, state=State.NO_SIGNAL, track="A very long name"))
    assert row.startswith(" ! NO SIGNAL A very lo…  REC")


async def test_trouble_with_the_engine_stands_behind_trouble_with_the_sound() -> None:
    for columns in (60, 120):
        status = replace(LISTENING, state=State.NO_SIGNAL, also=State.ENGINE_STOPPED, kept=False)
        (row,) = await rows_at(columns, status)
        assert row.startswith(" ! NO SIGNAL, ENGINE STOPPED  REC  NOT KEPT")
        assert "00:12:41" in row


@pytest.mark.parametrize("state", list(State))
async def test_sixty_columns_show_state_clock_and_delay_in_every_state(state: State) -> None:
    status = replace(LISTENING, state=state, device="A microphone with a very long name", behind_s=75.0, lost_ms=2400)
    (row,) = await rows_at(60, status)
    assert len(row) <= 60
    for words in (str(state), "REC", "00:12:41", "75 s behind"):
        assert words in row


async def test_a_long_name_is_cut_before_it_goes() -> None:
    (row,) = await rows_at(60, replace(LISTENING, device="A microphone with a very long name"))
    assert "A microph…" in row or "A microp" in row
    (row,) = await rows_at(48, replace(LISTENING, device="A microphone with a very long name"))
    assert "A mic" not in row
    assert "00:12:41" in row and "0.4 s behind" in row


async def test_lost_sound_stays_when_nothing_lost_goes() -> None:
    (row,) = await rows_at(60, LISTENING)
    assert "lost" not in row
    (row,) = await rows_at(60, replace(LISTENING, lost_ms=20))
    assert row.endswith("lost 0.1 s")


def test_lamps_differ_without_colour() -> None:
    signs = {state: LAMPS.get(state, ("!", ""))[0] for state in State}
    assert signs[State.LISTENING] == "●" and signs[State.PAUSED] == "‖" and signs[State.LOADING] == "…"
    live = {signs[State.LISTENING], signs[State.CATCHING_UP]}
    trouble = {signs[state] for state in State if state not in LAMPS} | {signs[State.OFFLINE]}
    assert len(live) == 2 and not live & trouble


async def test_the_recording_mark_says_the_truth() -> None:
    assert "REC" not in (await rows_at(80, replace(LISTENING, recording=False)))[0]


async def test_a_hint_has_a_row_of_its_own_while_there_is_one() -> None:
    async with (app := WidgetApp(line := StatusLine())).run_test(size=(60, 20)) as pilot:
        line.show(LISTENING)
        await pilot.pause()
        assert line.size.height == 1
        gone = Advice("It is gone", "Choose another", action="choose_device")
        line.show(replace(LISTENING, state=State.DEVICE_LOST, hint=gone))
        await pilot.pause()
        assert line.size.height == 2
        assert app.rows[0].startswith(" ! DEVICE LOST")
        assert app.rows[1].strip() == "It is gone. Choose another (d)."
        line.show(LISTENING)
        await pilot.pause()
        assert line.size.height == 1


async def test_a_hint_longer_than_the_row_goes_on_below() -> None:
    rows = await rows_at(60, replace(LISTENING, hint=Advice("word " * 30)))
    assert " ".join(rows).count("word") == 30
    assert all(len(row) <= 60 for row in rows)


async def test_a_hint_that_would_fill_the_screen_ends_in_an_ellipsis() -> None:
    rows = await rows_at(60, replace(LISTENING, hint=Advice("word " * 300)))
    assert sum("word" in row for row in rows) == 4
    assert rows[4].endswith("…")


async def test_draws_only_when_the_words_change() -> None:
    async with WidgetApp(line := CountingLine()).run_test(size=(80, 24)) as pilot:
        line.show(LISTENING)
        await pilot.pause()
        line.refreshed = 0
        for step in range(1, 7):  # within a quarter of a second the delay may wander
            line.show(replace(LISTENING, position=LISTENING.position + step * 533, behind_s=0.4 + step / 10))
        assert line.refreshed == 0
        line.show(replace(LISTENING, position=LISTENING.position + RATE // 4, behind_s=1.2))
        assert line.refreshed == 1
        line.show(replace(LISTENING, position=LISTENING.position + RATE // 4, behind_s=0.6))
        assert line.refreshed == 2, "the tape stands still: the delay is news"


async def test_brackets_in_names_are_names() -> None:
    (row,) = await rows_at(100, replace(LISTENING, device="[b]Yeti[/b] [/etc]", engine="[red]x"))
    assert "[b]Yeti[/b] [/etc]" in row and "[red]x" in row


@given(st.floats(0, 10_000_000))
def test_every_span_is_short(seconds: float) -> None:
    assert len(span(seconds)) <= 14
