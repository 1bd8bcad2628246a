"""A device through PortAudio (sounddevice). In the capture process only."""

import sys
import time
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Final, Protocol, cast

import numpy as np

from tui.audio.devices import Device
from tui.audio.inputs import Inbox, InputError
from tui.audio.messages import GRID_MS, RATE, Failed
from tui.audio.moved import SourceWatch
from tui.audio.recorder import Block

SOUND_SERVERS: Final = frozenset({"PulseAudio", "PipeWire"})
"""Host APIs whose sources PortAudio does not know; its device `pulse` opens the one that PULSE_SOURCE names."""

LATENCY_S: Final = 0.2
"""What PortAudio may hold back: with less, an interpreter that is busy for 50 ms already loses sound."""
_LONGEST_LATENCY_S: Final = 5.0
_CHOOSE: Final = "Choose another device with d, or plug it in again"

_BAD_CHANNELS: Final = -9998
_BAD_RATE: Final = -9997
_UNAVAILABLE: Final = -9985


class _Times(Protocol):
    inputBufferAdcTime: float  # noqa: N815
    currentTime: float  # noqa: N815


class _Stream(Protocol):
    def start(self) -> None: ...


class _Flags(Protocol):
    input_overflow: bool


class DeviceInput:
    """An open device. It is started by `start` and delivers until the process ends."""

    live = True

    def __init__(self, device: Device) -> None:
        """Open the device at the first rate and channel count that it takes. Raises InputError."""
        self._inbox: Inbox | None = None
        self._sd = _load()
        self._device = device
        self._stream = self._open(device)
        self.name = device.name

    def start(self, inbox: Inbox) -> None:
        """Begin to deliver. Raises InputError."""
        self._inbox = inbox
        if self._device.host_api in SOUND_SERVERS:
            failed = Failed(f"{self.name} is gone", "Plug it in again, or choose another device with d", "device")
            SourceWatch(self._device.target, lambda: inbox.put(InputError(failed)))
        try:
            self._stream.start()
        except self._sd.PortAudioError as error:
            raise _refused(self.name, error) from error

    def taken(self) -> None:
        """Nothing to do: a device does not wait."""

    def hold(self, held: bool) -> None:
        """Nothing to do: a device does not wait."""

    def _open(self, device: Device) -> _Stream:
        index = _find(self._sd, device)
        extra = self._sd.WasapiSettings(auto_convert=True) if "WASAPI" in device.host_api else None
        refusal: Exception | None = None
        for rate, channels in _formats(device):
            self.rate, self.channels = rate, channels
            try:
                return self._sd.RawInputStream(
                    samplerate=rate,
                    blocksize=rate * GRID_MS // 1000,
                    device=index,
                    channels=channels,
                    dtype="int16",
                    latency=LATENCY_S,
                    extra_settings=extra,
                    callback=self._on_block,
                )
            except self._sd.PortAudioError as error:
                refusal = error
                if _code(error) not in {_BAD_RATE, _BAD_CHANNELS}:
                    break
        raise _refused(device.name, refusal) from refusal

    def _on_block(self, data: memoryview, frames: int, times: _Times, flags: _Flags) -> None:
        """PortAudio's callback, on its own thread: copy and hand over, nothing else."""
        now = time.monotonic()
        ago_s = times.currentTime - times.inputBufferAdcTime
        if not 0 < ago_s < _LONGEST_LATENCY_S:  # some host APIs give no time: then the block has just ended
            ago_s = frames / self.rate
        samples = np.frombuffer(bytes(data), dtype=np.int16).reshape(-1, self.channels)
        if self._inbox is not None:
            self._inbox.put(Block(samples, now - ago_s, bool(flags.input_overflow)))


def _load() -> ModuleType:
    try:
        import sounddevice
    except OSError as error:
        remedy = "Install it: " + (
            "apt install libportaudio2, dnf install portaudio, or pacman -S portaudio"
            if sys.platform == "linux"
            else "reinstall Mictape, whose packages bring it"
        )
        raise InputError(Failed("The PortAudio library is missing", remedy, "library")) from error
    return sounddevice


def _formats(device: Device) -> Iterator[tuple[int, int]]:
    """Rates and channel counts to ask for, best first: what the tape needs, then the device's own."""
    for rate in dict.fromkeys((RATE, device.rate, 48_000, 44_100)):
        for channels in dict.fromkeys((1, device.channels)):
            if rate > 0 and channels > 0:
                yield rate, channels


def _find(sd: ModuleType, device: Device) -> int:
    """PortAudio's index of the device right now. Raises InputError."""
    served = device.host_api in SOUND_SERVERS
    hosts = cast("list[Mapping[str, Any]]", list(sd.query_hostapis()))
    for index, entry in enumerate(cast("list[Mapping[str, Any]]", list(sd.query_devices()))):
        if not entry["max_input_channels"]:
            continue
        if served and entry["name"] == "pulse":
            return index
        if not served and entry["name"] == device.target and hosts[entry["hostapi"]]["name"] == device.host_api:
            return index
    if served:
        what = "PortAudio cannot reach the sound server: either it is not running, or ALSA's plug-in for it is missing"
        remedy = "Install libasound2-plugins (Debian, Ubuntu), alsa-plugins-pulseaudio (Fedora) or alsa-plugins (Arch)"
        raise InputError(Failed(what, remedy, "device"))
    raise InputError(Failed(f"{device.name} is not there any more", _CHOOSE, "device"))


def _code(error: Exception | None) -> int | None:
    """PortAudio's error number: sounddevice puts it second into its exception."""
    number = error.args[1] if error and len(error.args) > 1 else None
    return number if isinstance(number, int) else None


def _refused(name: str, error: Exception | None) -> InputError:
    code = _code(error)
    if code == _UNAVAILABLE:
        return InputError(
            Failed(f"{name} is in use by another program", "Close that program or choose another", "device")
        )
    if code in {_BAD_RATE, _BAD_CHANNELS}:
        return InputError(Failed(f"{name} refuses every sample rate that was tried", _CHOOSE, "device"))
    text = error.args[0] if error and error.args else "no reason given"
    return InputError(Failed(f"{name} cannot be opened: {text}", _CHOOSE, "device"))
