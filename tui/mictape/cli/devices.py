"""The command `devices`."""

import argparse

from mictape.cli import output
from mictape.cli.options import Commands
from mictape.failure import ExitCode
from mictape.paths import Places


def add(commands: Commands) -> None:
    """Add the command."""
    devices = commands.add_parser("devices", help="list input devices")
    devices.add_argument("--json", action="store_true", help="one JSON document")
    devices.set_defaults(run=_devices)


def _devices(arguments: argparse.Namespace, where: Places) -> int:
    import msgspec

    from mictape.audio.devices import list_devices_now

    devices = list_devices_now()
    if arguments.json:
        print(output.as_json(msgspec.to_builtins(devices)))
        return ExitCode.DONE
    for device in devices:
        marks = ", ".join(
            [
                device.kind,
                f"{device.channels} ch",
                f"{device.rate} Hz",
                *["default"] * device.default,
                *["muted"] * device.muted,
            ]
        )
        print(f"{device.name}  ({device.host_api}; {marks})\n    {device.id}")
    return ExitCode.DONE
