"""What the person has done in a session, to be undone and done again, one step at a time."""

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from mictape.screens.main.page import Page

if TYPE_CHECKING:  # loaded after the first frame
    from mictape.session.undo import Undo

STEPS: Final = 100
"""Steps that can be undone."""


class Step(Protocol):
    """Takes back what was done on a screen, also on a later screen of the same session."""

    def __call__(self, page: Page, /) -> "Step | None":
        """Take it back; what does it again, or None where nothing can. Raises KeyError and MictapeError, as `Undo`."""
        ...


class History:
    """What was done and undone in one session while it is open, in whichever version of its text.

    Choosing another version is a step as well, so each step is undone in the version in which it was done.
    """

    def __init__(self) -> None:
        self._done: deque[tuple[str, Step]] = deque(maxlen=STEPS)
        """What was done, and what takes it back; the newest last."""
        self._undone: deque[tuple[str, Step]] = deque(maxlen=STEPS)
        """What was undone, and what does it again; the newest last."""

    def did(self, what: str, step: Step) -> None:
        """Remember what was done, so that it can be undone; what was undone before cannot be done again any more."""
        self._done.append((what, step))
        self._undone.clear()

    def undo(self, page: Page) -> None:
        """Take back what was done last, and say so."""
        self._step(page, self._done, self._undone, "undo", "Undone")

    def redo(self, page: Page) -> None:
        """Do again what was undone last, and say so."""
        self._step(page, self._undone, self._done, "redo", "Redone")

    def _step(
        self, page: Page, steps: deque[tuple[str, Step]], back: deque[tuple[str, Step]], verb: str, done: str
    ) -> None:
        """Take the last of some steps; what takes it back goes to the other ones."""
        if not steps:
            page.say(f"There is nothing to {verb}.")
            return
        what, step = steps.pop()
        with page.saying():
            try:
                again = step(page)
            except KeyError:
                page.say(f"{what.capitalize()} cannot be {done.lower()}: the line is gone.")
                return
            if again is not None:
                back.append((what, again))
            rest = f"{len(steps)} more" if steps else f"Nothing more to {verb}"
            page.say(f"{done}: {what}. {rest}.")


def written(undo: "Undo", *, to: int | None = None, back: int | None = None) -> Step:
    """A step of the text, which puts the cursor on the line `to`; what does it again, on the line `back`."""

    def step(page: Page) -> Step | None:
        if page.session is None:
            raise KeyError(to)
        again = undo(page.session.writer)
        if to is not None:
            page.view.go_to(to)
        return None if again is None else written(again, to=back, back=to)

    return step
