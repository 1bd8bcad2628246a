"""What can be recorded: a device, a file, standard input; and how the capture process is given it.

Needs neither numpy nor PortAudio.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final, Literal

from mictape.audio.devices import Device
from mictape.audio.messages import Backend
from mictape.plain_text import one_line
from mictape.subprocesses import json_argument

_DESCRIPTOR: Final = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


@dataclass(frozen=True, slots=True)
class DeviceSource:
    """A microphone, or the computer's own sound."""

    device: Device
    backend: Backend = "sounddevice"
    """The way to it that is wanted; see `backends.open_device`."""
    channel: int | None = None
    """The one that is recorded, counted from 1; None: the mean of all."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A sound file, as if it were live or as fast as it goes."""

    path: Path
    pace: Literal["real", "fast"] = "real"
    channel: int | None = None
    """The one that is recorded, counted from 1, while others of the file go onto other tracks; None: the mean of all.

    Such tracks have the file's time in common and no moments of their own.
    """

    @property
    def name(self) -> str:
        """The file's name, as text that UTF-8 can hold and no terminal obeys."""
        return one_line(os.fsencode(self.path.name).decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class StdinSource:
    """A sound file on standard input. It writes from the start and can neither be paused nor restarted."""


SourceSpec = DeviceSource | FileSource | StdinSource


def source_of(name: str, pace: Literal["real", "fast"] = "fast") -> FileSource | StdinSource:
    """What a person means by the name of a file; `-` and the paths of standard input are that."""
    return StdinSource() if name in _STDIN else FileSource(Path(name), pace)


_STDIN: Final = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})


def is_pipe(path: Path) -> bool:
    """Whether it is there and neither a file nor a folder: what is read from it is gone."""
    try:
        mode = path.stat().st_mode
    except OSError:  # the capture process will say why
        return False
    return not (S_ISREG(mode) or S_ISDIR(mode))


def options_of(spec: SourceSpec) -> tuple[str, ...]:
    """The capture process's command-line options for a source."""
    match spec:
        case DeviceSource(device, backend, channel):
            chosen = () if channel is None else ("--channel", str(channel))
            way = ("--backend", backend, *chosen)
            return ("--source", "device", "--device", json_argument(device), *way)
        case FileSource(path, pace, channel):
            chosen = () if channel is None else ("--channel", str(channel))
            return ("--source", "file", f"--path={path}", "--pace", pace, *chosen)
        case StdinSource():
            return ("--source", "stdin")


def descriptors_of(spec: SourceSpec) -> tuple[int, ...]:
    """The open file that a path such as /dev/fd/63 stands for: a shell's <(…) is one."""
    match = _DESCRIPTOR.fullmatch(str(spec.path)) if isinstance(spec, FileSource) else None
    return (int(match[1]),) if match else ()


def variables_of(spec: SourceSpec) -> dict[str, str]:
    """Environment variables that lead the capture process to the chosen source."""
    variables = {"JACK_NO_START_SERVER": "1"}
    if isinstance(spec, DeviceSource) and spec.device.host_api in {"PulseAudio", "PipeWire"}:
        variables |= {"PULSE_SOURCE": spec.device.target, "PULSE_PROP": "application.name=Mictape"}
    return variables
