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
    """A sentence without its full stop."""
    remedy: str = ""
    retry: bool = True
    after_s: float = 0.0
    """Seconds to wait at least before the next attempt."""
    needs_key: bool = False
    """Whether another key would help."""

    def lost(self, detail: str = "") -> Lost:
        """The end of a connection for this reason; `detail` is what the service says of it."""
        what = f"{self.what} ({printable(detail)})" if detail else self.what
        failure = Failure(what, self.remedy, ExitCode.ENGINE, needs_key=self.needs_key)
        return Lost(failure, retry=self.retry, after=self.after_s)


HTTP: Final[Mapping[int, Verdict]] = {
    400: Verdict("The service refused the request", "Check the engine's settings", retry=False),
    401: Verdict("The service does not accept the key", "Set the right one with mictape login", False, needs_key=True),
    402: Verdict("The account has no funds", "Add funds to it, or choose another engine", retry=False),
    403: Verdict("The account may not use this", "Check the account's plan, or choose another engine", retry=False),
    404: Verdict("The service has nothing at this address", "Check the engine's url", retry=False),
    408: Verdict("The service waited too long for the request"),
    413: Verdict("The service found the request too large", "Check the engine's settings", retry=False),
    422: Verdict("The service refused the request", "Check the engine's settings", retry=False),
    429: Verdict("The service takes no more requests right now", after_s=10.0),
}
"""Every other status is the server's own trouble and worth another attempt."""

CODES: Final[Mapping[int, Verdict]] = {
    1002: Verdict("The server found the protocol broken", "Check the engine's url"),  # a garbled line looks the same
    1003: Verdict("The server does not take this kind of data", "Check the engine's settings", retry=False),
    1007: Verdict("The server could not read what it was sent", "Check the network"),  # as with a garbled line
    1008: Verdict("The service does not accept the key", "Set the right one with mictape login", False, needs_key=True),
    1009: Verdict("The server found a message too large", "Check the engine's settings", retry=False),
}
"""Close codes that mean the same everywhere; an adapter's own go first, every other one is worth another attempt."""


def lost(what: str, remedy: str = "", *, retry: bool = True) -> Lost:
    """The end of a connection, in our own words."""
    return Lost(Failure(what, remedy, ExitCode.ENGINE), retry=retry)


def printable(said: str) -> str:
    """A service's own words: one line, without control characters, not longer than `LONGEST_DETAIL`."""
    line = " ".join("".join(each if each.isprintable() else " " for each in said[: 4 * LONGEST_DETAIL]).split())
    return line if len(line) <= LONGEST_DETAIL else f"{line[: LONGEST_DETAIL - 1]}…"
