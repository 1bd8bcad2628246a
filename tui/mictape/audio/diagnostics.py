"""What is wrong with the sound of a microphone, found from its levels: no signal, no speech, too quiet, clipping.

Everything is counted in sample time, in cells of the meters' grid; nothing here knows a clock.
"""

import sys
from enum import Enum
from math import exp
from typing import Final, Literal

from mictape.audio.ballistics import AES17_DB, decibels
from mictape.audio.messages import GRID_MS, LevelCell
from mictape.failure import Advice

ZEROS_AT_START_MS: Final = 500
"""Exact zeros from the start of a stream for as long as this are no signal.

A living microphone moves by at least one step even in a silent room, while a system that withholds it (macOS without
the permission) or a mute switch gives exact zeros without any error.
"""
ZEROS_AFTER_SOUND_MS: Final = 5_000
"""The same once the stream has carried sound, since noise gates give zeros at every breath."""

SIGNAL_DB: Final = -50.0
"""RMS above it (AES17) is a signal that could be speech; a quiet room is below it."""
NO_SPEECH_MS: Final = 15_000
"""So much signal without speech in it is reported."""
LINGER_MS: Final = 5_000
"""So long without signal, or without a clip, and the hint about it is over."""

QUIET_DB: Final = -40.0
"""Speech with a lower RMS (AES17) is too quiet: recognisers begin to miss words."""
LOUD_AGAIN_DB: Final = -37.0
"""And with a higher one it is loud enough again; between the two the hint stays as it is."""
UNDERSTOOD_MS: Final = 10_000
"""A microphone that so much speech came from is the right one, however long the silence afterwards."""
SPEECH_TIME_MS: Final = 3_000
"""Time constant of the level of speech, and how much speech there has to be before it is judged."""


class Trouble(Enum):
    """What is wrong with the sound, and what to do about it; the first that holds is shown."""

    NO_SPEECH = Advice(
        "There is sound, but no speech in it: is this the right microphone?",
        "The device picker shows the level of every one",
        action="choose_device",
    )
    CLIPPING = Advice("It is too loud and clips", "Turn the microphone's level down, or move away from it")
    TOO_QUIET = Advice("Speech is very quiet", "Turn the microphone's level up, or move closer to it")


_SETTING: Final = {
    "darwin": "See System Settings, Privacy & Security, Microphone",
    "win32": "See Settings, Privacy & security, Microphone, Let desktop apps access your microphone",
}


def no_signal_hint(platform: str = sys.platform) -> Advice:
    """What to do when only zeros arrive, with the path to the setting on this system."""
    what = "No signal: muted, or the terminal has no microphone permission"
    if platform in _SETTING:
        return Advice(what, _SETTING[platform])
    return Advice(what, "See the sound settings under Input, or unmute the device", action="unmute_device")


class SignalWatch:
    """Watches the sound of one stream; begin a new one for a new stream.

    Computer sound is not watched: a computer that plays nothing gives exact zeros, and music is no mistake.
    """

    def __init__(self, kind: Literal["microphone", "computer sound"] = "microphone") -> None:
        self._watched = kind == "microphone"
        self._carried = False
        self._zeros_ms = 0
        self._speechless_ms = 0
        self._unclipped_ms = LINGER_MS
        self._speech_ms = 0
        self._speech_square = 0.0
        self._quiet = False

    def feed(self, cell: LevelCell, *, speech: bool | None = None) -> None:
        """Move on by one cell.

        Args:
            cell: Its level.
            speech: Whether there is speech in it; None while that is not known, which counts neither way.
        """
        cell_ms = cell.steps * GRID_MS
        if cell.peak > 0:
            self._carried = True
            self._zeros_ms = 0
        else:
            self._zeros_ms += cell_ms
        self._unclipped_ms = 0 if cell.clips else self._unclipped_ms + cell_ms
        if speech:
            self._speechless_ms = 0
            self._take_speech(cell.square, cell_ms)
        elif speech is not None:
            signal = _level_db(cell.square) > SIGNAL_DB
            moved_ms = self._speechless_ms + (cell_ms if signal else -cell_ms)
            self._speechless_ms = min(max(moved_ms, 0), NO_SPEECH_MS + LINGER_MS)

    def _take_speech(self, square: float, cell_ms: int) -> None:
        """Take a cell of speech into its level."""
        self._speech_ms += cell_ms
        constant_ms = min(self._speech_ms, SPEECH_TIME_MS)  # at first it is the plain mean
        self._speech_square += (1 - exp(-cell_ms / constant_ms)) * (square - self._speech_square)
        if self._speech_ms >= SPEECH_TIME_MS:
            self._quiet = _level_db(self._speech_square) < (LOUD_AGAIN_DB if self._quiet else QUIET_DB)

    @property
    def no_signal(self) -> bool:
        """Whether there is no signal right now; never for computer sound."""
        limit_ms = ZEROS_AFTER_SOUND_MS if self._carried else ZEROS_AT_START_MS
        return self._watched and self._zeros_ms >= limit_ms

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong with the sound that does arrive; None when nothing is, and always for computer sound."""
        true = {
            Trouble.NO_SPEECH: self._speechless_ms >= NO_SPEECH_MS and self._speech_ms < UNDERSTOOD_MS,
            Trouble.CLIPPING: self._unclipped_ms < LINGER_MS,
            Trouble.TOO_QUIET: self._quiet,
        }
        return next((trouble for trouble in Trouble if true[trouble]), None) if self._watched else None


def _level_db(square: float) -> float:
    """The RMS of a mean square in dBFS; a full-scale sine reads 0.0 (AES17)."""
    return decibels(square**0.5) + AES17_DB
