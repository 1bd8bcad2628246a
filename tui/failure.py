"""What went wrong, in words for the person: every failure has a sentence and a next step."""

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns to the shell."""

    DONE = 0
    USAGE = 2
    SOUND = 3
    """A device, a file, or the place where sound is kept."""
    ENGINE = 4
    """A recogniser or the network to it."""
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, told: what happened and the one thing to do about it."""

    what: str
    """What happened: a sentence without its full stop."""
    remedy: str = ""
    """The one thing to do: a sentence without its full stop; empty when nothing can be done."""
    code: ExitCode = ExitCode.SOUND

    def __str__(self) -> str:
        """Both sentences, for a line of output."""
        return f"{self.what}. {self.remedy}." if self.remedy else f"{self.what}."


class MictapeError(Exception):
    """Carries a `Failure` up to whoever can show it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure
