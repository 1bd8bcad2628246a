"""Whether a microphone gives anything at all: exact zeros mean muted, switched off or not permitted.

A living microphone moves by at least one step even in a silent room, while a system that withholds it
(macOS without the permission) or a mute switch gives exact zeros without any error.
"""

from typing import Final, Literal

from tui.audio.messages import GRID_MS, LevelCell

ZEROS_AT_START_MS: Final = 500
"""Exact zeros from the start of a stream for as long as this are no signal."""
ZEROS_AFTER_SOUND_MS: Final = 5_000
"""The same once the stream has carried sound, since noise gates give zeros at every breath."""


class SignalWatch:
    """Watches one stream for exact zeros; begin a new one for a new stream."""

    def __init__(self, kind: Literal["microphone", "computer sound"] = "microphone") -> None:
        self._watched = kind == "microphone"  # a computer that plays nothing gives exact zeros too
        self._carried = False
        self._zeros_ms = 0

    def feed(self, cell: LevelCell) -> None:
        """Move on by one cell."""
        if cell.peak > 0:
            self._carried = True
            self._zeros_ms = 0
        else:
            self._zeros_ms += cell.steps * GRID_MS

    @property
    def no_signal(self) -> bool:
        """Whether there is no signal right now; never for computer sound."""
        limit_ms = ZEROS_AFTER_SOUND_MS if self._carried else ZEROS_AT_START_MS
        return self._watched and self._zeros_ms >= limit_ms
