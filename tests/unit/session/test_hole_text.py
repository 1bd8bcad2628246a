"""The lines that stand for lost sound."""

from mictape.session.transcript_writer import hole_text
from mictape.units import RATE


def test_lost_sound_says_why_where_that_is_known() -> None:
    assert hole_text(RATE, "restart") == "1.0 s lost: recording had to start again"
    assert hole_text(RATE, "gone") == "1.0 s lost: the device was gone"
    assert hole_text(RATE, "lost") == "1.0 s lost"
