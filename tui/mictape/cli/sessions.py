"""The command `sessions`: what was recorded before."""

import argparse
import contextlib
import sys

from mictape.cli import audio
from mictape.cli.export import add_export, add_style, style_of
from mictape.cli.live import GIVE_UP, run_headless
from mictape.cli.options import ENGINE, Commands, add_settings
from mictape.failure import ExitCode
from mictape.library.export import NAMES
from mictape.paths import Places


def add(commands: Commands) -> None:
    """Add the command."""
    sessions = commands.add_parser("sessions", help="list and use finished sessions")
    sessions.set_defaults(run=_sessions)
    what = sessions.add_subparsers(dest="action", metavar="list|show|export|complete|delete")
    what.add_parser("list", help="all of them, the newest first (also without a word)")
    show = what.add_parser("show", help="the text of one")
    show.add_argument("session", metavar="ID", nargs="?", default="last", help="its id or how it begins; default last")
    show.add_argument("--format", choices=NAMES, default="txt")
    add_style(show)
    add_export(what)
    complete = what.add_parser("complete", help="transcribe what has no text yet")
    add_settings(complete, *ENGINE)
    complete.add_argument("session", metavar="ID", help="its id, how it begins, or last")
    complete.add_argument("--give-up", metavar="SECONDS", type=float, default=30.0, help=GIVE_UP)
    complete.set_defaults(run=run_headless)
    audio.add_to(what)
    delete = what.add_parser("delete", help="remove all of one, its sound too")
    delete.add_argument("session", metavar="ID", help="its id, how it begins, or last")


def _sessions(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library.export import FORMATS, visible
    from mictape.library.store import Store
    from mictape.session.documents import read_document

    if arguments.action == "delete":
        with Store(where.library, where.sessions) as store:
            print(f"deleted {store.delete_session(arguments.session)}")
        return ExitCode.DONE
    with contextlib.closing(Store.to_read(where.library, where.sessions)) as store:
        if arguments.action != "show":
            cut_off = {session.id for session in store.unfinished()}
            for session in store.sessions():
                length = str(session.duration).partition(".")[0]
                state = "  cut off" if session.id in cut_off else "  recording" if session.state == "open" else ""
                title = f"  {visible(session.title)}" if session.title else ""
                print(f"{session.id}  {length:>8}  {session.lines:>5} lines{title}{state}")
            return ExitCode.DONE
        id = store.session(arguments.session).id
        document = read_document(store, id, where.sessions / id, style_of(arguments))
        sys.stdout.writelines(FORMATS[arguments.format].write(document))
    return ExitCode.DONE
