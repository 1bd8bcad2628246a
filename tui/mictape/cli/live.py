"""The commands `listen` and `transcribe`."""

import argparse
from typing import Final

from mictape.cli.export import add_style
from mictape.cli.options import ENGINE, RECORDING, Commands, add_settings, amount, settings_of
from mictape.library.formats import NAMES, endings
from mictape.paths import Places

GIVE_UP: Final = "how long to try without a connection to the engine; default 30"


def add(commands: Commands) -> None:
    """Add the commands."""
    listen = commands.add_parser("listen", help="live, as plain lines on stdout, until Ctrl-C")
    add_settings(listen, *RECORDING)
    add_style(listen)
    listen.add_argument("--json", action="store_true", help="one JSON object per line: finals and their revisions")
    listen.add_argument("--partials", action="store_true", help="unfinished text, too: on a terminal, or with --json")
    what = "a shell command to run for each final line, with the line as JSON on its stdin"
    listen.add_argument("--exec", metavar="CMD", help=what)
    listen.set_defaults(run=run_headless)

    transcribe = commands.add_parser("transcribe", help="sound files to text")
    add_settings(transcribe, *ENGINE, "names")
    what = "sound files of any kind, folders, patterns; - for stdin"
    transcribe.add_argument("files", metavar="FILE|FOLDER", nargs="+", help=what)
    transcribe.add_argument("--format", choices=NAMES, help="default: as the ending of the output says, or txt")
    json = "the same as --format json"
    transcribe.add_argument("--json", dest="format", action="store_const", const="json", help=json)
    what = f"where to; a file's ending ({endings()}) names the format; of several files a folder; - or nothing: stdout"
    transcribe.add_argument("-o", "--output", metavar="FILE|FOLDER", default="-", help=what)
    transcribe.add_argument("--force", action="store_true", help="replace files that exist")
    add_style(transcribe)
    transcribe.add_argument("--pace", choices=["fast", "real"], default="fast", help="real: as if it were live")
    add_tracks(transcribe)
    transcribe.add_argument("--give-up", metavar="SECONDS", type=amount, default=30.0, help=GIVE_UP)
    transcribe.add_argument("--keep", action="store_true", help="keep it as a session")
    transcribe.set_defaults(run=run_headless)


def add_tracks(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what becomes of the channels of a file."""
    parser.add_argument(
        "--tracks",
        choices=["mix", "channels"],
        default="mix",
        help="mix all channels, or transcribe each on its own: a recorded call has a speaker on each",
    )


def run_headless(arguments: argparse.Namespace, where: Places) -> int:
    """Run a session without a screen."""
    from mictape.cli import headless

    return headless.run(arguments, where, settings_of(arguments, where))
