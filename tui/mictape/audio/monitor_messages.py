"""What the probe process says to the app, and the app to it. The process loads no event loop for it."""

import msgspec

from mictape.audio.devices import Device, Listing
from mictape.failure import Failure


class Levels(msgspec.Struct, tag="levels", frozen=True):
    """How loud devices have been since the last message."""

    peaks: dict[str, float]
    """By `Device.id` the largest absolute sample, full scale = 1.0. A device that is missing gave no sound."""


class Refused(msgspec.Struct, tag="refused", frozen=True):
    """An order could not be carried out."""

    failure: Failure


MonitorEvent = Listing | Levels | Refused
"""Everything the probe process says."""


class MeasureLevel(msgspec.Struct, tag="look", frozen=True):
    """Where only one device at a time can be monitored, monitor this one."""

    device: Device


class Unmute(msgspec.Struct, tag="unmute", frozen=True):
    """Unmute this device."""

    device: Device


MonitorCommand = MeasureLevel | Unmute
"""Every command to the probe process."""
