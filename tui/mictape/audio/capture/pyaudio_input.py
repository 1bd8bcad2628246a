"""A device through PortAudio by way of PyAudio, the extra `pyaudio`. In the capture process only."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mictape.audio.capture.device_input import SOUND_SERVERS, DeviceInput, Format
from mictape.audio.capture.inputs import InputError
from mictape.audio.capture.portaudio import captured_at, find, find_server, refusal
from mictape.audio.messages import Failed
from mictape.extras import command_for

BLOCKS_PER_S: Final = 5
"""Frames come 3200 at a time at 16 kHz, as in the vendors' tutorials: PyAudio has no other way to ask for a longer
buffer, and with the shortest one an interpreter that is busy for 50 ms loses sound."""


class PyAudioInput(DeviceInput):
    """A device through PyAudio's callback, in blocks of 200 ms; overflows are reported."""

    _stream: Any = None
    _audio: Any = None

    def close(self) -> None:
        """Let the device go."""
        if self._stream is not None:
            self._stream.close()
        if self._audio is not None:
            self._audio.terminate()

    def _request(self, wanted: Format) -> None:
        pyaudio: Any = _load()
        if self._audio is None:
            self._audio = pyaudio.PyAudio()
        self._frame_rate = wanted.rate
        try:
            self._stream = self._audio.open(
                rate=wanted.rate,
                channels=wanted.channels,
                format=pyaudio.paInt16,
                input=True,
                input_device_index=self._find(),
                frames_per_buffer=wanted.rate // BLOCKS_PER_S,
                start=False,
                stream_callback=self._on_block,
            )
        except OSError as error:
            raise refusal(error.errno, error.strerror or str(error)) from error
        except ValueError as error:  # what PyAudio refuses before it asks PortAudio, with no number
            raise refusal(None, str(error)) from error
        self._overflow, self._more = int(pyaudio.paInputOverflow), int(pyaudio.paContinue)

    def _begin(self) -> int:
        try:
            self._stream.start_stream()
        except OSError as error:
            raise refusal(error.errno, error.strerror or str(error)) from error
        return os.getpid()

    def _find(self) -> int:
        """PyAudio's index of the device. On Linux both libraries share one PortAudio; elsewhere names have to agree."""
        if self._device.host_api in SOUND_SERVERS:
            return find_server(self._entries())
        index = find(self._device)
        return self._same(index)

    def _same(self, index: int) -> int:
        """The index in PyAudio's list of what is at `index` in sounddevice's: the same among its equals."""
        import sounddevice

        sd: Any = sounddevice
        hosts = [str(host["name"]) for host in sd.query_hostapis()]
        theirs = [(str(entry["name"]), hosts[int(entry["hostapi"])]) for entry in sd.query_devices()]
        wanted, ordinal = theirs[index], theirs[:index].count(theirs[index])
        ours = [(str(entry["name"]), self._host(entry)) for entry in self._entries()]
        equals = [at for at, each in enumerate(ours) if each == wanted]
        if ordinal < len(equals):
            return equals[ordinal]
        remedy = 'Set audio.backend = "sounddevice", or choose another device'
        raise InputError(Failed(f"PyAudio does not see {self.name}", remedy, "device"))

    def _host(self, entry: Mapping[str, Any]) -> str:
        return str(self._audio.get_host_api_info_by_index(entry["hostApi"])["name"])

    def _entries(self) -> Iterator[Mapping[str, Any]]:
        for index in range(self._audio.get_device_count()):
            yield self._audio.get_device_info_by_index(index)

    def _on_block(self, data: bytes, frames: int, times: Mapping[str, float], flags: int) -> tuple[None, int]:
        """PyAudio's callback, on PortAudio's thread: hand over, nothing else."""
        ago_s = times["current_time"] - times["input_buffer_adc_time"]
        began = captured_at(ago_s, frames / self._frame_rate)
        self._deliver(data, began, overflow=bool(flags & self._overflow))
        return None, self._more


def _load() -> Any:  # noqa: ANN401  (PyAudio has no types)
    try:
        import pyaudio
    except ImportError as error:
        remedy = f'Type: {command_for("pyaudio")}, or set audio.backend = "sounddevice"'
        raise InputError(Failed("PyAudio is not installed", remedy, "library")) from error
    return pyaudio
