"""The command `sessions`: what was recorded before."""

import argparse
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, get_args

from msgspec.structs import replace

from mictape.cli import audio, versions
from mictape.cli.export import add_export, add_style, say_if_without_times, style_of
from mictape.cli.live import GIVE_UP, run_headless
from mictape.cli.options import ENGINE, WHICH, Commands, add_settings, amount, settings_of
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.export import NAMES
from mictape.library.listing import Order
from mictape.paths import Places, is_there
from mictape.plain_text import counted, one_line

if TYPE_CHECKING:  # the library is loaded by the commands that use it
    from mictape.library.library import Store
    from mictape.library.listing import SessionFilter
    from mictape.library.records import SessionRecord


def add(commands: Commands) -> None:
    """Add the command."""
    sessions = commands.add_parser("sessions", help="list and use finished sessions")
    sessions.set_defaults(run=_list, filters=[], sort="newest", trash=False, json=False)
    what = sessions.add_subparsers(dest="action", metavar="WHAT")
    _add_shown(what)
    add_export(what)
    complete = what.add_parser("complete", help="transcribe what has no text yet")
    add_settings(complete, *ENGINE)
    complete.add_argument("session", metavar="ID", nargs="?", default="last", help=f"{WHICH}; default last")
    complete.add_argument("--give-up", metavar="SECONDS", type=amount, default=30.0, help=GIVE_UP)
    complete.set_defaults(run=run_headless)
    versions.add_to(what)
    audio.add_to(what)
    _add_changed(what)


def _add_shown(what: Commands) -> None:
    """Add the commands that print sessions."""
    each = what.add_parser("list", help="list them, the newest first (also without a word)")
    each.add_argument(
        "filters",
        metavar="FILTER",
        nargs="*",
        help="tag:TAG, device:NAME, engine:NAME, in:TITLE, after:DATE, before:DATE (2026-11-23, 2026-11, 7d)",
    )
    each.add_argument("--sort", choices=list(get_args(Order)), default="newest", help="default: newest")
    each.add_argument("--trash", action="store_true", help="those that were deleted and can be restored")
    each.add_argument("--json", action="store_true", help="one JSON array")
    show = what.add_parser("show", help="print the text of one")
    show.add_argument("session", metavar="ID", nargs="?", default="last", help=f"{WHICH}; default last")
    show.add_argument("--format", choices=NAMES, default="txt")
    show.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    add_style(show, wall_clock=True)
    show.set_defaults(run=_show)


def _add_changed(what: Commands) -> None:
    """Add the commands that give sessions titles and tags, and that move them to the trash and back."""
    rename = what.add_parser("rename", help="give one a title")
    rename.add_argument("session", metavar="ID", help=WHICH)
    rename.add_argument("title", metavar="TITLE", help="an empty one brings the proposed title back")
    rename.set_defaults(run=_rename)
    tag = what.add_parser("tag", help="add tags to one, or remove them")
    tag.add_argument("session", metavar="ID", help=WHICH)
    tag.add_argument("tags", metavar="TAG", nargs="*", help="a tag to add")
    tag.add_argument("--remove", metavar="TAG", action="append", default=[], help="a tag to remove; may be repeated")
    tag.set_defaults(run=_tag)
    delete = what.add_parser("delete", help="move some to the trash, sound and text")
    delete.add_argument("sessions", metavar="ID", nargs="+", help=WHICH)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.add_argument("--for-good", action="store_true", help="remove them at once; nothing can be restored")
    delete.set_defaults(run=_delete)
    restore = what.add_parser("restore", help="take one out of the trash")
    restore.add_argument("session", metavar="ID", help=WHICH)
    restore.set_defaults(run=_restore)


def reading(where: Places) -> "AbstractContextManager[Store]":
    """The library, to be read: one that is not there is not made. Raises MictapeError."""
    from mictape.library.library import Store

    return Store.to_read(where.library, where.sessions)


def writing(where: Places) -> "AbstractContextManager[Store]":
    """The library, to be changed: one that is not there is not made. Raises MictapeError."""
    from mictape.library.library import Store

    return Store(where.library, where.sessions) if is_there(where.library) else reading(where)


def _list(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library import export

    chosen = _filter_of(arguments.filters)
    chosen = replace(chosen, trash=arguments.trash or chosen.trash)
    with reading(where) as store:
        sessions = store.sessions(chosen, order=arguments.sort)
        if arguments.json:
            print(export.json_list(sessions))
            return ExitCode.DONE
        interrupted = {session.id for session in store.unfinished()}
        notes = {session.id: store.notes(session.id) for session in sessions if not session.lines}
    for session in sessions:
        print(line_of(session, interrupted=session.id in interrupted, notes=notes.get(session.id, 0)))
    if not sessions:
        none = "No such sessions." if arguments.filters else "No sessions."
        print("The trash is empty." if arguments.trash and not arguments.filters else none, file=sys.stderr)
    return ExitCode.DONE


def _filter_of(filters: Iterable[str]) -> "SessionFilter":
    """Raises MictapeError (`ExitCode.USAGE`) for what filters no sessions: a word of their text, a speaker."""
    from mictape.library.listing import KEPT
    from mictape.library.query import parse

    wanted = " ".join(filters)
    query = parse(wanted)
    if query.sessions is None:
        what = f"{wanted} is about what was said, not about sessions"
        of_title = f", or for a title in:{wanted}" if wanted.isalnum() else ""
        raise MictapeError(Failure(what, f"Use mictape search {wanted}{of_title}", ExitCode.USAGE))
    return KEPT if query.empty else query.sessions


def line_of(session: "SessionRecord", *, interrupted: bool = False, notes: int = 0) -> str:
    """A session as one line of a list: id, weekday, length, lines or else notes, title, tags, marks, state."""
    from mictape.library.titles import tags_of, title_of
    from mictape.units import clock

    state = "interrupted" if interrupted else "in progress" if session.state == "open" else ""
    more = [
        one_line(title_of(session)),
        tags_of(session),
        counted(session.marks, "mark") if session.marks else "",
        state,
        f"{session.without_text} without text" if session.without_text and not state else "",
    ]
    lines = f"{counted(notes, 'note') if notes and not session.lines else counted(session.lines, 'line'):>11}"
    return "  ".join(filter(None, [session.id, f"{session.started:%a}", clock(session.samples), lines, *more]))


def _print_one(store: "Store", session: str) -> None:
    interrupted = {each.id for each in store.unfinished()}
    print(line_of(store.session(session), interrupted=session in interrupted))


def _show(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library.export import FORMATS
    from mictape.session.documents import read_document

    with reading(where) as store:
        id = store.session(arguments.session).id
        document = read_document(store, id, where.sessions / id, style_of(arguments))
    say_if_without_times(document)
    sys.stdout.writelines(FORMATS[arguments.format].write(document))
    return ExitCode.DONE


def _rename(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library.labels import rename_session

    with writing(where) as store:
        _print_one(store, rename_session(store, arguments.session, arguments.title))
    return ExitCode.DONE


def _tag(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library.labels import tag_session, tags_in

    with writing(where) as store:
        added = [tag for each in arguments.tags for tag in tags_in(each) or [each]]
        _print_one(store, tag_session(store, arguments.session, add=added, remove=arguments.remove))
    return ExitCode.DONE


def _delete(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library import trash

    settings = settings_of(arguments, where)
    with writing(where) as store:
        chosen = [store.session(which, or_trash=arguments.for_good) for which in arguments.sessions]
        if not arguments.yes:
            _confirm(chosen, for_good=arguments.for_good)
        for session in chosen:
            if arguments.for_good:
                trash.purge(store, session.id, trash=session.deleted_utc_s is not None)
                print(f"{session.id} is removed")
            else:
                trash.delete(store, session.id)
                print(f"{session.id} is in the trash; mictape sessions restore {session.id} brings it back")
        trash.expire(store, settings.trash_days)
    return ExitCode.DONE


def _confirm(sessions: Iterable["SessionRecord"], *, for_good: bool) -> None:
    """Ask on the terminal. Raises MictapeError (`ExitCode.USAGE`) without one, or when the answer is no."""
    if not sys.stdin.isatty():
        raise MictapeError(Failure("Deleting asks on a terminal, and there is none", "Add --yes", ExitCode.USAGE))
    for session in sessions:
        print(line_of(session), file=sys.stderr)
    print("Remove for good? [y/N] " if for_good else "Move to the trash? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise MictapeError(Failure("Nothing was deleted", code=ExitCode.USAGE))


def _restore(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library import trash

    with writing(where) as store:
        _print_one(store, trash.restore(store, arguments.session))
    return ExitCode.DONE
