"""The command `config`: where the configuration is, what is in force, and one to begin with."""

import argparse
import json
import os
from collections.abc import Mapping
from typing import cast

from mictape.cli import output
from mictape.cli.options import RECORDING, Commands, add_settings, settings_of
from mictape.failure import ExitCode
from mictape.paths import PRIVATE_FILE, Places, make_folder
from mictape.plain_text import safe_json
from mictape.settings import DECLARATIONS, KEYS, PRESETS, ChosenDevice, Origin, Settings
from mictape.settings.document import mistake
from mictape.settings.documentation import example


def add(commands: Commands) -> None:
    """Add the command."""
    config = commands.add_parser("config", help="show the settings in force, or write a config.toml to begin with")
    what = config.add_subparsers(dest="action", metavar="show|path|init", required=True)
    show = what.add_parser("show", help="every setting: its value, and where that was set")
    add_settings(show, *RECORDING, "theme")
    show.add_argument("--json", action="store_true", help="one JSON document")
    show.set_defaults(run=_show)
    what.add_parser("path", help="where config.toml is read from").set_defaults(run=_path)
    what.add_parser("init", help="write a commented config.toml, where there is none").set_defaults(run=_init)


def _show(arguments: argparse.Namespace, where: Places) -> int:
    settings = settings_of(arguments, where)
    rows = [(name, _value(settings, name), _origin(settings, name)) for name in DECLARATIONS]
    rows += [
        (f"engines.{engine}.{key}", value, _origin(settings, f"engines.{engine}.{key}"))
        for engine, options in settings.engines.items()
        for key, value in options.items()
    ]
    rows += [(f"{KEYS}.{id}", keys, _origin(settings, f"{KEYS}.{id}")) for id, keys in settings.keys.items()]
    presets = cast("Mapping[str, object]", settings.document.values.get(PRESETS, {}))
    rows += [(f"{PRESETS}.{name}", each, settings.document.where(PRESETS, name)) for name, each in presets.items()]
    if arguments.json:
        print(output.as_json([dict(zip(("name", "value", "origin"), row, strict=True)) for row in rows]))
        return _checked(settings, where)
    for name, value, origin in rows:
        print(f"{name:<18} {safe_json(json.dumps(value, ensure_ascii=False, default=str)):<22} {origin}")
    return _checked(settings, where)


def _checked(settings: Settings, where: Places) -> int:
    """See that the keys and the theme that are set exist, which only the commands and the theme files say."""
    from mictape.keys import keymap_of
    from mictape.themes import check_theme

    keymap_of(settings)
    if place := settings.place("theme"):
        check_theme(settings.theme, place, where.themes)
    return ExitCode.DONE


def _value(settings: Settings, name: str) -> object:
    value: object = settings
    for key in DECLARATIONS[name].keys:
        value = getattr(value, key)
    return f"{value.name} ({value.host_api})" if isinstance(value, ChosenDevice) else value


def _origin(settings: Settings, name: str) -> str:
    """Where a value was set, in full where that has a place."""
    return settings.place(*name.split(".")) or settings.origins.get(name, Origin.DEFAULT)


def _path(arguments: argparse.Namespace, where: Places) -> int:
    print(where.config_file)
    return ExitCode.DONE


def _init(arguments: argparse.Namespace, where: Places) -> int:
    path = where.config_file
    make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    except FileExistsError:
        raise mistake(f"{path} exists already", "Edit it; docs/configuration.md lists all settings") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(example())
    print(f"{path} was written.")
    return ExitCode.DONE
