"""Theme files: TOML with Textual's theme fields and Mictape's own colours, made into Textual themes.

A file is a table of Textual's fields (`primary`, `background`, `dark`, …) with a table `[variables]` for
single colours: Textual's own names and those of `THEME_VARIABLES`. What is not understood is reported with
file, field and a proposal; everything else still loads.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, cast

import msgspec
from msgspec import Struct
from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.plain_text import did_you_mean
from mictape.settings.document import shown
from mictape.text_files import read_text, toml

TEXT_CONTRAST: Final = 4.5
"""Least contrast of text and its background: WCAG 2.2, success criterion 1.4.3."""

GRAPHIC_CONTRAST: Final = 3.0
"""Least contrast of a part that carries meaning and what is beside it: WCAG 2.2, criterion 1.4.11."""

VOICES: Final = 6
"""Colours for names of voices: `voice-1` and so on; a seventh voice has the first one again."""

THEME_VARIABLES: Final = (
    "meter-low",
    "meter-good",
    "meter-hot",
    "meter-clip",
    "meter-hold",
    "meter-track",
    "transcript-time",
    "transcript-partial",
    "transcript-gap",
    "transcript-cursor",
    "transcript-selection",
    "transcript-mark",
    "transcript-pill",
    *(f"voice-{number}" for number in range(1, VOICES + 1)),
)
"""Mictape's own colours. `-track`, `-cursor`, `-selection` and `-pill` are backgrounds: of the meter zones, of the
cursor's line, of what is selected (in the colour `foreground`), and of text in the colour `background`."""

_COLOURS: Final = (
    "primary",
    "secondary",
    "warning",
    "error",
    "success",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)
FALLBACK_THEME: Final = "textual-dark"
"""Textual's own, which is there even where Mictape's are missing."""

_NUMBERS: Final = ("luminosity_spread", "text_alpha")
_FLAGS: Final = ("dark", "ansi")
_FIELDS: Final = ("name", *_COLOURS, *_NUMBERS, *_FLAGS, "variables")

_STYLES: Final = ("none", "not", "bold", "dim", "italic", "underline", "underline2", "reverse", "strike", "overline")
_PERCENT: Final = re.compile(r"\d+(\.\d+)?%")

_LINEAR_BELOW: Final = 0.04045
"""Up to here an sRGB channel is linear: IEC 61966-2-1."""

_Fault = tuple[str, str]
"""What is wrong with a value, and the remedy."""


class Loaded(Struct, frozen=True):
    """What the theme files gave."""

    themes: tuple[Theme, ...]
    problems: tuple[Failure, ...]
    """What could not be used, each with file, field and a proposal."""


def shipped_folder() -> Path:
    """Where the themes that come with Mictape are: in the wheel, or at the top of a checkout."""
    package = Path(__file__).parent
    inside = package / "_themes"
    return inside if inside.is_dir() else package.parents[1] / "themes"


def shipped_theme(name: str) -> Theme | None:
    """One theme that comes with Mictape, as it is: only the person's own need a check. None where there is none."""
    try:
        theme = msgspec.convert({"name": name, **toml(read_text(shipped_folder() / f"{name}.toml"))}, Theme)
    except (OSError, ValueError):
        return None
    return theme if theme.name == name else None


def load_themes(*folders: Path) -> Loaded:
    """Read every `*.toml` of the folders, in order of name; a later theme replaces one of the same name.

    A folder that does not exist holds no themes. Never raises for what a file says.
    """
    themes: dict[str, Theme] = {}
    problems: list[Failure] = []
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            theme = _load(path, problems)
            if theme is not None:
                themes[theme.name] = theme
    return Loaded(tuple(themes.values()), tuple(problems))


def all_themes(own: Path) -> Loaded:
    """The themes that come with Mictape, and those in the user's folder; without the first ones a problem says so."""
    shipped = shipped_folder()
    loaded = load_themes(shipped, own)
    if shipped.is_dir():
        return loaded
    missing = Failure(
        f"The themes that come with Mictape are missing: there is no folder {shipped}", "Install it again"
    )
    return Loaded(loaded.themes, (missing, *loaded.problems))


def check_theme(name: str, place: str, folder: Path) -> None:
    """Check that the theme of the settings exists: in Mictape, in Textual, or in the user's folder.

    Args:
        name: The theme.
        place: Where it was set, for the message.
        folder: Where the user's own themes are.

    Raises:
        MictapeError: (`ExitCode.USAGE`) there is none of that name; when a file in the folder is at fault, it says so.
    """
    loaded = all_themes(folder)
    known = [*(theme.name for theme in loaded.themes), *BUILTIN_THEMES]
    if name not in known:
        broken = [each for each in loaded.problems if f"{name}.toml" in each.what]
        remedy = str(broken[0]) if broken else did_you_mean(name, known) or f"Use {', '.join(known)}"
        raise MictapeError(Failure(f"There is no theme {shown(name)} ({place})", remedy.rstrip("."), ExitCode.USAGE))


def css_variables(theme: Theme) -> dict[str, str]:
    """Every variable of the style sheets: Textual's, derived from the theme, ours, and what the theme says itself."""
    colours = theme.to_color_system().generate()
    return {**theme_variables(theme, colours), **colours, **theme.variables}


def theme_variables(theme: Theme, colours: Mapping[str, str] | None = None) -> dict[str, str]:
    """Every variable of `THEME_VARIABLES`, derived from the theme's own colours.

    What `App.get_theme_variable_defaults` returns, so that Textual's built-in themes and a user's short
    ones can draw everything; what a theme's `variables` say goes before it. Text reaches `TEXT_CONTRAST`,
    meter zones reach `GRAPHIC_CONTRAST`, except in themes made of the terminal's own colours.

    Args:
        theme: The theme.
        colours: What Textual derives from it, if that is known already.
    """
    if colours is None:
        colours = theme.to_color_system().generate()
    background, foreground = Color.parse(colours["background"]), Color.parse(colours["foreground"])
    if theme.ansi or background.ansi is not None or foreground.ansi is not None:
        return _terminal_variables(colours)
    track = background.blend(foreground, 0.12, 1)
    cursor = background.blend(foreground, 0.07, 1)
    selection = background.blend(Color.parse(colours["primary"]), 0.4, 1)

    def zone(name: str) -> str:
        return readable(Color.parse(colours[name]), track, GRAPHIC_CONTRAST).hex6

    def text(colour: Color) -> str:
        return readable(colour, cursor, TEXT_CONTRAST).hex6

    return {
        "meter-low": zone("primary"),
        "meter-good": zone("success"),
        "meter-hot": zone("warning"),
        "meter-clip": zone("error"),
        "meter-hold": foreground.hex6,
        "meter-track": track.hex6,
        "transcript-time": text(background.blend(foreground, 0.55, 1)),
        "transcript-partial": text(foreground.blend(background, 0.2, 1).blend(Color.parse(colours["primary"]), 0.3, 1)),
        "transcript-gap": text(Color.parse(colours["warning"])),
        "transcript-cursor": cursor.hex6,
        "transcript-selection": readable(selection, foreground, TEXT_CONTRAST).hex6,
        "transcript-mark": text(Color.parse(colours["accent"])),
        "transcript-pill": readable(Color.parse(colours["primary"]), background, TEXT_CONTRAST).hex6,
        **{name: text(Color.parse(colour)) for name, colour in _voices(colours).items()},
    }


def contrast(one: Color, other: Color) -> float:
    """The contrast of two opaque colours, 1 to 21, by WCAG 2.2's definition of contrast ratio."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def readable(colour: Color, background: Color, ratio: float) -> Color:
    """`colour`, moved towards black or white only as far as its contrast with `background` needs."""
    black, white = Color(0, 0, 0), Color(255, 255, 255)
    end = max(black, white, key=lambda pole: contrast(pole, background))
    for step in range(21):
        moved = colour.blend(end, step / 20, 1)
        if contrast(moved, background) >= ratio:
            return moved
    return end


def _luminance(colour: Color) -> float:
    """Relative luminance, 0 to 1, by WCAG 2.2."""
    red, green, blue = (
        channel / 12.92 if channel <= _LINEAR_BELOW else ((channel + 0.055) / 1.055) ** 2.4
        for channel in colour.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _terminal_variables(colours: Mapping[str, str]) -> dict[str, str]:
    """For themes in the terminal's own sixteen colours, which cannot be mixed."""
    return {
        "meter-low": colours["primary"],
        "meter-good": colours["success"],
        "meter-hot": colours["warning"],
        "meter-clip": colours["error"],
        "meter-hold": "ansi_default",
        "meter-track": "ansi_default",
        "transcript-time": colours["secondary"],
        "transcript-partial": "ansi_default",
        "transcript-gap": colours["warning"],
        "transcript-cursor": "ansi_default",
        "transcript-selection": colours["primary"],
        "transcript-mark": colours["accent"],
        "transcript-pill": colours["primary"],
        **_voices(colours),
    }


def _voices(colours: Mapping[str, str]) -> dict[str, str]:
    """The colours of voices, before they are made readable."""
    names = ("primary", "accent", "success", "secondary", "error", "warning")
    return {f"voice-{number}": colours[name] for number, name in enumerate(names, 1)}


def _load(path: Path, problems: list[Failure]) -> Theme | None:
    """One file; what it gets wrong is added to `problems`. None when no theme can be made of it."""

    def problem(what: str, remedy: str) -> None:
        problems.append(Failure(f"{path}: {what}", remedy, ExitCode.USAGE))

    try:
        table = toml(read_text(path))
    except OSError as error:
        problem(f"cannot be read ({error.strerror})", "Check the file's permissions")
        return None
    except ValueError as error:
        problem(f"not TOML ({error})", "Correct the line, or compare it with a theme that comes with Mictape")
        return None
    fields = {name: value for name, value in table.items() if name != "variables"}
    fields = _kept(fields, _field_fault, problem)
    variables = table.get("variables", {})
    if not isinstance(variables, dict):
        problem('"variables" is not a table', "Put the colours below a line that says [variables]")
        variables = {}
    fields["variables"] = _kept(cast("dict[str, object]", variables), _variable_fault, problem)
    if "primary" not in fields:
        problem('no usable "primary", the one colour every theme needs', 'Add a line like: primary = "#7fa8cf"')
        return None
    return msgspec.convert({"name": path.stem, **fields}, Theme)


def _kept(
    values: Mapping[str, object], fault: Callable[[str, object], _Fault | None], problem: Callable[[str, str], None]
) -> dict[str, object]:
    """The values that have no fault; the faults of the others are reported to `problem`."""
    kept: dict[str, object] = {}
    for name, value in values.items():
        wrong = fault(name, value)
        if wrong is None:
            kept[name] = value
        else:
            problem(*wrong)
    return kept


def _field_fault(name: str, value: object) -> _Fault | None:
    """What is wrong with one of Textual's fields."""
    if name not in _FIELDS:
        if name in _known_variables():
            return f"{shown(name)} is a variable, not a field of a theme", f"Move it below [variables]: {name} = …"
        return _unknown("field", name, _FIELDS)
    if name in _COLOURS:
        return _colour_fault(name, value)
    fault: _Fault | None = None
    if name in _FLAGS and not isinstance(value, bool):
        fault = (f"{shown(name)} is {shown(value)}, not true or false", f"Write {name} = true or {name} = false")
    elif name in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1):
        fault = (f"{shown(name)} is {shown(value)}, not a number from 0 to 1", f"Write a number like {name} = 0.15")
    elif name == "name" and (not isinstance(value, str) or not value.strip()):
        fault = (f'"name" is {shown(value)}, not a word', "Leave it out to use the file's own name")
    return fault


def _variable_fault(name: str, value: object) -> _Fault | None:
    """What is wrong with one line below [variables]."""
    known = _known_variables()
    if name not in known:
        return _unknown("variable", name, known)
    if not name.endswith("style"):
        return _colour_fault(name, value, within_css=True)
    words = value.split() if isinstance(value, str) else []
    wrong = [word for word in words if word not in _STYLES]
    if wrong or not words:
        remedy = did_you_mean(" ".join(wrong), _STYLES) or "Use bold"
        return f"{shown(name)} is {shown(value)}, not a text style", remedy
    return None


def _colour_fault(name: str, value: object, *, within_css: bool = False) -> _Fault | None:
    """What is wrong with a colour; within CSS it may be `auto` or `initial` and may end in an opacity, `50%`."""
    if not isinstance(value, str):
        return f"{shown(name)} is {shown(value)}, not a colour in quotes", f'Write a colour like {name} = "#7fa8cf"'
    colour, _, opacity = value.partition(" ")
    if within_css and (not opacity or _PERCENT.fullmatch(opacity)):
        if colour in {"auto", "initial"}:
            return None
    else:
        colour = value
    try:
        parsed = Color.parse(colour)
    except ColorParseError as error:
        like = error.suggested_color or "#7fa8cf"
        return f"{shown(name)} is {shown(value)}, not a colour", f'Write a colour like {name} = "{like}"'
    if parsed.a < 1 and not within_css and name != "boost":  # which Textual itself lays over other colours
        return f"{shown(name)} is {shown(value)}, which is transparent", f'Write a colour like {name} = "{parsed.hex6}"'
    return None


def _unknown(what: str, name: str, known: Iterable[str]) -> _Fault:
    otherwise = "Use one of those in a theme that comes with Mictape"
    return f"no {what} is called {shown(name)}", did_you_mean(name, known) or otherwise


@functools.cache
def _known_variables() -> frozenset[str]:
    """Every variable a theme file may set: Mictape's own and all that Textual derives from a theme."""
    return frozenset(THEME_VARIABLES) | frozenset(Theme(name="any", primary="#000000").to_color_system().generate())
