"""Every setting, declared once: its type, bounds, default, help, and the option it has on the command line.

`config.toml`, the environment, the command line's options, `--set`, the sentences about mistakes and
docs/configuration.md all follow from the class `Settings`. A setting is added by adding a field to it.
"""

import types
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct, field
from msgspec.structs import FieldInfo, fields

from mictape.audio.messages import Backend
from mictape.failure import Advice
from mictape.library.formats import FormatName
from mictape.settings.document import Document
from mictape.settings.remembered import ChosenDevice

DEFAULT_ENGINE: Final = "local"
DEFAULT_THEME: Final = "mictape-dark"
MIX: Final = "mix"
"""`audio.channel`: the mean of all channels instead of one."""

ENGINES: Final = "engines"
"""The table with one table per engine, which only the engine itself can check."""
KEYS: Final = "keys"
"""The table with the keys of commands, which the table of commands can check."""
PRESETS: Final = "presets"
"""The table with one table per preset: settings that are chosen together."""
PRESET: Final = "preset"
"""What chooses a preset, as the name of a `Given`."""
FREE: Final = (KEYS, ENGINES, PRESETS)
"""The tables whose own keys are no settings."""

LANGUAGE: Final = Meta(
    pattern="^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", description="a language code like en, de or pt-BR"
)
"""The shape of a language tag: RFC 5646, section 2.1, without grandfathered and private tags."""


class Origin(StrEnum):
    """Where a value comes from, the strongest first."""

    OPTION = "option"
    PRESET = "preset"
    ENVIRONMENT = "environment"
    CONFIG = "config.toml"
    REMEMBERED = "remembered"
    DEFAULT = "default"


Backfill = Literal["same", "local", "off"]
Send = Literal["sound", "all"]
KeepAudio = Literal["wav", "flac", "none"]


class Setting(Struct, frozen=True):
    """What people read about a setting, beside its type and its default."""

    help: str
    """One sentence, with no full stop."""
    option: str = ""
    """The option on the command line; empty: `--set` only."""
    metavar: str = ""
    """What the option takes, where its type does not say."""
    example: str = ""
    """A value for a configuration to begin with, in TOML; empty: the default."""
    remembered: bool = False
    """Whether a choice made in the app is remembered."""
    from_file: bool = False
    """Whether the option takes a file with one value per line, and not a value."""


class Audio(Struct, frozen=True):
    """How a device is recorded."""

    backend: Annotated[
        Backend,
        Setting(
            "The library that reads the device; pyaudio is an extra, parec is for PulseAudio and PipeWire", "--backend"
        ),
    ] = "sounddevice"
    channel: Annotated[
        Annotated[int, Meta(ge=1, le=99)] | Literal["mix"],
        Setting("The channel of the device to record; mix: the mean of all channels", "--channel", "mix|N"),
    ] = MIX


class Models(Struct, frozen=True):
    """Where models come from."""

    mirror: Annotated[
        str,
        Meta(pattern="^(https://.+)?$", description="an address that begins with https://, or nothing"),
        Setting("The address to download models from instead of https://huggingface.co"),
    ] = ""


class Export(Struct, frozen=True):
    """What the export dialog proposes; `sessions export` takes the format from here where it is set."""

    folder: Annotated[
        str, Setting("The folder that exports from the app go to; empty: the current one", example='"~/Documents"')
    ] = ""
    format: Annotated[FormatName, Setting("The format of exports")] = "md"


class Settings(Struct, frozen=True):
    """The values in force."""

    device: (
        Annotated[
            str,
            Setting(
                "The device to record: its name, a part of it, or its id from `mictape devices`",
                "--device",
                "NAME|ID",
                example='"Blue Yeti"',
                remembered=True,
            ),
        ]
        | ChosenDevice
        | None
    ) = None
    also: Annotated[
        tuple[str, ...],
        Setting(
            "Further devices to record at the same time, each on its own track",
            "--also",
            "NAME|ID",
            example='["Monitor"]',
        ),
    ] = ()
    names: Annotated[
        tuple[str, ...],
        Setting(
            "The names of the tracks: of the device, then of each of `also`; or of a file's channels",
            "--name",
            "NAME",
            example='["Me", "Client"]',
        ),
    ] = ()
    engine: Annotated[
        str,
        Setting("The speech engine; `mictape engines` lists them", "--engine", "NAME", remembered=True),
    ] = DEFAULT_ENGINE
    language: (
        Annotated[
            str,
            LANGUAGE,
            Setting(
                "The language that is spoken; without it the engine uses its own default",
                "--language",
                "CODE",
                example='"en"',
                remembered=True,
            ),
        ]
        | None
    ) = None
    key_terms: Annotated[
        tuple[str, ...],
        Setting(
            "Words that the engine is to expect, names above all, spelled as they are to be written; the option names "
            "a text file with one on each line",
            "--key-terms",
            "FILE",
            example='["Mictape", "Ada Lovelace"]',
            from_file=True,
        ),
    ] = ()
    theme: Annotated[
        str,
        Setting("The colour theme of the full-screen app", "--theme", "NAME", remembered=True),
    ] = DEFAULT_THEME
    animation: Annotated[
        bool,
        Setting("Let the full-screen app move smoothly; without it meters are drawn less often and nothing slides"),
    ] = True
    keymap: Annotated[
        Literal["default", "vim"],
        Setting("The keys of the full-screen app; `[keys]` changes single ones, docs/keys.md lists both maps"),
    ] = "default"
    keep: Annotated[bool, Setting("Keep the sound and the text", "--keep")] = True
    keep_audio: Annotated[
        KeepAudio,
        Setting(
            "How the sound of finished sessions is kept: as it was recorded, as FLAC in about half the size, or not at "
            "all once their text is complete. A session is packed when it ends; what takes over five seconds goes on "
            "in the background of the next start"
        ),
    ] = "wav"
    trash_days: Annotated[
        int, Meta(ge=0, le=3650), Setting("Days for which a deleted session stays in the trash, to be restored")
    ] = 30
    backfill: Annotated[
        Backfill,
        Setting(
            "The engine that transcribes what a live engine has fallen behind with: the same on a second "
            "connection, the local one, or none",
            "--backfill",
        ),
    ] = "same"
    send: Annotated[
        Send,
        Setting(
            "What goes to an engine that is late or billed: everything but silence, or everything",
            "--send",
        ),
    ] = "sound"
    idle_close_min: Annotated[
        int,
        Meta(ge=0, le=1440),
        Setting("Minutes without speech after which a billed engine's connection is closed; 0: never"),
    ] = 10
    audio: Audio = Audio()
    models: Models = Models()
    export: Export = Export()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """`[keys]`: the keys of commands by id, as they are written in `config.toml`."""
    engines: Mapping[str, Mapping[str, object]] = field(default_factory=dict[str, Mapping[str, object]])
    """`[engines.NAME]` as in `config.toml`, with what `--set` adds: only the engine can check it."""
    preset: str | None = None
    """The preset that was chosen."""
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    """Where each value comes from, by its dotted name; what is not in it is the default."""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    """The option that gave a value, by dotted name, where one did."""
    document: Document = field(default_factory=Document)
    """The configuration, which knows the line of each key."""

    @property
    def channel(self) -> int | None:
        """The channel to record, counted from 1; None: the mean of all."""
        return None if self.audio.channel == MIX else self.audio.channel

    def place(self, *keys: str) -> str:
        """Where a value was given, for a message: an option, a variable, or a file and a line; else empty."""
        name = ".".join(keys)
        match self.origins.get(name):
            case Origin.OPTION:
                return self.options[name]
            case Origin.PRESET:
                return self.document.where(PRESETS, self.preset or "", *keys)
            case Origin.ENVIRONMENT:
                return variable(keys)
            case Origin.CONFIG:
                return self.document.where(*keys)
            case _:
                return ""

    def lasting(self, *names: str) -> Iterator[Advice]:
        """Which of these settings a choice made in the app does not change for the next start, and where they are set.

        An option of the command line is not meant: it is for one start.
        """
        for name in names:
            keys = tuple(name.split("."))
            if self.origins.get(name) is not Origin.OPTION and (place := self.place(*keys)):
                yield Advice(f"The {keys[-1]} of the next start is set by {place}", "Change it there to keep this one")


class Declaration(Struct, frozen=True):
    """One setting as it was declared."""

    keys: tuple[str, ...]
    """Its tables and its name in `config.toml`."""
    type: Any
    """What `msgspec.convert` takes."""
    default: object
    about: Setting

    @property
    def name(self) -> str:
        """Its dotted name, like `audio.backend`."""
        return ".".join(self.keys)

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return variable(self.keys)

    @property
    def flag(self) -> bool:
        """Whether it is a yes or a no."""
        return _plain(self.type) is bool

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it can be, where they are all there is."""
        return choices(self.type)

    @property
    def many(self) -> bool:
        """Whether it is a list, so that its option may be repeated."""
        return get_origin(_plain(self.type)) is tuple

    @property
    def allowed(self) -> str:
        """What it can be, for a message and for the docs: `same, local or off`."""
        return described(self.type)


TABLES: Final[Mapping[str, type[Any]]] = {"audio": Audio, "export": Export, "models": Models}
"""The tables of `config.toml` that hold settings, by name."""


def variable(keys: tuple[str, ...]) -> str:
    """The environment variable of a setting: `MICTAPE_AUDIO_BACKEND`."""
    return "MICTAPE_" + "_".join(keys).upper()


def choices(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 (a type or a form of `typing`)
    """The values of a `Literal`, annotated or not; empty for any other type."""
    plain = _plain(kind)
    return get_args(plain) if get_origin(plain) is Literal else ()


def described(kind: Any) -> str:  # noqa: ANN401 (as `choices`)
    """A type in words."""
    meta = next((each for each in _notes(kind) if isinstance(each, Meta)), None)
    if meta is not None and meta.description:
        return meta.description
    plain = _plain(kind)
    if words := choices(plain):
        return either(words)
    if members := _members(plain):
        return " or ".join(described(each) for each in reversed(members))
    if get_origin(plain) is tuple:
        return "a list of texts in quotes"
    if plain is int and meta is not None and meta.ge is not None and meta.le is not None:
        return f"a whole number from {meta.ge} to {meta.le}"
    return {bool: "true or false", str: "text in quotes", int: "a whole number"}[plain]


def either(words: tuple[str, ...]) -> str:
    """`a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _declared(table: type[Any], above: tuple[str, ...] = ()) -> list[Declaration]:
    found: list[Declaration] = []
    for each in fields(table):
        if each.name in TABLES and not above:
            found += _declared(TABLES[each.name], (each.name,))
        elif (declared := _setting(each)) is not None:
            default = each.default if each.default is not NODEFAULT else None
            found.append(Declaration((*above, each.name), declared[0], default, declared[1]))
    return found


def _setting(each: FieldInfo) -> tuple[Any, Setting] | None:
    """The annotated type and the `Setting` of a field, also in a union with None."""
    for kind in (each.type, *_members(each.type)):
        for note in _notes(kind):
            if isinstance(note, Setting):
                return kind, note
    return None


def _members(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 (as `choices`)
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ()


def _notes(kind: Any) -> tuple[object, ...]:  # noqa: ANN401 (as `choices`)
    return kind.__metadata__ if get_origin(kind) is Annotated else ()


def _plain(kind: Any) -> Any:  # noqa: ANN401 (as `choices`)
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


DECLARATIONS: Final[Mapping[str, Declaration]] = {each.name: each for each in _declared(Settings)}
"""Every setting by its dotted name, in the order of the documentation."""
