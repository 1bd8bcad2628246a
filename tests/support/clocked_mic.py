"""Microphones with a clock: ALSA devices without a sound card whose loss can be counted (`clockedmic.c`).

They deliver at the true rate, have a bounded buffer, and report an overrun, as hardware does; PulseAudio's record
buffer would hide it. Frame n was recorded at monotonic second n / rate in every process, and by default its value is
n & 0xffff, so that `misplaced` can say of every sample on a tape whether it stands where it belongs.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mictape.audio.devices import Device

SOURCE: Final = Path(__file__).with_name("clockedmic.c")
CYCLE: Final = 65_536
"""Frames after which the counter begins again: 4.1 s at 16 kHz."""


@dataclass(frozen=True, slots=True)
class Microphone:
    """One device of `clockedmic.c`; what is 0 is not fixed."""

    name: str
    """No spaces: it is an ALSA name."""
    rate: int = 0
    channels: int = 0
    ppm: int = 0
    """How much faster (below zero: slower) it runs than its rate says, parts per million."""
    infile: Path | None = None
    """16-bit mono samples without a header, at its rate, round and round; else the counter."""
    origin: int = 0
    """Monotonic second of frame 0: with an `infile`, when that began."""

    def lines(self, library: Path) -> str:
        """Its lines in an ALSA configuration."""
        options = {"rate": self.rate, "channels": self.channels, "ppm": self.ppm, "origin": self.origin}
        said = "".join(f" {option} {value}" for option, value in options.items() if value)
        said += f' infile "{self.infile}"' if self.infile else ""
        return (
            f'pcm_type.clockedmic {{ lib "{library}" }}\n'
            f"pcm.{self.name} {{ type clockedmic{said} hint {{ show on description {self.name} }} }}\n"
        )

    @property
    def device(self) -> Device:
        """The microphone as the list of devices shows it."""
        rate = self.rate or 44_100  # PortAudio's own word for a device that takes any
        return Device(f"ALSA:{self.name}", self.name, "ALSA", self.channels or 32, rate, False, "microphone", self.name)


MICROPHONES: Final = (
    Microphone("counter"),
    Microphone("counter48", rate=48_000),
    Microphone("counter8", rate=16_000, channels=8),
    Microphone("counter32", rate=48_000, channels=32),
    Microphone("fast", rate=16_000, ppm=100),
    Microphone("slow", rate=16_000, ppm=-100),
    Microphone("liar", rate=48_000, ppm=-81_250),  # says 48 kHz and delivers 44.1
)
"""What `running` gives beside those that are asked for."""


class ClockedMics:
    """Built and configured. Children that get `env` see these devices and no sound server."""

    def __init__(self, folder: Path) -> None:
        """Build in `folder`. Raises CalledProcessError when the compiler refuses."""
        self.folder = folder
        self._library = folder / "libasound_module_pcm_clockedmic.so"
        build = ["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-DPIC", "-o", self._library, SOURCE, "-lasound"]
        subprocess.run(build, check=True, capture_output=True)

    def configure(self, *microphones: Microphone) -> dict[str, str]:
        """A whole environment for a child in which these microphones and those of MICROPHONES exist."""
        wanted = (*MICROPHONES, *microphones)
        text = "</usr/share/alsa/alsa.conf>\n" + "".join(mic.lines(self._library) for mic in wanted)
        configuration = self.folder / f"asound-{abs(hash(wanted)):x}.conf"
        configuration.write_text(text, encoding="utf-8")
        return os.environ | {"ALSA_CONFIG_PATH": str(configuration), "PULSE_SERVER": f"unix:{self.folder}/none"}

    @property
    def env(self) -> dict[str, str]:
        """The environment with just MICROPHONES."""
        return self.configure()


def missing() -> list[str]:
    """What has to be installed and is not: a compiler and ALSA's headers."""
    found = {"gcc": shutil.which("gcc"), "libasound2-dev": Path("/usr/include/alsa/pcm_external.h").exists()}
    return [name for name, there in found.items() if not there]


@contextmanager
def built() -> Generator[ClockedMics]:
    """The devices, for the length of a `with` block."""
    folder = Path(tempfile.mkdtemp(prefix="mt"))
    try:
        yield ClockedMics(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def counted(pcm: bytes) -> NDArray[np.uint16]:
    """A tape's sound as the counter's values."""
    return np.frombuffer(pcm, dtype=np.uint16)


def breaks(values: NDArray[np.uint16], holes: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """Where the counter does not go on by one outside `holes`: position, and how many samples are missing there.

    A gap of a whole CYCLE is not seen: compare the tape's length with its clock, too.
    """
    steps = np.diff(values).astype(np.int64)
    at = np.flatnonzero(steps != 1) + 1
    inside = np.zeros(len(values), dtype=np.bool_)
    for start, end in holes:
        inside[start : end + 1] = True
    return [(int(position), int(steps[position - 1] - 1) % CYCLE) for position in at if not inside[position]]


def misplaced(values: NDArray[np.uint16], start: int, end: int) -> int:
    """By how many samples what follows a hole [start, end) is later than it belongs; below zero: earlier."""
    off = (int(values[end]) - int(values[start - 1]) - (end - start + 1)) % CYCLE
    return off if off < CYCLE // 2 else off - CYCLE
