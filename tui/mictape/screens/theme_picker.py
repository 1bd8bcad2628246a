"""Themes in the app: the list that shows each as it is gone through, and theme files that are read again when saved."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mictape.failure import Failure
from mictape.screens.modal import Question
from mictape.themes import FALLBACK_THEME, all_themes
from mictape.widgets.options import Options

LOOK_S: Final = 1.0
"""Between two looks at the theme files."""

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


class Themes:
    """The themes of an app: those that come with Mictape and Textual, and those in the person's folder."""

    def __init__(self, app: App[Any], folder: Path, say: Callable[[Failure], None]) -> None:
        """Read them. `say` gets what is wrong with the files in `folder`."""
        self._app = app
        self._folder = folder
        self._say = say
        self._seen = _stamps(folder)
        self._own: Mapping[str, object] = {}
        self._load()

    def use(self, name: str, otherwise: str) -> None:
        """Use a theme, or another one when there is none of this name, and say so."""
        known = self._app.available_themes
        if name not in known:
            self._say(Failure(f"There is no theme {name}", "Choose another", action="choose_theme"))
        self._app.theme = next(each for each in (name, otherwise, FALLBACK_THEME) if each in known)

    def choose(self, chosen: Callable[[str], None]) -> None:
        """Let the person choose one; `chosen` gets its name."""
        before = self._app.theme
        names = [*self._own, *sorted(set(self._app.available_themes) - set(self._own))]

        def done(name: str | None) -> None:
            self._app.theme = before if name is None else name
            if name is not None:
                chosen(name)

        self._app.push_screen(ThemePicker(names, before, partial(setattr, self._app, "theme")), done)

    async def watch(self) -> None:
        """Read the theme files again whenever one is saved."""
        while True:
            await asyncio.sleep(LOOK_S)
            if (stamps := await asyncio.to_thread(_stamps, self._folder)) != self._seen:
                self._seen = stamps
                self._load()
                self._app.mutate_reactive(App.theme)

    def _load(self) -> None:
        loaded = all_themes(self._folder)
        for theme in loaded.themes:
            self._app.register_theme(theme)
        for problem in loaded.problems:
            self._say(problem)
        self._own = dict.fromkeys(theme.name for theme in loaded.themes)


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """When each theme file was written, and its size."""
    stamps: dict[str, tuple[int, int]] = {}
    for path in folder.glob("*.toml"):
        try:
            found = path.stat()
        except OSError:  # it has just been removed
            continue
        stamps[path.name] = (found.st_mtime_ns, found.st_size)
    return stamps
