"""What takes back something that the person has done, and what does it again."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mictape.session.transcript_writer import TranscriptWriter


class Undo(Protocol):
    """Takes back what the person has done to a text, also once the session was closed and opened again."""

    def __call__(self, writer: "TranscriptWriter", /) -> "Undo | None":
        """Take it back; what does it again, and can be taken back itself, or None where nothing can.

        Args:
            writer: Of the version of the text in which it was done.

        Raises:
            KeyError: the line is gone.
            MictapeError: it cannot be taken back.
        """
        ...


def together(steps: Sequence[Undo]) -> Undo:
    """Several steps as one: the last one is taken back first."""
    return partial(_take_back, tuple(steps))


def _take_back(steps: Sequence[Undo], writer: "TranscriptWriter") -> Undo:
    again = [step(writer) for step in reversed(steps)]
    return together([step for step in again if step is not None])
