"""The commands `open` and `library`: finished sessions on the screen, without recording."""

import argparse

from mictape.cli.options import ENGINE, WHICH, Commands, add_settings, settings_of
from mictape.paths import Places


def add(commands: Commands) -> None:
    """Add the commands."""
    opening = commands.add_parser("open", help="read a finished session: search, play, mark, edit, export")
    add_settings(opening, *ENGINE, "theme")
    opening.add_argument("session", metavar="ID", nargs="?", default="last", help=f"{WHICH}; default last")
    opening.set_defaults(run=_run)
    library = commands.add_parser("library", help="list, search and read finished sessions; nothing is recorded")
    add_settings(library, *ENGINE, "theme")
    library.set_defaults(run=_run, session=None)


def _run(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.cli.parser import full_screen
    from mictape.start import Start

    start = Start(library=arguments.session is None, opened=arguments.session)
    return full_screen(settings_of(arguments, where), where, start)
