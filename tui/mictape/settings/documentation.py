"""The settings as text, made from their declarations: docs/configuration.md, and a `config.toml` to begin with."""

import json
from collections.abc import Iterator
from typing import Final

from mictape.settings.schema import DECLARATIONS, Declaration

HEAD: Final = """\
# Configuration

<!-- Made from the settings' declarations by scripts/generate_docs.py; do not edit. -->

Mictape reads `config.toml` and never changes it. `mictape config path` prints where it is, `mictape config init` writes
one to begin with, and `mictape config show` lists every value in force and where it was set.

Where a setting has several values, the first of these counts: an option on the command line, an environment variable,
`config.toml`, a choice made in the app, the default. `--set NAME=VALUE` sets any setting by its name below
(`--set audio.channel=1`); any other name without a dot is an option of the engine in force
(`--set url=ws://127.0.0.1:2700`). The value is TOML; what is not TOML is text. An unknown name and an invalid value are
errors that name the file and the line.
"""

ENGINES_PART: Final = """\
## `[keys]`

The keys of single commands of the full-screen app, by the command's id: `mark = "f6"`, `copy = ["y", "ctrl+y"]`.
[keys.md](keys.md) lists the ids and the keys of both maps. One key for two commands is an error.

## `[presets.NAME]`

Settings that are chosen together. With

    [presets.meeting]
    device = "Blue Yeti"
    also = ["Monitor"]
    names = ["Me", "Client"]
    language = "en"

`mictape meeting` starts with all of them, and `mictape listen --preset meeting` does so without the screen. A preset
takes every setting above; it goes before the environment, and options go before it. A name is a command when it has
nothing but letters, digits, `.`, `-` and `_`; any name goes with `--preset`.

## `[engines.NAME]`

The options of an engine, one table for each. `mictape engines` lists the engines. API keys do not belong here:
`mictape login NAME` keeps one in the system's keyring.
"""


def markdown() -> str:
    """docs/configuration.md."""
    parts = [HEAD]
    table: tuple[str, ...] | None = None
    for each in DECLARATIONS.values():
        if each.keys[:-1] != table:
            table = each.keys[:-1]
            parts.append(f"## `[{'.'.join(table)}]`\n" if table else "## Top level\n")
        parts.append("\n".join(_entry(each)) + "\n")
    return "\n".join([*parts, ENGINES_PART])


def example() -> str:
    """A `config.toml` in which every setting stands as a comment."""
    lines = ["# Mictape's settings. Remove the # before a line to set it."]
    table: tuple[str, ...] = ()
    for each in DECLARATIONS.values():
        if each.keys[:-1] != table:
            table = each.keys[:-1]
            lines += ["", f"[{'.'.join(table)}]"]
        lines += ["", f"# {each.about.help}.", f"# Value: {each.allowed}.", f"# {each.keys[-1]} = {_toml(each)}"]
    return "\n".join(lines) + "\n"


def _entry(each: Declaration) -> Iterator[str]:
    yield f"### `{each.keys[-1]}`\n"
    yield f"{each.about.help}.\n"
    yield f"- Value: {each.allowed}"
    yield f"- Default: {'none' if each.default in (None, ()) else f'`{json.dumps(each.default)}`'}"
    yield f"- Environment: `{each.variable}`"
    if option := each.about.option:
        yield f"- Option: `{option}`" + (f", `--no-{option.removeprefix('--')}`" if each.flag else "")
    if each.about.example:
        yield f"- Example: `{each.keys[-1]} = {each.about.example}`"
    if each.about.remembered:
        yield "- A choice made in the app is remembered."


def _toml(each: Declaration) -> str:
    """The example of a setting, else its default: JSON writes text, numbers, truth and lists as TOML does."""
    return each.about.example or json.dumps(each.default)
