"""A device through PortAudio by way of sounddevice, and what both ways to PortAudio have in common.

In the capture process only.
"""

import os
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from mictape.audio.capture.device_input import (
    BLOCK_MS,
    CHOOSE,
    SOUND_SERVERS,
    DeviceInput,
    Format,
    RefusedError,
    UnreachableError,
)
from mictape.audio.capture.inputs import InputError
from mictape.audio.devices import Device, no_pulse_plugin
from mictape.audio.listing import portaudio_inputs
from mictape.audio.messages import Failed
from mictape.failure import MictapeError

LATENCY_S: Final = 0.2
"""What PortAudio may hold back: with less, an interpreter that is busy for 50 ms already loses sound."""
LONGEST_LATENCY_S: Final = 5.0

_BAD_CHANNELS: Final = -9998
_BAD_RATE: Final = -9997
_INVALID_DEVICE: Final = -9996
_UNAVAILABLE: Final = -9985


class _Times(Protocol):
    inputBufferAdcTime: float  # noqa: N815
    currentTime: float  # noqa: N815


class _Stream(Protocol):
    def start(self) -> None: ...
    def close(self) -> None: ...


class _Flags(Protocol):
    input_overflow: bool


class SoundDeviceInput(DeviceInput):
    """A device through sounddevice's callback, in blocks of 40 ms; overflows are reported."""

    _stream: _Stream | None = None

    def close(self) -> None:
        """Let the device go."""
        if self._stream is not None:
            self._stream.close()

    def _request(self, wanted: Format) -> None:
        index = find(self._device)
        import sounddevice

        sd: Any = sounddevice
        self._frame_rate = wanted.rate
        try:
            self._stream = sd.RawInputStream(
                samplerate=wanted.rate,
                blocksize=wanted.rate * BLOCK_MS // 1000,
                device=index,
                channels=wanted.channels,
                dtype="int16",
                latency=LATENCY_S,
                extra_settings=sd.WasapiSettings(auto_convert=True) if "WASAPI" in self._device.host_api else None,
                callback=self._on_block,
            )
        except sd.PortAudioError as error:
            raise _refusal(error) from error

    def _begin(self) -> int:
        import sounddevice

        assert self._stream is not None
        try:
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise _refusal(error) from error
        return os.getpid()

    def _on_block(self, data: memoryview, frames: int, times: _Times, flags: _Flags) -> None:
        """PortAudio's callback, on its own thread: copy and hand over, nothing else."""
        began = captured_at(times.currentTime - times.inputBufferAdcTime, frames / self._frame_rate)
        self._deliver(bytes(data), began, overflow=bool(flags.input_overflow))


def captured_at(ago_s: float, block_s: float) -> float:
    """When a block began, monotonic seconds, from PortAudio's word for how long ago that is.

    Some host APIs give no time: then the block has just ended.
    """
    return time.monotonic() - (ago_s if 0 < ago_s < LONGEST_LATENCY_S else block_s)


def find(device: Device) -> int:
    """PortAudio's index of the device right now, in sounddevice's PortAudio. Raises InputError."""
    try:
        inputs = portaudio_inputs()
    except MictapeError as error:
        raise UnreachableError(Failed(error.failure.what, error.failure.remedy, "library")) from error
    if device.host_api in SOUND_SERVERS:
        import sounddevice

        sd: Any = sounddevice
        return find_server(sd.query_devices())
    for index, each in inputs:
        if (each.target, each.host_api) == (device.target, device.host_api):
            return index
    raise InputError(Failed(f"{device.name} is not there any more", CHOOSE, "device"))


def find_server(entries: Iterable[Mapping[str, Any]]) -> int:
    """The index of PortAudio's device that leads to the sound server. Raises InputError."""
    for index, entry in enumerate(entries):
        if entry["name"] == "pulse" and entry.get("max_input_channels", entry.get("maxInputChannels")):
            return index
    # ALSA shows `pulse` only while a server answers: without an answer it is not known whether the plug-in is there.
    what = "PortAudio cannot reach the sound server: either it is not running, or ALSA's plug-in for it is missing"
    raise UnreachableError(Failed(what, no_pulse_plugin().remedy, "device"))


def refusal(code: int | None, text: str) -> RefusedError:
    """What PortAudio means by an error of its own.

    WASAPI reports a rate that it does not take as an invalid device.
    """
    if code == _UNAVAILABLE:
        return RefusedError("busy", text)
    return RefusedError("format" if code in {_BAD_RATE, _BAD_CHANNELS, _INVALID_DEVICE} else "other", text)


def _refusal(error: Exception) -> RefusedError:
    """Sounddevice puts the text first into its exception and PortAudio's number second."""
    number = error.args[1] if len(error.args) > 1 else None
    return refusal(number if isinstance(number, int) else None, str(error.args[0]) if error.args else str(error))
