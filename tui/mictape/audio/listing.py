"""Asks the sound system what can be recorded. In processes that may be killed: a hung driver or server holds them.

On Linux a running PulseAudio or PipeWire is asked for its sources: PortAudio knows only `pulse` and `default`. The
capture process opens PortAudio's device `pulse` with the source's name in PULSE_SOURCE. Elsewhere, and where no server
answers, PortAudio's list is taken, of the one host API that shows each device once and properly.

`python -m mictape.audio.listing` prints the list once, as JSON.
"""

import ctypes.util
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, TypedDict

import msgspec

from mictape.audio import pulse
from mictape.audio.devices import PAREC, Device, Listing, no_portaudio
from mictape.failure import Failure, MictapeError

# ---- PortAudio's devices ----------------------------------------------------------------------------------

_HOST_APIS: Final[Mapping[str, tuple[str, ...]]] = {
    "linux": ("ALSA",),
    "win32": ("Windows WASAPI", "MME"),
    "darwin": ("Core Audio",),
}
"""The host APIs worth showing, the first that has inputs: the others show the same devices once more, cut their names
(MME: 31 characters), take them away from others (WDM-KS) or start a server (JACK)."""

_NOT_DEVICES: Final = frozenset(
    {"null", "pulse", "jack", "oss", "sysdefault", "dmix", "upmix", "vdownmix"}
    | {"lavrate", "samplerate", "speex", "speexrate"}
)
"""ALSA's definitions that record nothing, or need a server that does not answer."""

_CARD: Final = re.compile(r" \(hw:\d+(,\d+)?\)$")
"""What ALSA's names end in: numbers that change from one start of the machine to the next."""

_LOOPBACKS: Final = ("blackhole", "soundflower", "loopback", "stereo mix", "what u hear")
"""Words in the names of devices that give what the computer plays, where the system has no monitors."""


class _HostApi(TypedDict):
    name: str
    devices: list[int]
    default_input_device: int


class _Entry(TypedDict):
    name: str
    max_input_channels: int
    default_samplerate: float


def portaudio_inputs() -> list[tuple[int, Device]]:
    """PortAudio's inputs that are worth showing, each with PortAudio's index, which holds in this process only.

    The capture process finds its device here by `Device.target`. Call it in a process that may be killed.

    Raises:
        MictapeError: (`ExitCode.SOUND`) PortAudio is not installed or cannot start.
    """
    os.environ.setdefault("JACK_NO_START_SERVER", "1")  # or PortAudio's look at JACK starts a server
    try:
        sounddevice: Any = import_module("sounddevice")
    except OSError as error:
        raise MictapeError(no_portaudio()) from error
    except Exception as error:  # a PortAudioError: it starts at import, and the name is not there before
        remedy = "Restart the sound system, and look for mistakes in its settings"
        raise MictapeError(Failure(f"PortAudio cannot start: {error}", remedy)) from error
    host_apis: list[_HostApi] = list(sounddevice.query_hostapis())
    entries: list[_Entry] = list(sounddevice.query_devices())
    wanted = _HOST_APIS.get(sys.platform, tuple(api["name"] for api in host_apis))
    for host_api in wanted:
        found = [
            (index, _from_entry(entry, host_api, index == api["default_input_device"]))
            for api in host_apis
            if api["name"] == host_api
            for index in api["devices"]
            if (entry := entries[index])["max_input_channels"] > 0 and entry["name"] not in _NOT_DEVICES
        ]
        if found:
            devices = numbered(device for _, device in found)
            return list(zip((index for index, _ in found), devices, strict=True))
    return []


def _from_entry(entry: _Entry, host_api: str, default: bool) -> Device:
    target = entry["name"]
    name = _CARD.sub("", target)
    loopback = any(word in name.casefold() for word in _LOOPBACKS)
    return Device(
        id=f"{host_api}:{target}",
        name=name,
        host_api=host_api,
        channels=entry["max_input_channels"],
        rate=round(entry["default_samplerate"]),
        default=default,
        kind="computer sound" if loopback else "microphone",
        target=target,
    )


# ---- The list -------------------------------------------------------------------------------------------------


def numbered(devices: Iterable[Device]) -> Iterator[Device]:
    """Give the second and later devices of one host API with the same name, or the same target, an ordinal.

    Two headsets of one make are `Headset` and `Headset 2`, in the order the system lists them.
    """
    names: set[tuple[str, str]] = set()
    targets: set[tuple[str, str]] = set()
    for device in devices:
        name = _ordinal(device.name, device.host_api, names)
        target = _ordinal(device.target, device.host_api, targets)
        yield msgspec.structs.replace(device, name=name, target=target, id=f"{device.host_api}:{target}")


def _ordinal(text: str, host_api: str, taken: set[tuple[str, str]]) -> str:
    free, count = text, 1
    while (host_api, free) in taken:
        count += 1
        free = f"{text} {count}"
    taken.add((host_api, free))
    return free


def listing() -> Listing:
    """Ask the sound system. Call it in a process that may be killed."""
    try:
        with suppress(*pulse.errors()), pulse.connected() as server:
            if server is not None:
                return of_server(server)
        return listed(device for _, device in portaudio_inputs())
    except MictapeError as error:
        return Listing(failure=error.failure)


def of_server(server: pulse.Server) -> Listing:
    """What a sound server has to record, as it is to be shown."""
    # The server lists; PortAudio records, or else the server's own program.
    if ctypes.util.find_library("portaudio") is None and shutil.which(PAREC) is None:
        return Listing(failure=no_portaudio())
    return listed(numbered(pulse.sources(server)))


def listed(devices: Iterable[Device]) -> Listing:
    """Devices with their final names in the order of the list: the default first, then microphones."""
    in_order = sorted(devices, key=lambda device: (not device.default, device.kind != "microphone"))
    return Listing(devices=tuple(in_order)) if in_order else Listing(failure=_nothing())


def _nothing() -> Failure:
    remedy = {
        "darwin": "Plug in a microphone, and allow this terminal to use it in System Settings, Privacy & Security",
        "win32": "Plug in a microphone, and allow desktop apps to use it in Settings, Privacy",
    }.get(sys.platform, "Plug in a microphone, or start PulseAudio or PipeWire")
    return Failure("There is nothing to record: no microphone and no sound server was found", remedy)


def main() -> None:
    """Print the listing as JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(listing()) + b"\n")


if __name__ == "__main__":
    main()
