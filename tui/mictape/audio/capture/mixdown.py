"""All channels to one, without losing what is in opposite phase in two of them. In the capture process only."""

from typing import Final

import numpy as np

from mictape.audio.capture.levels import Samples

LOUD: Final = 10 ** (-50 / 10)
"""Mean square, full scale = 1.0; what is quieter does not show whether channels cancel each other out."""
CANCELS: Final = 1 / 16
"""12 dB below what channels that have nothing to do with each other give together."""
ADDS_UP: Final = 1 / 4
AGAIN_S: Final = 1.0
"""The mean is taken again once channels have added up for so long."""
APART: Final = 100.0
"""20 dB: a channel that is so much louder than the other is the only one with speech."""
TURN_S: Final = 2.0
"""Each of two channels was the only one with speech for so long before they are said to take turns …"""
TURNS_SHARE: Final = 0.6
"""… which it was for most of the time that there was sound."""
_FULL_SCALE: Final = 32_768


class Mixdown:
    """The mean of all channels; the loudest one alone where they cancel each other out.

    Microphones with a balanced output that are plugged into a stereo input come as twice the same, once upside down:
    their mean is silence.
    """

    def __init__(self, rate: int) -> None:
        """For sound of `rate` frames a second."""
        self.alone: int | None = None
        """The channel that is taken alone, counted from 1."""
        self._rate = rate
        self._adding_up = 0
        self._loud = 0
        """Frames with sound."""
        self._turns = [0, 0]
        """Those in which one channel of two was far louder than the other, for each."""

    @property
    def takes_turns(self) -> bool:
        """Whether two channels each have a speaker of their own, by all that was fed."""
        return min(self._turns) >= TURN_S * self._rate and sum(self._turns) >= TURNS_SHARE * self._loud

    def feed(self, samples: Samples) -> Samples:
        """Any samples, shape (frames, channels), as int16, shape (frames,)."""
        if samples.shape[1] == 1 or not len(samples):
            return _as_int16(samples[:, 0])
        wide = samples.astype(np.float32)
        if samples.dtype == np.int16:
            wide /= _FULL_SCALE
        mean = wide.mean(axis=1)
        squares = np.einsum("ij,ij->j", wide, wide) / len(wide)
        self._judge(squares, float(mean @ mean) / len(mean), len(mean))
        return _as_int16(mean if self.alone is None else wide[:, self.alone - 1])

    def _judge(self, squares: Samples, mean_square: float, frames: int) -> None:
        together = mean_square * len(squares) ** 2 / max(float(squares.sum()), 1e-20)
        if float(squares.max()) < LOUD:
            return
        self._loud += frames
        if len(squares) == len(self._turns) and float(squares.max()) > APART * float(squares.min()):
            self._turns[int(squares.argmax())] += frames
        if together < CANCELS:
            self._adding_up = 0
            if self.alone is None:
                self.alone = int(squares.argmax()) + 1
        elif together > ADDS_UP:
            self._adding_up += frames
            if self._adding_up >= AGAIN_S * self._rate:
                self.alone = None


def _as_int16(samples: Samples) -> Samples:
    if samples.dtype == np.int16:
        return samples
    return np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
