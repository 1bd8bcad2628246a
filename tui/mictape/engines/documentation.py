"""docs/engines.md: what each engine sends, needs and gives, made from what the engines declare."""

from pathlib import Path
from typing import Final

import msgspec

from mictape.engines import catalog
from mictape.engines.base import Capabilities, Engine
from mictape.engines.readiness import leaves
from mictape.engines.urls import host_and_port

HEAD: Final = """\
# Engines

<!-- Made from the engines' declarations by scripts/generate_docs.py; do not edit. -->

Every engine with its default settings. `mictape engines` says which of them can be used now, `mictape login NAME` asks
for a key, tries it and stores it in the system's keyring. Settings go into `[engines.NAME]` of `config.toml` or
`--set KEY=VALUE`. Prices are list prices of an hour of sound, or where it says so of an open connection, from the
vendor's price list of the month given; an engine at an address of your own has none. What a vendor adds for
the key terms of a session is not in them. [Serving](serving.md) lists open servers.
"""

SPEAKERS: Final = ("speakers", "speaker_labels", "diarize")
"""Settings that ask for speakers, one an engine."""

TIMES: Final = ("word_times", "words")
"""Settings that ask for times of words."""


_COUNTED: Final = {"connection": "an hour of an open connection", "sound": "an hour of sound that is sent"}


def markdown() -> str:
    """The page."""
    engines = {name: catalog.create(name, {}, Path("log")) for name in catalog.OWN}
    sections = [_section(name, engine) for name, engine in engines.items()]
    return "\n".join([HEAD, _table(engines), *sections])


def _table(engines: dict[str, Engine]) -> str:
    head = ["engine", "sound goes to", "key", "live text", "times of words", "confidence", "speakers", "language"]
    head += ["key terms", "price", "longest connection"]
    rows = [head, ["---"] * len(head)]
    for name, engine in engines.items():
        can = engine.capabilities
        rows.append(
            [
                f"[`{name}`](#{name})",
                "this machine" if can.offline else host_and_port(getattr(engine, "url", "")),
                "–" if catalog.key_variable(name) is None else "yes" if can.billed else "optional",
                _yes(can.partials),
                "yes" if can.word_times else _with(engine, TIMES),
                _yes(can.confidence),
                "yes" if can.speakers else _with(engine, SPEAKERS),
                _yes(can.takes_language or len(can.languages) == 1),
                _yes(can.takes_key_terms),
                _price(can),
                f"{can.longest_s / 60:g} min" if can.longest_s else "–",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _section(name: str, engine: Engine) -> str:
    can = engine.capabilities
    variable = catalog.key_variable(name)
    speakers = _setting(engine, SPEAKERS)
    pace = f"{can.fastest_pace:g} times real time at most" if can.fastest_pace else "as fast as it takes it"
    facts = {
        "Sends": f"{leaves(getattr(engine, 'url', '') or '', offline=can.offline)}, {pace}",
        "Key": f"`{variable}` in the environment, or `mictape login {name}`" if variable else "none",
        "Utterances end": "by the engine" if can.endpointing == "engine" else "by Mictape, at pauses",
        "Speakers": f"with `{speakers} = true`" if speakers else "",
        "Languages": ", ".join(can.languages) or ("any that the model knows" if can.takes_language else ""),
        **{
            f"Languages of {model}": ", ".join(codes)
            for model, codes in getattr(engine, "languages", {}).items()
            if codes != can.languages
        },
        "Language": "`--language` reaches the engine" if can.takes_language else "",
        "Key terms": str(getattr(engine, "key_terms", "any number") if can.takes_key_terms else "none"),
        "Price": _price(can) + (f", {_COUNTED[can.price_counts]}" if can.usd_per_hour is not None else ""),
        "Longest connection": f"{can.longest_s / 60:g} min; the next one takes over at a pause"
        if can.longest_s
        else "",
        "Connections": f"{can.connections_per_minute} a minute at most" if can.connections_per_minute else "",
        "Settings": ", ".join(f"`{field.encode_name}`" for field in _settings(engine)),
    }
    lines = [f"- {what}: {value}" for what, value in facts.items() if value]
    retired = "\nThe vendor has ended this service; the engine is for servers that still speak its protocol.\n"
    return f"## {name}\n{retired if can.retired else ''}\n" + "\n".join(lines) + "\n"


def _settings(engine: Engine) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(getattr(type(engine), "Options"))  # noqa: B009 (of the class protocol, not of `Engine`)


def _setting(engine: Engine, names: tuple[str, ...]) -> str:
    """Which of these settings the engine has; empty: none."""
    return next((field.encode_name for field in _settings(engine) if field.encode_name in names), "")


def _with(engine: Engine, names: tuple[str, ...]) -> str:
    """What the table says of what one of these settings asks for."""
    fields = [field for field in _settings(engine) if field.encode_name in names]
    return "yes" if any(field.default for field in fields) else f"with `{fields[0].encode_name}`" if fields else "–"


def _price(can: Capabilities) -> str:
    if can.usd_per_hour is not None:
        return f"${can.usd_per_hour:.2f} ({can.price_as_of})"
    return "not known" if can.billed else "none"


def _yes(value: bool) -> str:
    return "yes" if value else "–"
