"""How programs and libraries that Mictape uses are installed with the system's own package manager."""

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Final

PORTAUDIO: Final[Mapping[str, str]] = {
    "apt-get": "apt-get install libportaudio2 pulseaudio-utils",
    "dnf": "dnf install portaudio pulseaudio-utils",
    "pacman": "pacman -S portaudio libpulse",
    "zypper": "zypper install libportaudio2 pulseaudio-utils",
    "apk": "apk add portaudio pulseaudio-utils",
}
"""What installs PortAudio, and `parec` for where PortAudio does not lead to the sound server; by package manager."""

FFMPEG: Final[Mapping[str, str]] = {
    "apt-get": "apt-get install ffmpeg",
    "dnf": "dnf install ffmpeg-free",
    "pacman": "pacman -S ffmpeg",
    "zypper": "zypper install ffmpeg",
    "apk": "apk add ffmpeg",
    "brew": "brew install ffmpeg",
    "winget": "winget install ffmpeg",
}


def install_command(lines: Mapping[str, str]) -> str | None:
    """The command that installs it here, with sudo where that is needed; None without a package manager known here."""
    program = next((program for program in lines if shutil.which(program)), None)
    if program is None:
        return None
    as_root = sys.platform.startswith("linux") and os.geteuid() != 0
    return f"sudo {lines[program]}" if as_root else lines[program]
