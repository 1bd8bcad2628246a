"""What went wrong, in words for the person: every failure has a sentence and a next step."""

import logging
from enum import IntEnum
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from mictape.plain_text import one_line

SHORTEST_SECRET: Final = 8
"""Characters. Keys are longer, and hiding a short text would hide ordinary words."""

_secrets: Final[set[str]] = set()

_log: Final = logging.getLogger(__name__)


def keep_secret(text: str) -> None:
    """Keep a text out of every failure and log line from now on, whatever its source.

    Services quote the key that they refuse, so it is not enough that Mictape writes it nowhere itself.
    """
    if len(text) >= SHORTEST_SECRET:
        _secrets.add(text)


def discreet(text: str) -> str:
    """The same text with every secret left out."""
    for secret in _secrets:
        text = text.replace(secret, "[key]")
    return text


class ExitCode(IntEnum):
    """What the process returns to the shell."""

    DONE = 0
    UNEXPECTED = 1
    """A fault of Mictape itself or of an engine that is not part of it."""
    USAGE = 2
    SOUND = 3
    """A device, a file, or the place where sound is kept."""
    ENGINE = 4
    """A speech engine or the network to it."""
    INTERRUPTED = 130


Action = Literal[
    "add_device",
    "choose_device",
    "choose_engine",
    "choose_theme",
    "complete_gap",
    "export",
    "mark",
    "next_gap",
    "pause",
    "remove_device",
    "stop",
    "unmute_device",
    "versions",
]
"""What can be done about something, by name: the app knows the key for it, the command line the option."""


LONGEST_SENTENCE: Final = 1_000
"""Characters. A sentence may hold a path or what a server said, which may be of any length."""


def _bounded(text: str) -> str:
    """The text without its middle where it is too long to be read, or laid out on a screen."""
    half = LONGEST_SENTENCE // 2
    return text if len(text) <= LONGEST_SENTENCE else f"{text[:half]} … {text[-half:]}"


class _Actionable(Struct, frozen=True, kw_only=True):
    action: Action | None = None
    """What carries out the remedy; the app adds the key to it, the command line the option."""


class Advice(_Actionable, frozen=True):
    """A condition, and the one thing to do about it."""

    what: str
    """The condition: a sentence without its full stop."""
    remedy: str = ""
    """The one thing to do: a sentence without its full stop; empty when nothing can be done. It names no key."""

    def __post_init__(self) -> None:
        """A failure is shown, logged and stored: no secret gets so far, and nothing that a terminal would obey."""
        force_setattr(self, "what", _bounded(one_line(discreet(self.what))))
        force_setattr(self, "remedy", _bounded(one_line(discreet(self.remedy))))

    def __str__(self) -> str:
        """Both sentences, for a line of output."""
        return self.explained()

    def explained(self, means: str = "") -> str:
        """Both sentences; `means` is the key or the option that carries out the remedy."""
        remedy = f"{self.remedy} ({means})" if self.remedy and means else self.remedy
        return " ".join(
            f"{each}{'' if each.endswith(('?', '.', '…')) else '.'}" for each in (self.what, remedy) if each
        )


class Failure(Advice, frozen=True):
    """One failure: what happened, the one thing to do about it, and the exit code of a command that it ends."""

    code: ExitCode = ExitCode.SOUND
    needs_key: bool = False
    """Whether an API key is missing or refused, so that another one would help."""


LONGEST_DETAIL: Final = 200
"""Characters of an unexpected exception's own text that are shown; the log has all of it."""


class MictapeError(Exception):
    """Carries a `Failure` up to the code that shows it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def unexpected(error: BaseException, what: str, *, code: ExitCode = ExitCode.UNEXPECTED) -> Failure:
    """The failure for an unexpected exception, which is logged with its traceback.

    Args:
        error: The exception.
        what: The subject of the sentence: `The recording`.
        code: The exit code.
    """
    _log.error("%s failed unexpectedly", what, exc_info=error)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    detail = lines[0] if len(lines[0]) <= LONGEST_DETAIL else f"{lines[0][:LONGEST_DETAIL]}…"
    return Failure(f"{what} failed unexpectedly: {detail.rstrip('.')}", "The log has the details", code)
