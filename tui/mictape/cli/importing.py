"""The command `import`: sound files become sessions, one after the other."""

import argparse
from typing import Final

from mictape.cli.live import GIVE_UP, add_tracks
from mictape.cli.options import ENGINE, Commands, add_settings, amount, settings_of
from mictape.paths import Places

DESCRIPTION: Final = """\
Transcribes sound files and keeps each as a session, with its sound. Everything that libsndfile reads (WAV, FLAC, OGG,
Opus, MP3, AIFF …) is read by itself; m4a, mp4, webm, mkv, mov, avi, wma, amr and more where ffmpeg is installed. A file
that was imported before is skipped. Interrupted with Ctrl-C, what is left of a file is completed later with
mictape sessions complete."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("import", help="sound files to sessions", description=DESCRIPTION)
    add_settings(parser, *ENGINE, "names")
    parser.add_argument("files", metavar="FILE|FOLDER", nargs="+", help="files, folders, patterns; - for stdin")
    add_tracks(parser)
    parser.add_argument("--again", action="store_true", help="import files, too, that were imported before")
    parser.add_argument("--give-up", metavar="SECONDS", type=amount, default=30.0, help=GIVE_UP)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.cli import importing_files

    return importing_files.run(arguments, where, settings_of(arguments, where))
