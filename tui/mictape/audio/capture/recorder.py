"""From blocks to tape: mix, resample, holes and anchors. In the capture process only (numpy, soxr)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, cast

import numpy as np
import soxr
from msgspec import Struct

from mictape.audio.capture.device_time import DeviceTime
from mictape.audio.capture.levels import Levels, Samples
from mictape.audio.capture.mixdown import Mixdown
from mictape.audio.clock import Anchor, AnchorWhy, Clock, Clocks, jump_between, read_clocks
from mictape.audio.messages import Account, ChannelsCancel, ChannelsDiffer, Hole, HoleWhy, LevelCell, Oddity
from mictape.audio.tape import TapeWriter, read_journal
from mictape.units import RATE

After = Literal["start", "pause", "hole"]
"""What lies between the sample before and the first one of this process."""

LONGEST_HOLE_S: Final = 60.0
"""A hole is filled with silence up to here; a longer one ends like a pause."""
TICK_SAMPLES: Final = 10 * RATE
"""An anchor is set at least this often."""
TOLD_STEP_S: Final = 1.0
"""A smaller step of the wall clock is nothing a person would see in a time of day."""
SETTLE_S: Final = 0.3
"""What follows a hole waits this long for the hole's true length: the first blocks of a stream may be late."""
_SAME_S: Final = 0.05
"""One overflow is often reported with several blocks; what is later than this is another one."""


class Block(Struct, frozen=True):
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
        self.mixdown = Mixdown(rate)
        self._resampler = self._new_resampler()

    def feed(self, samples: Samples) -> bytes:
        """What `samples`, shape (frames, channels), adds to the tape; the resampler gives it later."""
        mono = self.mixdown.feed(samples)
        return (self._resampler.resample_chunk(mono) if self._resampler else mono).tobytes()

    def flush(self) -> bytes:
        """The rest of what was fed, without which the end would be lost; then it starts over."""
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


@dataclass(slots=True)
class _Pending:
    """A hole whose length is not certain yet, and the sound after it."""

    why: HoleWhy
    due: float
    """When the first sample of the hole was due, monotonic seconds."""
    first: int
    """The first frame behind it, as the device's time counts."""
    blocks: list[Block]


class Recorder:
    """Writes the blocks of one source onto the tape, keeps its journal and counts what was lost.

    `running` decides whether blocks are written; levels are always taken. What is not `timed` gets no anchors: its
    moments mean nothing.
    """

    def __init__(
        self,
        writer: TapeWriter,
        *,
        rate: int,
        channels: int,
        after: After,
        live: bool,
        timed: bool = True,
        say: Callable[[Hole | Oddity], None],
        clocks: Callable[[], Clocks] = read_clocks,
    ) -> None:
        self.running = False
        self.lost = 0
        """Samples of silence put in for lost sound."""
        self.missing = 0
        """Those of them that were lost without an overflow being reported."""
        self.overflows = 0
        self._late_s = 0.0
        """How much later than due the newest block was captured."""
        self._writer = writer
        self._rate = rate
        self._after = after
        self._live = live
        self._timed = timed
        self._say = say
        self._read_clocks = clocks
        self._clocks = clocks()
        """At the newest look, which every block of a running tape is."""
        self._said: set[type] = set()
        """What was said of the channels."""
        self._stepped = False
        """The wall clock was set, and no anchor says so yet."""
        self._levels = Levels(rate, channels)
        self._mixer = Mixer(rate)
        self._time = DeviceTime(rate, live=live)
        self._pending: _Pending | None = None
        self._in_sound = False
        self._base = 0
        self._frames = 0
        self._anchored = Anchor(0, 0.0, 0.0, "start")
        self._accounted = (0, 0, 0)
        """Overflows, lost and missing that the journal knows of."""

    @property
    def expected(self) -> int:
        """The tape's length by the device's clock: what it would be if nothing were late or lost."""
        return self._writer.samples + max(round(self._late_s * RATE), 0)

    def take(self, block: Block) -> list[LevelCell]:
        """Write one block if the tape runs; the level cells it completes. Raises TapeError."""
        if self._in_sound:
            self._look_at_clocks()
        if block.overflow:
            self._meet_overflow(block)
        first = self._time.frames
        self._late_s = self._time.lateness_s(block.monotonic)
        self._time.count(block.monotonic, len(block.samples))
        missing_s = self._time.take_missing_s() if self._live else 0.0
        if self.running:
            if not self._in_sound:
                self._begin(first)
            elif missing_s and self._pending is None:
                self._pending = _Pending("missing", self._time.moment(first) - missing_s, first, [])
            self._write(block, first)
        return self._levels.feed(block.samples)

    def pause(self) -> None:
        """Write nothing from here on. Raises TapeError."""
        self.running = False
        if self._in_sound or self._after == "hole":
            self._after = "pause"
        self._end_sound("pause")

    def _end_sound(self, why: Literal["pause", "suspend"]) -> None:
        if self._in_sound:
            self._settle()
            self._in_sound = False
            self._end_run()
            end = self._anchored.monotonic + (self._writer.samples - self._anchored.sample) / RATE
            self._anchor(self._writer.samples, end, why)

    def _look_at_clocks(self) -> None:
        """Notice that the machine slept, which ends like a pause, or that its clock was set."""
        now = self._read_clocks()
        jump = jump_between(self._clocks, now)
        if jump is not None and jump.why == "suspend" and self._live:
            self._after = "pause"
            self._end_sound("suspend")  # by the clocks as they stood before
            self._time = DeviceTime(self._rate)
            self._say(jump)
        elif jump is not None:
            self._stepped = True
            if self._live and abs(jump.by_s) >= TOLD_STEP_S:
                self._say(jump)
        self._clocks = now

    def _write(self, block: Block, first: int) -> None:
        """Put a block on the tape, or beside the hole before it until that has its true length."""
        if (pending := self._pending) is None:
            self._anchor_if_due(self._time.moment(first))
            self._append(block)
            return
        pending.blocks.append(block)
        if self._time.frames - pending.first >= SETTLE_S * self._rate:
            self._settle()

    def _append(self, block: Block) -> None:
        self._writer.append(self._mixer.feed(block.samples))
        self._frames += len(block.samples)
        self._look_at_channels()

    def _look_at_channels(self) -> None:
        """Say, once, what is odd about them."""
        mixdown = self._mixer.mixdown
        if mixdown.alone is not None and ChannelsCancel not in self._said:
            self._said.add(ChannelsCancel)
            self._say(ChannelsCancel(mixdown.alone))
        if not self._live and mixdown.takes_turns and ChannelsDiffer not in self._said:
            self._said.add(ChannelsDiffer)
            self._say(ChannelsDiffer())

    def _begin(self, first: int) -> None:
        """The first block after the start, a pause or a restart."""
        self._writer.begin()
        self._in_sound = True
        self._clocks = self._read_clocks()
        if self._after == "hole" and self._live and (due := self._tape_end()) is not None:
            self._pending = _Pending("restart", due, first, [])
        else:
            self._begin_run(self._time.moment(first), "start" if self._after == "start" else "resume")

    def _tape_end(self) -> float | None:
        """When the sample that follows the tape's last one was due; None without anchors."""
        return Clock(read_journal(self._writer.folder, self._writer.track).anchors).monotonic(self._writer.samples)

    def _meet_overflow(self, block: Block) -> None:
        """Restart the clock: frames are missing before this block, and how many is not known."""
        pending = self._pending
        if pending is not None and self._time.lateness_s(block.monotonic) < _SAME_S:
            return
        self.overflows += 1
        if self._in_sound and self._time.frames:
            due = self._time.moment(self._time.frames)
            self._settle()
            self._pending = _Pending("overflow", due, 0, [])
        self._time = DeviceTime(self._rate, live=self._live)

    def _settle(self) -> None:
        """Fill the hole that was waited for, and write what followed it."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        moment = self._time.moment(pending.first)
        if self._frames:
            self._end_run()
        self._begin_run(moment, "hole" if self._fill(moment - pending.due, pending.why) else "resume")
        for block in pending.blocks:
            self._append(block)

    def _fill(self, missing_s: float, why: HoleWhy) -> bool:
        """Put in silence of the true length; False when it is too long, or when time went back (a reboot)."""
        if not 0 <= missing_s <= LONGEST_HOLE_S:
            return False
        start = self._writer.samples
        hole = Hole(start, start + round(missing_s * RATE), why)
        if hole.end > start:
            self._writer.silence(hole.end - start, hole)
            self.lost += hole.end - start
            self.missing += hole.end - start if why == "missing" else 0
            self._say(hole)
        return True

    def _begin_run(self, moment: float, why: AnchorWhy) -> None:
        self._base, self._frames = self._writer.samples, 0
        self._anchor(self._base, moment, why)

    def _end_run(self) -> None:
        self._writer.append(self._mixer.flush())

    def _anchor_if_due(self, moment: float) -> None:
        sample = self._base + self._frames * RATE // self._rate
        if self._stepped or sample - self._anchored.sample >= TICK_SAMPLES:
            self._anchor(sample, moment, "step" if self._stepped else "tick")
            self._stepped = False

    def _anchor(self, sample: int, monotonic: float, why: AnchorWhy) -> None:
        self._anchored = Anchor(sample, monotonic, monotonic + self._clocks.offset, why)
        if self._timed:
            self._writer.note(self._anchored)
        self._note_account()

    def _note_account(self) -> None:
        known, self._accounted = self._accounted, (self.overflows, self.lost, self.missing)
        new = (now - before for now, before in zip(self._accounted, known, strict=True))
        self._writer.note(Account(self._writer.samples, self.expected, *new))
