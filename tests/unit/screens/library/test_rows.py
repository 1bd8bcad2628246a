"""Rows of the library fit their width, and what is most important stays in them."""

from datetime import date

import pytest
from rich.cells import cell_len

from mictape.library.hits import Hit, spans_of
from mictape.library.query import parse
from mictape.library.records import SessionRecord
from mictape.screens.library.rows import heading_row, hit_row, session_row
from mictape.units import RATE, day_of

SESSION = SessionRecord(
    *("20261117-120500", 1_763_377_500.0, None, "open", "週間会議 about the budget of next year", "1", {}),
    *(20_562 * RATE, 900),
    tags=("work", "q4 planning"),
    marks=2,
    devices=("Blue Yeti", "Monitor of Speakers"),
)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("width", range(50, 160, 3))
def test_rows_fit_and_the_name_is_the_last_to_go(width: int, live: bool) -> None:
    day = day_of(SESSION.started, date(2026, 11, 26))
    for row in (session_row(SESSION, width, day=day, live=live), heading_row(SESSION, width, live=live)):
        text = "".join(part for part, _ in row)
        assert cell_len(text) <= width
        assert "週間会議" in text
        whole = [part for part, tone in row if tone in ("live", "trouble")]
        assert whole in ([], ["● in progress" if live else "interrupted"], [""]), "whole or not at all"


def test_a_long_line_is_shown_where_the_most_of_it_was_found() -> None:
    text = f"he went to {'a long way off and then ' * 6}see what was in his power to do for them"
    query = parse("power to do")
    row = "".join(part for part, _ in hit_row(Hit("line", text, line=0, start=0, spans=spans_of(text, query)), 60))
    assert "in his power to do" in row[:60]


def test_a_hit_in_a_note_says_that_it_is_a_note() -> None:
    said, written = (
        "".join(part for part, _ in hit_row(hit, 60))
        for hit in (
            Hit("line", "coffee, please", line=0, start=0, voice="Anna"),
            Hit("note", "coffee break", line=1, start=RATE, after="And then"),
        )
    )
    assert said == "  00:00:00  Anna  coffee, please"
    assert written == "  00:00:01  note: coffee break · And then", "not run together with the line after it"
