"""Packages that Mictape works without, and how the person installs one where Mictape is."""

import importlib.util
import sys
from pathlib import Path
from shlex import quote
from typing import Final, Literal

Extra = Literal["models", "socks", "pyaudio"]

PACKAGES: Final[dict[Extra, tuple[str, ...]]] = {
    "models": ("transcribe-cpp==0.4.*",),
    "socks": ("python-socks[asyncio]>=2.7", "socksio>=1"),
    "pyaudio": ("pyaudio>=0.2.14",),
}
"""What each extra installs, as in pyproject.toml."""


def command_for(extra: Extra) -> str:
    """The command that installs an extra into the environment that this process runs in."""
    packages, parts = " ".join(map(quote, PACKAGES[extra])), Path(sys.prefix).parts
    if parts[-3:-1] == ("uv", "tools"):
        return f"uv tool install 'mictape[{extra}]'"
    if parts[-3:-1] == ("pipx", "venvs"):
        return f"pipx inject {parts[-1]} {packages}"
    if importlib.util.find_spec("pip") is None:
        return f"uv pip install --python {quote(sys.executable)} {packages}"
    return f"{quote(sys.executable)} -m pip install {packages}"
