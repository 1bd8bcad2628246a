"""The commands `listen` and `transcribe`."""

import argparse
from typing import Final

from mictape.cli.options import ENGINE, RECORDING, Commands, add_settings, settings_of
from mictape.library.export import NAMES, endings
from mictape.paths import Places

GIVE_UP: Final = "how long to try without a connection to the engine; default 30"


def add(commands: Commands) -> None:
    """Add the commands."""
    listen = commands.add_parser("listen", help="live, as plain lines on stdout, until Ctrl-C")
    add_settings(listen, *RECORDING)
    listen.add_argument("--times", action="store_true", help="begin each line with its time")
    listen.add_argument("--json", action="store_true", help="one JSON object per line")
    listen.set_defaults(run=run_headless)

    transcribe = commands.add_parser("transcribe", help="a sound file to text on stdout")
    add_settings(transcribe, *ENGINE)
    transcribe.add_argument("file", metavar="FILE", help="a sound file of any kind; - for stdin")
    transcribe.add_argument("--format", choices=NAMES, help="default: as the ending of the output says, or txt")
    what = f"the file to write, at the end; its ending ({endings()}) names the format; - or nothing: stdout"
    transcribe.add_argument("-o", "--output", metavar="FILE", default="-", help=what)
    transcribe.add_argument("--times", action="store_true", help="begin each line with its time")
    transcribe.add_argument("--pace", choices=["fast", "real"], default="fast", help="real: as if it were live")
    add_tracks(transcribe)
    transcribe.add_argument("--give-up", metavar="SECONDS", type=float, default=30.0, help=GIVE_UP)
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
