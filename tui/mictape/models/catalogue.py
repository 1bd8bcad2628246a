"""The catalogue: every model that can be installed, as data. The shipped one, and the user's own in the same form.

An entry has the languages and abilities of a model, and its files with bytes, SHA-256 and address. The addresses of the
shipped one are pinned to a commit, so they never give other bytes.
"""

import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Final, Literal

import msgspec

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.models.languages import knows
from mictape.plain_text import did_you_mean
from mictape.text_files import read_text, toml

VERSION: Final = 1
"""Of the form. A file with a greater number was written for a later Mictape."""

OWN_FILE: Final = "models.toml"
"""The user's own models, beside `config.toml`."""

Runtime = Literal["transcribe-cpp", "parakeet-onnx"]
"""What runs a model: a class of `mictape.engines.local.runtimes`."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""No separators and no leading dot: a catalogue cannot name a place outside the model's folder."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a model."""

    name: str
    bytes: int
    urls: tuple[str, ...] = ()
    """Addresses that give the same bytes, tried in this order."""
    sha256: str | None = None
    """In hexadecimal digits. Only the user's own models may leave it out; their files are then checked by size only."""

    def __post_init__(self) -> None:
        """Check what types cannot express."""
        if not _FILE_NAME.fullmatch(self.name) or self.name.endswith((".", ".part")) or self.name == "model.json":
            raise ValueError(f'a file cannot be called "{self.name}"')
        if self.bytes <= 0:
            raise ValueError(f"{self.name} cannot have {self.bytes} bytes")
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"sha256 of {self.name} has to be 64 hexadecimal digits, in lower case")
        for url in self.urls:
            if not url.startswith("https://"):
                raise ValueError(f"the address of {self.name} has to begin with https://")


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model."""

    name: str
    """What it is called on the command line."""
    title: str
    """What its makers call it."""
    runtime: Runtime
    languages: tuple[str, ...]
    """Language codes that it transcribes well."""
    licence: str
    attribution: str
    """Whom the licence wants to be named, in a form ready to be shown."""
    files: tuple[ModelFile, ...]
    maker: str = ""
    usable: tuple[str, ...] = ()
    """Language codes that it knows less well: chosen only where no other model knows them well."""
    streaming: bool = False
    """Whether it takes sound as it comes; its text then never changes."""
    look_ahead_ms: tuple[int, ...] = ()
    """How far behind the sound it can work, the most exact first; empty where that is not to be chosen."""
    live: bool = True
    """Whether it is fast enough to follow speech; others are for files and the second pass."""
    word_times: bool = False
    """Whether it gives the times of words; else they are guessed from the length of words."""
    confidence: bool = False
    """Whether it gives the confidence of words."""
    key_terms: bool = False
    """Whether it favours words that are expected."""
    memory_mb: int | None = None
    """Peak memory of a process with it, MiB."""
    cpu: float | None = None
    """CPU seconds for a second of speech, on one thread of the machine it was measured on."""
    licence_url: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        """Check what types cannot express."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f'a model cannot be called "{self.name}"')
        if not self.files or not self.languages:
            raise ValueError(f"{self.name} has no {'languages' if self.files else 'files'}")
        if len({file.name for file in self.files}) < len(self.files):
            raise ValueError(f"{self.name} names a file twice")

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(file.bytes for file in self.files)

    @property
    def known(self) -> tuple[str, ...]:
        """All languages, well known or less."""
        return (*self.languages, *self.usable)

    def knows(self, language: str) -> bool:
        """Whether it can transcribe a language, `de` or `de-AT`."""
        return knows(self.known, language)


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    models: tuple[Model, ...] = ()


class Catalogue:
    """All models there are to install, in the order of preference."""

    def __init__(self, models: Iterable[Model]) -> None:
        """Of two models with the same name the first one counts."""
        self._models: dict[str, Model] = {}
        for model in models:
            self._models.setdefault(model.name, model)

    @property
    def models(self) -> Sequence[Model]:
        """All of them."""
        return tuple(self._models.values())

    def get(self, name: str) -> Model | None:
        """The model of this name."""
        return self._models.get(name)

    def named(self, name: str) -> Model:
        """The model of this name.

        Raises:
            MictapeError: (`ExitCode.USAGE`) there is none.
        """
        if (model := self._models.get(name)) is not None:
            return model
        remedy = did_you_mean(name, self._models) or "See mictape models list --all"
        raise MictapeError(Failure(f"There is no model {name}", remedy, ExitCode.USAGE))

    def for_language(self, language: str) -> list[Model]:
        """The models for a language, those that know it well first, each part in order of preference."""
        well = [model for model in self.models if knows(model.languages, language)]
        return well + [model for model in self.models if model not in well and model.knows(language)]


def shipped() -> tuple[Model, ...]:
    """The models of the catalogue in this package."""
    text = resources.files("mictape.models").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return parsed(text, "the catalogue of this Mictape")


def load(config: Path) -> Catalogue:
    """The user's own models, then the shipped ones.

    Args:
        config: The folder of `config.toml`.

    Raises:
        MictapeError: (`ExitCode.USAGE`) the user's file has a mistake.
    """
    path = config / OWN_FILE
    try:
        own = parsed(read_text(path), str(path))
    except (FileNotFoundError, NotADirectoryError):
        own = ()
    except UnicodeDecodeError as error:
        raise _mistake(f"{path} is not UTF-8 text", "Save it as UTF-8") from error
    except OSError as error:
        raise _mistake(f"{path} cannot be read: {(error.strerror or '').lower()}", "Make it readable") from error
    return Catalogue((*own, *shipped()))


def parsed(text: str, where: str) -> tuple[Model, ...]:
    """The models of a catalogue in TOML.

    Args:
        text: The whole file.
        where: What it is called, for the sentence about a mistake in it.

    Raises:
        MictapeError: (`ExitCode.USAGE`) it has a mistake, or is of a later version.
    """
    try:
        values = toml(text)
        if isinstance(version := values.get("version"), int) and version > VERSION:
            raise _mistake(f"{where} has version {version}; this Mictape knows {VERSION}", "Install a newer Mictape")
        return msgspec.convert(values, _Document).models
    except msgspec.ValidationError as error:
        reason = str(error).replace(" - at `$.", " in `")
        raise _mistake(f"{where} has a mistake: {reason}", "Correct it") from error
    except ValueError as error:
        raise _mistake(f"{where} is not TOML: {error}", "Correct that line") from error


def _mistake(what: str, remedy: str) -> MictapeError:
    return MictapeError(Failure(what, remedy, ExitCode.USAGE))
