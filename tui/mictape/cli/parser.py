"""The command line: its commands, each added by the module that carries it out.

A command is added by giving a module of this package a function `add(commands)`, which makes a parser and says who
carries it out (`set_defaults(run=…)`), and naming the module in `COMMANDS`. Modules import what is heavy when they run.
The full screen is started without any of these modules: it takes options only, see `parse`.
"""

import argparse
import os
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, cast

from msgspec.structs import replace

from mictape import __version__, collector
from mictape.bundled import DEMO
from mictape.cli import output
from mictape.cli.options import RECORDING, WHICH, Commands, add_settings, commands_of, settings_of
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.paths import Places
from mictape.settings import DEFAULT_ENGINE, PRESET, PRESETS, Given, Settings
from mictape.text_files import read_text, toml

if TYPE_CHECKING:  # the app is loaded by the commands that start it
    from mictape.cli.mistakes import Parser
    from mictape.start import Start

COMMANDS: Final = (
    "live",
    "importing",
    "reading",
    "sessions",
    "search",
    "devices",
    "engines",
    "models",
    "config",
    "doctor",
    "completion",
)
"""The modules of this package that have commands, in the order of `--help`."""

EPILOG: Final = """\
without a command: full-screen in this terminal; starts listening at once

exit codes: 0 done, 2 bad usage, 3 device or file, 4 engine or network, 130 interrupted
"""


class _CommandError(Exception):
    """A command line that the options alone do not explain."""


class _OptionsOnly(argparse.ArgumentParser):
    """Leaves help and mistakes to the parser that knows the commands, too."""

    def error(self, message: str) -> NoReturn:
        """Raise `_CommandError`."""
        raise _CommandError


PLAIN_NAME: Final = re.compile(r"\w[\w.-]*")
"""Names with other characters would be expanded by a shell that completes them, or by argparse in its help."""


def parse(argv: Sequence[str], config: Path) -> argparse.Namespace:
    """Parse a command line; without a command, the modules of the commands are not even imported.

    Args:
        argv: Without the program's name.
        config: `config.toml`, whose presets are commands.

    Raises:
        SystemExit: Help or the version was printed, or what is wrong with the command line.
        MictapeError: (`ExitCode.USAGE`) An option, command or value does not exist.
    """
    options = _OptionsOnly(prog="mictape", add_help=False)
    _add_options(options)
    try:
        return options.parse_args(argv)
    except _CommandError:
        top = parser(preset_names(config))
        top.config = config
        return top.parse_args(argv)


def parser(presets: Iterable[str] = ()) -> "Parser":
    """The options and commands. `run` of the parsed namespace carries the command line out.

    Args:
        presets: The names of presets, each a command of its own. One that is named like a command of Mictape's is not.
    """
    from mictape.cli.mistakes import Parser  # not needed for the full screen

    top = Parser(
        prog="mictape",
        description="Live speech recognition in the terminal.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_options(top)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for module in COMMANDS:
        import_module(f"mictape.cli.{module}").add(commands)
    for name in presets:
        if name not in commands.choices:
            _add_preset(commands, name)
    for each in commands_of(top):
        _add_verbosity(each)
    return top


def preset_names(path: Path) -> list[str]:
    """The names of the presets in `config.toml` that can be commands; the others are for `--preset` only.

    None when the file is broken, which `settings.load` reports, and the parser where a command is not known.
    """
    try:
        presets = toml(read_text(path)).get(PRESETS, {})
    except (OSError, ValueError):
        return []
    names = list(cast("dict[str, object]", presets)) if isinstance(presets, dict) else []
    return [name for name in names if PLAIN_NAME.fullmatch(name)]


def _add_options(top: argparse.ArgumentParser) -> None:
    """What may stand before a command, and without one."""
    top.set_defaults(run=_record)
    top.add_argument("-V", "--version", action="version", version=f"mictape {__version__}")
    add_settings(top, *RECORDING, "theme", top=True)
    top.add_argument("--input", metavar="FILE", type=Path, help="play a sound file as if it were live")
    top.add_argument("--demo", action="store_true", help="show Mictape with a recording of its own; nothing is kept")
    _add_verbosity(top)
    what = f"record on in a session: {WHICH}; default last"
    top.add_argument("--continue", dest="continued", metavar="ID", nargs="?", const="last", help=what)


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Add what says how much is printed and logged; before a command's name and after it."""
    for option, long, help in (
        ("-q", "--quiet", "print results and failures only: no notes and no progress on stderr"),
        ("-v", "--verbose", "print the log on stderr, unless full-screen, and log more"),
    ):
        parser.add_argument(option, long, action="store_true", default=argparse.SUPPRESS, help=help)
    what = "log nothing below it: debug, info (the default), warning or error"
    parser.add_argument("--log-level", metavar="LEVEL", choices=output.LOG_LEVELS, default=argparse.SUPPRESS, help=what)


def _add_preset(commands: Commands, name: str) -> None:
    """`mictape NAME`: full-screen with the settings of a preset."""
    preset = commands.add_parser(name, help=f"full-screen, with [presets.{name}] of config.toml")
    preset.set_defaults(run=_record, preset=name)
    add_settings(preset, *RECORDING, "theme")


def _record(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.start import Start

    preset: str | None = getattr(arguments, "preset", None)
    settings = settings_of(arguments, where, *([Given("mictape", PRESET, preset)] if preset else []))
    if arguments.demo:  # needs no network and no device, is spoken in English, and leaves nothing behind
        settings = replace(settings, engine=DEFAULT_ENGINE, engines={}, language="en", also=(), names=(), keep=False)
        return full_screen(settings, where, Start(file=DEMO))
    return full_screen(settings, where, Start(file=arguments.input, continued=arguments.continued))


def full_screen(settings: Settings, where: Places, start: "Start") -> int:
    """Run the app; its exit code. Raises MictapeError."""
    collector.pause()  # until the app has loaded what records
    from mictape.app import run_app
    from mictape.themes import check_theme

    if os.environ.get("TERM") == "dumb":
        what = "This terminal cannot show full screens: TERM is dumb"
        raise MictapeError(Failure(what, "Use mictape listen", ExitCode.USAGE))
    output.keep_off_stderr()
    if place := settings.place("theme"):  # one that is only remembered may have gone: the app takes another one
        check_theme(settings.theme, place, where.themes)
    return run_app(where, settings, start)
