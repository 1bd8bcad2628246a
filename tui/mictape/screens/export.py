"""Writing the text to a file: what of it, and where to."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from mictape.failure import MictapeError
from mictape.library.formats import endings, format_of
from mictape.paths import is_there, typed_path
from mictape.plain_text import counted
from mictape.screens.modal import Question
from mictape.widgets.key_hints import clickable
from mictape.widgets.options import Options

HINT: Final = f"The ending names the format: {endings()}."


@dataclass(frozen=True, slots=True)
class ExportWish:
    """What to write, and where to."""

    part: str
    """One of those that were offered."""
    path: Path
    over: bool
    """Whether a file that is there may be replaced: the person was asked."""


class ExportScreen(Question[Path | None]):
    """Asks what to write and where to, and has it written. The result is the file, or None when it was left."""

    CSS_PATH = "prompt.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding("up", "move('cursor_up')", show=False),
        Binding("down", "move('cursor_down')", show=False),
    ]

    _path = getters.query_one("#path", Input)
    _parts = getters.query_one("#parts", OptionList)
    _note = getters.query_one("#note", Static)

    def __init__(self, parts: Mapping[str, int], path: Path, export: Callable[[ExportWish], Awaitable[None]]) -> None:
        """Prepare.

        Args:
            parts: What can be written, each with its number of lines of speech.
            path: The file that is proposed.
            export: Writes; what it raises as a MictapeError is shown, and another file can be named.
        """
        super().__init__()
        self._export = export
        self._offered = parts
        self._start = path
        self._asked: Path | None = None
        """The file of which it was said that it is there."""

    def compose(self) -> ComposeResult:
        """What, where to, and what stands in the way."""
        with Vertical(id="box") as box:
            box.border_title = "Export"
            box.border_subtitle = clickable("enter: save · ↑↓: what · esc: cancel")
            yield Options(
                *(
                    Option(Content(f"{part}  ({counted(lines, 'line')})" if lines else part), id=part)
                    for part, lines in self._offered.items()
                ),
                id="parts",
                compact=True,
            )
            with Horizontal():
                yield Static("file", classes="name")
                yield Input(str(self._start), id="path", compact=True, select_on_focus=False)
            yield Static(HINT, id="note", markup=False)

    def on_mount(self) -> None:
        """The narrowest part is what is wanted after selecting or marking something."""
        self._parts.can_focus = False
        self._parts.highlighted = len(self._offered) - 1 if "the selection" in self._offered else 0
        self._path.focus()

    def action_move(self, how: str) -> None:
        """Choose another part while the name is typed."""
        getattr(self._parts, f"action_{how}")()

    def action_leave(self) -> None:
        """Export nothing."""
        self.dismiss(None)

    @on(Input.Changed)
    def _on_typing(self) -> None:
        self._asked = None
        self._say(HINT, trouble=False)

    @on(Input.Submitted)
    def _on_path(self, event: Input.Submitted) -> None:
        event.stop()
        part = self._parts.highlighted_option
        if not event.value.strip() or part is None or part.id is None:
            self._say("Type the name of a file.", trouble=True)
            return
        try:
            path = typed_path(event.value.strip())
            there = is_there(path)
        except MictapeError as error:
            self._say(str(error.failure), trouble=True)
            return
        if there and path.is_dir():
            self._say(f"{path} is a folder. Type the name of a file in it.", trouble=True)
        elif there and self._asked != path:
            self._asked = path
            self._say(f"{path.name} exists. Press Enter again to replace it.", trouble=True)
        else:
            wish = ExportWish(part.id, path, over=self._asked == path)
            self.run_worker(partial(self._write, wish), group="export", exclusive=True)

    async def _write(self, wish: ExportWish) -> None:
        try:
            format_of(wish.path)
            await self._export(wish)
        except MictapeError as error:
            self._say(str(error.failure), trouble=True)
        else:
            self.dismiss(wish.path)

    def _say(self, what: str, *, trouble: bool) -> None:
        self._note.update(what)
        self._note.set_class(trouble, "-trouble")
