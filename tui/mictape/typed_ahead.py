"""Keys that are typed faster than the screen follows: each acts on what the one before it has opened.

Textual gives a key to the widget that has the focus when it is read. What is typed right behind the key of a dialog
would go to the screen below it, and be taken for commands. Where no dialog opens, it is ignored.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from weakref import WeakSet

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key, Paste
from textual.screen import Screen

from mictape.commands import OPENING

LONGEST_S: Final = 3.0
"""A key waits no longer for the one before it, or for a dialog. What was typed for the dialog is ignored then."""

PAUSE_S: Final = 1.0
"""What is typed for a dialog that has not opened ends with a pause of this length."""

_OF_TEXT: Final = frozenset({"enter", "escape", "delete"})
"""The keys that are pressed in a field, are commands elsewhere, and have no character."""

_LOOK_AGAIN_S: Final = 0.02


class NothingTypedAhead:
    """For an app that passes keys on as they come: no key waits for a screen."""

    def opening(self) -> Callable[[], object]:
        """As `TypedAhead.opening`."""
        return lambda: None

    def covered(self, screen: Screen[Any]) -> None:
        """As `TypedAhead.covered`."""

    def open(self, dialog: Callable[[], object]) -> None:
        """Carry out a command that opens a dialog."""
        dialog()

    def replacing(self) -> None:
        """As `TypedAhead.replacing`."""


class TypedAhead(NothingTypedAhead):
    """The keys and pastes of an app, in the order in which they came."""

    def __init__(self, app: App[None], pass_on: Callable[[Key | Paste], Awaitable[None]]) -> None:
        """`pass_on`: gives a key to what has the focus."""
        self._app = app
        self._pass_on = pass_on
        self._waiting: deque[Key | Paste] = deque()
        self._acting_s: float | None = None
        """When the key was passed on that is still being acted on."""
        self._opening: dict[object, tuple[Screen[object], float]] = {}
        """Dialogs that are about to open: above which screen, and since when."""
        self._shown = set[object]()
        """Those of them that have opened since, and of which what follows from the answer is not done yet."""
        self._opened = 0
        """How many dialogs were about to open so far."""
        self._refused: tuple[Screen[object], float] | None = None
        """The screen on which a dialog did not open, and when that was or a key behind it came."""
        self._replaced: tuple[Sequence[Screen[object]], float] | None = None
        """The screens of which one is about to be replaced, and since when."""
        self._ready: WeakSet[Screen[object]] = WeakSet()
        """Screens that have taken keys."""
        self._seen: tuple[Screen[object], float] | None = None
        """The screen that is not ready yet, and since when."""
        self._looking = False

    def opening(self) -> Callable[[], object]:
        """A dialog is about to open above the present screen: what is typed waits for it.

        Returns:
            To be called when no dialog is to come any more.
        """
        token = object()
        self._opened += 1
        self._opening[token] = self._app.screen, time.monotonic()

        def done() -> None:
            self._opening.pop(token, None)
            self._shown.discard(token)

        return done

    def covered(self, screen: Screen[Any]) -> None:
        """A dialog has opened above this screen."""
        self._shown |= {token for token, (below, _) in self._opening.items() if below is screen}

    def open(self, dialog: Callable[[], object]) -> None:
        """Carry out a command that opens a dialog. If it opens none, what is typed right behind it is ignored."""
        before = self._app.screen, self._opened
        dialog()
        if before == (self._app.screen, self._opened):
            self._refused = self._app.screen, time.monotonic()

    def replacing(self) -> None:
        """The present screen is about to go and another one to come: what is typed waits for that one."""
        self._replaced = tuple(self._app.screen_stack), time.monotonic()

    async def take(self, event: Key | Paste) -> None:
        """Pass an event on, now or when its turn has come."""
        self._waiting.append(event)
        await self._go_on()

    async def _go_on(self) -> None:
        while self._waiting and not self._must_wait():
            event = self._waiting.popleft()
            if self._is_for_refused(event):
                continue
            self._acting_s = time.monotonic()
            target = self._app.focused or self._app.screen
            await self._pass_on(event)
            self._follow(target)
        if self._waiting and not self._looking:
            self._looking = True
            self._app.set_timer(_LOOK_AGAIN_S, self._look_again)

    async def _look_again(self) -> None:
        self._looking = False
        await self._go_on()

    def _follow(self, target: DOMNode, rounds: int = 2) -> None:
        """Go the way of a key behind it, which rises from the widget to the app; then it was acted on.

        The second time it is behind what the key's action has sent the same way, and behind a change of focus.
        """
        self._rise([*target.ancestors_with_self], lambda: self._follow(target, rounds - 1) if rounds else self._acted())

    def _rise(self, nodes: list[DOMNode], then: Callable[[], object]) -> None:
        if len(nodes) <= 1 or not nodes[0].call_later(self._rise, nodes[1:], then):
            self._app.call_later(then)

    async def _acted(self) -> None:
        self._acting_s = None
        await self._go_on()

    def _is_for_refused(self, event: Key | Paste) -> bool:
        """Whether it was typed for a dialog that has not opened. Keys that move are not."""
        if self._refused is None or self._refused[0] is not self._app.screen or event.time - self._refused[1] > PAUSE_S:
            self._refused = None
            return False
        if isinstance(event, Key) and not event.is_printable and event.key not in _OF_TEXT:
            return False
        self._refused = self._app.screen, max(event.time, self._refused[1])
        self._app.notify("What was typed after that is ignored.", severity="warning", markup=False)
        return True

    def _must_wait(self) -> bool:
        now, screen = time.monotonic(), self._app.screen
        if self._acting_s is not None and now - self._acting_s < LONGEST_S:
            return True
        opening = {token: since for token, (below, since) in self._opening.items() if below is screen}
        if any(now - since < LONGEST_S for since in opening.values()):
            return True
        if missing := opening.keys() - self._shown:  # they hang: what was typed for them is not taken for commands
            for token in missing:
                del self._opening[token]
            self._refused = screen, now
        if self._replaced is not None:
            before, since = self._replaced
            if screen in before and now - since < LONGEST_S:
                return True
            self._replaced = None
        if screen in self._ready:
            return False
        if self._seen is None or self._seen[0] is not screen:
            self._seen = screen, now
        focused = screen.focused is not None or not screen.focus_chain
        if (screen.is_mounted and focused) or now - self._seen[1] >= LONGEST_S:
            self._ready.add(screen)
            self._seen = None
        return screen not in self._ready


_NOTHING: Final = NothingTypedAhead()


def typed_ahead_of(app: App[Any]) -> NothingTypedAhead:
    """What has the keys of an app wait: its attribute `typed_ahead`, if it has one."""
    return getattr(app, "typed_ahead", _NOTHING)


def carry_out(app: App[Any], id: str, command: Callable[[], object]) -> None:
    """Carry out the command of this id, and see that what is typed behind it goes where it is meant to."""
    if id in OPENING:
        typed_ahead_of(app).open(command)
    else:
        command()
