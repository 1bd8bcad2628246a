"""Keeps what Mictape itself plays out of the text of the tracks that record the computer's sound."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from mictape.audio.source_spec import DeviceSource
from mictape.session.track import Track
from mictape.session.transcript_writer import TranscriptWriter
from mictape.units import RATE

_ENDLESS: Final = 1 << 40
"""Behind every sample of a tape."""

TAIL: Final = RATE // 2
"""What is recorded is reported up to a fifth of a second later, and sound systems hold some of it back."""


class OwnPlayback:
    """Knows when Mictape plays. The sound stays on the tape; engines get silence, and a divider says so."""

    def __init__(self, tracks: Sequence[Track], writer: TranscriptWriter) -> None:
        """Prepare for the session whose `tracks` these are, now and later."""
        self._tracks = tracks
        self._writer = writer
        self._playing = 0
        """How many lines are played: the next one begins before the one before is stopped."""
        self._began: dict[Track, int] = {}
        """Where on their tapes the tracks were when playing began."""

    @contextmanager
    def playing(self) -> Generator[None]:
        """Something is played while the block runs."""
        if not self._playing:
            self._began = {track: track.tape.samples for track in self._tracks if _records_computer(track)}
            for track, began in self._began.items():
                track.tape.own_sound.add(began, _ENDLESS)
        self._playing += 1
        try:
            yield
        finally:
            self._playing -= 1
            if not self._playing:
                self._end()

    def _end(self) -> None:
        for track, began in self._began.items():
            samples = track.tape.samples
            track.tape.own_sound.remove(samples + TAIL, _ENDLESS)
            if samples > began:
                self._writer.add_own_playback(track, track.tape.origin + began, track.end)


def _records_computer(track: Track) -> bool:
    spec = track.spec
    return isinstance(spec, DeviceSource) and spec.device.kind == "computer sound" and not track.tape.ended
