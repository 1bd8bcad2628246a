"""What can be recorded, listed fresh in a short-lived child process."""

from typing import Literal

import msgspec


class Device(msgspec.Struct, frozen=True):
    """One thing that can be recorded. It is remembered by `name` and `host_api`, never by an index."""

    id: str
    """`HOST_API:TARGET`; what `--device` takes beside the name."""
    name: str
    """The human name."""
    host_api: str
    """`PulseAudio`, `PipeWire`, `ALSA`, `Core Audio`, `Windows WASAPI`, …"""
    channels: int
    rate: int
    """The device's own rate, samples per second."""
    default: bool
    kind: Literal["microphone", "computer sound"]
    target: str
    """What opens it: the name of a PulseAudio source, or PortAudio's name of the device."""
    muted: bool = False
