"""The commands `sessions transcribe`, `versions` and `compare`: other versions of the text of a session."""

import argparse
import asyncio
import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mictape.cli.live import GIVE_UP
from mictape.cli.options import ENGINE, WHICH, Commands, add_settings, amount, settings_of
from mictape.failure import ExitCode
from mictape.paths import Places
from mictape.plain_text import counted, one_line
from mictape.units import RATE, clock

if TYPE_CHECKING:  # the library and the engines are loaded by the commands that use them
    from mictape.library.comparing import Passage, Piece
    from mictape.library.records import VersionRecord
    from mictape.session.session import Session
    from mictape.settings import Settings


def add_to(sessions: Commands) -> None:
    """Add the commands to those of `sessions`."""
    again = sessions.add_parser(
        "transcribe",
        help="transcribe one again, with another engine or model",
        description="Transcribes the sound of a session once more, as a new version of its text beside the old one. "
        "Marks, notes, edited text and names stay at their places.",
    )
    add_settings(again, *ENGINE)
    again.add_argument("session", metavar="ID", help=WHICH)
    again.add_argument("--give-up", metavar="SECONDS", type=amount, default=30.0, help=GIVE_UP)
    again.set_defaults(run=_transcribe)
    versions = sessions.add_parser("versions", help="list the versions of one's text, or show another one")
    versions.add_argument("session", metavar="ID", nargs="?", default="last", help=f"{WHICH}; default last")
    versions.add_argument("--use", metavar="N", type=int, help="show this version from now on")
    versions.set_defaults(run=_versions)
    compare = sessions.add_parser("compare", help="print where two versions of one's text differ")
    compare.add_argument("session", metavar="ID", nargs="?", default="last", help=f"{WHICH}; default last")
    compare.add_argument("old", metavar="A", type=int, nargs="?", help="a version; default: the one before B")
    compare.add_argument("new", metavar="B", type=int, nargs="?", help="another one; default: the newest")
    compare.set_defaults(run=_compare)


def _transcribe(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.terminal import set_up_log

    settings = settings_of(arguments, where)
    where.prepare()
    set_up_log(where.log)
    return asyncio.run(_again(arguments, where, replace(settings, keep=True)))


async def _again(arguments: argparse.Namespace, where: Places, settings: "Settings") -> int:
    from mictape.cli.headless import taking_signals
    from mictape.failure import MictapeError
    from mictape.recording import Policy, Recording

    async with Recording(where, settings, Policy(unattended=True, give_up_s=arguments.give_up)) as recording:
        await recording.engines.check()
        session = await recording.transcribe_again(arguments.session)
        with taking_signals(recording, live=False) as signals:
            await recording.run(_show(session))
        if recording.failure is not None:
            raise MictapeError(recording.failure)
        id = session.folder.session
        if signals.code != ExitCode.DONE:
            print(f"mictape: Interrupted. The text of session {id} is as it was.", file=sys.stderr)
            return signals.code
        version = await recording.keep_version()
    if version.complete:
        print(
            f"version {version.number} of {id} by {one_line(version.title)}; mictape sessions compare {id} shows "
            "what differs"
        )
    else:
        missing_s = sum(gap.end - gap.start for track in session.tracks for gap in track.coverage.gaps) / RATE
        print(
            f"version {version.number} of {id} is not shown: {missing_s:.0f} s of it have no text; "
            f"mictape sessions versions {id} --use {version.number} shows it"
        )
    return ExitCode.DONE


async def _show(session: "Session") -> None:
    """Show how far it is, and what goes wrong, until the session is closed."""
    from mictape.cli.headless import progress_bar
    from mictape.cli.output import say
    from mictape.session.events import Trouble

    with progress_bar(session, shown=True) as update:
        async for event in session.events():
            if isinstance(event, Trouble):
                say(event.failure)
            update()


def _versions(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.cli.sessions import reading, writing
    from mictape.library import versions

    if arguments.use is not None:
        with writing(where) as store:
            versions.choose_version(store, store.session(arguments.session).id, arguments.use)
    with reading(where) as store:
        session = store.session(arguments.session)
        for version in versions.versions(store, session.id):
            print(_line_of(version, shown=version.number == session.version))
    return ExitCode.DONE


def _line_of(version: "VersionRecord", *, shown: bool) -> str:
    made = f"{datetime.fromtimestamp(version.created_utc_s):%Y-%m-%d %H:%M}"
    more = ["" if version.complete else "not complete", "shown" if shown else ""]
    return "  ".join(filter(None, [f"{version.number:>2}", made, one_line(version.title), *more]))


def _compare(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.cli.sessions import reading
    from mictape.library import versions
    from mictape.library.comparing import compare

    with reading(where) as store:
        id = store.session(arguments.session).id
        known = versions.versions(store, id)
        if len(known) == 1:
            print(
                f"Session {id} has one version of its text; mictape sessions transcribe {id} makes another.",
                file=sys.stderr,
            )
            return ExitCode.DONE
        old, new = _chosen([version.number for version in known], arguments.old, arguments.new)
        first, second = (versions.version_of(store, id, number) for number in (old, new))
        found = compare(*(store.lines(id, words=False, version=number) for number in (old, new)))
    for passage in found.passages:
        print(_text_of(passage))
    old_name, new_name = (f"version {version.number}, {one_line(version.title)}" for version in (first, second))
    if found.differing:
        said = f"{found.differing:,} of {counted(found.words, 'word')} differ: [{old_name}] {{{new_name}}}"
    else:
        said = f"{old_name}, and {new_name}, have the same {counted(found.words, 'word')}"
    print(said, file=sys.stderr)
    return ExitCode.DONE


def _chosen(numbers: list[int], old: int | None, new: int | None) -> tuple[int, int]:
    """The two versions that are meant."""
    if new is None:
        new = numbers[-1] if old != numbers[-1] else numbers[0]
    if old is None:
        old = max((number for number in numbers if number < new), default=new)
    return old, new


def _text_of(passage: "Passage") -> str:
    """A passage: its time, and its words, in brackets what the old version has and in braces what the new one has."""
    words = [one_line(piece.new) if piece.same else _change(piece) for piece in passage.shortened().pieces]
    return f"{clock(passage.start)}  {' '.join(filter(None, words))}"


def _change(piece: "Piece") -> str:
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    old, new = one_line(piece.old), one_line(piece.new)
    removed = f"\x1b[31m[{old}]\x1b[0m" if colours else f"[{old}]"
    added = f"\x1b[32m{{{new}}}\x1b[0m" if colours else f"{{{new}}}"
    return f"{removed if old else ''}{added if new else ''}"
