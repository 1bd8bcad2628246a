"""The level meter: the scale's values, the cells, and how seldom it draws."""

from itertools import cycle, pairwise, product
from math import inf
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from mictape.audio.ballistics import HISTORY_STEPS, Meter, Reading, decibels
from mictape.audio.messages import LevelCell
from mictape.units import RATE
from mictape.widgets.level_meter import LevelMeter, _Paints
from mictape.widgets.level_scale import Zone, deflection, eighths, good_cells, number, scale, zones
from support.waiting import until_async
from support.widget_app import WidgetApp

QUARTER = RATE // 4


class CountingMeter(LevelMeter):
    """Counts what it asks to have drawn."""

    def __init__(self) -> None:
        self.refreshed: list[tuple[Region, ...]] = []
        super().__init__()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        self.refreshed.append(regions)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


@pytest.mark.parametrize(
    ("level_db", "percent"), [(-60, 2.5), (-50, 7.5), (-40, 15), (-30, 30), (-20, 50), (-10, 75), (0, 100)]
)
def test_deflection_is_the_iec_scale_from_minus_60(level_db: float, percent: float) -> None:
    assert deflection(level_db) == pytest.approx((percent - 2.5) / 97.5)


def test_deflection_ends_at_both_ends() -> None:
    assert deflection(-inf) == deflection(-100) == 0
    assert deflection(3.01) == 1


@given(st.floats(-90, 6), st.floats(-90, 6), st.integers(0, 300))
def test_louder_is_never_shorter_and_never_longer_than_the_bar(one: float, other: float, width: int) -> None:
    quiet, loud = sorted((one, other))
    assert 0 <= eighths(quiet, width) <= eighths(loud, width) <= width * 8


@given(st.integers(0, 300))
def test_the_scale_fits_its_bar_and_brackets_good_speech(width: int) -> None:
    text = scale(width)
    begin, end = good_cells(width)
    assert len(text) == width
    assert not set("╺━╸") & set(text[:begin] + text[end:])
    assert set(zones(width)[begin:end]) <= {"good"}


def test_a_wide_scale_has_every_tick_and_a_narrow_one_fewer() -> None:
    assert scale(60).split() == ["−60", "−40", "−30", "−20", "╺━━━━━━━−12━━╸", "−6", "−3", "0"]
    narrow = scale(30).replace("╺", " ").replace("╸", " ").replace("━", " ").split()
    assert set(narrow) < {"−60", "−40", "−30", "−20", "−12", "−6", "−3", "0"}
    assert narrow[0] == "−60" and narrow[-1] == "0"


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert [number(level) for level in (-18.24, -0.04, 0.0, 3.01, -inf)] == ["−18.2", "0.0", "0.0", "3.0", "−∞"]


async def test_rms_is_solid_peak_is_shaded_and_the_hold_mark_stands_alone() -> None:
    async with WidgetApp(meter := LevelMeter()).run_test(size=(80, 24)) as pilot:
        meter.pull(Reading(peak_db=-14, hold_db=-6, rms_db=-24), 0)
        await pilot.pause()
        row = meter.render_line(0).text
        width = meter._bar_width
        cells = row[1 : 1 + width]
        solid, peak = eighths(-24, width), eighths(-14, width)
        assert cells[: solid // 8] == "█" * (solid // 8)
        assert cells[solid // 8] == " ▏▎▍▌▋▊▉"[solid % 8]
        assert cells[solid // 8 + 1 : peak // 8] == "▒" * (peak // 8 - solid // 8 - 1)
        assert cells[peak // 8] == " ▏▎▍▌▋▊▉"[peak % 8]
        assert cells.index("│") == eighths(-6, width) // 8
        assert "−24.0 dBFS   peak  −6.0" in row
        assert "CLIP" not in row


async def test_a_bar_is_drawn_in_stretches_and_no_cell_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    cell = LevelMeter._cell

    def counted(meter: LevelMeter, at: int, zone: Zone, paints: _Paints) -> tuple[str, Style]:
        looked_at.append(at)
        return cell(meter, at, zone, paints)

    monkeypatch.setattr(LevelMeter, "_cell", counted)
    levels_db = (-inf, -60.0, -40.0, -18.0, -17.9, -9.0, -3.0, 0.0)
    async with WidgetApp(meter := LevelMeter()).run_test(size=(200, 24)):
        width = meter._bar_width
        # Each two of the first ones, and the third in turn: seven have no common measure with eight.
        for (peak_db, hold_db), rms_db in zip(product(levels_db, repeat=2), cycle(levels_db[1:]), strict=False):
            meter.pull(Reading(peak_db=peak_db, hold_db=hold_db, rms_db=rms_db), 0)
            meter._rows.clear()
            looked_at.clear()
            row = list(Strip(meter.render_line(0)).crop(1, 1 + width).divide(range(1, width + 1)))
            assert len(looked_at) <= 9, "cells that look alike are drawn together"
            paints = meter._paints
            assert paints is not None
            alone = [cell(meter, at, zone, paints) for at, zone in enumerate(zones(width))]
            assert [(each.text, next(iter(each)).style) for each in row] == alone


@pytest.mark.parametrize("columns", [60, 80, 120])
async def test_both_rows_fit_and_stay_in_line(columns: int) -> None:
    async with WidgetApp(meter := LevelMeter()).run_test(size=(columns, 20)) as pilot:
        meter.pull(Reading(0.0, 0.0, 3.01, 250), 0)
        await pilot.pause()
        first, second = (meter.render_line(y) for y in (0, 1))
        assert first.cell_length == second.cell_length == columns - 2
        assert first.text.rstrip().endswith("CLIP 99+")
        assert "3.0 dBFS" in first.text
        assert ("peak" in first.text) == (columns >= 80)
        # The scale's 0 stands below the last cell of the bar.
        assert second.text.rstrip()[-1] == "0"
        assert len(second.text.rstrip()) == first.text.index("▏ ")


async def test_only_a_change_of_a_cell_draws_and_only_the_first_row() -> None:
    async with WidgetApp(meter := CountingMeter()).run_test(size=(80, 24)) as pilot:
        meter.pull(Reading(-10, -10, -20), 0)
        await pilot.pause()
        meter.refreshed.clear()
        for step in range(1, 11):  # the same sound, within the quarter of a second: nothing
            meter.pull(Reading(-10 - step / 1000, -10, -20), step * 320)
        assert meter.refreshed == []
        meter.pull(Reading(-12, -10, -20), 3600)
        assert meter.refreshed == [(Region(0, 0, 78, 1),)]
        meter.pull(Reading(-12, -10, -20), 3700)
        assert len(meter.refreshed) == 1


async def test_idle_costs_no_drawing_however_long() -> None:
    async with WidgetApp(meter := CountingMeter()).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        meter.refreshed.clear()
        for frame in range(300):
            meter.pull(Reading(), frame * 533)
        assert meter.refreshed == []


async def test_rows_are_the_same_object_until_they_change() -> None:
    async with WidgetApp(meter := LevelMeter()).run_test(size=(80, 24)) as pilot:
        meter.pull(Reading(-10, -10, -20), 0)
        await pilot.pause()
        bar_row, scale_row = meter.render_line(0), meter.render_line(1)
        meter.pull(Reading(-10, -10, -20), QUARTER)
        assert meter.render_line(0) is bar_row
        meter.pull(Reading(-30, -10, -40), QUARTER)
        assert meter.render_line(0) is not bar_row
        assert meter.render_line(1) is scale_row


async def test_numbers_change_four_times_a_second_of_tape() -> None:
    async with WidgetApp(meter := LevelMeter()).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        shown: list[str] = []
        for step in range(100):  # two seconds in steps of 20 ms, a little louder at each
            meter.pull(Reading(-20 + step / 10, -20 + step / 10, -40 + step / 10), step * 320)
            text = meter.render_line(0).text
            shown.append(text[text.index("dBFS") - 6 : text.index("dBFS")])
        changes = [now for before, now in pairwise(shown) if now != before]
        assert len(changes) == 7
        assert shown[0].strip() == "−40.0"


async def test_the_clip_lamp_stays_lit_and_counts() -> None:
    async with WidgetApp(meter := LevelMeter()).run_test(size=(60, 20)) as pilot:
        meter.pull(Reading(-3, -3, -9, clips=3), 0)
        await pilot.pause()
        assert "CLIP 3" in meter.render_line(0).text
        meter.pull(Reading(clips=3), 99 * QUARTER)
        assert "CLIP 3" in meter.render_line(0).text
        meter.pull(Reading(), 100 * QUARTER)
        assert "CLIP" not in meter.render_line(0).text


async def test_a_pause_empties_the_bar_says_so_and_draws_no_more() -> None:
    async with WidgetApp(meter := CountingMeter()).run_test(size=(60, 20)) as pilot:
        meter.pull(Reading(-3, -3, -9), 0)
        meter.paused = True
        await pilot.pause()
        row = meter.render_line(0).text
        assert "PAUSED" in row
        assert "█" not in row and "dBFS" not in row
        meter.refreshed.clear()
        meter.pull(Reading(-30, -3, -9), 0)
        assert meter.refreshed == []
        meter.paused = False
        assert "█" in meter.render_line(0).text


async def test_resizing_and_another_theme_draw_again() -> None:
    app = WidgetApp(meter := LevelMeter())
    async with app.run_test(size=(80, 24)) as pilot:
        meter.pull(Reading(-3, -3, -9), 0)
        await pilot.pause()
        before = meter.render_line(0)
        app.theme = "mictape-light"
        await pilot.pause()
        coloured = meter.render_line(0)
        assert coloured.text == before.text and coloured != before
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert meter.render_line(0).cell_length == meter.render_line(1).cell_length == 58
        assert meter.render_line(0).text.index("▏ ") == len(meter.render_line(1).text.rstrip())
        assert meter._look.rms == eighths(-9, meter._bar_width)


async def test_height_one_shows_the_bar_with_good_speech_marked() -> None:
    meter = LevelMeter()
    meter.styles.height = 1
    async with (app := WidgetApp(meter)).run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        assert "▕" in app.rows[0] and "···" in app.rows[0]
        assert app.rows[1].strip() == ""


async def test_without_colour_zones_and_parts_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = WidgetApp(meter := LevelMeter())
    async with app.run_test(size=(80, 24)) as pilot:
        meter.pull(Reading(-14, -10, -24, clips=1), 0)
        await pilot.pause()
        assert app.no_color
        first, second = app.rows[:2]
        assert all(sign in first for sign in ("█", "▒", "│", "·", "CLIP 1"))
        assert "╺" in second and "╸" in second


SILENCE = LevelCell(1, 0.0, 0.0, 0)
CLICK = LevelCell(1, 1.0, 0.01, 0)


class TallMeter(CountingMeter):
    """As high as on a tall terminal."""

    DEFAULT_CSS = "TallMeter { height: 3; padding: 0 1; }"


def pull(meter: LevelMeter, sound: Meter) -> None:
    meter.pull(sound.reading, sound.steps * RATE // 50, history=sound.history)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 60), st.data())
def test_the_history_has_every_peak_however_the_pipe_merged_the_cells(
    sizes: list[int], column_steps: int, data: st.DataObject
) -> None:
    sound, steps = Meter(), 0
    peaks: list[float] = []
    for size in sizes:
        amplitude = data.draw(st.sampled_from([0.001, 0.01, 0.1, 1.0]))
        sound.feed(LevelCell(size, amplitude, amplitude**2, 0))
        peaks += [amplitude] * size
        steps += size
    history = sound.history(column_steps, -(-steps // column_steps) + 1)
    if steps <= HISTORY_STEPS:
        assert max(history) == pytest.approx(decibels(max(peaks)))
        columns = [max(peaks[at : at + column_steps]) for at in range(0, steps, column_steps)]
        assert history == pytest.approx([decibels(peak) for peak in columns])


async def test_one_click_between_two_pulls_is_in_the_history_for_ten_seconds() -> None:
    async with WidgetApp(meter := TallMeter()).run_test(size=(80, 24)) as pilot:
        sound = Meter()
        for cell in [SILENCE] * 100 + [CLICK] + [SILENCE] * 99:
            sound.feed(cell)
        pull(meter, sound)
        await pilot.pause()
        pull(meter, sound)
        assert meter.render_line(2).text.count("█") == 1
        for _ in range(HISTORY_STEPS - 120):
            sound.feed(SILENCE)
        pull(meter, sound)
        assert meter.render_line(2).text.count("█") == 1
        for _ in range(40):
            sound.feed(SILENCE)
        pull(meter, sound)
        assert "█" not in meter.render_line(2).text


async def test_the_history_draws_its_own_row_and_only_when_a_column_changes() -> None:
    async with WidgetApp(meter := TallMeter()).run_test(size=(80, 24)) as pilot:
        sound = Meter()
        for _ in range(2 * HISTORY_STEPS):
            sound.feed(SILENCE)
        pull(meter, sound)
        await pilot.pause()
        pull(meter, sound)
        meter.refreshed.clear()
        for _ in range(HISTORY_STEPS):  # silence looks like silence, wherever the columns begin
            sound.feed(SILENCE)
            pull(meter, sound)
        assert Region(0, 2, 78, 1) not in [region for regions in meter.refreshed for region in regions]
        past = (Region(0, 2, 78, 1),)
        sound.feed(CLICK)
        pulls = 0
        while past not in meter.refreshed:  # with the next column, which is a fraction of a second long
            pull(meter, sound)
            sound.feed(SILENCE)
            pulls += 1
        assert pulls <= 20
        pull(meter, sound)
        assert meter.refreshed.count(past) == 1


async def test_a_track_is_named_before_its_bar_and_all_rows_stay_in_line() -> None:
    async with WidgetApp(meter := TallMeter()).run_test(size=(80, 24)) as pilot:
        sound = Meter()
        sound.feed(CLICK)
        meter.pull(sound.reading, 0, name="Computer", history=sound.history)
        await pilot.pause()
        meter.pull(sound.reading, 0, name="Computer", history=sound.history)
        bar, scale_row, past = (meter.render_line(y).text for y in range(3))
        assert bar.startswith("Computer   ▕")
        assert len(scale_row.rstrip()) == bar.index("▏ ")
        assert past.index("█") == bar.index("▏ ") - 1, "the newest stands at the end of the bar"


@pytest.mark.parametrize("each", [1, 3, 4, 7, 60])
async def test_the_history_is_the_same_however_often_it_is_pulled(each: int) -> None:
    often, once, sound = LevelMeter(), LevelMeter(), Meter()
    async with WidgetApp(often, once).run_test(size=(100, 12)):
        for meter in (often, once):
            meter.styles.height = 3
        await until_async(lambda: once.content_size.height == often.content_size.height == 3, what="three rows")
        for step in range(2 * HISTORY_STEPS):
            sound.feed(LevelCell(1, (step * 7919 % 1000 + 1) / 1001, 0.01, 0))
            if step % each == 0:
                often.pull(sound.reading, sound.steps * RATE // 50, history=sound.history)
        for meter in (often, once):
            meter.pull(sound.reading, sound.steps * RATE // 50, history=sound.history)
        assert often.render_line(2).text == once.render_line(2).text
        assert len(set(often.render_line(2).text)) > 4


async def test_another_source_has_a_history_of_its_own() -> None:
    meter, one, other = LevelMeter(), Meter(), Meter()
    async with WidgetApp(meter).run_test(size=(100, 12)):
        meter.styles.height = 3
        await until_async(lambda: meter.content_size.height == 3, what="three rows")
        for sound, peak in ((one, 1.0), (other, 0.0)):
            sound.feed(LevelCell(HISTORY_STEPS, peak, peak, 0))
        meter.pull(one.reading, one.steps * RATE // 50, history=one.history)
        assert "█" in meter.render_line(2).text
        meter.pull(other.reading, other.steps * RATE // 50, history=other.history)
        assert "█" not in meter.render_line(2).text
