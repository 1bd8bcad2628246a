"""A sound server's source through its own program `parec`: needs no PortAudio. In the capture process only."""

import shutil
import subprocess
import threading
import time
from contextlib import suppress
from typing import Final

from mictape.audio.capture.device_input import BLOCK_MS, SOUND_SERVERS, DeviceInput, Format
from mictape.audio.capture.inputs import InputError
from mictape.audio.devices import PAREC, Device
from mictape.audio.messages import Failed
from mictape.units import SAMPLE_BYTES

_END_S: Final = 1.0


def serves(device: Device) -> bool:
    """Whether `parec` is here and leads to the device."""
    return device.host_api in SOUND_SERVERS and shutil.which(PAREC) is not None


class ParecInput(DeviceInput):
    """A source that `parec` records, in blocks of 40 ms.

    The server converts to any rate and keeps what is not read yet, so it never reports an overflow.
    """

    _process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the program."""
        if self._process is not None:
            self._inbox = None
            self._process.terminate()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _request(self, wanted: Format) -> None:
        """Nothing to ask: the server gives any format."""
        if self._device.host_api not in SOUND_SERVERS:
            remedy = 'Set audio.backend = "sounddevice", or start PulseAudio or PipeWire'
            raise InputError(Failed(f"parec cannot record {self.name}: no sound server leads to it", remedy, "setting"))
        if shutil.which(PAREC) is None:
            remedy = 'Install your system\'s pulseaudio-utils, or set audio.backend = "sounddevice"'
            raise InputError(Failed("The program parec is not installed", remedy, "library"))
        self._format = wanted

    def _begin(self) -> int:
        wanted = self._format
        self._process = subprocess.Popen(
            [
                *(PAREC, "--raw", "--format=s16ne", f"--rate={wanted.rate}", f"--channels={wanted.channels}"),
                *(f"--device={self._device.target}", f"--latency-msec={BLOCK_MS}", "--client-name=Mictape"),
                # A chosen channel is one by number: by the names of places, most of an interface's have no partner.
                *(() if self._channel is None else ("--no-remap", "--no-remix")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        threading.Thread(target=self._read, args=(self._process,), name="parec", daemon=True).start()
        return self._process.pid

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        block_s = BLOCK_MS / 1000
        size = self._format.rate * BLOCK_MS // 1000 * self._format.channels * SAMPLE_BYTES
        with suppress(OSError, ValueError):  # closed meanwhile
            while len(data := process.stdout.read(size)) == size:
                self._deliver(data, time.monotonic() - block_s)
        self._ended(process.wait())

    def _ended(self, status: int) -> None:
        """It ends by itself only when there is no such source, or no server any more."""
        if self._inbox is not None:
            what = f"{self.name} cannot be opened: the sound server ended it, or is not there ({PAREC}: {status})"
            remedy = "See that PulseAudio or PipeWire runs, or choose another device"
            self._inbox.put(InputError(Failed(what, remedy, "device")))
