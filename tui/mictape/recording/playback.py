"""A player that the recording knows of, so that what it plays is not transcribed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from mictape.audio.ports import PlayerPort


class KnownPlayer:
    """A `PlayerPort` that says when it plays."""

    def __init__(self, player: PlayerPort, while_playing: Callable[[], AbstractContextManager[None]]) -> None:
        """Prepare.

        Args:
            player: Plays.
            while_playing: What is entered for as long as something is played.
        """
        self._player = player
        self._while_playing = while_playing

    @property
    def playing(self) -> bool:
        """Whether something is played."""
        return self._player.playing

    async def play(self, folder: Path, track: int, start: int, end: int) -> None:
        """Play samples `[start, end)`; returns when it is over or stopped. Raises MictapeError."""
        with self._while_playing():
            await self._player.play(folder, track, start, end)

    def stop(self) -> None:
        """Stop at once."""
        self._player.stop()
