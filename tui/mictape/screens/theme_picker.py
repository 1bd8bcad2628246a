"""The list of themes, which shows each as it is gone through."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from mictape.screens.modal import Question
from mictape.widgets.filtered_options import FilteredOptions
from mictape.widgets.key_hints import clickable

PRESENT: Final = "●"
"""Before the theme that is in use."""


class ThemePicker(Question[str]):
    """Answers with a theme's name, or None. The theme under the cursor is shown at once."""

    CSS_PATH = "theme_picker.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel", show=False)]

    def __init__(self, names: Sequence[str], present: str, preview: Callable[[str], None]) -> None:
        """Offer these themes; `preview` shows one of them."""
        super().__init__()
        self._names = names
        self._present = present
        self._preview = preview

    def compose(self) -> ComposeResult:
        """The list, with the present theme marked, and the keys."""
        with Vertical(id="box") as box:
            box.border_title = "Theme"
            rows = {name: Content(f"{PRESENT if name == self._present else ' '} {name}") for name in self._names}
            yield FilteredOptions(rows, first=self._present)
            yield Static(clickable("Enter: use   Esc: cancel"), id="note")

    @on(FilteredOptions.Moved)
    def _show(self, event: FilteredOptions.Moved) -> None:
        self._preview(event.name or self._present)

    @on(FilteredOptions.Chosen)
    def _choose(self, event: FilteredOptions.Chosen) -> None:
        self.dismiss(event.name)
