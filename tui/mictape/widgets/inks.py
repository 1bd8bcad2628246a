"""The styles of a widget's parts, mixed from the theme's colours as Textual mixes those of a style sheet.

Textual's component classes cost more: before the first frame a rule was parsed, and a node styled, for each of forty,
which took 15 ms.
"""

from collections.abc import Mapping
from typing import Final, cast

from msgspec import Struct
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.widget import Widget

_CLEAR: Final = Color(0, 0, 0, 0)


class Ink(Struct, frozen=True):
    """What a part is drawn in; what is left out is as in the rest of the widget."""

    color: str = ""
    """A variable of the theme, without its `$`."""
    background: str = ""
    """Another one."""
    text: str = ""
    """Attributes as rich names them: `bold italic`."""


class Mixer:
    """Makes styles of inks, for a widget in the theme that it has now."""

    def __init__(self, widget: Widget) -> None:
        self.base: Final = widget.rich_style
        """The widget's own style."""
        self._behind = widget.background_colors[1]
        self._variables = cast("App[object]", widget.app).theme_variables

    def style(self, ink: Ink) -> Style:
        """The whole style of a part."""
        behind = self._behind + self._color(ink.background, self._behind)
        style = Style.from_color(bgcolor=behind.rich_color if behind.a else None) + Style.parse(ink.text)
        if ink.color:
            style += Style.from_color((behind + self._color(ink.color, behind)).rich_color)
        return self.base + style

    def over(self, ink: Ink) -> Style:
        """What the ink alone says, to be laid over another style."""
        color, background = (self._color(name, self._behind) for name in (ink.color, ink.background))
        shown = (each.rich_color if each.a else None for each in (color, background))
        return Style.from_color(*shown) + Style.parse(ink.text)

    def _color(self, variable: str, behind: Color) -> Color:
        """The colour of a variable, which may end in an opacity; of `auto`, what contrasts with what is behind it."""
        name, _, opacity = self._variables.get(variable, "").partition(" ")
        alpha = float(opacity.removesuffix("%")) / 100 if opacity else 1.0
        if name == "auto":
            return behind.get_contrast_text(alpha)
        return _CLEAR if name in {"", "initial"} else Color.parse(name).multiply_alpha(alpha)


class Inked(Widget):
    """A widget that mixes styles from the theme: Textual does not know that it is to be drawn in another one's colours.

    To be named behind other widgets among the bases: Textual takes the style sheets of the first one.
    """

    _mixed_from: Mapping[str, str] | None = None
    _behind: Color | None = None

    @property
    def behind(self) -> Color:
        """What its text stands on, which Textual works out in 0.1 ms."""
        if self._behind is None:
            self._behind = self.background_colors[1]
        return self._behind

    def restyle(self) -> None:
        """Forget what was mixed or drawn in other colours."""
        raise NotImplementedError

    def notify_style_update(self) -> None:
        """As Textual's, for the styles that were mixed, too."""
        super().notify_style_update()
        self._behind = None
        self.restyle()
        if (variables := cast("App[object]", self.app).theme_variables) is not self._mixed_from:
            self._mixed_from = variables
            self.refresh()


class Styles:
    """The styles of a widget's parts by name, mixed when they are first asked for; under an empty name its own."""

    def __init__(self, widget: Widget, inks: Mapping[str, Ink]) -> None:
        self._widget = widget
        self._inks = inks
        self._mixed: dict[str, Style] = {}

    def __getitem__(self, name: str) -> Style:
        if not self._mixed:
            mixer = Mixer(self._widget)
            self._mixed = {"": mixer.base, **{each: mixer.style(ink) for each, ink in self._inks.items()}}
        return self._mixed[name]

    def forget(self) -> None:
        """The colours have changed."""
        self._mixed = {}
