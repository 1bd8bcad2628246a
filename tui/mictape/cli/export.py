"""The command `sessions export`: finished sessions as files of any format."""

import argparse
import asyncio
import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from mictape.cli import audio
from mictape.cli.options import WHICH, Commands, settings_of
from mictape.cli.output import note
from mictape.cli.several import each_of
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.export import FORMATS, NAMES, Document, Format, FormatName, Style, endings, format_of, write
from mictape.library.export.file import check
from mictape.library.formats import in_file_name
from mictape.paths import Places, is_folder, named_path, output_folder
from mictape.units import clock

STDOUT: Final = "-"


def add_export(actions: Commands) -> None:
    """Add the command to those of `sessions`."""
    export = actions.add_parser(
        "export",
        help="write finished sessions to files",
        description=f"Writes sessions as {', '.join(each.title for each in FORMATS.values())}.",
    )
    export.add_argument("sessions", metavar="ID", nargs="+", help=WHICH)
    export.add_argument(
        "-o",
        "--output",
        metavar="FILE|FOLDER",
        default=STDOUT,
        help=f"where to; a file's ending ({endings()}) names the format; - or nothing: stdout",
    )
    export.add_argument("--format", choices=NAMES, help="default: as the file's ending or [export] says; txt on stdout")
    export.add_argument("--force", action="store_true", help="replace files that exist")
    export.add_argument(
        "--sound",
        action="store_true",
        help="write the sound beside each, as FLAC; times count from its beginning, and an HTML page plays it",
    )
    export.add_argument(
        "--measure-words",
        action="store_true",
        help="measure when English words are said where the engine has guessed it, for subtitles; takes a while",
    )
    audio.add_part(export)
    export.add_argument("--marked", action="store_true", help="only what is marked, and notes")
    add_style(export, wall_clock=True)
    export.set_defaults(run=_export)


def add_style(parser: argparse.ArgumentParser, *, wall_clock: bool = False) -> None:
    """Add the options for what is shown beside the text; with `wall_clock` the one for times of day, too."""
    yes_or_no = argparse.BooleanOptionalAction
    parser.add_argument("--times", action=yes_or_no, help="times beside the text")
    parser.add_argument("--speakers", action=yes_or_no, help="who speaks; by itself where there are several")
    parser.set_defaults(wall_clock=False)
    if wall_clock:
        parser.add_argument("--wall-clock", action="store_true", help="times of day instead of times in the recording")


def style_of(arguments: argparse.Namespace) -> Style:
    """What `add_style` was given; wanting times of day is wanting times."""
    times: bool | None = arguments.times
    return Style(times or arguments.wall_clock or times, arguments.speakers, arguments.wall_clock)


def _export(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library.store import Store
    from mictape.session.documents import read_document

    settings = settings_of(arguments, where)
    to_files = arguments.output != STDOUT
    if arguments.sound and not to_files:
        raise MictapeError(Failure("--sound writes a file beside the text", "Name one: -o FILE", ExitCode.USAGE))
    start, end = audio.part_of(arguments)
    output = named_path(arguments.output)
    folder = folder_for(arguments.output, several=len(arguments.sessions) > 1) if to_files else None
    configured = settings.export.format if to_files or "export.format" in settings.origins else "txt"
    format = format_for(output if to_files and folder is None else None, arguments.format, configured)
    with contextlib.closing(Store.to_read(where.library, where.sessions)) as store:
        ids = [store.session(each).id for each in arguments.sessions]  # all are looked up before one is written

        async def export(id: str) -> int:
            document = _part(read_document(store, id, where.sessions / id, style_of(arguments)), start, end)
            if arguments.marked:
                document = _marked(document)
            if arguments.measure_words:
                from mictape.cli.measured_words import with_measured_words

                document = await with_measured_words(document, where.sessions / id, where.log)
            say_if_without_times(document)
            if to_files:
                path = output if folder is None else folder / file_name(document, format)
                if arguments.sound:
                    document = _with_sound(document, path, where.sessions / id, start, end, over=arguments.force)
                write(format.write(document), path, over=arguments.force)
                print(path)
            else:
                sys.stdout.writelines(format.write(document))
            return ExitCode.DONE

        return asyncio.run(each_of(ids, export))


def _part(document: Document, start: int, end: int | None) -> Document:
    """What is said between two session times, whole lines; their times stay those in the recording.

    Raises MictapeError (`ExitCode.USAGE`) when there is text, and none of it there.
    """
    within = [line for line in document.lines if line.end >= start and (end is None or line.start < end)]
    if document.lines and not within:
        what = f"There is no text in that part of the session, which is {clock(document.samples)} long"
        raise MictapeError(Failure(what, "Name another part with --from and --to", ExitCode.USAGE))
    return replace(document, lines=within)


def _marked(document: Document) -> Document:
    """What is marked, and notes. Raises MictapeError (`ExitCode.USAGE`) when there is nothing of that."""
    if not (part := document.with_marks_and_notes_only()).lines:
        what = f"Nothing is marked there, and there are no notes: {document.title}"
        raise MictapeError(Failure(what, "Leave --marked out to export everything", ExitCode.USAGE))
    return part


def _with_sound(document: Document, path: Path, folder: Path, start: int, end: int | None, *, over: bool) -> Document:
    """Write the sound of a session, or of a part of it, to a file beside that of its text, which names it.

    The times of the text count from the beginning of that file.
    """
    sound = path.with_suffix(".flac")
    check(path, over=over)
    audio.write_file(folder, document.tracks, sound, start, end, over=over)
    return replace(document.counted_from(start), sound=sound.name)


def say_if_without_times(document: Document) -> None:
    """Say on stderr when times of day are wanted of what was read from a file."""
    if document.style.wall_clock and (document.utc_of is None or document.utc_of(0) is None):
        note("mictape: It is not known when this was recorded; the times are those of the recording.")


def folder_for(text: str, *, several: bool) -> Path | None:
    """The folder that is meant as an output, as `output_folder`; one that is named as a file is not made.

    Raises:
        MictapeError: As `output_folder`; (`ExitCode.USAGE`) several files are written, and one is named.
    """
    named = named_path(text)
    ending = named.suffix.lower()
    format = next((each for each in FORMATS.values() if ending in each.endings), None)
    if several and format is not None and not text.endswith(("/", os.sep)) and not is_folder(named):
        what = f"Several files cannot be written to one file, {named.name}"
        raise MictapeError(Failure(what, f"Name a folder: -o FOLDER --format {format.name}", ExitCode.USAGE))
    return output_folder(text, several=several)


def format_for(file: Path | None, name: FormatName | None, otherwise: FormatName = "txt") -> Format:
    """The format that is asked for.

    Args:
        file: What it is written to; None: stdout or a folder.
        name: What `--format` says.
        otherwise: The one where nothing says it.

    Raises:
        MictapeError: (`ExitCode.USAGE`) the file's ending is of no format, or of another one than `name`.
    """
    asked = FORMATS[name] if name is not None else None
    if file is None:
        return asked or FORMATS[otherwise]
    if asked is not None and not file.suffix:
        return asked
    if not file.suffix:
        what = f'"{file.name}" is no folder, and has no ending of a known format'
        remedy = f"End it in one of: {endings()}; or in / for a new folder"
        raise MictapeError(Failure(what, remedy, ExitCode.USAGE))
    named = format_of(file)
    if asked not in (None, named):
        what = f"{file.name} ends as {named.name} does, and --format says {asked.name}"
        raise MictapeError(Failure(what, f"Let it end in {asked.endings[0]}", ExitCode.USAGE))
    return named


def file_name(document: Document, format: Format) -> str:
    """What a session's file is called in a folder: its id, and its title where it has one."""
    assert document.session is not None
    title = in_file_name(document.session.title)
    return f"{document.session.id}{f' {title}' if title else ''}{format.endings[0]}"
