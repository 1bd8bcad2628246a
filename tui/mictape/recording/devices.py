"""Which device the settings mean, and how it is recorded."""

from collections.abc import Sequence

from mictape.audio.devices import Device, find, pick
from mictape.audio.ports import SoundPort
from mictape.audio.source_spec import DeviceSource
from mictape.failure import Failure, MictapeError
from mictape.settings import Settings


async def chosen_device(sound: SoundPort, settings: Settings) -> Device | None:
    """The device that was asked for or remembered; None without either.

    Raises:
        MictapeError: (`ExitCode.USAGE`) none or several have that name; (`ExitCode.SOUND`) the one remembered is gone,
            or the devices cannot be listed.
    """
    if (wish := settings.device) is None:
        return None
    devices = await sound.list_devices()
    if isinstance(wish, str):
        return pick(devices, wish)
    return present(devices, wish.name, wish.host_api)


async def default_device(sound: SoundPort) -> Device:
    """The system's default device, else the first one. Raises MictapeError when there is none."""
    devices = await sound.list_devices()
    return next((device for device in devices if device.default), devices[0])


async def devices_named(sound: SoundPort, wishes: Sequence[str]) -> list[Device]:
    """The devices that `--also` asks for. Raises MictapeError (`ExitCode.USAGE`): none or several of that name."""
    devices = await sound.list_devices() if wishes else []
    return [pick(devices, wish) for wish in wishes]


def present(devices: Sequence[Device], name: str, host_api: str) -> Device:
    """The device of that name. Raises MictapeError (`ExitCode.SOUND`) when it is not connected."""
    if (device := find(devices, name, host_api)) is None:
        raise MictapeError(
            Failure(f"{name} is not connected", "Connect it, or choose another device", action="choose_device")
        )
    return device


def source_for(device: Device, settings: Settings, *, added: bool = False) -> DeviceSource:
    """The device by the backend and the channel of the settings; one that is `added` is recorded with all channels."""
    return DeviceSource(device, settings.audio.backend, None if added else settings.channel)
