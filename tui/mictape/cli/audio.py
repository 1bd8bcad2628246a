"""The commands `sessions audio`, `sessions pack` and `sessions prune`: the sound of finished sessions."""

import argparse
import contextlib
import re
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from mictape.cli import output
from mictape.cli.options import WHICH, Commands, amount
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.paths import Places, named_path
from mictape.plain_text import counted
from mictape.transcript.times import FromHere, OnTape, parse
from mictape.units import clock

if TYPE_CHECKING:
    from mictape.library.records import SessionRecord, TrackRecord
    from mictape.library.sound_storage import Weight
    from mictape.library.store import Store

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_FACTORS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def add_to(sessions: Commands) -> None:
    """Add the commands to those of `sessions`."""
    audio = sessions.add_parser(
        "audio",
        help="write the sound of one to a file",
        description="Writes all parts of a session's sound to one file, each track to a channel of its own.",
    )
    audio.add_argument("session", metavar="ID", nargs="?", default="last", help=f"{WHICH}; default last")
    audio.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=named_path,
        required=True,
        help="ends in .wav, .flac, .ogg, .opus or .mp3",
    )
    add_part(audio)
    audio.add_argument("--track", metavar="N", type=int, action="append", help="only this one; may be repeated")
    audio.add_argument("--force", action="store_true", help="replace a file that is there")
    audio.set_defaults(run=_audio)

    pack = sessions.add_parser(
        "pack",
        help="keep the sound of finished sessions as FLAC",
        description="Packs the sound as FLAC, about half the size. Each file is compared with the recording, sample by "
        "sample, before that is removed.",
    )
    pack.add_argument("sessions", metavar="ID", nargs="*", help="default: all")
    pack.set_defaults(run=_pack)

    prune = sessions.add_parser(
        "prune",
        help="show what the sound weighs, and remove that of old sessions",
        description="Without an option it shows what the sound of all sessions weighs. With one it removes the sound "
        "of the oldest sessions; their text stays. Sessions with parts that have no text yet keep their sound.",
    )
    prune.add_argument("--older-than", metavar="DAYS", type=amount, help="the sound of sessions that are older")
    prune.add_argument("--down-to", metavar="SIZE", type=_size, help="the oldest sound, until 5GB or so are left")
    prune.add_argument("--yes", action="store_true", help="do not ask")
    prune.set_defaults(run=_prune)


def add_part(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a part of a session: `start` and `end`, samples; None: to its end."""
    parser.add_argument("--from", dest="start", metavar="TIME", type=_time, default=0, help="as 12:30, 1:02:03 or 90s")
    parser.add_argument("--to", dest="end", metavar="TIME", type=_time, help="default: the end")


def part_of(arguments: argparse.Namespace) -> tuple[int, int | None]:
    """What `add_part` was given. Raises MictapeError (`ExitCode.USAGE`) when it ends before it begins."""
    start, end = cast("int", arguments.start), cast("int | None", arguments.end)
    if end is not None and end <= start:
        raise MictapeError(Failure("--to is not behind --from", "Name the beginning with --from", ExitCode.USAGE))
    return start, end


def _audio(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library.store import Store
    from mictape.session.sound_export import kind_of

    output: Path = arguments.output
    kind_of(output)  # before anything is written
    start, end = part_of(arguments)
    with contextlib.closing(Store.to_read(where.library, where.sessions)) as store:
        session = store.session(arguments.session)
        wanted: list[int] | None = arguments.track
        tracks = [track for track in store.tracks(session.id) if wanted is None or track.number in wanted]
    if not tracks:
        raise MictapeError(Failure("The session has no such track", "Leave --track out", ExitCode.USAGE))
    folder = where.sessions / session.id
    write_file(folder, tracks, output, start, end, over=arguments.force)
    return ExitCode.DONE


def write_file(
    folder: Path, tracks: "Sequence[TrackRecord]", output: Path, start: int = 0, end: int | None = None, *, over: bool
) -> None:
    """Write the sound of a session to a file as `write_sound`, with a progress bar, and print its name and size.

    Raises MictapeError, also when the file is there, unless it may be written `over`.
    """
    from mictape.library.export.file import placed
    from mictape.session.sound_export import write_sound

    with placed(output, over=over) as unfinished, _progress(output.name) as wrote:
        samples = write_sound(folder, tracks, unfinished, start, end, named=output, wrote=wrote)
    print(f"{output}  {clock(samples)}  {_readable(output.stat().st_size)}")


def _pack(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library import sound_storage
    from mictape.library.folders import is_alive
    from mictape.library.store import Store

    named: list[str] = arguments.sessions
    with contextlib.closing(Store.to_read(where.library, where.sessions)) as store:
        found = [store.session(each) for each in named] if named else store.sessions()
    code, freed, packed = ExitCode.DONE, 0, 0
    for session in found:
        folder = where.sessions / session.id
        if not sound_storage.weight_of(folder).unpacked or (not named and is_alive(folder)):
            continue
        try:
            freed += sound_storage.pack(folder)
            packed += 1
        except MictapeError as error:
            code = output.say(error.failure)
    print(f"packed {counted(packed, 'session')}; {_readable(freed)} saved")
    return code


def _prune(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library import sound_storage
    from mictape.library.store import Store
    from mictape.plain_text import one_line

    with contextlib.closing(Store.to_read(where.library, where.sessions)) as store:
        sound = [_Sound.of(store, session, where.sessions / session.id) for session in store.sessions()]
    all = sum((each.weight for each in sound), sound_storage.Weight())
    with_sound = [each for each in sound if each.weight.total]
    weighs = f"{_readable(all.total)} of sound, {_readable(all.unpacked)} of it not packed"
    print(f"{counted(len(with_sound), 'session')} with {weighs}")
    if arguments.older_than is None and arguments.down_to is None:
        return ExitCode.DONE
    chosen, kept = _choose(with_sound, all.total, arguments.older_than, arguments.down_to)
    if kept:
        print(
            f"{counted(kept, 'session')} would go, too, but {'has' if kept == 1 else 'have'} parts without text",
            file=sys.stderr,
        )
    for each in chosen:
        title = f"  {one_line(each.session.title)}" if each.session.title else ""
        print(f"{each.session.id}  {clock(each.session.samples)}  {_readable(each.weight.total):>8}{title}")
    freed = sum(each.weight.total for each in chosen)
    if not chosen:
        print("nothing to remove")
        return ExitCode.DONE
    if not arguments.yes and not _agreed(
        f"Remove the sound of {counted(len(chosen), 'session')}, {_readable(freed)}? [y/N] "
    ):
        return ExitCode.DONE
    for each in chosen:
        sound_storage.remove(each.folder)
    print(f"removed {_readable(freed)}")
    return ExitCode.DONE


@dataclass(frozen=True, slots=True)
class _Sound:
    """The sound of one session."""

    session: "SessionRecord"
    folder: Path
    weight: "Weight"
    needed: bool
    """Whether it is still recorded, or has parts without text."""

    @classmethod
    def of(cls, store: "Store", session: "SessionRecord", folder: Path) -> "_Sound":
        from mictape.library.sound_storage import weight_of

        gaps = any(
            stretch.what == "gap"
            for track in store.tracks(session.id)
            for stretch in store.coverage(session.id, track.number)
        )
        return cls(session, folder, weight_of(folder), gaps or session.state == "open")


def _choose(sound: list[_Sound], total: int, days: float | None, down_to: int | None) -> tuple[list[_Sound], int]:
    """Those whose sound goes, the oldest first, and how many stay only since it is needed."""
    before = None if days is None else datetime.now().astimezone() - timedelta(days=days)
    chosen: list[_Sound] = []
    kept = 0
    for each in sorted(sound, key=lambda each: each.session.started_utc_s):
        old = before is not None and each.session.started < before
        if not old and (down_to is None or total <= down_to):
            continue
        if each.needed:
            kept += 1
            continue
        chosen.append(each)
        total -= each.weight.total
    return chosen, kept


def _agreed(question: str) -> bool:
    """Ask on a terminal. Raises MictapeError (`ExitCode.USAGE`) where there is no terminal to answer on."""
    if not sys.stdin.isatty():
        raise MictapeError(Failure("Nothing was removed: this is not a terminal", "Add --yes", ExitCode.USAGE))
    return input(question).strip().lower() in {"y", "yes"}


@contextlib.contextmanager
def _progress(name: str) -> Generator[Callable[[int, int], None]]:
    """A progress bar on stderr, when that is a terminal."""
    if not output.shows_progress():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name)
        yield lambda done, all: bar.update(task, completed=done, total=all)


def _readable(size: float) -> str:
    """Bytes, in the decimal units that disks are sold in."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f'"{text}" is not a size; use 500MB or 5GB')
    return round(float(match[1]) * _FACTORS[match[2].lower()])


def _time(text: str) -> int:
    """A session time in samples."""
    try:
        wish = parse(text)
    except MictapeError as error:
        raise argparse.ArgumentTypeError(error.failure.what) from error
    if isinstance(wish, OnTape | FromHere) and wish.samples >= 0:
        return wish.samples
    raise argparse.ArgumentTypeError(f'"{text}" is not a time in a session; use 12:30, 1:02:03 or 90s')
