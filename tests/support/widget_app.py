"""A bare app for tests of widgets and screens: Mictape's themes, no timers, no session."""

from collections.abc import Iterable
from typing import Any

from textual.app import App, ComposeResult
from textual.widget import Widget

from mictape.themes import load_themes, shipped_folder, theme_variables


class WidgetApp(App[None]):
    """Shows the widgets it is given, in a theme."""

    def __init__(self, *widgets: Widget, theme: str = "mictape-dark") -> None:
        super().__init__()
        self._widgets = widgets
        for shipped in load_themes(shipped_folder()).themes:
            self.register_theme(shipped)
        self.theme = theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Mictape's colours for every theme, as the real app gives them."""
        return theme_variables(self.current_theme)

    def compose(self) -> ComposeResult:
        """The widgets, from top to bottom."""
        yield from self._widgets

    @property
    def rows(self) -> list[str]:
        """What is on the screen, row by row."""
        return rows_of(self)

    def sees(self, words: str) -> bool:
        """As the function."""
        return sees(self, words)


def sees(app: App[Any], words: str) -> bool:
    """Whether words are on an app's screen, in one row."""
    return any(words in row for row in rows_of(app))


def rows_of(app: App[Any]) -> list[str]:
    """What is on an app's screen, row by row."""
    strips: Iterable[Iterable[tuple[str, object, object]]] = app.screen._compositor.render_strips()
    return ["".join(text for text, _, _ in strip) for strip in strips]


def colours_of(app: App[Any]) -> set[str]:
    """The colours of all text on an app's screen, as `#rrggbb`."""
    segments = (segment for strip in app.screen._compositor.render_strips() for segment in strip)
    return {style.color.name for _, style, _ in segments if style is not None and style.color is not None}
