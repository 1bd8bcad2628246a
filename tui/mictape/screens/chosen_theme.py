"""The themes of the app, of which it reads one before its first frame; theme files are read again when saved."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from textual.app import App

from mictape.failure import Failure
from mictape.themes import FALLBACK_THEME, all_themes, shipped_theme

LOOK_S: Final = 2.0
"""Between two looks at the theme files."""


class Themes:
    """The themes of an app: those that come with Mictape and Textual, and those in the person's folder."""

    def __init__(self, app: App[Any], folder: Path, say: Callable[[Failure], None]) -> None:
        """Read them when they are needed. `say` gets what is wrong with the files in `folder`."""
        self._app = app
        self._folder = folder
        self._say = say
        self._seen = _stamps(folder)
        self._own: Mapping[str, object] = {}

    def use(self, name: str, otherwise: str) -> None:
        """Use a theme, or another one when there is none of this name, and say so."""
        theme = None if self._seen else shipped_theme(name)
        if theme is not None:
            self._app.register_theme(theme)  # the others are not needed before one chooses
        else:
            self._load()
        known = self._app.available_themes
        if name not in known:
            self._say(Failure(f"There is no theme {name}", "Choose another", action="choose_theme"))
        self._app.theme = next(each for each in (name, otherwise, FALLBACK_THEME) if each in known)

    def choose(self, chosen: Callable[[str], None]) -> None:
        """Let the person choose one; `chosen` gets its name."""
        from mictape.screens.theme_picker import ThemePicker  # loaded after the first frame

        if not self._own:
            self._load()
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
