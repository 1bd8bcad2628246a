"""The list of themes, which shows each as it is gone through."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mictape.screens.modal import Question
from mictape.widgets.options import Options

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
            yield Options(
                *(
                    Option(Content(f"{PRESENT if name == self._present else ' '} {name}"), id=name)
                    for name in self._names
                ),
                compact=True,
            )
            yield Static("Enter: use   Esc: cancel", id="note", markup=False)

    def on_mount(self) -> None:
        """Begin with the present theme."""
        themes = self.query_one(OptionList)
        themes.highlighted = self._names.index(self._present)
        themes.focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show it."""
        if event.option_id is not None:
            self._preview(event.option_id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Leave with it."""
        event.stop()
        self.dismiss(event.option_id)
