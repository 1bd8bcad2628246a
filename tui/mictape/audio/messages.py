"""What the capture process and the app say to each other: one JSON object a line.

The app needs neither numpy nor PortAudio to read these. Audio never travels here: readers take it from
the tape.

Commands go the other way as single words, a line each: `go` (begin to write), `pause`, `resume`, `close`.
"""

from typing import Final, Literal

import msgspec

GRID_MS: Final = 20
"""Levels are taken on a fixed grid of this many milliseconds of the device's own samples."""

Backend = Literal["sounddevice", "pyaudio", "parec"]
"""The ways to a device: PortAudio through one of two libraries, or a sound server's own program."""

HoleWhy = Literal["overflow", "missing", "restart"]
"""Why a stretch of tape is silence put in for sound that was lost.

`overflow`: the sound system said so. `missing`: it did not, but the clock shows it. `restart`: the capture process
had to be started again, whatever the reason.
"""


class LevelCell(msgspec.Struct, array_like=True, frozen=True):
    """The level of one or more steps of the 20 ms grid, taken before mixing and resampling."""

    steps: int
    """Grid steps it covers, at least 1; more than 1 only when the pipe was full and cells were merged."""
    peak: float
    """The largest absolute sample, full scale = 1.0; the loudest channel."""
    square: float
    """The mean square over the whole cell, full scale = 1.0; the loudest channel."""
    clips: int
    """Runs of full-scale samples that reached their third sample in the cell; the channel with most."""


class Opened(msgspec.Struct, tag="opened", frozen=True):
    """The source is open and delivers. Nothing is written until the command `go`."""

    rate: int
    """Samples per second the source delivers."""
    channels: int
    name: str
    """The human name of what was really opened."""
    twins: tuple[str, ...] = ()
    """Other devices of that name that are there, by their targets."""


class Progress(msgspec.Struct, tag="progress", frozen=True):
    """Where the tape is. Unsent ones are merged, so a full pipe delays only the display."""

    samples: int
    """Samples on the tape, holes included: the only truth about its length."""
    lost: int = 0
    """Samples of the tape that are holes, since this process began."""
    missing: int = 0
    """Those of `lost` that no overflow was reported for."""
    expected: int = 0
    """The tape's length by the device's clock; what is missing to it is late, or not found to be lost yet."""
    overflows: int = 0
    """How often the sound system reported an overflow, since this process began."""
    cells: tuple[LevelCell, ...] = ()
    """Levels since the last message, in order."""


class Hole(msgspec.Struct, tag="hole", frozen=True):
    """A stretch of tape is silence of the true length: its sound was lost."""

    start: int
    """First sample, tape position."""
    end: int
    why: HoleWhy


class Account(msgspec.Struct, tag="account", frozen=True):
    """An entry of a tape's journal: what became of its sound up to here. Times are samples at 16 kHz.

    `overflows`, `lost` and `missing` count since the entry before, so that they add up over capture processes.
    """

    samples: int
    """The tape's length."""
    expected: int
    """The length by the device's clock; what is more than `samples` is late, or not found to be lost yet."""
    overflows: int = 0
    """How often the sound system reported an overflow."""
    lost: int = 0
    """Samples of silence put in for lost sound."""
    missing: int = 0
    """Those of `lost` that no overflow and no restart explains."""


class Paused(msgspec.Struct, tag="paused", frozen=True):
    """The answer to `pause`: nothing is written beyond `samples` until `resume`."""

    samples: int


class Failed(msgspec.Struct, tag="failed", frozen=True):
    """The source cannot be opened or has ended in an error; the process ends after this."""

    what: str
    remedy: str
    kind: Literal["library", "setting", "device", "file", "disk", "disk full"]
    """What stands in the way: no PortAudio; what was asked for; the device; the file to read; the place of the tape, or
    that it has no room."""


class TrueRate(msgspec.Struct, tag="true rate", frozen=True):
    """The device does not keep the rate it claims; from here on its sound is resampled from the true one."""

    claimed: int
    """Samples per second that the device was opened at."""
    measured: int


class ChannelsCancel(msgspec.Struct, tag="channels cancel", frozen=True):
    """The channels are in opposite phase: their mean would be silence, so one of them is recorded alone."""

    channel: int
    """Which, counted from 1."""


class ChannelsDiffer(msgspec.Struct, tag="channels differ", frozen=True):
    """The two channels of a file take turns: each has a speaker of its own, as in a recorded call."""


class ClocksJumped(msgspec.Struct, tag="clocks jumped", frozen=True):
    """The machine slept, or its clock was set, while sound was recorded."""

    why: Literal["suspend", "step"]
    by_s: float
    """How long it slept; how far the clock was set, below zero when it was set back."""


class Ended(msgspec.Struct, tag="ended", frozen=True):
    """The tape is closed at `samples`: the source was exhausted, or `close` came."""

    samples: int
    why: Literal["exhausted", "closed"]
    warning: str = ""
    """A sentence when what was read was not whole (a truncated file)."""


Oddity = TrueRate | ClocksJumped | ChannelsCancel | ChannelsDiffer
"""What is odd about a source that is open."""

Message = Opened | Progress | Hole | Paused | TrueRate | ClocksJumped | ChannelsCancel | ChannelsDiffer | Failed | Ended
"""Everything the capture process says."""
