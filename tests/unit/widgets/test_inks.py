"""Styles that are mixed from the theme: as Textual's of a style sheet, and always those of the theme in use."""

from typing import ClassVar

import pytest
from textual.theme import BUILTIN_THEMES, Theme
from textual.widget import Widget

from mictape.themes import load_themes, shipped_folder
from mictape.widgets.inks import Ink, Mixer
from mictape.widgets.status_line import StatusLine
from support.still_app import status
from support.widget_app import WidgetApp, colours_of

ODD = Theme(
    name="odd",
    primary="#123456",
    variables={
        "transcript-time": "red 40%",
        "transcript-mark": "auto 80%",
        "transcript-cursor": "#00ff00 30%",
        "transcript-selection": "transparent",
    },
)

INKS = {
    "time": Ink("transcript-time"),
    "mark": Ink("transcript-mark", text="bold italic"),
    "hit": Ink(text="uu reverse"),
    "cursor": Ink("transcript-time", "transcript-cursor"),
    "marked": Ink("transcript-mark", "transcript-cursor"),
    "selected": Ink("foreground", "transcript-selection"),
}


class Styled(Widget):
    """Has each of the inks as a component class, too."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(INKS)
    DEFAULT_CSS = (
        "Styled { background: $surface 60%; text-style: dim;"
        + "".join(
            f"& > .{name} {{"
            + (f"color: ${ink.color};" if ink.color else "")
            + (f"background: ${ink.background};" if ink.background else "")
            + (f"text-style: {ink.text};" if ink.text else "")
            + "}"
            for name, ink in INKS.items()
        )
        + "}"
    )


THEMES = [*(theme.name for theme in load_themes(shipped_folder()).themes), *BUILTIN_THEMES, "odd"]


@pytest.mark.parametrize("theme", THEMES)
async def test_a_style_is_what_textual_makes_of_a_component_class(theme: str) -> None:
    app = WidgetApp(widget := Styled())
    app.register_theme(ODD)
    app.theme = theme
    async with app.run_test():
        mixer = Mixer(widget)
        for name, ink in INKS.items():
            assert mixer.style(ink) == widget.get_component_rich_style(name), name
            if "auto" not in app.theme_variables.get(ink.color, ""):  # which is of no use without what is behind it
                assert mixer.over(ink) == widget.get_component_rich_style(name, partial=True), name


async def test_a_colour_that_only_parts_have_shows_when_the_theme_is_changed() -> None:
    app = WidgetApp(line := StatusLine())

    async with app.run_test(size=(110, 5)) as pilot:
        line.show(status())
        for colour in ("#112233", "#445566"):
            app.register_theme(Theme(name="own", primary="#336699", variables={"transcript-time": colour}))
            app.theme = "own"
            app.mutate_reactive(WidgetApp.theme)
            await pilot.pause()
            assert colour in colours_of(app)
