"""Theme files: the shipped ones are readable, a person's are taken as far as they can be."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from mictape.failure import ExitCode
from mictape.themes import (
    GRAPHIC_CONTRAST,
    TEXT_CONTRAST,
    THEME_VARIABLES,
    VOICES,
    contrast,
    load_themes,
    readable,
    shipped_folder,
    theme_variables,
)
from mictape.widgets.level_meter import LevelMeter
from mictape.widgets.status_line import StatusLine
from support.widget_app import WidgetApp

SHIPPED = load_themes(shipped_folder())
MIXABLE = [theme for theme in BUILTIN_THEMES.values() if not theme.ansi]

NAMES = tuple(f"voice-{number}" for number in range(1, VOICES + 1))
LINES = ("foreground", "transcript-time", "transcript-partial", "transcript-gap", "transcript-mark", *NAMES)
TEXTS = {
    "background": LINES,
    "transcript-cursor": LINES,
    "surface": ("foreground", "transcript-time", "transcript-partial", "success", "warning", "error", "accent"),
    "transcript-selection": ("foreground",),
    "panel": ("foreground", "transcript-partial"),
    "transcript-pill": ("background",),
    "block-cursor-background": ("block-cursor-foreground",),
    "block-cursor-blurred-background": ("block-cursor-blurred-foreground",),
    "footer-background": ("footer-key-foreground", "footer-description-foreground"),
    "meter-clip": ("background",),
    "meter-track": ("foreground",),
}
"""Which text stands on which background, in our themes."""

ZONES = ("meter-low", "meter-good", "meter-hot", "meter-clip", "meter-hold")


def colours(theme: Theme) -> dict[str, Color]:
    values = {**theme_variables(theme), **theme.to_color_system().generate(), **theme.variables}
    parsed: dict[str, Color] = {}
    for name, value in values.items():
        with contextlib.suppress(ColorParseError):  # `auto 87%`, `bold`, `initial`
            parsed[name] = Color.parse(value)
    return parsed


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_themes_load_without_a_word() -> None:
    assert SHIPPED.problems == ()
    assert {theme.name for theme in SHIPPED.themes} == {"mictape-dark", "mictape-light", "mictape-contrast"}
    assert {theme.dark for theme in SHIPPED.themes} == {True, False}


@pytest.mark.parametrize("theme", SHIPPED.themes, ids=lambda theme: theme.name)
def test_the_shipped_themes_are_readable(theme: Theme) -> None:
    assert set(THEME_VARIABLES) <= set(theme.variables)
    known = colours(theme)
    least = 7.0 if theme.name == "mictape-contrast" else TEXT_CONTRAST
    poor = {
        f"{text} on {ground}": round(contrast(known[text], known[ground]), 2)
        for ground, texts in TEXTS.items()
        for text in texts
        if contrast(known[text], known[ground]) < least
    }
    assert poor == {}
    for zone in ZONES:
        assert contrast(known[zone], known["meter-track"]) >= GRAPHIC_CONTRAST, zone


@pytest.mark.parametrize("theme", MIXABLE, ids=lambda theme: theme.name)
def test_textuals_own_themes_get_readable_colours(theme: Theme) -> None:
    assert tuple(theme_variables(theme)) == THEME_VARIABLES
    known = colours(theme)
    for text in ("transcript-time", "transcript-partial", "transcript-gap", "transcript-mark", *NAMES):
        assert contrast(known[text], known["transcript-cursor"]) >= TEXT_CONTRAST, text
        assert contrast(known[text], known["background"]) >= TEXT_CONTRAST, text
    assert contrast(known["background"], known["transcript-pill"]) >= TEXT_CONTRAST
    assert contrast(known["foreground"], known["transcript-selection"]) >= TEXT_CONTRAST
    for zone in ZONES:
        assert contrast(known[zone], known["meter-track"]) >= GRAPHIC_CONTRAST, zone


@pytest.mark.parametrize("name", [*BUILTIN_THEMES, *(theme.name for theme in SHIPPED.themes)])
async def test_every_theme_draws_the_widgets(name: str) -> None:
    async with (app := WidgetApp(StatusLine(), LevelMeter(), theme=name)).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.sees("−60")


def test_contrast_is_wcags() -> None:
    assert contrast(Color.parse("#000000"), Color.parse("#ffffff")) == pytest.approx(21)
    assert contrast(Color.parse("#777777"), Color.parse("#ffffff")) == pytest.approx(4.48, abs=0.01)


_colour = st.builds(Color, *[st.integers(0, 255)] * 3)


@given(_colour, _colour)
def test_readable_reaches_any_ratio_up_to_text(colour: Color, ground: Color) -> None:
    # Black or white reach 4.58 on every colour.
    assert contrast(readable(colour, ground, TEXT_CONTRAST), ground) >= TEXT_CONTRAST - 0.05


def test_a_short_theme_of_ones_own_is_enough(tmp_path: Path) -> None:
    write(
        tmp_path,
        "mine.toml",
        'primary = "teal"\naccent = "red"\n[variables]\nmeter-hot = "orange"\ntext-muted = "auto 70%"\n',
    )
    loaded = load_themes(tmp_path)
    assert loaded.problems == ()
    (theme,) = loaded.themes
    assert (theme.name, theme.primary, theme.accent, theme.dark) == ("mine", "teal", "red", True)
    assert theme.variables == {"meter-hot": "orange", "text-muted": "auto 70%"}


@pytest.mark.parametrize(
    ("line", "what", "remedy"),
    [
        ('primry = "red"', 'no field is called "primry"', "Did you mean primary?"),
        ('accent = "#12345"', '"accent" is "#12345", not a colour', "Write a colour like accent = "),
        ('background = "#0030"', '"background" is "#0030", which is transparent', 'background = "#000033"'),
        ("accent = 5", '"accent" is 5, not a colour in quotes', "Write a colour like accent = "),
        ('dark = "yes"', '"dark" is "yes", not true or false', "Write dark = true or dark = false"),
        ("text_alpha = 7", '"text_alpha" is 7, not a number from 0 to 1', "Write a number like text_alpha = 0.15"),
        ('name = ""', '"name" is "", not a word', "Leave it out to use the file's own name"),
        ('meter-hot = "red"', '"meter-hot" is a variable, not a field of a theme', "Move it below [variables]"),
        ("variables = 3", '"variables" is not a table', "Put the colours below a line that says [variables]"),
        ('[variables]\nmeter-hott = "red"', 'no variable is called "meter-hott"', "Did you mean meter-hot?"),
        ('[variables]\nmeter-hot = "redd"', '"meter-hot" is "redd", not a colour', 'meter-hot = "red"'),
        ('[variables]\nmeter-hot = "red 5"', '"meter-hot" is "red 5", not a colour', "Write a colour like"),
        ('[variables]\nlink-style = "bald"', '"link-style" is "bald", not a text style', "Did you mean bold?"),
    ],
)
def test_a_mistake_is_reported_with_file_field_and_proposal_and_the_rest_loads(
    tmp_path: Path, line: str, what: str, remedy: str
) -> None:
    path = write(tmp_path, "mine.toml", f'primary = "teal"\n{line}\n')
    write(tmp_path, "other.toml", 'primary = "red"\n')
    loaded = load_themes(tmp_path)
    (problem,) = loaded.problems
    assert problem.what == f"{path}: {what}"
    assert remedy in problem.remedy
    assert problem.code == ExitCode.USAGE
    assert [theme.name for theme in loaded.themes] == ["mine", "other"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("primary = ", "not TOML"),
        ('accent = "red"', 'no usable "primary"'),
        ('primary = "nonsense"', 'no usable "primary"'),
    ],
)
def test_a_file_without_a_theme_is_reported_and_the_others_load(tmp_path: Path, text: str, what: str) -> None:
    path = write(tmp_path, "broken.toml", text)
    write(tmp_path, "other.toml", 'primary = "red"\n')
    loaded = load_themes(tmp_path)
    assert any(problem.what.startswith(f"{path}: {what}") for problem in loaded.problems)
    assert [theme.name for theme in loaded.themes] == ["other"]


def test_bytes_and_folders_named_like_themes_are_reported(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.toml").mkdir()
    loaded = load_themes(tmp_path)
    assert loaded.themes == ()
    assert len(loaded.problems) == 2


def test_ones_own_theme_goes_before_a_shipped_one_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, "a.toml", 'name = "mictape-dark"\nprimary = "red"\n')
    loaded = load_themes(shipped_folder(), tmp_path)
    assert {theme.name: theme.primary for theme in loaded.themes}["mictape-dark"] == "red"
    assert len(loaded.themes) == len(SHIPPED.themes)


def test_a_folder_that_is_not_there_holds_no_themes(tmp_path: Path) -> None:
    assert load_themes(tmp_path / "none").themes == ()


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.integers(), st.text(max_size=8), st.booleans())))
def test_nothing_in_a_file_raises(tmp_path_factory: pytest.TempPathFactory, values: dict[str, object]) -> None:
    def quoted(text: str) -> str:
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in text) + '"'

    lines = [
        f"{quoted(name)} = {quoted(value) if isinstance(value, str) else str(value).lower()}"
        for name, value in values.items()
    ]
    path = tmp_path_factory.mktemp("themes") / "any.toml"
    path.write_text("\n".join([*lines, "[variables]", *lines]), encoding="utf-8")
    assert load_themes(path.parent).themes == ()
