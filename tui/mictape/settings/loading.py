"""Which value of a setting is in force.

Option > environment > `config.toml` > remembered > default. `config.toml` is the user's: it is read strictly and never
written.
"""

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mictape.engines import catalog
from mictape.failure import MictapeError
from mictape.paths import Places
from mictape.settings.document import Document, from_text, mistake, nearest, read, shown
from mictape.settings.remembered import Choices, recall
from mictape.settings.schema import (
    DECLARATIONS,
    DEFAULT_ENGINE,
    ENGINES,
    FREE,
    KEYS,
    PRESET,
    PRESETS,
    TABLES,
    Declaration,
    Origin,
    Settings,
)
from mictape.text_files import read_text

SET: Final = "--set"

_log = logging.getLogger(__name__)

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML takes without quotes."""

NAMES: Final = "names"
LOCAL: Final = "local"
LOCAL_MODEL: Final = f"{ENGINES}.{LOCAL}.model"

_TRUTH: Final = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}

_Table = Mapping[str, object]


class Given(NamedTuple):
    """One value from the command line."""

    option: str
    """The option that gave it, for a message: `--backend`."""
    name: str
    """The setting's dotted name; with `--set` also the bare name of an option of the engine in force."""
    value: object
    """Text as it was typed, or what `--set` made of it."""


class _Found(Struct, frozen=True):
    """A value, checked, and where it comes from."""

    value: object
    origin: Origin
    option: str = ""


def load(places: Places, given: Sequence[Given] = (), environ: Mapping[str, str] = os.environ) -> Settings:
    """Find out all settings.

    Args:
        places: Where `config.toml` and `state.toml` are.
        given: What the command line says. The last value of a setting counts; of a list, all together.
        environ: Where `MICTAPE_…` variables are looked up; an empty one counts as not set.

    Raises:
        MictapeError: (`ExitCode.USAGE`) a value is wrong; the message says where it was given and what it can be.
    """
    document = read_config(places.config_file)
    preset = next((str(value) for _, name, value in reversed(given) if name == PRESET), None)
    choices = recall(places.state_file)
    below = {
        **_remembered(choices),
        **_configured(document),
        **_from_environment(environ),
        **(_of_preset(document, preset) if preset is not None else {}),
    }
    found = {**below, **_with_other_names(_given(given), below)}
    settings = replace(_made(found, document), preset=preset)
    options = [each for each in given if each.name not in DECLARATIONS and each.name != PRESET]
    return _with_keys(_with_engines(settings, options, choices.model))


def read_config(path: Path) -> Document:
    """Read and check `config.toml`; one that does not exist is empty.

    Raises:
        MictapeError: (`ExitCode.USAGE`) it cannot be read or has a mistake.
    """
    document = read(path)
    _check_names(document, document.values)
    _configured(document)
    for table in (ENGINES, PRESETS):
        for name, options in _table(document, table).items():
            if not isinstance(options, dict):
                place = f"{table}.{name} in {document.where(table, name)}"
                raise _invalid(place, options, f"a table: [{table}.{name}]")
    for name, options in _table(document, PRESETS).items():
        _check_names(document, cast("_Table", options), (PRESETS, name), within=2)
        _of_preset(document, name)
    for id, keys in _table(document, KEYS).items():
        if _keys(keys) is None:
            raise _invalid(
                f"{KEYS}.{id} in {document.where(KEYS, id)}", keys, 'a key or a list of keys, like "x" or ["x", "f5"]'
            )
    return document


def check_engines(settings: Settings) -> Settings:
    """See that each engine that is named exists; what is only remembered gives way to the default.

    Raises:
        MictapeError: (`ExitCode.USAGE`) there is none of that name; the message says where it was given.
    """
    for name in settings.engines:
        if not catalog.exists(name):
            configured = name in _table(settings.document, ENGINES)
            raise _no_engine(name, settings.document.where(ENGINES, name) if configured else SET)
    if not catalog.exists(settings.engine):
        if settings.origins["engine"] is not Origin.REMEMBERED:
            raise _no_engine(settings.engine, settings.place("engine"))
        _log.warning("the engine %s, chosen before, does not exist any more", settings.engine)
        settings = replace(settings, engine=DEFAULT_ENGINE)
    return _without_lost_model(settings)


def _without_lost_model(settings: Settings) -> Settings:
    """The settings without a local model chosen in the app, where it is gone or does not know the language."""
    if settings.origins.get(LOCAL_MODEL) is not Origin.REMEMBERED:
        return settings
    from mictape.models import catalogue, choice
    from mictape.models.store import Store
    from mictape.paths import places

    where, local = places(), dict(settings.engines[LOCAL])
    try:
        known = catalogue.load(where.config)
        choice.choose(known, Store.here(where).installed(known), settings.language, str(local["model"]), None)
    except MictapeError as error:
        _log.warning("the model chosen before is not used: %s", error.failure.what)
        del local["model"]
        return replace(settings, engines={**settings.engines, LOCAL: local})
    return settings


def _no_engine(name: str, place: str) -> MictapeError:
    return mistake(f"There is no engine {shown(name)} ({place})", nearest(name, catalog.names()))


def assignment(text: str) -> Given:
    """What `--set KEY=VALUE` says; the value is read by `from_text`.

    KEY is a name as in `config.toml`, dotted when it is in a table (`audio.channel`, `engines.vosk.url`). A bare name
    that is no setting of Mictape's is an option of the engine in force.

    Raises:
        MictapeError: (`ExitCode.USAGE`) it is no assignment, or there is no such setting. The value is not repeated: it
            may be a key.
    """
    name, equals, value = text.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(map(_BARE_KEY.fullmatch, keys)):
        raise mistake(f"{SET} needs a name and a value", f"Write it as {SET} NAME=VALUE")
    name = ".".join(keys)
    of_an_engine = len(keys) == 1 or (keys[0] == ENGINES and len(keys) == 3)  # noqa: PLR2004 (engines.NAME.OPTION)
    if name not in DECLARATIONS and not of_an_engine:
        raise mistake(f"Unknown setting {name} ({SET})", nearest(name, DECLARATIONS))
    return Given(SET, name, from_text(value))


def _made(found: Mapping[str, _Found], document: Document) -> Settings:
    """The settings, without those of engines."""
    values: dict[str, Any] = {name: each.value for name, each in found.items() if "." not in name}
    for table, kind in TABLES.items():
        of_table = {name.removeprefix(f"{table}."): each.value for name, each in found.items()}
        values[table] = kind(**{key: value for key, value in of_table.items() if f"{table}.{key}" in found})
    return Settings(
        **values,
        origins={name: each.origin for name, each in found.items()},
        options={name: each.option for name, each in found.items() if each.option},
        document=document,
    )


def _with_engines(settings: Settings, given: Sequence[Given], model: str | None) -> Settings:
    """Add the options of engines: of the configuration, of `--set`, and the local model chosen in the app."""
    document = settings.document
    engines = {name: dict(cast("_Table", table)) for name, table in _table(document, ENGINES).items()}
    origins = {f"{ENGINES}.{name}.{key}": Origin.CONFIG for name, table in engines.items() for key in table}
    if model and LOCAL_MODEL not in origins:
        engines.setdefault(LOCAL, {})["model"] = model
        origins[LOCAL_MODEL] = Origin.REMEMBERED
    options: dict[str, str] = {}
    for option, name, value in given:
        engine, _, key = name.removeprefix(f"{ENGINES}.").rpartition(".")
        engines.setdefault(engine or settings.engine, {})[key] = value
        origins[f"{ENGINES}.{engine or settings.engine}.{key}"] = Origin.OPTION
        options[f"{ENGINES}.{engine or settings.engine}.{key}"] = option
    return replace(
        settings, engines=engines, origins={**settings.origins, **origins}, options={**settings.options, **options}
    )


def _check_names(document: Document, table: _Table, above: tuple[str, ...] = (), within: int = 0) -> None:
    """See that every key is a setting or a table of settings.

    Args:
        document: For the message.
        table: What is looked at.
        above: The tables that it is in.
        within: How many of those are not part of a setting's name.
    """
    inside = above[within:]
    names = [each.keys for each in DECLARATIONS.values() if each.keys[: len(inside)] == inside]
    known = dict.fromkeys(keys[len(inside)] for keys in names) | ({} if above else dict.fromkeys(FREE))
    for key, value in table.items():
        keys = (*above, key)
        if key not in known:
            raise mistake(f"Unknown setting {'.'.join(keys)} ({document.where(*keys)})", nearest(key, known))
        if ".".join((*inside, key)) not in DECLARATIONS:
            if not isinstance(value, dict):
                raise _invalid(f"{'.'.join(keys)} in {document.where(*keys)}", value, f"a table: [{'.'.join(keys)}]")
            if above or key not in FREE:
                _check_names(document, cast("_Table", value), keys, within)


def _table(document: Document, *keys: str) -> _Table:
    """A table of the configuration; empty where there is none."""
    table: object = document.values
    for key in keys:
        table = cast("_Table", table).get(key, {}) if isinstance(table, dict) else {}
    return cast("_Table", table)


def _configured(document: Document, *above: str, origin: Origin = Origin.CONFIG) -> dict[str, _Found]:
    """The settings in a table of the configuration; without a name in all of it."""
    found: dict[str, _Found] = {}
    for name, each in DECLARATIONS.items():
        keys = (*above, *each.keys)
        table = _table(document, *keys[:-1])
        if keys[-1] in table:

            def label(keys: tuple[str, ...] = keys) -> str:
                return f"{'.'.join(keys)} in {document.where(*keys)}"

            found[name] = _Found(_checked(each, table[keys[-1]], label), origin)
    return found


def _of_preset(document: Document, preset: str) -> dict[str, _Found]:
    """The settings of a preset. Raises MictapeError when there is none of that name."""
    presets = _table(document, PRESETS)
    if preset not in presets:
        remedy = nearest(preset, presets) if presets else f"Add [{PRESETS}.{preset}] to {document.path}"
        raise mistake(f"There is no preset {shown(preset)}", remedy)
    return _configured(document, PRESETS, preset, origin=Origin.PRESET)


def _keys(value: object) -> tuple[str, ...] | None:
    """The keys of a command: one or a list of them; None when it is something else."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        return None
    keys = cast("list[object]", values)
    return tuple(cast("list[str]", keys)) if all(isinstance(each, str) for each in keys) else None


def _with_keys(settings: Settings) -> Settings:
    """Add the keys of commands."""
    keys = {id: _keys(value) or () for id, value in _table(settings.document, KEYS).items()}
    origins = {f"{KEYS}.{id}": Origin.CONFIG for id in keys}
    return replace(settings, keys=keys, origins={**settings.origins, **origins})


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Found]:
    return {
        name: _Found(_read(each, text, each.variable), Origin.ENVIRONMENT)
        for name, each in DECLARATIONS.items()
        if (text := environ.get(each.variable, "").strip())
    }


def _given(given: Sequence[Given]) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for option, name, typed in given:
        if (each := DECLARATIONS.get(name)) is None:
            continue  # an option of an engine
        from_file = each.about.from_file and option == each.about.option
        value = lines_of(Path(str(typed)), option) if from_file else typed
        new = _read(each, value, option if option != SET else f"{name} ({SET})")
        if each.many and name in found:
            new = (*cast("tuple[object, ...]", found[name].value), *cast("tuple[object, ...]", new))
        found[name] = _Found(new, Origin.OPTION, option)
    return found


def _with_other_names(given: dict[str, _Found], below: Mapping[str, _Found]) -> dict[str, _Found]:
    """What the options say; `--name` names the first tracks, and the others keep the names that they have."""
    names, others = given.get(NAMES), below.get(NAMES)
    if names is None or others is None or names.option == SET:
        return given
    first, all = (cast("tuple[str, ...]", each.value) for each in (names, others))
    return {**given, NAMES: replace(names, value=(*first, *all[len(first) :]))}


def lines_of(path: Path, option: str) -> list[str]:
    """The lines of a text file that have something on them, without the space around it.

    Raises:
        MictapeError: (`ExitCode.USAGE`) it cannot be read.
    """
    try:
        text = read_text(path, pipe=True)
    except OSError as error:
        raise mistake(f"{path} ({option}) cannot be read: {error.strerror or error}", "Give a text file") from None
    except UnicodeDecodeError:
        raise mistake(f"{path} ({option}) is not UTF-8 text", "Save it as UTF-8, with one value on each line") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _remembered(choices: Choices) -> dict[str, _Found]:
    remembered = [each.name for each in DECLARATIONS.values() if each.about.remembered]
    found = {name: _Found(getattr(choices, name), Origin.REMEMBERED) for name in remembered}
    return {name: each for name, each in found.items() if each.value is not None}


def _read(each: Declaration, value: object, label: str) -> object:
    """A value that was typed outside a TOML file: text is taken for what the setting is."""
    if isinstance(value, str):
        if each.flag:
            return _checked(each, _TRUTH.get(value.lower(), value), lambda: label)
        if each.many:
            value = from_text(value) if value.startswith("[") else [value]
    return _checked(each, value, lambda: label, strict=False)


def _checked(each: Declaration, value: object, label: Callable[[], str], *, strict: bool = True) -> object:
    try:
        return msgspec.convert(value, each.type, strict=strict)
    except msgspec.ValidationError:
        raise _invalid(label(), value, each.allowed) from None


def _invalid(label: str, value: object, allowed: str) -> MictapeError:
    return mistake(f"Invalid value for {label}: {shown(value)}", f"Use {allowed}")
