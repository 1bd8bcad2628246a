"""Levels on a fixed 20 ms grid of the device's own samples; only the capture process imports this (numpy).

The grid is counted from the first sample of the stream, so the cells do not depend on how the samples were cut
into blocks.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mictape.audio.messages import GRID_MS, LevelCell

Samples = NDArray[Any]
"""Interleaved sound, shape (frames, channels), int16 or float32 with full scale 1.0."""

CLIP_RUN: Final = 3
"""This many full-scale samples in a row are a clip."""
QUIET_PEAK: Final = 10 ** (-50 / 20)
"""Sound is quiet below this, full scale = 1.0: 50 dB below it, 20 dB below a whisper at a well-set microphone."""
_PER_SECOND: Final = 1000 // GRID_MS
_FULL_SCALE: Final = 32_768
_CLIP_AT: Final = 32_767 / _FULL_SCALE


class Levels:
    """Takes the level of one stream."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._cells = 0
        self._rest: Samples = np.zeros((0, channels), dtype=np.float32)
        self._tail = np.zeros((CLIP_RUN, channels), dtype=np.bool_)

    def feed(self, samples: Samples) -> list[LevelCell]:
        """The cells that `samples`, shape (frames, channels), completes."""
        if len(self._rest):
            samples = np.concatenate((self._rest, samples))
        cells: list[LevelCell] = []
        start = 0
        while start + (frames := self._next_frames()) <= len(samples):
            # Where all cells are alike they are worked out together: numpy's calls are what they cost.
            count = 1 if self._rate % _PER_SECOND else (len(samples) - start) // frames
            end = start + count * frames
            cells += self._measure(samples[start:end].reshape(count, frames, -1))
            self._cells += count
            start = end
        self._rest = samples[start:].copy()
        return cells

    def _next_frames(self) -> int:
        """How many frames the next cell has: constant where the rate is a multiple of 50."""
        return (self._cells + 1) * self._rate // _PER_SECOND - self._cells * self._rate // _PER_SECOND

    def _measure(self, samples: Samples) -> list[LevelCell]:
        """The cells of `samples`, shape (cells, frames, channels)."""
        wide = samples.astype(np.float64)
        full_scale = _FULL_SCALE if samples.dtype == np.int16 else 1
        every = wide.reshape(len(wide), -1)
        peaks = np.maximum(every.max(axis=1), -every.min(axis=1)) / full_scale
        squares = np.einsum("nij,nij->nj", wide, wide).max(axis=1) / (wide.shape[1] * full_scale**2)
        return [
            LevelCell(
                steps=1,
                peak=peak,
                square=square,
                clips=self._clip_runs(np.abs(cell) >= _CLIP_AT * full_scale) if peak >= _CLIP_AT else self._no_clip(),
            )
            for cell, peak, square in zip(wide, peaks.tolist(), squares.tolist(), strict=True)
        ]

    def _no_clip(self) -> int:
        """No sample of this cell is at full scale, so no run of them goes on."""
        self._tail[:] = False
        return 0

    def _clip_runs(self, full: NDArray[np.bool_]) -> int:
        """Runs whose third full-scale sample lies in this cell, of the channel that has most."""
        seen = np.concatenate((self._tail, full))
        self._tail = seen[-CLIP_RUN:]
        third = seen[3:] & seen[2:-1] & seen[1:-2] & ~seen[:-3]
        return int(third.sum(axis=0).max())


def merge(cells: Sequence[LevelCell]) -> LevelCell:
    """One cell for several that follow each other; raises ValueError without any."""
    steps = sum(cell.steps for cell in cells)
    return LevelCell(
        steps=steps,
        peak=max(cell.peak for cell in cells),
        square=sum(cell.square * cell.steps for cell in cells) / steps,
        clips=sum(cell.clips for cell in cells),
    )
