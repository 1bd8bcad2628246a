"""What can be recorded: the list of it, asked for in a short-lived child process, and which one a person means.

In a child (`listing.py`), because PortAudio's own list is made once and goes stale, because refreshing it ends open
streams, because native libraries scribble on stderr, and because a driver that hangs can be killed. The app needs
neither numpy nor PortAudio for it.
"""

import logging
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Final, Literal

import msgspec

from mictape import subprocesses
from mictape.audio.packages import PORTAUDIO, install_command
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.plain_text import one_line

PAREC: Final = "parec"
"""PulseAudio's own recorder, which PipeWire's PulseAudio server serves as well: it needs no PortAudio."""

TIMEOUT_S: Final = 5.0
"""How long the sound system has for the whole list; it needs a tenth of a second, a hung driver never answers."""

Kind = Literal["microphone", "computer sound"]
"""What a device gives: something picked up, or what this computer plays."""

_ORDINAL: Final = re.compile(r" \d+$")

_log = logging.getLogger(__name__)


class Device(msgspec.Struct, frozen=True):
    """One thing that can be recorded. It is remembered by `name` and `host_api`, never by an index."""

    id: str
    """`HOST_API:TARGET`; what `--device` takes beside the name."""
    name: str
    """The human name, unique within its host API."""
    host_api: str
    """`PulseAudio`, `PipeWire`, `ALSA`, `Core Audio`, `Windows WASAPI`, …"""
    channels: int
    rate: int
    """The device's own rate, samples per second."""
    default: bool
    kind: Kind
    target: str
    """What opens it: the name of a PulseAudio source, or PortAudio's name of the device."""
    muted: bool = False

    def __post_init__(self) -> None:
        """A device's maker chooses its name; a Bluetooth device's is chosen by its owner, who may be a stranger."""
        for field in ("id", "name", "host_api"):
            msgspec.structs.force_setattr(self, field, one_line(getattr(self, field)))


class Listing(msgspec.Struct, tag="listing", frozen=True):
    """What a child process found, printed as one JSON object."""

    devices: tuple[Device, ...] = ()
    failure: Failure | None = None


# ---- The app's side --------------------------------------------------------------------------------------------------


async def list_devices(timeout_s: float = TIMEOUT_S) -> list[Device]:
    """List what can be recorded right now: the default first, microphones before computer sound.

    Cancelled, it ends the child.

    Raises:
        MictapeError: (`ExitCode.SOUND`) PortAudio is missing, nothing can be recorded, or the sound system hangs.
    """
    status, out, err = -1, b"", b""
    for _ in range(_STARTS):
        status, out, err = await _answer(timeout_s)
        if out or status >= 0:  # else a signal has ended it: perhaps not its own fault
            break
    return _listed(status, out, err)


async def _answer(timeout_s: float) -> tuple[int, bytes, bytes]:
    """The exit code of one child, and what it printed on stdout and stderr. Raises MictapeError."""
    process = await subprocesses.start(_MODULE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        out, err = await subprocesses.answer_of(process, timeout_s)
    except TimeoutError as error:
        raise MictapeError(_hangs(timeout_s)) from error
    return process.returncode or 0, out, err


def list_devices_now(timeout_s: float = TIMEOUT_S) -> list[Device]:
    """`list_devices` for the command line, where no loop runs."""
    import asyncio  # not every process that imports this has a loop

    return asyncio.run(list_devices(timeout_s))


_MODULE: Final = "mictape.audio.listing"
_STARTS: Final = 3
"""The list is given up when so many children were killed."""


def _hangs(timeout_s: float) -> Failure:
    what = f"The sound system gave no list of its devices within {timeout_s:g} seconds"
    return Failure(what, "Restart the sound server, or unplug a device that hangs")


def _listed(status: int, out: bytes, err: bytes) -> list[Device]:
    """Read what the child printed; its stderr goes to the log."""
    if err:
        _log.log(logging.ERROR if status else logging.DEBUG, "%s", err.decode(errors="replace"))
    try:
        listing = msgspec.json.decode(out, type=Listing)
    except msgspec.DecodeError as error:
        what = "The list of sound devices could not be made: the process that asks for it ended"
        raise MictapeError(Failure(what, "See the log for its last words")) from error
    if listing.failure is not None:
        raise MictapeError(listing.failure)
    return list(listing.devices)


# ---- Choosing --------------------------------------------------------------------------------------------------------


def pick(devices: Sequence[Device], text: str) -> Device:
    """Find the device a person means by `text`.

    That is the one with this id or name, else the only one with `text` in its name, else the only one with `text` in
    its id; upper and lower case are the same.

    Raises:
        MictapeError: (`ExitCode.USAGE`) none fits, or more than one; with the list of names to choose from.
    """
    asked = text.casefold()
    exact = [device for device in devices if asked in (device.id.casefold(), device.name.casefold())]
    in_name = [device for device in devices if asked in device.name.casefold()]
    in_id = [device for device in devices if asked in device.id.casefold()]
    fitting = exact or in_name or in_id
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = _quoted(device.id if exact else device.name for device in fitting)
        failure = Failure(f'"{text}" fits more than one device', f"Name one of {names}", ExitCode.USAGE)
    else:
        names = _quoted(device.name for device in devices)
        failure = Failure(f'There is no device "{text}"', f"Name one of {names}", ExitCode.USAGE)
    raise MictapeError(failure)


def recorded_already(device: Device) -> Failure:
    """Why a device is not added to those that are recorded."""
    return Failure(f"{device.name} is recorded already", "Choose another device to add", ExitCode.USAGE)


def find(devices: Iterable[Device], name: str, host_api: str) -> Device | None:
    """Find the device that was remembered by `name` and `host_api`, or None when it is not there now."""
    return next((device for device in devices if (device.name, device.host_api) == (name, host_api)), None)


def twins_of(devices: Iterable[Device], device: Device) -> tuple[str, ...]:
    """The targets of other devices that have the name of this one, but for an ordinal."""
    name = _without_ordinal(device.name)
    return tuple(
        each.target
        for each in devices
        if each.host_api == device.host_api and each.target != device.target and _without_ordinal(each.name) == name
    )


def found_again(devices: Iterable[Device], device: Device, twins: Collection[str]) -> Device:
    """The device as it is there now: under another target if its own has gone, as after a change of profile.

    Args:
        devices: What is there now.
        device: What is looked for; it comes back unchanged when it is not there.
        twins: Targets of other devices of its name, which cannot be it.
    """
    there = [each for each in devices if each.host_api == device.host_api]
    if any(each.target == device.target for each in there):
        return device
    again = find((each for each in there if each.target not in twins), device.name, device.host_api)
    return again or device


def _without_ordinal(name: str) -> str:
    return _ORDINAL.sub("", name)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


# ---- What is missing -------------------------------------------------------------------------------------------------


def no_portaudio() -> Failure:
    """PortAudio itself is not on this machine."""
    return Failure("The library PortAudio, which records from devices, is not installed", _install_it())


def no_pulse_plugin() -> Failure:
    """PortAudio is there, but not the ALSA plug-in through which it reaches PulseAudio and PipeWire."""
    return Failure("ALSA's plug-in for PulseAudio, which leads to the microphones, is not installed", _install_it())


def _install_it() -> str:
    if not sys.platform.startswith("linux"):
        return "Install Mictape again: on this system PortAudio comes with it"
    command = install_command(PORTAUDIO)
    return f"Run: {command}" if command else "Install PortAudio and the ALSA plug-ins with your package manager"
