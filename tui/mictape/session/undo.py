"""What takes back something that the person has done, and what does it again."""

from collections.abc import Sequence
from functools import partial
from typing import Protocol


class Undo(Protocol):
    """Takes back what the person has done. Raises KeyError when the line is gone, and MictapeError."""

    def __call__(self) -> "Undo | None":
        """Take it back; what does it again, and can be taken back itself, or None where nothing can."""
        ...


def together(steps: Sequence[Undo]) -> Undo:
    """Several steps as one: the last one is taken back first."""
    return partial(_take_back, tuple(steps))


def _take_back(steps: Sequence[Undo]) -> Undo:
    again = [step() for step in reversed(steps)]
    return together([step for step in again if step is not None])
