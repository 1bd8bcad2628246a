"""Carries out `import`: a recording for each file, with its progress on stderr and a line about it on stdout."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from mictape.audio.file_info import file_info
from mictape.audio.source_spec import FileSource, is_pipe, source_of
from mictape.cli import output
from mictape.cli.headless import progress_bar, taking_signals
from mictape.cli.several import each_of
from mictape.failure import ExitCode, MictapeError
from mictape.library import imported, trash
from mictape.library.library import Store
from mictape.library.records import SessionRecord
from mictape.paths import Places
from mictape.plain_text import counted
from mictape.recording import Policy, Recording
from mictape.recording.files import files_in, specs_of
from mictape.session.events import SourceEnded, Trouble
from mictape.session.session import Session
from mictape.settings import Settings
from mictape.terminal import set_up_log
from mictape.units import clock

STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class _Import:
    """What holds for all files."""

    where: Places
    settings: Settings
    policy: Policy
    apart: bool
    again: bool


def run(arguments: argparse.Namespace, where: Places, settings: Settings) -> int:
    """Import all files; the exit code of the first that failed. Raises MictapeError."""
    where.prepare()
    set_up_log(where.log)
    names = [STDIN] if arguments.files == [STDIN] else [str(path) for path in files_in(arguments.files)]
    policy = Policy(unattended=True, give_up_s=arguments.give_up)
    what = _Import(
        where, replace(settings, keep=True), policy, apart=arguments.tracks == "channels", again=arguments.again
    )
    return asyncio.run(_import_all(what, names))


async def _import_all(what: _Import, names: Sequence[str]) -> int:
    def label(number: int, name: str) -> str:
        return f"{number} of {len(names)}: {Path(name).name}" if len(names) > 1 else Path(name).name

    return await each_of(enumerate(names, 1), lambda each: _import(what, each[1], label(*each)))


async def _import(what: _Import, name: str, label: str) -> int:
    """Import one file; the exit code. Raises MictapeError."""
    spec = source_of(name, "fast")
    file = None
    if isinstance(spec, FileSource) and not await asyncio.to_thread(is_pipe, spec.path):
        file = await asyncio.to_thread(imported.look_at, spec.path)
        if not what.again and (known := await asyncio.to_thread(_imported_before, what.where, file)) is not None:
            if known.deleted_utc_s is not None:
                way = f", which is in the trash; mictape sessions restore {known.id} brings it back"
            else:
                way = f"; mictape sessions complete {known.id} transcribes what has no text"
            output.note(f"{name} was imported before, as {known.id}{way}, --again imports it once more")
            return ExitCode.DONE
        await file_info(spec.path)  # before there is a session: one without sound is of no use
    specs = await specs_of(name, "fast", apart=what.apart)
    async with Recording(what.where, what.settings, what.policy) as recording:
        await recording.engines.check()
        session = await recording.begin(*specs, also=())
        if file is not None:
            imported.begin(session.folder.path, file)
        whole = asyncio.Event()
        with taking_signals(recording, live=False) as signals:
            await recording.run(_show(session, label, whole, noted=file is not None))
        id = session.folder.session
        if not whole.is_set():  # the file has all of it still
            await recording.library.run(trash.purge, id, trash=False)
            print(f"mictape: {name} was not read to its end. Import it again.", file=sys.stderr)
        if recording.failure is not None:
            raise MictapeError(recording.failure)
        if whole.is_set():
            kept = await recording.library.run(Store.session, id)
            print(f"{id}  {clock(kept.samples)}  {counted(kept.lines, 'line'):>11}  {Path(name).name}", flush=True)
        return signals.code


def _imported_before(where: Places, file: imported.ImportedFile) -> SessionRecord | None:
    with Store.to_read(where.library, where.sessions) as store:
        return imported.session_of(store, file)


async def _show(session: Session, label: str, whole: asyncio.Event, *, noted: bool) -> None:
    """Show how far it is, and what goes wrong, until the session is closed.

    Once the file is read, `whole` is set, and it is noted in the session's folder if its beginning was.
    """
    reading = len(session.tracks)
    with progress_bar(session, shown=True, what=label) as update:
        async for event in session.events():
            match event:
                case Trouble(failure):
                    output.say(replace(failure, what=f"{label}: {failure.what}"))
                case SourceEnded(_, warning):
                    reading -= 1
                    if not reading:
                        whole.set()
                        if noted:
                            imported.finish(session.folder.path)
                    if warning:
                        print(f"mictape: {warning}", file=sys.stderr, flush=True)
                case _:
                    pass
            update()
