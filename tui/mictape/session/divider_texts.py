"""The sentences of lines that nobody says: sound without text, lost sound, a recording that is continued."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from mictape.units import RATE, day_of

_WHY_LOST: Final[Mapping[str, str]] = {
    "overflow": "the computer was too busy",
    "missing": "the device did not deliver it",
    "restart": "recording had to start again",
    "gone": "the device was gone",
}
"""`audio.messages.HoleWhy` for people, and one that the session knows better."""


def gap_text(samples: int, why: str) -> str:
    """The line that stands for sound without text."""
    return f"{samples / RATE:.0f} s not transcribed: {why}"


def hole_text(samples: int, why: str) -> str:
    """The line that stands for lost sound; of older sessions the library does not always say why."""
    reason = f": {_WHY_LOST[why]}" if why in _WHY_LOST else ""
    return f"{samples / RATE:.1f} s lost{reason}"


def microphone_text(device: str) -> str:
    """The line before what another device records on the same track."""
    return f"microphone: {device}"


def removed_text(device: str) -> str:
    """The line where a device was removed while others went on."""
    return f"no longer recorded: {device}"


def again_text(device: str) -> str:
    """The line where a device that was removed is recorded again."""
    return f"recorded again: {device}"


def continued_text(stopped: datetime | None, now: datetime) -> str:
    """The line before what is recorded later in the same session.

    Args:
        stopped: When the sound before it ended, local time; None where that is not known, as for an imported file.
        now: When it is continued, local time.
    """
    if stopped is None:
        return f"continued on {now:%a %d %b %Y} at {now:%H:%M:%S}"
    day = "" if stopped.date() == now.date() else f" on {day_of(now, stopped)}"
    return f"stopped at {stopped:%H:%M:%S}, continued{day} at {now:%H:%M:%S}"
