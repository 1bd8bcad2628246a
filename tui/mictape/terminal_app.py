"""What Textual leaves open in an app that records: who ends it, and what an error costs.

By default an error in any handler, worker or timer ends a Textual app at once. Here it costs the dialog in which it
happened, or nothing but a message; where the app must end, its recording is closed first.
"""

import asyncio
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, TypeVar, cast

from rich.console import RenderableType
from textual._context import active_message_pump
from textual.app import App
from textual.dom import DOMNode
from textual.driver import Driver
from textual.events import DescendantFocus, Event, Key, Paste
from textual.message_pump import MessagePump
from textual.notifications import Notify
from textual.screen import ModalScreen, Screen
from textual.widgets import Input
from textual.worker import Worker, WorkerFailed
from textual.worker import active_worker as _active_worker  # pyright: ignore[reportUnknownVariableType]

from mictape.failure import Failure, unexpected
from mictape.signals import SignalWatch
from mictape.typed_ahead import TypedAhead
from mictape.widgets.survives import SurvivesErrors

STORM: Final = 10
STORM_S: Final = 10.0
"""So many errors in so many seconds: what fails is not going to stop failing, and the app ends."""

LONGEST_PASTE: Final = 10_000
"""Characters. A field lays all of its text out for each frame, and a megabyte held the screen up for ten seconds."""

T = TypeVar("T")


class TerminalApp(SurvivesErrors, App[None]):
    """An app on a real terminal, which may go, and with a recording, which must not."""

    def __init__(self) -> None:
        super().__init__()
        self.signal_watch: SignalWatch | None = None
        """Gives the signals that end the process; None in tests without a terminal."""
        self.farewell: Failure | None = None
        """What to say on the terminal once the app has given it back."""
        self._handled: tuple[MessagePump | None, Exception] | None = None
        """The error that is being handled, and in what it happened."""
        self._errors: deque[float] = deque(maxlen=STORM)
        """When the latest ones happened."""
        self.typed_ahead = TypedAhead(self, self._pass_on)

    # What the app that is made of this does.

    def leave(self, code: int) -> bool:
        """Close the recording without waiting for the engine, and exit with the code.

        Returns:
            Whether there is anything that does so; if not, Textual ends the app.
        """
        raise NotImplementedError

    @property
    def records(self) -> bool:
        """Whether there is a recording that goes on."""
        raise NotImplementedError

    async def closed(self) -> None:
        """Return when the recording is closed. Textual has ended before."""
        raise NotImplementedError

    # The terminal and the signals.

    def get_driver_class(self) -> type[Driver]:
        """The driver that does not wait for the terminal."""
        if sys.platform == "win32":
            return super().get_driver_class()
        from mictape.driver import TerminalDriver

        return TerminalDriver

    def _load_screen_css(self, screen: Screen[object]) -> None:
        """Parse the style sheet of a screen that is opened for the first time, and no other one again as Textual does.

        That took 50 ms for each dialog, in which the meter stood still. What is open already does not look different.
        """
        for path in screen.css_path:
            if not self.stylesheet.has_source(str(path), ""):
                self.stylesheet.read(path)
                self.stylesheet.parse()
        super()._load_screen_css(screen)  # pyright: ignore[reportUnknownMemberType]  (Textual's has a bare Screen)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Let no cursor blink: each blink draws the whole screen, for as long as a dialog is open."""
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def on_notify(self, event: Notify) -> None:
        """Show a message, but not a second time beside itself."""
        if any(each.message == event.notification.message for each in self._notifications):
            event.prevent_default()

    async def on_event(self, event: Event) -> None:
        """Take what is pasted only as far as a field can show it in time, and as one line: no field has several."""
        if isinstance(event, Paste) and not event.is_forwarded and len(event.text) > LONGEST_PASTE:
            event.text = event.text[:LONGEST_PASTE]
            self.notify(f"Only the first {LONGEST_PASTE:,} characters were pasted.", severity="warning", markup=False)
        if isinstance(event, Paste) and not event.is_forwarded:
            event.text = " ".join(line for line in event.text.splitlines() if line.strip())  # Textual's takes the first
        if isinstance(event, Key | Paste) and not event.is_forwarded and not self._comes_first(event):
            await self.typed_ahead.take(event)
        else:
            await super().on_event(event)

    def _comes_first(self, event: Key | Paste) -> bool:
        """Whether it is a key that acts at once, whatever waits: the one that leaves."""
        return isinstance(event, Key) and event.key == "ctrl+c"

    async def _pass_on(self, event: Key | Paste) -> None:
        await super().on_event(event)

    def hang_up(self) -> None:
        """The terminal is gone. For any thread."""
        if self.signal_watch is not None and sys.platform != "win32":
            self.signal_watch.send(signal.SIGHUP)

    def _on_load(self) -> None:
        """The loop runs and takes the signals from now on."""
        if self.signal_watch is not None:
            self.signal_watch.attach(asyncio.get_running_loop(), self._on_signal)

    def _on_signal(self, number: signal.Signals) -> bool:
        if self._driver is not None:
            self._driver.disable_input()  # keys that wait to be read must not stand before the end
        self.leave(128 + number)
        return True

    async def _shutdown(self) -> None:
        await self.closed()
        if self.signal_watch is not None:
            self.signal_watch.ending(self.return_code or 0)
        await super()._shutdown()

    # Errors.

    def _handle_exception(self, error: Exception) -> None:
        self._handled = (_place_of(error), error)
        super()._handle_exception(error)

    def attempt(self, work: Callable[[], T], otherwise: T) -> T:
        """What `work` returns. An error in it is treated like one in a handler, and `otherwise` returned."""
        try:
            return work()
        except Exception as error:
            self._handle_exception(error)
            return otherwise

    def panic(self, *renderables: RenderableType) -> None:
        """Textual wants to end the app: it loses what has failed, and no more."""
        del renderables
        self._fatal_error()

    def _fatal_error(self) -> None:
        culprit, error = self._handled or (None, RuntimeError("Textual gave up"))
        self._handled = None
        cause = error.error if isinstance(error, WorkerFailed) else error
        now = time.monotonic()
        storm = len(self._errors) == STORM and now - self._errors[0] < STORM_S
        self._errors.append(now)
        dialog = self._dialog_of(culprit)
        goes_on = dialog is not None or (isinstance(culprit, SurvivesErrors) and culprit.survives)
        failure = unexpected(cause, "The screen" if dialog is None else "That dialog")
        if storm or not goes_on:
            self.farewell = failure
            if not self.leave(failure.code):
                self._close_messages_no_wait()
        elif dialog is None or dialog in self.screen_stack:  # else it was left already, and so are its widgets
            while dialog in self.screen_stack:
                self.screen.dismiss(None)
            text = f"{failure} The recording goes on." if self.records else str(failure)
            self.notify(text, severity="error", markup=False)

    def _dialog_of(self, culprit: MessagePump | None) -> DOMNode | None:
        """The dialog in which something failed; None when it was elsewhere."""
        if culprit is self:  # handles the keys of the dialog on top
            culprit = self.screen
        nodes = culprit.ancestors_with_self if isinstance(culprit, DOMNode) else []
        return next((node for node in nodes if _is_dialog(node)), None)


def _place_of(error: Exception) -> MessagePump | None:
    """In what an error happened that is being handled now."""
    if isinstance(error, WorkerFailed):
        return cast("ContextVar[Worker[object]]", _active_worker).get().node
    return active_message_pump.get(None)


def _is_dialog(node: DOMNode) -> bool:
    return isinstance(node, ModalScreen)
