"""Whose line it is."""

import pytest

from mictape.transcript.line import Kind, voice_of


@pytest.mark.parametrize(
    ("track", "speaker", "voice"),
    [
        ("Computer", "A", "Computer A"),
        ("Computer", "B (2)", "Computer B (2)"),
        ("Computer", "11", "Computer 11"),
        ("Computer", "Anna", "Anna"),
        ("Computer", None, "Computer"),
        (None, "A", "A"),
        ("", "A", "A"),
        (None, None, ""),
    ],
)
def test_a_label_needs_the_name_of_its_track_and_a_name_does_not(
    track: str | None, speaker: str | None, voice: str
) -> None:
    assert voice_of(Kind.SPEECH, track, speaker) == voice
