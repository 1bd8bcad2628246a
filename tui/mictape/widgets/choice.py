"""One of a few, in one row: the arrows left and right, space or a click go through them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static


class Choice(Static, can_focus=True):
    """Shows the one that is chosen; the arrows beside it say that there are others."""

    DEFAULT_CSS = """
    Choice {
        width: 1fr;
        height: 1;
        background: $panel;
        &:focus { text-style: reverse; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "choose(-1)", show=False),
        Binding("right,space", "choose(1)", show=False),
        Binding("enter", "submit", show=False),
    ]

    @dataclass
    class Submitted(Message):
        """Enter was pressed."""

        value: str

    def __init__(self, choices: Mapping[str, str], *, id: str | None = None) -> None:
        """Prepare; `choices` are texts by name, and the first one is chosen."""
        super().__init__(id=id)
        self._choices = dict(choices)
        self.can_focus = len(choices) > 1
        self.value = next(iter(choices))
        """The name of the one that is chosen."""
        self._by_person = False
        """Whether the person has chosen it."""

    def propose(self, name: str | None) -> None:
        """Choose the one of this name, None: the first; what the person has chosen stays."""
        if not self._by_person:
            self.value = next(iter(self._choices)) if name is None else name
            self.refresh()

    def render(self) -> Content:
        """The text, between arrows when there are others."""
        text = self._choices[self.value]
        return Content(f"◂ {text} ▸" if len(self._choices) > 1 else text)

    def action_choose(self, step: int) -> None:
        """Choose another one."""
        names, self._by_person = list(self._choices), True
        self.value = names[(names.index(self.value) + step) % len(names)]
        self.refresh()

    def action_submit(self) -> None:
        """Keep what is chosen, and what else was entered beside it."""
        self.post_message(self.Submitted(self.value))

    def on_click(self) -> None:
        """A click chooses the next one."""
        self.action_choose(1)
