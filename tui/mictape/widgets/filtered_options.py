"""A list to choose from that is filtered while one types."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from mictape.commands import bind_moving
from mictape.plain_text import fits, nothing_fits
from mictape.widgets.options import Options

_MOVES: Final = {
    **{id: id for id in ("cursor_up", "cursor_down", "page_up", "page_down")},
    **{"half_page_up": "page_up", "half_page_down": "page_down", "to_start": "first", "follow": "last"},
}
"""What the keys that move in the text do in the list."""


class FilteredOptions(Vertical):
    """A field to type into, and below it the rows that have all the typed words. The field has the keys."""

    DEFAULT_CSS = """
    FilteredOptions {
        height: auto;
        & > Input { height: 1; margin-bottom: 1; background: $panel; }
    }
    """

    @dataclass
    class Moved(Message):
        """Another row is under the cursor; None: there is none."""

        name: str | None

    @dataclass
    class Chosen(Message):
        """Enter, or a click on a row."""

        name: str

    def __init__(
        self,
        rows: dict[str, Content],
        *,
        found_by: Mapping[str, str] | None = None,
        first: str | None = None,
        id: str | None = None,
    ) -> None:
        """Prepare.

        Args:
            rows: What is shown, by name.
            found_by: What a row is found by, beside what it shows, by name.
            first: The name of the row that the cursor begins on; None, or one that is not there: the first row.
            id: Of the list.
        """
        super().__init__()
        self._rows = rows
        self._found_by = found_by or {}
        self._field = Input(placeholder="type to filter", compact=True, select_on_focus=False)
        self._list = Options(*self._options(rows), id=id, markup=False, compact=True)
        self._list.can_focus = False
        self._first = first

    def compose(self) -> ComposeResult:
        """The field above the list."""
        yield self._field
        yield self._list

    def on_mount(self) -> None:
        """Type at once."""
        bind_moving(self, "list", _MOVES)
        self._go_to(self._first)
        self._field.focus()

    @property
    def typed(self) -> str:
        """What was typed to filter."""
        return self._field.value

    @property
    def chosen(self) -> str | None:
        """The name of the row under the cursor."""
        option = self._list.highlighted_option
        return None if option is None else option.id

    def replace(self, name: str, row: Content) -> None:
        """Show something else in a row. It stays in sight, or out of sight, until something else is typed."""
        before, self._rows[name] = self._rows[name], row
        if not row.is_same(before) and any(option.id == name for option in self._list.options):
            self._list.replace_option_prompt(name, row)

    def action_list(self, action: str) -> None:
        """Move the cursor of the list while the typing goes on."""
        getattr(self._list, f"action_{action}")()

    def _words(self, name: str) -> str:
        return f"{self._rows[name].plain} {self._found_by.get(name, '')}"

    def _options(self, names: Iterable[str]) -> list[Option]:
        return [Option(self._rows[name], id=name) for name in names]

    def _go_to(self, name: str | None) -> None:
        names = [option.id for option in self._list.options if not option.disabled]
        self._list.highlighted = (names.index(name) if name in names else 0) if names else None

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        """Show the rows that fit, with the cursor on the one that was typed, else where it was, else on the first."""
        event.stop()
        typed = event.value.strip()
        before = typed if typed in self._rows else self.chosen
        options = self._options(name for name in self._rows if fits(self._words(name), event.value))
        nothing = Option(Content(nothing_fits(event.value)), disabled=True)
        self._list.set_options(options or [nothing])
        self._go_to(before)
        if not options:
            self.post_message(self.Moved(None))

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._list.action_select()

    @on(OptionList.OptionHighlighted)
    def _on_move(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.post_message(self.Moved(event.option_id))

    @on(OptionList.OptionSelected)
    def _on_choice(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id is not None:
            self.post_message(self.Chosen(event.option_id))
