"""The ways to a device, by their names in the settings. In the capture process only."""

from mictape.audio.capture import parec
from mictape.audio.capture.device_input import DeviceInput, UnreachableError
from mictape.audio.devices import Device
from mictape.audio.messages import Backend


def open_device(device: Device, backend: Backend = "sounddevice", channel: int | None = None) -> DeviceInput:
    """Open a device.

    `parec` serves by itself where PortAudio is not installed or does not lead to the sound server, and where one
    channel is chosen of a server's source: PortAudio asks the server for channels by the names of places, and those
    of most interfaces have no partner there, so that zeros come.

    Args:
        device: What to open.
        backend: The way that is wanted.
        channel: The one to record, counted from 1; None: the mean of all.

    Raises:
        InputError: It cannot be opened.
    """
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
