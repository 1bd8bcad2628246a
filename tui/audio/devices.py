"""What can be recorded, listed fresh in a short-lived child process.

In a child, because PortAudio's own list is made once and goes stale, because refreshing it ends open streams, because
native libraries scribble on stderr, and because a driver that hangs can be killed. The app needs neither numpy nor
PortAudio for it.

On Linux a running PulseAudio or PipeWire is asked for its sources: PortAudio knows only `pulse` and `default`. The
capture process opens PortAudio's device `pulse` with the source's name in PULSE_SOURCE. Elsewhere, and where no server
answers, PortAudio's list is taken, of the one host API that shows each device once and properly.
"""

import asyncio
import ctypes.util
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from importlib import import_module
from typing import Any, Final, Literal, Protocol, TypedDict

import msgspec

from tui import children
from tui.failure import ExitCode, Failure, MictapeError

TIMEOUT_S: Final = 5.0
"""How long the sound system has for the whole list; it needs a tenth of a second, a hung driver never answers."""

Kind = Literal["microphone", "computer sound"]
"""What a device gives: something picked up, or what this computer plays."""

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


class Listing(msgspec.Struct, frozen=True):
    """What the child process prints, as one JSON object."""

    devices: tuple[Device, ...] = ()
    failure: Failure | None = None


# ---- The app's side --------------------------------------------------------------------------------------------------


async def list_devices(timeout_s: float = TIMEOUT_S) -> list[Device]:
    """List what can be recorded right now: the default first, microphones before computer sound.

    Cancelled, it ends the child.

    Raises:
        MictapeError: (`ExitCode.SOUND`) PortAudio is missing, nothing can be recorded, or the sound system hangs.
    """
    process = await asyncio.create_subprocess_exec(
        *children.command(_MODULE),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=children.environment(),
        start_new_session=True,
        creationflags=children.CREATION_FLAGS,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise MictapeError(_hangs(timeout_s)) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _listed(process.returncode, out, err)


def list_devices_now(timeout_s: float = TIMEOUT_S) -> list[Device]:
    """`list_devices` for the command line, where no loop runs."""
    try:
        done = subprocess.run(
            children.command(_MODULE),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=children.environment(),
            start_new_session=True,
            creationflags=children.CREATION_FLAGS,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MictapeError(_hangs(timeout_s)) from error
    return _listed(done.returncode, done.stdout, done.stderr)


_MODULE: Final = "tui.audio.devices"


def _hangs(timeout_s: float) -> Failure:
    what = f"The sound system gave no list of its devices within {timeout_s:g} seconds"
    return Failure(what, "Restart the sound server, or unplug a device that hangs")


def _listed(status: int | None, out: bytes, err: bytes) -> list[Device]:
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
        failure = Failure(f"“{text}” fits more than one device", f"Name one of {names}", ExitCode.USAGE)
    else:
        names = _quoted(device.name for device in devices)
        failure = Failure(f"There is no device “{text}”", f"Name one of {names}", ExitCode.USAGE)
    raise MictapeError(failure)


def find(devices: Iterable[Device], name: str, host_api: str) -> Device | None:
    """Find the device that was remembered by `name` and `host_api`, or None when it is not there now."""
    return next((device for device in devices if (device.name, device.host_api) == (name, host_api)), None)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


# ---- What is missing -------------------------------------------------------------------------------------------------

_INSTALL: Final[Mapping[str, str]] = {
    "apt-get": "apt-get install libportaudio2 libasound2-plugins",
    "dnf": "dnf install portaudio alsa-plugins-pulseaudio",
    "pacman": "pacman -S portaudio alsa-plugins",
    "zypper": "zypper install libportaudio2 alsa-plugins-pulse",
    "apk": "apk add portaudio alsa-plugins-pulse",
}
"""What installs PortAudio and ALSA's way to the sound server, by the package manager's program."""


def no_portaudio() -> Failure:
    """PortAudio itself is not on this machine."""
    return Failure("The library PortAudio, which records from devices, is not installed", _install_it())


def no_pulse_plugin() -> Failure:
    """PortAudio is there, but not the ALSA plug-in through which it reaches PulseAudio and PipeWire."""
    return Failure("ALSA's plug-in for PulseAudio, which leads to the microphones, is not installed", _install_it())


def _install_it() -> str:
    if not sys.platform.startswith("linux"):
        return "Install Mictape again: on this system PortAudio comes with it"
    command = next((line for program, line in _INSTALL.items() if shutil.which(program)), None)
    if command is None:
        return "Install PortAudio and the ALSA plug-ins with your package manager"
    return f"Run: {command if os.geteuid() == 0 else f'sudo {command}'}"


def _nothing() -> Failure:
    remedy = {
        "darwin": "Plug in a microphone, and allow this terminal to use it in System Settings, Privacy & Security",
        "win32": "Plug in a microphone, and allow desktop apps to use it in Settings, Privacy",
    }.get(sys.platform, "Plug in a microphone, or start PulseAudio or PipeWire")
    return Failure("There is nothing to record: no microphone and no sound server was found", remedy)


# ---- The child: a sound server's sources -----------------------------------------------------------------------------


class _Spec(Protocol):
    rate: int


class _Source(Protocol):
    """What is used of pulsectl's PulseSourceInfo."""

    name: str
    description: str
    channel_count: int
    sample_spec: _Spec
    monitor_of_sink_name: str | None
    mute: int


def pulse_sources() -> list[Device] | None:
    """Ask PulseAudio, or PipeWire in its place, for its sources; None where no server answers.

    Call it in a process that may be killed: a hung server holds it.
    """
    try:
        pulsectl: Any = import_module("pulsectl")
    except (ImportError, OSError):  # not on this system, or without libpulse
        return None
    _keep_sample_spec(pulsectl.PulseSourceInfo)
    pulse: Any = pulsectl.Pulse("mictape", connect=False)
    try:
        pulse.connect(autospawn=True)  # without its timeout, which always lasts its whole time
        server: Any = pulse.server_info()
        sinks = {str(sink.name): str(sink.description) for sink in pulse.sink_list()}
        sources: list[_Source] = pulse.source_list()
    except pulsectl.PulseError:
        return None
    finally:
        pulse.close()
    host_api = "PipeWire" if "pipewire" in str(server.server_name).casefold() else "PulseAudio"
    return [_from_source(source, host_api, sinks, str(server.default_source_name)) for source in sources]


def _from_source(source: _Source, host_api: str, sinks: Mapping[str, str], default: str) -> Device:
    target, name = source.name, source.description
    kind: Kind = "microphone"
    if source.monitor_of_sink_name is not None:
        kind = "computer sound"
        name = f"{sinks.get(source.monitor_of_sink_name, name)} (computer sound)"
    return Device(
        id=f"{host_api}:{target}",
        name=name,
        host_api=host_api,
        channels=source.channel_count,
        rate=source.sample_spec.rate,
        default=target == default,
        kind=kind,
        target=target,
        muted=bool(source.mute),
    )


def _keep_sample_spec(source_info: type[_Source]) -> None:
    """Let pulsectl copy each source's sample format while libpulse still holds it.

    pulsectl 24.12 keeps a view of memory that is freed when the callback returns: every source would show the rate of
    whichever came last.
    """

    def copy_spec(source: _Source, struct: _Source) -> None:
        source.sample_spec = copy(struct.sample_spec)

    setattr(source_info, "_init_from_struct", copy_spec)  # noqa: B010  (pulsectl's hook; not in its types)


# ---- The child: PortAudio's devices ----------------------------------------------------------------------------------

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


# ---- The child: both -------------------------------------------------------------------------------------------------


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
        devices = pulse_sources() if sys.platform.startswith("linux") else None
        if devices is None:
            devices = [device for _, device in portaudio_inputs()]
        elif ctypes.util.find_library("portaudio") is None:  # the server lists, but PortAudio has to record
            raise MictapeError(no_portaudio())
        if not devices:
            raise MictapeError(_nothing())
    except MictapeError as error:
        return Listing(failure=error.failure)
    # Numbered before they are sorted: another default must not give a device another name.
    in_order = sorted(numbered(devices), key=lambda device: (not device.default, device.kind != "microphone"))
    return Listing(devices=tuple(in_order))


def main() -> None:
    """Print the listing as JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(listing()) + b"\n")


if __name__ == "__main__":
    main()
