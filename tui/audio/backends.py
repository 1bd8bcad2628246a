"""The ways to a device, by their names in the settings. In the capture process only."""

from tui.audio import parec
from tui.audio.device_input import DeviceInput, UnreachableError
from tui.audio.devices import Device
from tui.audio.messages import Backend


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
        from tui.audio.pyaudio_input import PyAudioInput

        return PyAudioInput(device, channel)
    from tui.audio.portaudio import SoundDeviceInput

    return SoundDeviceInput(device, channel)
