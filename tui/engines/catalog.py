"""Engines by name, imported when asked; those of third parties by entry point.

An engine is registered in the entry point group `mictape.engines`, under the name it is chosen by, as a class
with the shape of `EngineClass`.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, Protocol, cast

import msgspec

from tui.engines.base import Engine
from tui.failure import ExitCode, Failure, MictapeError

GROUP: Final = "mictape.engines"

OWN: Final = (EntryPoint("local", "tui.engines.local:LocalEngine", GROUP),)
"""The engines that come with Mictape. Nobody else's may take their names."""


class EngineClass(Protocol):
    """What an entry point names."""

    Options: type[msgspec.Struct]
    """The engine's own options; a value that does not fit never reaches the engine."""

    def __call__(self, options: Any, log: Path) -> Engine:  # noqa: ANN401 (an instance of `Options`)
        """Make the engine: nothing is started, nothing is connected."""
        ...


def names() -> list[str]:
    """Every engine there is: Mictape's own first, then the others in alphabetical order."""
    return list(_found())


def create(name: str, options: Mapping[str, object], log: Path) -> Engine:
    """Make an engine.

    Args:
        name: One of `names`.
        options: Its settings, as in `[engines.NAME]` of the configuration.
        log: The file that the engine's process, if it has one, appends to.

    Raises:
        MictapeError: No such engine, it cannot be imported, or a setting is not one of its own.
    """
    found = _found()
    if name not in found:
        what = f"There is no engine {name}{_proposal(name, found)}"
        raise _misused(what, f"Choose one of: {', '.join(found)}")
    engine_class = _load(found[name])
    return engine_class(_checked(name, options, engine_class.Options), log)


def _found() -> dict[str, EntryPoint]:
    others = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    own = {entry.name: entry for entry in OWN}
    return own | {entry.name: entry for entry in others if entry.name not in own}


def _load(entry: EntryPoint) -> EngineClass:
    try:
        return cast("EngineClass", entry.load())
    except Exception as error:  # whatever a third party's module raises when it is imported
        what = f"The engine {entry.name} cannot be loaded from {entry.value}: {error}"
        remedy = "Install it again, or choose another engine with --engine"
        raise MictapeError(Failure(what, remedy, ExitCode.ENGINE)) from error


def _checked(name: str, options: Mapping[str, object], kind: type[msgspec.Struct]) -> msgspec.Struct:
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in options:
        if key not in known:
            what = f"The engine {name} has no setting {key}{_proposal(key, known)}"
            raise _misused(what, f"Its settings are: {', '.join(known)}" if known else "It has no settings")
    try:
        return msgspec.convert(dict(options), kind)
    except msgspec.ValidationError as error:
        reason = str(error).replace(" - at `$.", " in `")
        raise _misused(
            f"A setting of the engine {name} does not fit: {reason}", f"Correct it in [engines.{name}]"
        ) from error


def _proposal(wrong: str, right: Mapping[str, object] | list[str]) -> str:
    close = get_close_matches(wrong, list(right), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _misused(what: str, remedy: str) -> MictapeError:
    return MictapeError(Failure(what, remedy, ExitCode.USAGE))
