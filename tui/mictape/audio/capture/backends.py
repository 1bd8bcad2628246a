"""The ways to a device, by their names in the settings. In the capture process only."""

import os
from collections.abc import Collection
from contextlib import suppress

from mictape.audio import pulse
from mictape.audio.capture import parec
from mictape.audio.capture.device_input import SOUND_SERVERS, DeviceInput, UnreachableError
from mictape.audio.devices import Device, found_again, twins_of
from mictape.audio.listing import numbered, portaudio_inputs
from mictape.audio.messages import Backend
from mictape.failure import MictapeError


def open_device(
    device: Device, backend: Backend = "sounddevice", channel: int | None = None, twins: Collection[str] = ()
) -> DeviceInput:
    """Open a device.

    `parec` serves by itself where PortAudio is not installed or does not lead to the sound server, and where one
    channel is chosen of a server's source: PortAudio asks the server for channels by the names of places, and those
    of most interfaces have no partner there, so that zeros come.

    Args:
        device: What to open.
        backend: The way that is wanted.
        channel: The one to record, counted from 1; None: the mean of all.
        twins: Other devices of its name, by their targets, if it was open before: a sound server often gives a device
            that comes back another target, but it is none of these.

    Raises:
        InputError: It cannot be opened.
    """
    there = _inputs(device.host_api)
    device = found_again(there, device, twins)
    if device.host_api in SOUND_SERVERS:
        os.environ["PULSE_SOURCE"] = device.target  # PortAudio knows the server's default source only
    opened = _open(device, backend, channel)
    opened.twins = twins_of(there, device)
    return opened


def _inputs(host_api: str) -> list[Device]:
    """What can be recorded through it right now; nothing when it does not answer."""
    if host_api not in SOUND_SERVERS:
        with suppress(MictapeError):
            return [device for _, device in portaudio_inputs()]
    with suppress(*pulse.errors()), pulse.connected() as server:
        return [] if server is None else list(numbered(pulse.sources(server)))
    return []


def _open(device: Device, backend: Backend, channel: int | None) -> DeviceInput:
    if backend == "parec" or (channel is not None and parec.serves(device)):
        return parec.ParecInput(device, channel)
    try:
        return _through_portaudio(device, backend, channel)
    except UnreachableError:
        if backend == "sounddevice" and parec.serves(device):
            return parec.ParecInput(device, channel)
        raise


def _through_portaudio(device: Device, backend: Backend, channel: int | None) -> DeviceInput:
    if backend == "pyaudio":
        from mictape.audio.capture.pyaudio_input import PyAudioInput

        return PyAudioInput(device, channel)
    from mictape.audio.capture.portaudio import SoundDeviceInput

    return SoundDeviceInput(device, channel)
