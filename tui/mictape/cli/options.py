"""The options that set a setting, made from the settings' declarations, and the settings in force.

An option may stand before a command's name and after it. argparse gives a command a namespace of its own and then
copies it over the first one, so that each place has its own list; both are read in order.
"""

import argparse
import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final, Protocol, cast

from mictape.paths import Places
from mictape.settings import DECLARATIONS, PRESET, Given, Settings, assignment, check_engines, load


class Commands(Protocol):
    """What takes commands: the result of `ArgumentParser.add_subparsers`."""

    def add_parser(self, name: str, *, help: str, description: str | None = None) -> argparse.ArgumentParser:
        """Add a command."""
        ...


ENGINE: Final = ("engine", "model", "language", "key_terms", "set", "send", PRESET)
"""What concerns who recognises."""

RECORDING: Final = (*ENGINE, "device", "also", "names", "audio.backend", "audio.channel", "backfill", "keep")
"""What concerns a recording, too."""

WHICH: Final = "its id or title, a part of the title, how the id begins, or last"
"""What names a session."""

LONGEST: Final = 100_000
"""Seconds or days: a day, or longer than there have been computers."""

_BEFORE: Final = "settings_before"
_AFTER: Final = "settings_after"


def add_settings(parser: argparse.ArgumentParser, *names: str, top: bool = False) -> None:
    """Add the options of these settings, by dotted name; `set` is `--set`.

    Args:
        parser: What takes them.
        names: Of `DECLARATIONS`, each with an option; `model` is the option `model` of the engine in force.
        top: Whether it is the parser before the command's name.
    """
    for name in names:
        _add(parser, name, _BEFORE if top else _AFTER)


def settings_of(arguments: argparse.Namespace, where: Places, *more: Given) -> Settings:
    """The settings in force, with what a command itself gives.

    Raises:
        MictapeError: (`ExitCode.USAGE`) one of them is wrong, wherever it was given.
    """
    before, after = (getattr(arguments, dest, None) or () for dest in (_BEFORE, _AFTER))
    return check_engines(load(where, [*before, *after, *more]))


def amount(text: str) -> float:
    """A length of time in the option's unit, for argparse. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= LONGEST:  # also what is no number
        raise argparse.ArgumentTypeError(f'"{text}" is not a number from 0 to {LONGEST:,}')
    return value


def commands_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers of the commands below a parser, and of those below them."""
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage]  (as every tool that walks a parser)
        below = cast("object", action.choices)
        for each in cast("Mapping[str, object]", below).values() if isinstance(below, Mapping) else ():
            if isinstance(each, argparse.ArgumentParser):
                yield each
                yield from commands_of(each)


def _add(parser: argparse.ArgumentParser, name: str, dest: str) -> None:
    if name == "set":
        help = "any setting, named as in config.toml; a bare name is an option of the engine; may be repeated"
        parser.add_argument("--set", dest=dest, action="append", type=assignment, metavar="KEY=VALUE", help=help)
        return
    if name == "model":
        help = "the engine's model; of the local engine one of `mictape models`"
        parser.add_argument("--model", dest=dest, action="append", type=_model, metavar="NAME", help=help)
        return
    if name == PRESET:
        help = "settings chosen together, from [presets.NAME] of config.toml; `mictape NAME` is short for it"
        give = partial(Given, "--preset", PRESET)
        parser.add_argument("--preset", dest=dest, action="append", type=give, metavar="NAME", help=help)
        return
    each = DECLARATIONS[name]
    option, help = each.about.option, each.about.help[0].lower() + each.about.help[1:]
    if each.flag:
        no = f"--no-{option.removeprefix('--')}"
        parser.add_argument(option, dest=dest, action="append_const", const=Given(option, name, True), help=help)
        parser.add_argument(no, dest=dest, action="append_const", const=Given(no, name, False), help=f"do not {help}")
        return
    parser.add_argument(
        option,
        dest=dest,
        action="append",
        type=partial(Given, option, name),
        metavar=each.about.metavar or "|".join(each.choices),
        help=f"{help}; may be repeated" if each.many else help,
    )


def _model(name: str) -> Given:
    return Given("--model", "model", name)
