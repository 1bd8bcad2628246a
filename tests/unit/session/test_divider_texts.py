"""The lines that stand for lost sound, and for the time between two recordings of one session."""

from datetime import datetime

import pytest

from mictape.session.divider_texts import continued_text, hole_text
from mictape.units import RATE


def test_lost_sound_says_why_where_that_is_known() -> None:
    assert hole_text(RATE, "restart") == "1.0 s lost: recording had to start again"
    assert hole_text(RATE, "gone") == "1.0 s lost: the device was gone"
    assert hole_text(RATE, "lost") == "1.0 s lost"


@pytest.mark.parametrize(
    ("stopped", "text"),
    [
        (datetime(2026, 11, 27, 11, 52, 30), "stopped at 11:52:30, continued at 11:53:10"),
        (datetime(2026, 11, 26, 11, 53, 10), "stopped at 11:53:10, continued on Fri 27 Nov at 11:53:10"),
        (datetime(2025, 11, 27, 23, 59, 59), "stopped at 23:59:59, continued on 27 Nov 2026 at 11:53:10"),
        (None, "continued on Fri 27 Nov 2026 at 11:53:10"),
    ],
)
def test_the_day_on_which_a_recording_is_continued_is_named_where_it_is_another(
    stopped: datetime | None, text: str
) -> None:
    assert continued_text(stopped, datetime(2026, 11, 27, 11, 53, 10)) == text
