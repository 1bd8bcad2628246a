"""From blocks to tape: mix, resample, holes and anchors. In the capture process only (numpy, soxr)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, cast

import numpy as np
import soxr

from tui.audio.clock import Anchor, AnchorWhy, Clock
from tui.audio.levels import Levels, Samples
from tui.audio.messages import RATE, Hole, HoleWhy, LevelCell
from tui.audio.tape import TapeWriter, read_journal

After = Literal["start", "pause", "hole"]
"""What lies between the sample before and the first one of this process."""

LONGEST_HOLE_S: Final = 60.0
"""A hole is filled with silence up to here; a longer one ends like a pause."""
TICK_SAMPLES: Final = 10 * RATE
"""An anchor is set at least this often."""
STEP_S: Final = 0.1
"""The wall clock was set when it moved by more than this against the monotonic one; slewing stays below it."""
_DRIFT: Final = 0.0002
"""No sound card's clock is further off than this; most keep within 0.0001."""
_LONGEST_DELAY_S: Final = 1.0
"""A block that is later than this is not late: the source itself stood still."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of sound as the source gave it."""

    samples: Samples
    """Shape (frames, channels), int16 or float32."""
    monotonic: float
    """When its first frame was captured, seconds."""
    overflow: bool = False
    """Sound before its first frame was lost."""


class _Resampler(Protocol):
    def resample_chunk(self, x: Samples, last: bool = False) -> Samples: ...


class Mixer:
    """Any rate and channel count → 16-bit mono at 16 kHz; 16-bit mono at 16 kHz passes unchanged."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler = self._new_resampler()

    def feed(self, samples: Samples) -> bytes:
        """What `samples`, shape (frames, channels), adds to the tape; the resampler gives it later."""
        mono = _mono(samples)
        return (self._resampler.resample_chunk(mono) if self._resampler else mono).tobytes()

    def flush(self) -> bytes:
        """The rest of what was fed, without which the end would be lost; then it begins anew."""
        if self._resampler is None:
            return b""
        rest = self._resampler.resample_chunk(np.zeros(0, dtype=np.int16), last=True)
        self._resampler = self._new_resampler()
        return rest.tobytes()

    def _new_resampler(self) -> _Resampler | None:
        if self._rate == RATE:
            return None
        # HQ: no droop at 7 kHz, aliases below -87 dB, 37 ms.
        return cast(_Resampler, soxr.ResampleStream(self._rate, RATE, 1, dtype="int16", quality="HQ"))


class DeviceTime:
    """When a frame was captured, by the earliest arrival so far; tells lost frames from late ones.

    A block can only be late, never early, so the earliest one shows the device's true time; that estimate may
    move later by no more than a sound card's clock drifts.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._frames = 0
        self._start: float | None = None

    def lateness_s(self, block: Block) -> float:
        """How much later than due the block's first frame was captured; 0 for the first block."""
        return 0.0 if self._start is None else block.monotonic - self._start - self._frames / self._rate

    def count(self, block: Block) -> float:
        """Take the block as one that follows its predecessor; when its first frame was captured."""
        if not 0 <= self.lateness_s(block) < _LONGEST_DELAY_S or self._start is None:
            self._start = block.monotonic - self._frames / self._rate
        moment = self._start + self._frames / self._rate
        self._frames += len(block.samples)
        self._start += len(block.samples) / self._rate * _DRIFT
        return moment


class Recorder:
    """Writes the blocks of one source onto the tape, keeps its journal and counts what was lost.

    `running` decides whether blocks are written; levels are always taken.
    """

    def __init__(
        self, writer: TapeWriter, *, rate: int, channels: int, after: After, live: bool, say: Callable[[Hole], None]
    ) -> None:
        self.running = False
        self.lost = 0
        """Samples of silence put in for lost sound."""
        self.overflows = 0
        self._writer = writer
        self._rate = rate
        self._after = after
        self._live = live
        self._say = say
        self._levels = Levels(rate, channels)
        self._mixer = Mixer(rate)
        self._time = DeviceTime(rate)
        self._in_sound = False
        self._base = 0
        self._frames = 0
        self._anchored = Anchor(0, 0.0, 0.0, "start")

    def take(self, block: Block) -> list[LevelCell]:
        """Write one block if the tape runs; the level cells it completes. Raises TapeError."""
        missing_s = max(self._time.lateness_s(block), 0.0)
        if block.overflow:
            self._time = DeviceTime(self._rate)
            self.overflows += 1
        moment = self._time.count(block)
        if self.running:
            if not self._in_sound:
                self._begin(moment)
            elif block.overflow:
                self._fill_overflow(moment, missing_s)
            self._anchor_if_due(moment)
            self._writer.append(self._mixer.feed(block.samples))
            self._frames += len(block.samples)
        return self._levels.feed(block.samples)

    def pause(self) -> None:
        """Write nothing from here on. Raises TapeError."""
        self.running = False
        if self._in_sound or self._after == "hole":
            self._after = "pause"
        if self._in_sound:
            self._in_sound = False
            self._end_run()
            end = self._anchored.monotonic + (self._writer.samples - self._anchored.sample) / RATE
            self._anchor(self._writer.samples, end, "pause")

    def _begin(self, moment: float) -> None:
        """The first block after the start, a pause or a hole."""
        self._writer.begin()
        why: AnchorWhy = "start" if self._after == "start" else "resume"
        if self._after == "hole" and self._live and self._fill_restart(moment):
            why = "hole"
        self._in_sound = True
        self._begin_run(moment, why)

    def _fill_restart(self, moment: float) -> bool:
        """Silence for the time since the tape's last sample; False where it is to be a pause."""
        clock = Clock(read_journal(self._writer.folder, self._writer.track).anchors)
        end = clock.monotonic(self._writer.samples)
        return end is not None and self._fill(moment - end, "restart")

    def _fill_overflow(self, moment: float, missing_s: float) -> None:
        self._end_run()
        self._begin_run(moment, "hole" if self._fill(missing_s, "overflow") else "resume")

    def _fill(self, missing_s: float, why: HoleWhy) -> bool:
        """Put in silence of the true length; False when it is too long, or when time went back (a reboot)."""
        if not 0 <= missing_s <= LONGEST_HOLE_S:
            return False
        start = self._writer.samples
        hole = Hole(start, start + round(missing_s * RATE), why)
        if hole.end > start:
            self._writer.silence(hole.end - start, hole)
            self.lost += hole.end - start
            self._say(hole)
        return True

    def _begin_run(self, moment: float, why: AnchorWhy) -> None:
        self._base, self._frames = self._writer.samples, 0
        self._anchor(self._base, moment, why)

    def _end_run(self) -> None:
        self._writer.append(self._mixer.flush())

    def _anchor_if_due(self, moment: float) -> None:
        sample = self._base + self._frames * RATE // self._rate
        stepped = abs(_wall_offset() - (self._anchored.utc - self._anchored.monotonic)) > STEP_S
        if stepped or sample - self._anchored.sample >= TICK_SAMPLES:
            self._anchor(sample, moment, "step" if stepped else "tick")

    def _anchor(self, sample: int, monotonic: float, why: AnchorWhy) -> None:
        self._anchored = Anchor(sample, monotonic, monotonic + _wall_offset(), why)
        self._writer.note(self._anchored)


def _mono(samples: Samples) -> Samples:
    """The mean of all channels as int16, shape (frames,)."""
    if samples.dtype == np.int16:
        if samples.shape[1] == 1:
            return samples[:, 0]
        return np.rint(samples.mean(axis=1)).astype(np.int16)
    scaled = np.rint(samples.mean(axis=1) * 32_768)
    return np.clip(scaled, -32_768, 32_767).astype(np.int16)


def _wall_offset() -> float:
    return time.time() - time.monotonic()
