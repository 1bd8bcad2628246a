"""Settings: where each value comes from, and what is remembered.

Flag > environment > `config.toml` > remembered > default. `config.toml` is the user's: it is read strictly and
never written. Choices made in the app go to `state.toml`, which never stops anything.
"""

import difflib
import logging
import os
import re
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, time
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec
import tomli_w

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.paths import Places, make_folder

DEFAULT_ENGINE: Final = "local"
DEFAULT_THEME: Final = "mictape-dark"

BACKFILLS: Final = ("same", "local", "off")
"""The same engine on a second connection, the embedded one, or nobody."""

ENGINES: Final = "engines"
"""The table of `config.toml` with one table an engine, checked by the engine itself."""

_KEYS: Final[Mapping[str, type]] = {
    "device": str,
    "engine": str,
    "theme": str,
    "keep": bool,
    "backfill": str,
    "idle_close_min": int,
    "audio_backend": str,
    "audio_channel": str,
}
"""Every setting outside `[engines.NAME]`, each also `MICTAPE_KEY` in the environment."""

AUDIO: Final = "audio"
"""The table of `config.toml` with the settings `audio_…`."""
_TOP: Final = tuple(key for key in _KEYS if not key.startswith(f"{AUDIO}_"))
BACKENDS: Final = ("sounddevice", "pyaudio", "parec")
MIX: Final = "mix"
"""`audio.channel`: the mean of all channels instead of one."""

_KIND_NAMES: Final[Mapping[type, str]] = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
}
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML takes without quotes."""

_log = logging.getLogger(__name__)


class Origin(StrEnum):
    """Where a value comes from, the strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    CONFIG = "config.toml"
    REMEMBERED = "remembered"
    DEFAULT = "default"


class ChosenDevice(msgspec.Struct, frozen=True):
    """A device that was chosen in the app: remembered by name and host API, never by an index."""

    name: str
    host_api: str


class Choices(msgspec.Struct, frozen=True):
    """What `state.toml` remembers."""

    device: ChosenDevice | None = None
    engine: str | None = None
    theme: str | None = None


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says; None where it says nothing."""

    device: str | None = None
    also: tuple[str, ...] = ()
    engine: str | None = None
    theme: str | None = None
    keep: bool | None = None
    backfill: str | None = None
    audio_backend: str | None = None
    audio_channel: str | None = None
    engine_settings: Mapping[str, object] = field(default_factory=dict[str, object])
    """What `--set` says, as `assignments` reads it: settings of the engine in force."""


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file with the places of its keys."""

    path: Path
    text: str = ""
    values: Mapping[str, object] = field(default_factory=dict[str, object])

    def where(self, *keys: str) -> str:
        """Where a key is, for a sentence: `/…/config.toml, line 3`.

        tomllib tells no places. But a prefix of whole lines is TOML by itself exactly where a statement ends, so
        the key is in the first statement that makes it appear.
        """
        lines = self.text.split("\n")
        begin = 0
        for end in range(1, len(lines) + 1):
            try:
                values = tomllib.loads("\n".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue  # in the middle of a statement of several lines
            if _has(values, keys):
                return f"{self.path}, line {begin + 1}"
            begin = end
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force."""

    device: str | ChosenDevice | None = None
    """What `--device` takes, or the choice remembered; None: ask."""
    also: tuple[str, ...] = ()
    """Devices to record beside it, each as `--also` takes it; a wish for one sitting, so a flag only."""
    engine: str = DEFAULT_ENGINE
    theme: str = DEFAULT_THEME
    keep: bool = True
    """Whether sessions are kept."""
    backfill: str = "same"
    """Who fills in what an engine that cannot catch up left behind: one of `BACKFILLS`."""
    idle_close_min: int = 10
    """After so many minutes without speech a billed engine's connection is closed until somebody speaks; 0: never."""
    audio_backend: Literal["sounddevice", "pyaudio", "parec"] = "sounddevice"
    """The way to a device: one of `BACKENDS`."""
    audio_channel: str = MIX
    """Which channel is recorded: `MIX` or a number from 1, as text; `channel` is what it means."""
    engines: Mapping[str, Mapping[str, object]] = field(default_factory=dict[str, Mapping[str, object]])
    """`[engines.NAME]` as it stands in `config.toml`, with what `--set` says: only the engine can check it."""
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    """Where the first four come from, by name, and each setting of an engine, as `engines.NAME.KEY`."""
    document: Document = Document(Path("config.toml"))
    """The configuration, to say where something stands in it."""

    @property
    def channel(self) -> int | None:
        """The channel that is recorded, counted from 1; None: the mean of all."""
        return None if self.audio_channel == MIX else int(self.audio_channel)

    def place(self, engine: str, key: str) -> str:
        """Where a setting of an engine was made, for a sentence: `--set`, or the file and the line."""
        if self.origins.get(f"{ENGINES}.{engine}.{key}") is Origin.FLAG:
            return "--set"
        return self.document.where(ENGINES, engine, key)


def load(places: Places, flags: Flags | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Find out all settings.

    Raises:
        MictapeError: (`ExitCode.USAGE`) `config.toml` or the environment has a mistake; the sentence says where and
            proposes what may be meant.
    """
    document = read_config(places.config_file)
    choices = recall(places.state_file)
    layers: tuple[tuple[Origin, Mapping[str, object]], ...] = (
        (Origin.FLAG, _said(flags or Flags())),
        (Origin.ENVIRONMENT, _from_environment(environ)),
        (Origin.CONFIG, _flat(document.values)),
        (Origin.REMEMBERED, {key: getattr(choices, key) for key in ("device", "engine", "theme")}),
    )
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = dict.fromkeys(_KEYS, Origin.DEFAULT)
    for origin, layer in reversed(layers):
        for key in _KEYS:
            if layer.get(key) is not None:
                values[key], origins[key] = layer[key], origin
    engines = dict(cast("Mapping[str, Mapping[str, object]]", document.values.get(ENGINES, {})))
    for name, options in engines.items():
        origins |= {f"{ENGINES}.{name}.{key}": Origin.CONFIG for key in options}
    if flags and flags.engine_settings:
        name = cast("str", values.get("engine", DEFAULT_ENGINE))
        engines[name] = {**engines.get(name, {}), **flags.engine_settings}
        origins |= {f"{ENGINES}.{name}.{key}": Origin.FLAG for key in flags.engine_settings}
    if values.get("backfill", BACKFILLS[0]) not in BACKFILLS:
        raise _mistake(f"backfill is {values['backfill']}", proposal(values["backfill"], BACKFILLS))
    if (backend := values.get("audio_backend", BACKENDS[0])) not in BACKENDS:
        raise _mistake(f"audio.backend is {backend}", proposal(backend, BACKENDS))
    if (channel := values.get("audio_channel", MIX)) != MIX and not re.fullmatch("[1-9][0-9]?", channel):
        raise _mistake(f"audio.channel is {channel}", f'Set it to "{MIX}", or to the number of a channel, from 1')
    return Settings(**values, also=flags.also if flags else (), engines=engines, origins=origins, document=document)


def assignments(texts: Iterable[str]) -> dict[str, object]:
    """What `--set KEY=VALUE` says, the last one of a key.

    A value is read as in `config.toml`; what is not TOML is text, so that an address needs no quotes. So are dates:
    no engine has a setting that is one, and the versions of services look like dates.

    Raises:
        MictapeError: (`ExitCode.USAGE`) one of them is no assignment. Its value is not repeated: it may be a key.
    """
    said: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not _BARE_KEY.fullmatch(key):
            raise _mistake("What follows --set is no setting", "Write it as --set NAME=VALUE")
        said[key] = _value(value)
    return said


def _value(text: str) -> object:
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = table.pop("value")
    return text if table or isinstance(value, date | time) else value  # a second line may have made a second key


def read_config(path: Path) -> Document:
    """Read and check `config.toml`; one that is not there is empty.

    Raises:
        MictapeError: (`ExitCode.USAGE`) it cannot be read or has a mistake.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = Document(path, text, tomllib.loads(text))
    except (FileNotFoundError, NotADirectoryError):  # a folder that is a file is told by whoever has to write there
        return Document(path)
    except tomllib.TOMLDecodeError as error:
        raise _mistake(f"{path} is not TOML: {error}", "Correct that line") from error
    except UnicodeDecodeError as error:
        raise _mistake(f"{path} is not UTF-8 text", "Save it as UTF-8") from error
    except OSError as error:
        raise _mistake(f"{path} cannot be read: {(error.strerror or '').lower()}", "Make it readable") from error
    for key, value in document.values.items():
        if key == ENGINES:
            _check_engines(document, value)
        elif key == AUDIO:
            _check_audio(document, value)
        elif key not in _TOP:
            raise _mistake(f"Unknown setting {key} in {document.where(key)}", proposal(key, (*_TOP, ENGINES, AUDIO)))
        elif type(value) is not _KEYS[key]:
            raise _wrong_type(document, (key,), value, _KEYS[key])
    return document


def proposal(said: str, known: tuple[str, ...]) -> str:
    """The remedy for a name that is not known: the nearest one, or all of them."""
    near = difflib.get_close_matches(said, known, n=1)
    return f"Perhaps {near[0]} is meant" if near else f"There are {', '.join(known)}"


def recall(path: Path) -> Choices:
    """What `state.toml` remembers. A broken one is set aside with a line in the log and counts as empty."""
    return _recall(path)[0]


def remember(
    path: Path, *, device: ChosenDevice | None = None, engine: str | None = None, theme: str | None = None
) -> None:
    """Write choices to `state.toml`, at once and as a whole; what is None stays as it was.

    Raises:
        MictapeError: (`ExitCode.SOUND`) it cannot be written; the old one stays.
    """
    _, values = _recall(path)
    changes = {"device": msgspec.to_builtins(device), "engine": engine, "theme": theme}
    values |= {key: value for key, value in changes.items() if value is not None}
    try:
        _write(path, tomli_w.dumps(values))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise MictapeError(
            Failure(f"The choice cannot be remembered in {path}: {why}", "Make room there, or make it writable")
        ) from error


def _recall(path: Path) -> tuple[Choices, dict[str, Any]]:
    """The choices, and all that the file holds: keys of a newer Mictape are to be carried over."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(values, Choices), values
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, not TOML, not the right types
        aside = path.with_name(f"{path.name}.broken")
        _log.warning("%s cannot be used (%s); it is set aside as %s", path, error, aside)
        try:
            path.replace(aside)
        except OSError as second:
            _log.warning("%s cannot be set aside: %s", path, second)
    return Choices(), {}


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, so that a kill leaves the old one or the new one."""
    make_folder(path.parent)
    # mkstemp makes it readable by its owner only.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _said(flags: Flags) -> dict[str, object]:
    return {each.name: getattr(flags, each.name) for each in fields(flags)}


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """`MICTAPE_DEVICE` and the like; an empty one counts as not set."""
    said: dict[str, object] = {}
    for key, kind in _KEYS.items():
        variable = f"MICTAPE_{key.upper()}"
        if text := environ.get(variable, "").strip():
            said[key] = _truth(variable, text) if kind is bool else _number(variable, text) if kind is int else text
    return said


def _truth(variable: str, text: str) -> bool:
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise _mistake(f"{variable} is {text}, which is neither yes nor no", "Set it to 1 or 0")


def _number(variable: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _mistake(f"{variable} is {text}, which is no whole number", "Set it to one") from None


def _check_engines(document: Document, engines: object) -> None:
    if not isinstance(engines, dict):
        raise _wrong_type(document, (ENGINES,), engines, dict)
    for name, options in cast("dict[str, object]", engines).items():
        if not isinstance(options, dict):
            raise _wrong_type(document, (ENGINES, name), options, dict)


def _check_audio(document: Document, options: object) -> None:
    if not isinstance(options, dict):
        raise _wrong_type(document, (AUDIO,), options, dict)
    for key, value in cast("dict[str, object]", options).items():
        if f"{AUDIO}_{key}" not in _KEYS:
            known = tuple(name.removeprefix(f"{AUDIO}_") for name in _KEYS if name not in _TOP)
            raise _mistake(f"Unknown setting {AUDIO}.{key} in {document.where(AUDIO, key)}", proposal(key, known))
        if type(value) is not str and not (key == "channel" and type(value) is int):
            raise _wrong_type(document, (AUDIO, key), value, str)


def _flat(values: Mapping[str, object]) -> dict[str, object]:
    """The settings of `config.toml` under the names of `_KEYS`."""
    audio = cast("Mapping[str, object]", values.get(AUDIO, {}))
    return {**values, **{f"{AUDIO}_{key}": str(value) for key, value in audio.items()}}


def _wrong_type(document: Document, keys: tuple[str, ...], value: object, wanted: type) -> MictapeError:
    found = _KIND_NAMES.get(type(value), "a date or time")
    return _mistake(
        f"{'.'.join(keys)} in {document.where(*keys)} is {found}",
        f"It has to be {_KIND_NAMES[wanted]}",
    )


def _has(values: object, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not isinstance(values, dict) or key not in values:
            return False
        values = cast("dict[str, object]", values)[key]
    return True


def _mistake(what: str, remedy: str) -> MictapeError:
    return MictapeError(Failure(what, remedy, ExitCode.USAGE))
