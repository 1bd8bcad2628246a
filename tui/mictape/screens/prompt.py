"""A question that is answered with one line of text."""

from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Any, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from mictape.failure import MictapeError
from mictape.screens.modal import Question
from mictape.widgets.key_hints import clickable


class Ask(Question[str | None]):
    """Asks for a line of text. The result is the text without spaces around it, or None when it was left.

    `check` raises `MictapeError` for an answer that will not do; its sentence is shown and the question stays. It
    may be a coroutine: then the question says that it waits. A `masked` answer is not shown. With `replaces`
    the `value` is selected at first, so that typing replaces it.
    """

    CSS_PATH = "prompt.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "cancel")]

    _answer = getters.query_one("#answer", Input)
    _note = getters.query_one("#note", Static)

    def __init__(
        self,
        title: str,
        *,
        hint: str = "",
        value: str = "",
        check: Callable[[str], object] | None = None,
        masked: bool = False,
        replaces: bool = False,
    ) -> None:
        super().__init__()
        self._replaces = replaces
        self._masked = masked
        self._title = title
        self._hint = hint
        self._value = value
        self._check = check

    def compose(self) -> ComposeResult:
        """One box: what is asked, the line, what may be written there."""
        with Vertical(id="box") as box:
            box.border_title = self._title
            box.border_subtitle = clickable("enter: accept · esc: cancel")
            yield Input(self._value, id="answer", compact=True, select_on_focus=self._replaces, password=self._masked)
            yield Static(self._hint, id="note", markup=False)

    def on_mount(self) -> None:
        """Type at once."""
        stack: Sequence[Screen[Any]] = self.app.screen_stack  # pyright: ignore[reportUnknownMemberType]  (no type arguments)
        below = stack[-2:-1]  # none where the dialog has been left meanwhile
        self.set_class(any(isinstance(screen, ModalScreen) for screen in below), "-over-dialog")
        self._answer.focus()

    def action_leave(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)

    @on(Input.Changed)
    def _on_typing(self) -> None:
        self._note.update(self._hint)
        self._note.remove_class("-trouble")

    @on(Input.Submitted)
    def _on_answer(self, event: Input.Submitted) -> None:
        event.stop()
        answer = event.value.strip()
        try:
            checking = self._check(answer) if self._check is not None else None
        except MictapeError as error:
            self._refuse(error)
            return
        if isawaitable(checking):
            self.run_worker(self._wait_for(checking, answer), exclusive=True)
        else:
            self.dismiss(answer)

    async def _wait_for(self, checking: Awaitable[object], answer: str) -> None:
        self._note.remove_class("-trouble")
        self._note.update("Checking …")
        try:
            await checking
        except MictapeError as error:
            self._refuse(error)
        else:
            self.dismiss(answer)

    def _refuse(self, error: MictapeError) -> None:
        self._note.update(str(error.failure))
        self._note.add_class("-trouble")
