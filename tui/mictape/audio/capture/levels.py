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
            cells.append(self._cell(samples[start : start + frames]))
            start += frames
            self._cells += 1
        self._rest = samples[start:].copy()
        return cells

    def _next_frames(self) -> int:
        """How many frames the next cell has: constant where the rate is a multiple of 50."""
        per_second = 1000 // GRID_MS
        return (self._cells + 1) * self._rate // per_second - self._cells * self._rate // per_second

    def _cell(self, samples: Samples) -> LevelCell:
        wide = samples.astype(np.float64)
        full_scale = _FULL_SCALE if samples.dtype == np.int16 else 1
        peak = max(float(wide.max()), -float(wide.min())) / full_scale
        squares = np.einsum("ij,ij->j", wide, wide)
        return LevelCell(
            steps=1,
            peak=peak,
            square=float(squares.max()) / (len(wide) * full_scale**2),
            clips=self._clip_runs(np.abs(wide) >= _CLIP_AT * full_scale) if peak >= _CLIP_AT else self._no_clip(),
        )

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
