"""Engines by name, imported when asked; those of third parties by entry point.

An engine is registered in the entry point group `mictape.engines`, under the name it is chosen by, as a class
with the shape of `EngineClass`; tests/example_engine is one to begin with.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import msgspec

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.plain_text import did_you_mean

if TYPE_CHECKING:
    from mictape.engines.base import Engine

GROUP: Final = "mictape.engines"

OWN: Final[Mapping[str, str]] = {
    "local": "mictape.engines.local.engine:LocalEngine",
    "assemblyai": "mictape.engines.assemblyai.v3:AssemblyAIEngine",
    "deepgram": "mictape.engines.deepgram.engine:DeepgramEngine",
    "openai": "mictape.engines.openai.realtime:OpenAIEngine",
    "vllm": "mictape.engines.vllm:VllmEngine",
    "sherpa-onnx": "mictape.engines.sherpa:SherpaEngine",
    "vosk": "mictape.engines.vosk:VoskEngine",
    "openai-http": "mictape.engines.openai_http:OpenAIHttpEngine",
    "soniox": "mictape.engines.soniox:SonioxEngine",
    "elevenlabs": "mictape.engines.elevenlabs:ElevenLabsEngine",
    "mistral": "mictape.engines.mistral:MistralEngine",
    "assemblyai-v2": "mictape.engines.assemblyai.v2:AssemblyAIV2Engine",  # retired by its vendor, so the last one
}
"""The engines that come with Mictape, and the class of each. Other packages cannot take their names."""

KEY_NAMES: Final = frozenset({"key", "api_key", "apikey", "token", "password"})
"""What people call a key when they look for a place to put it; no engine has a setting of such a name."""


class EngineClass(Protocol):
    """What an entry point names.

    An engine that takes a key says so with a class attribute `key_variable: str`, the environment variable that
    the key may be in; such a class is called with `key=` too, None when there is no key. When it cannot do without,
    its `check` returns a `Failure` with `needs_key`, and so has the `Lost` of a service that refuses the key.
    Engines that name the same variable share a key.
    """

    Options: type[msgspec.Struct]
    """The engine's own options; a value that does not fit never reaches the engine."""

    def __call__(self, options: Any, log: Path, **key: str | None) -> "Engine":  # noqa: ANN401 (of `Options`)
        """Make the engine: nothing is started, nothing is connected."""
        ...


def names() -> list[str]:
    """Every engine there is: Mictape's own first, then the others in alphabetical order."""
    return list(_found())


def exists(name: str) -> bool:
    """Whether there is an engine of that name; what is installed is looked at only for those of third parties."""
    return name in OWN or name in _found()


def key_variable(name: str) -> str | None:
    """The environment variable of an engine's key; None when the engine takes no key.

    Raises:
        MictapeError: No such engine, or it cannot be imported.
    """
    return _variable(_named(name))


def create(
    name: str,
    options: Mapping[str, object],
    log: Path,
    *,
    key: str | None = None,
    place: Callable[[str], str] | None = None,
) -> "Engine":
    """Make an engine.

    Args:
        name: One of `names`.
        options: Its settings, as in `[engines.NAME]` of the configuration.
        log: The file that the engine's process, if it has one, appends to.
        key: The key to the service; an engine that takes none never sees it.
        place: Where a setting was made, for the sentence about a mistake in it: `config.toml, line 3`.

    Raises:
        MictapeError: No such engine, it cannot be imported, or a setting is not one of its own.
    """
    engine_class = _named(name)
    checked = _checked(name, options, engine_class.Options, place)
    return engine_class(checked, log, key=key) if _variable(engine_class) else engine_class(checked, log)


def url_of(name: str, engine: "Engine", options: Mapping[str, object]) -> str:
    """Where an engine sends the sound: its own `url`, else its setting of that name; empty when there is neither.

    Raises:
        MictapeError: As `create`.
    """
    url = getattr(engine, "url", None)
    if url is None:
        url = getattr(_checked(name, options, _named(name).Options, None), "url", None)
    return url if isinstance(url, str) else ""


def _named(name: str) -> EngineClass:
    if name in OWN:  # without a look at all that is installed, which takes a tenth of the start
        return _load(name, OWN[name])
    found = _found()
    if name not in found:
        raise _misused(f"There is no engine {name}", did_you_mean(name, found) or f"Choose one of: {', '.join(found)}")
    return _load(name, found[name])


def _variable(engine_class: EngineClass) -> str | None:
    return getattr(engine_class, "key_variable", None)


def _found() -> dict[str, str]:
    """The class of every engine, `MODULE:CLASS` by name."""
    from importlib.metadata import entry_points  # takes its time, and the first frame does not need it

    others = {entry.name: f"{entry.module}:{entry.attr}" for entry in entry_points(group=GROUP)}
    return {**OWN, **{name: others[name] for name in sorted(others) if name not in OWN}}


def _load(name: str, value: str) -> EngineClass:
    from pkgutil import resolve_name  # not before the first frame

    try:
        return cast("EngineClass", resolve_name(value))
    except Exception as error:  # whatever a third party's module raises when it is imported
        what = f"The engine {name} cannot be loaded from {value}: {error}"
        remedy = "Install it again, or choose another engine with --engine"
        raise MictapeError(Failure(what, remedy, ExitCode.ENGINE)) from error


def _checked(
    name: str, options: Mapping[str, object], kind: type[msgspec.Struct], place: Callable[[str], str] | None
) -> msgspec.Struct:
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in options:
        if key not in known:
            at = f" ({place(key)})" if place else ""
            raise _misused(f"The engine {name} has no setting {key}{at}", _known_settings(name, key, known))
    try:
        return msgspec.convert(dict(options), kind)
    except msgspec.ValidationError as error:
        wrong = re.search(r" - at `\$\.(\w+)", str(error))
        at = place(wrong[1]) if place and wrong else f"[engines.{name}]"
        reason = str(error).replace(" - at `$.", " in `")
        raise _misused(f"A setting of the engine {name} does not fit: {reason}", f"Correct it in {at}") from error


def _known_settings(name: str, key: str, known: list[str]) -> str:
    """The remedy for a setting that there is not."""
    if key.lower() in KEY_NAMES:
        return f"Keys do not belong there: give yours with mictape login {name}"
    if near := did_you_mean(key, known):
        return near
    return f"Its settings are: {', '.join(known)}" if known else "It has no settings"


def _misused(what: str, remedy: str) -> MictapeError:
    return MictapeError(Failure(what, remedy, ExitCode.USAGE))
