"""What is wrong with a command line, in a sentence that names what was typed and what is probably meant."""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.settings.document import nearest, shown
from mictape.settings.loading import read_config

_WRONG_CHOICE: Final = re.compile(r"argument (?P<of>.+?): invalid choice: (?P<quote>['\"])(?P<value>.*?)(?P=quote)[ ,]")
_OF_ARGUMENT: Final = re.compile(r"argument (?P<of>.+?): (?P<what>.+)", re.DOTALL)
_UNKNOWN: Final = "unrecognized arguments: "
_MISSING: Final = "the following arguments are required: "
"""How argparse's own messages begin."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong as the rest of Mictape does."""

    config: Path | None = None
    """`config.toml`, whose presets are commands: of the parser at the top."""

    _typed: Sequence[str] = ()
    """What is being parsed."""

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]  (it is overloaded by the namespace)
        self,
        args: Any = None,  # noqa: ANN401  (as there)
        namespace: Any = None,  # noqa: ANN401  (as there)
    ) -> Any:  # noqa: ANN401  (as there)
        """As argparse's; the arguments are kept for what may be wrong with them."""
        self._typed = list(cast("Iterable[str]", args or ()))
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise MictapeError: what is wrong, by argparse's own message; or that `config.toml` cannot be read."""
        raise MictapeError(self._explained(message))

    def _explained(self, message: str) -> Failure:
        """What is wrong.

        Raises MictapeError when `config.toml` cannot be read and what was typed may be a preset's name.
        """
        if message.startswith(_UNKNOWN):
            unknown = message.removeprefix(_UNKNOWN).split()
            command = self._command_in(self._typed)
            return self._unknown_option(unknown) or command._misused(f"Unexpected argument {shown(unknown[0])}")
        if message.startswith(_MISSING):
            missing = message.removeprefix(_MISSING)
            return self._unknown_option(self._typed) or self._misused(f"{missing} is missing")
        if (found := _WRONG_CHOICE.match(message)) is not None:
            return self._wrong_choice(found["of"], found["value"])
        if (found := _OF_ARGUMENT.match(message)) is not None:
            of, what = found.groups()
            return self._misused(f"{of} needs a value" if what.startswith("expected") else f"{of}: {what}")
        return self._misused(message)

    def _misused(self, what: str) -> Failure:
        """A mistake in how this command was used."""
        return Failure(what, f"{self.prog} --help shows how to use it", ExitCode.USAGE)

    def _wrong_choice(self, of: str, value: str) -> Failure:
        if of in {"COMMAND", "WHAT"} and value in self._typed:  # probably the value of an option that there is not
            before = self._typed[: self._typed.index(value)]
            if (failure := self._unknown_option(before[-1:])) is not None:
                return failure
        if of == "COMMAND" and self.config is not None:
            read_config(self.config)  # it may be the name of a preset, unknown because of a mistake in the file
        action = next((each for each in self._actions if of in (*each.option_strings, each.metavar, each.dest)), None)
        choices = cast("Iterable[str]", action.choices or ()) if action is not None else ()
        kind = "command" if of in {"COMMAND", "WHAT"} else "value"
        where = "" if kind == "command" else f" for {of}"
        below = next((name for name, parser in self._commands() if value in dict(parser._commands())), None)
        remedy = f"Type: {self.prog} {below} {value}" if below is not None else nearest(value, choices)
        return Failure(f"There is no {kind} {shown(value)}{where}", remedy, ExitCode.USAGE)

    def _unknown_option(self, arguments: Sequence[str]) -> Failure | None:
        """What is wrong with the first of these that looks like an option and is none."""
        for argument in arguments:
            before = self._typed[: self._typed.index(argument)] if argument in self._typed else self._typed
            command = self._command_in(before)
            name = argument.partition("=")[0]
            if not name.startswith("-") or name in {"-", "--"} or name in command._option_string_actions:
                continue
            if not name.startswith("--") and "." in name:
                what = f"{shown(argument)} begins as an option does"
                return Failure(what, f"If it is a file, write ./{argument}", ExitCode.USAGE)
            listing = dict(command._commands()).get("list")  # what the command does without a word
            if listing is not None and name in listing._option_string_actions:
                return Failure(f"There is no option {name}", f"Type: {listing.prog} {argument}", ExitCode.USAGE)
            near = nearest(name, [each for each in command._option_string_actions if each.startswith("--")])
            remedy = near if near.startswith("Did you mean") else f"{command.prog} --help shows those there are"
            return Failure(f"There is no option {name}", remedy, ExitCode.USAGE)
        return None

    def _command_in(self, typed: Sequence[str]) -> "Parser":
        """The parser of the command that was typed, which knows the options behind it; without one this parser."""
        for name, parser in self._commands():
            if name in typed:
                return parser._command_in(typed[typed.index(name) + 1 :])
        return self

    def _commands(self) -> Iterable[tuple[str, "Parser"]]:
        """The commands below this one, by name."""
        for action in self._actions:
            below = cast("object", action.choices)
            for name, parser in cast("Mapping[str, object]", below).items() if isinstance(below, Mapping) else ():
                if isinstance(parser, Parser):
                    yield name, parser
