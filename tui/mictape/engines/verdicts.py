"""What the codes of a service mean: for the person, and for the next attempt.

HTTP statuses and close codes of websockets (RFC 6455 §7.4) are here; each vendor's own are in its adapter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mictape.engines.base import Lost
from mictape.failure import ExitCode, Failure

LONGEST_DETAIL: Final = 500
"""Characters of a service's own sentence that are shown."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code means for the person and for the next attempt."""

    what: str
    """A sentence without its full stop; `SERVICE` in it stands for the name of what answers."""
    remedy: str = ""
    """The one thing to do; where `needs_key`, `Service.lost` says it."""
    retry: bool = True
    after_s: float = 0.0
    """Seconds to wait at least before the next attempt."""
    needs_key: bool = False
    """Whether another key would help."""


SERVICE: Final = "{service}"
"""Stands for `Service.name` in the sentence of a verdict."""


@dataclass(frozen=True, slots=True)
class Service:
    """What answers behind an engine, as sentences name it."""

    name: str
    """`Deepgram`, or `127.0.0.1:8000` of a server of one's own that speaks Deepgram's protocol."""
    engine: str = ""
    """The engine's name, as in `mictape login ENGINE`."""
    key_variable: str | None = None
    """The environment variable for a key; None: it takes none."""
    has_key: bool = False
    """Whether it was sent a key."""
    own: bool = False
    """Whether it is a server of one's own and not the vendor's."""

    def __str__(self) -> str:
        """The name."""
        return self.name

    def lost(self, verdict: Verdict, detail: str = "") -> Lost:
        """The end of a connection for this reason; `detail` is what the service says of it."""
        if verdict.needs_key and not self.has_key:
            return Lost(self.no_key(detail), retry=False)
        what = _with(detail, verdict.what.replace(SERVICE, self.name))
        remedy = f"Set the right one with mictape login {self.engine}" if verdict.needs_key else verdict.remedy
        failure = Failure(what, remedy, ExitCode.ENGINE, needs_key=verdict.needs_key)
        return Lost(failure, retry=verdict.retry, after=verdict.after_s)

    def no_key(self, detail: str = "") -> Failure:
        """What to do where a key is needed and there is none; `detail` is what the service says of it."""
        if self.key_variable is None:
            what = f"{self.name} asks for a key, and the engine {self.engine} sends none"
            return Failure(_with(detail, what), "Use a server that asks for none, or another engine", ExitCode.ENGINE)
        remedy = f"Set one with mictape login {self.engine}, or in the environment as {self.key_variable}"
        return Failure(_with(detail, f"{self.name} needs an API key"), remedy, ExitCode.ENGINE, needs_key=True)


def _with(detail: str, what: str) -> str:
    return f"{what} ({printable(detail)})" if detail else what


BAD_KEY: Final = Verdict("{service} does not accept the key", retry=False, needs_key=True)

HTTP: Final[Mapping[int, Verdict]] = {
    400: Verdict("{service} refused the request", "Check the engine's settings", retry=False),
    401: BAD_KEY,
    402: Verdict("The account at {service} has no funds", "Add funds to it, or choose another engine", retry=False),
    403: Verdict(
        "The account may not use this at {service}",
        "Check the account's plan, or choose another engine",
        retry=False,
    ),
    404: Verdict("{service} has nothing at this address", "Check the engine's url", retry=False),
    408: Verdict("{service} waited too long for the request"),
    413: Verdict("{service} found the request too large", "Check the engine's settings", retry=False),
    422: Verdict("{service} refused the request", "Check the engine's settings", retry=False),
    429: Verdict("{service} takes no more requests right now", after_s=10.0),
}
"""Every other status is the server's own trouble and worth another attempt."""

CODES: Final[Mapping[int, Verdict]] = {
    1002: Verdict("{service} found the protocol broken", "Check the engine's url"),  # a garbled line looks the same
    1003: Verdict("{service} does not take this kind of data", "Check the engine's settings", retry=False),
    1007: Verdict("{service} could not read what it was sent", "Check the network"),  # as with a garbled line
    1008: BAD_KEY,
    1009: Verdict("{service} found a message too large", "Check the engine's settings", retry=False),
}
"""Close codes that mean the same everywhere; an adapter's own go first, every other one is worth another attempt."""


def lost(what: str, remedy: str = "", *, retry: bool = True, reached: bool = True) -> Lost:
    """The end of a connection, in our own words."""
    return Lost(Failure(what, remedy, ExitCode.ENGINE), retry=retry, reached=reached)


def printable(said: str) -> str:
    """A service's own words: one line, without control characters, not longer than `LONGEST_DETAIL`."""
    line = " ".join("".join(each if each.isprintable() else " " for each in said[: 4 * LONGEST_DETAIL]).split())
    return line if len(line) <= LONGEST_DETAIL else f"{line[: LONGEST_DETAIL - 1]}…"
