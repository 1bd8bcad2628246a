"""The times a person types to go somewhere: on the tape, from here, or on the wall. Pure."""

import re
from typing import Final

from msgspec import Struct

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.units import RATE

DAY_S: Final = 86_400

# Python compiles them, and keeps them, when a time is typed: the first frame needs none.
_COLONS: Final = r"(?P<how>[-+@]?)(?P<first>\d{1,4}):(?P<second>[0-5]?\d)(?::(?P<third>[0-5]?\d))?"
_UNITS: Final = r"(?P<how>[-+]?)(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s?)?"


class OnTape(Struct, frozen=True):
    """A session time."""

    samples: int
    wall_s: int | None = None
    """What else it may mean, when the session is shorter than that: seconds since midnight."""
    whole_minute: bool = True
    """Whether `wall_s` came without seconds."""


class FromHere(Struct, frozen=True):
    """An offset from the line under the cursor, negative for before."""

    samples: int


class OnWall(Struct, frozen=True):
    """A time of the day."""

    second: int
    """Since midnight."""
    whole_minute: bool
    """Whether it came without seconds: then any moment of that minute is meant."""


Wish = OnTape | FromHere | OnWall


def parse(text: str) -> Wish:
    """What a person means by a time.

    `12:30` and `1:02:03` are session times, as the gutter shows them; where no session is that long they are times of
    the day (see `OnTape.wall_s`), and `@14:05` is always one. With `-` or `+` they count from here. `90s`, `5m` and
    `1h30m` do the same in units; a bare number is seconds.

    Raises:
        MictapeError: it is none of these.
    """
    text = text.replace(" ", "").lower()
    if match := re.fullmatch(_COLONS, text):
        return _from_colons(match)
    match = re.fullmatch(_UNITS, text)
    if match and any(match[unit] for unit in "hms"):
        seconds = sum(int(match[unit] or 0) * size for unit, size in (("h", 3600), ("m", 60), ("s", 1)))
        return FromHere(_signed(match["how"], seconds)) if match["how"] else OnTape(seconds * RATE)
    raise MictapeError(
        Failure(f"{text or 'Nothing'} is no time", "Type 12:30, 1:02:03, -5m, +30s or @14:05", ExitCode.USAGE)
    )


def _from_colons(match: re.Match[str]) -> Wish:
    first, second, third = int(match["first"]), int(match["second"]), match["third"]
    tape_s = first * 60 + second if third is None else first * 3600 + second * 60 + int(third)
    wall_s = first * 3600 + second * 60 + int(third or 0)
    if match["how"] == "@":
        if wall_s >= DAY_S:
            raise MictapeError(Failure(f"No day has a {match[0][1:]}", "Type one like @14:05", ExitCode.USAGE))
        return OnWall(wall_s, third is None)
    if match["how"]:
        return FromHere(_signed(match["how"], tape_s))
    return OnTape(tape_s * RATE, wall_s if wall_s < DAY_S else None, third is None)


def _signed(how: str, seconds: int) -> int:
    return seconds * RATE * (-1 if how == "-" else 1)
