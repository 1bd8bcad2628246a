"""What every way of recording from a device does alike. In the capture process only.

A backend is a subclass with three methods: `_request` asks the device for one format, `_begin` lets it deliver, and
`close` lets it go. Which formats are asked for, which channels reach the tape, what the sound server does behind our
back and whether the device keeps the rate it claims is the same for all.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mictape.audio import pulse
from mictape.audio.capture.inputs import Inbox, InputError
from mictape.audio.capture.levels import QUIET_PEAK
from mictape.audio.capture.rate_correction import Corrector
from mictape.audio.capture.recorder import Block
from mictape.audio.capture.source_watch import SourceWatch
from mictape.audio.devices import Device
from mictape.audio.messages import Failed, TrueRate
from mictape.units import RATE

SOUND_SERVERS: Final = frozenset({"PulseAudio", "PipeWire"})
"""Host APIs whose sources PortAudio does not know; its device `pulse` opens the one that PULSE_SOURCE names."""

BLOCK_MS: Final = 40
"""What devices are asked for at a time, and status leaves as often: each block wakes three threads."""
QUIET_S: Final = 0.24
"""While sound is quiet, so much is taken at a time: nothing that is shown or recognised is waiting for it. It is
silence, and so much of it is lost when the process is killed."""
_QUIET_SAMPLE: Final = int(QUIET_PEAK * 32_768)

CHOOSE: Final = "Plug it in again, or choose another device"
MOST_CHANNELS: Final = 32
"""More are not asked for: ALSA's plug-ins say 128 or 10,000 when they mean any number."""


@dataclass(frozen=True, slots=True)
class Format:
    """What a device is asked for."""

    rate: int
    channels: int


class UnreachableError(InputError):
    """PortAudio is not installed, or does not lead to the sound server: another way may."""


class RefusedError(Exception):
    """The device does not take a format, or cannot be opened at all."""

    def __init__(self, why: Literal["format", "busy", "other"], text: str = "no reason given") -> None:
        super().__init__(text)
        self.why = why
        """`format`: another one may do."""


class DeviceInput(ABC):
    """An open device: an `Input` that is live. It is started by `start` and delivers until `close`."""

    live = True
    twins: Sequence[str] = ()

    def __init__(self, device: Device, channel: int | None) -> None:
        """Open the device at the first format that it takes.

        Args:
            device: What to open.
            channel: The one that is recorded, counted from 1; None: the mean of all.

        Raises:
            InputError: It cannot be opened, or has no such channel.
        """
        if channel is not None and not 1 <= channel <= device.channels:
            what = f"{device.name} has no channel {channel}: it has {device.channels}"
            raise InputError(Failed(what, "Choose another with --channel, or mix", "setting"))
        self.name = device.name
        self._device = device
        self._channel = channel
        self._inbox: Inbox | None = None
        opened = self._open()
        self.rate = opened.rate
        self.channels = opened.channels if channel is None else 1
        self._opened = opened.channels
        self._left = 0
        """Frames in the inbox that wait for more."""
        self._corrector = Corrector(self.rate, self.channels)

    def start(self, inbox: Inbox) -> None:
        """Begin to deliver. Raises InputError."""
        self._inbox = inbox
        try:
            pid = self._begin()
        except RefusedError as refusal:
            raise self._failed(refusal) from refusal
        if self._device.host_api in SOUND_SERVERS:
            SourceWatch(self._device.target, pid, self.gone)

    def taken(self) -> None:
        """A block was taken; a device does not wait for it."""
        return

    def hold(self, held: bool) -> None:
        """A device goes on in any case."""
        return

    def gone(self) -> None:
        """The device is gone: report it to the reader."""
        if self._inbox is not None:
            self._inbox.put(InputError(self._is_gone()))

    def _is_gone(self) -> Failed:
        return Failed(f"{self.name} is gone", CHOOSE, "device")

    @abstractmethod
    def close(self) -> None:
        """Let the device go. A driver may hang in it: then the whole process is killed."""

    @abstractmethod
    def _request(self, wanted: Format) -> None:
        """Ask for one format. Raises RefusedError, and InputError when no other one can help."""

    @abstractmethod
    def _begin(self) -> int:
        """Let it deliver through `_deliver`; the process id of who records. Raises RefusedError."""

    def _deliver(self, data: bytes, monotonic: float, *, overflow: bool = False) -> None:
        """Hand a block over.

        Args:
            data: Interleaved 16-bit samples in the machine's order, all channels that were asked for.
            monotonic: When its first frame was captured, seconds.
            overflow: Sound before its first frame was lost.
        """
        if self._inbox is None:
            return
        samples = np.frombuffer(data, dtype=np.int16).reshape(-1, self._opened)
        if self._channel is not None:
            samples = samples[:, self._channel - 1 : self._channel]
        if overflow:
            self._corrector.forget()
        samples, found = self._corrector.feed(samples, monotonic)
        if found is not None:
            self._inbox.put(TrueRate(self.rate, found))
        block = Block(samples, monotonic, overflow)
        if self._inbox.quiet and self._can_wait(block):
            self._inbox.leave(block)
        else:
            self._left = 0
            self._inbox.put(block)

    def _can_wait(self, block: Block) -> bool:
        """Whether it is quiet and not much waits already."""
        self._left += len(block.samples)
        loud = block.overflow or not len(block.samples) or self._left >= QUIET_S * self.rate
        return not loud and max(int(block.samples.max()), -int(block.samples.min())) < _QUIET_SAMPLE

    def _open(self) -> Format:
        refusal = RefusedError("format")
        for wanted in formats(self._device, self._channel):
            try:
                self._request(wanted)
            except RefusedError as error:
                refusal = error
                if error.why != "format":
                    break
            else:
                return wanted
        raise self._failed(refusal) from refusal

    def _failed(self, refusal: RefusedError) -> InputError:
        if refusal.why == "other" and not _is_there(self._device):
            return InputError(self._is_gone())
        what, remedy = {
            "busy": (f"{self.name} is in use by another program", "Close that program or choose another device"),
            "format": (f"{self.name} refuses every sample rate that was tried", CHOOSE),
            "other": (f"{self.name} cannot be opened: {refusal}", CHOOSE),
        }[refusal.why]
        return InputError(Failed(what, remedy, "device"))


def _is_there(device: Device) -> bool:
    """Whether a sound server still has the device; of one that is missing PortAudio says only that it failed."""
    if device.host_api in SOUND_SERVERS:
        with suppress(*pulse.errors()), pulse.connected() as server:
            return server is None or any(each.target == device.target for each in pulse.sources(server))
    return True


def formats(device: Device, channel: int | None = None) -> Iterator[Format]:
    """What to ask for, best first: the tape's rate, the device's own, 48 and 44.1 kHz.

    A sound server and WASAPI mix the channels when one is asked for. Elsewhere one alone would be the first of them, so
    all are asked for and mixed here.
    """
    own = min(device.channels, MOST_CHANNELS)
    mixes = device.host_api in SOUND_SERVERS or "WASAPI" in device.host_api or device.channels > MOST_CHANNELS
    counts = (own,) if channel is not None else (1, own, 2) if mixes else (own, 1, 2)
    for rate in dict.fromkeys((RATE, device.rate, 48_000, 44_100)):
        for channels in dict.fromkeys(counts):
            if rate > 0 and channels > 0:
                yield Format(rate, channels)
