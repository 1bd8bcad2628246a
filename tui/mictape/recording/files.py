"""What a session records of a file that the person names."""

import os
from collections.abc import Iterable
from glob import glob
from pathlib import Path
from typing import Final, Literal

from mictape.audio.file_info import file_info
from mictape.audio.source_spec import FileSource, SourceSpec, is_pipe, source_of
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.paths import is_file, is_folder, is_there

ENDINGS: Final = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64"}
    | {".rf64", ".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".aac", ".ac3", ".webm", ".mkv", ".mka", ".avi", ".flv"}
    | {".wma", ".wmv", ".asf", ".amr", ".ape", ".wv", ".ts", ".mpg", ".mpeg"}
)
"""How names of sound files and films end; of a folder only such files are taken."""


async def specs_of(name: str, pace: Literal["real", "fast"], *, apart: bool = False) -> list[SourceSpec]:
    """What is recorded of a file, one for each track.

    Args:
        name: Its path; `-` is standard input.
        pace: How fast it is read.
        apart: Whether each channel is a track.

    Raises:
        MictapeError: (`ExitCode.USAGE`) a pipe's channels are to be apart, which would be read more than once;
            (`ExitCode.SOUND`) it is no sound that can be read.
    """
    spec = source_of(name, pace)
    if not apart:
        return [spec]
    if not isinstance(spec, FileSource) or is_pipe(spec.path):
        what = f"{name} is read once only, and --tracks channels reads it for each channel"
        raise MictapeError(Failure(what, "Save it to a file first", ExitCode.USAGE))
    channels = (await file_info(spec.path)).channels
    if channels == 1:
        return [spec]
    return [FileSource(spec.path, pace, channel) for channel in range(1, channels + 1)]


def files_in(names: Iterable[str]) -> list[Path]:
    """The files that are meant: those named, those in folders that are named, and those that patterns fit.

    Raises:
        MictapeError: (`ExitCode.USAGE`) a folder has no sound file in it, or nothing fits a pattern;
            (`ExitCode.SOUND`) a folder cannot be read.
    """
    found: list[Path] = []
    for name in names:
        if not name:
            raise MictapeError(Failure("The name of a file is empty", "Name a file or a folder", ExitCode.USAGE))
        path = Path(name)
        if is_folder(path):
            files = _sound_files(path)
            if not files:
                raise MictapeError(Failure(f"{name} has no sound file in it", "Choose another folder", ExitCode.USAGE))
        elif any(mark in name for mark in "*?[") and not is_there(path):  # where no shell has done it
            found_by_it = glob(name, recursive=True)  # noqa: PTH207  (Path.glob raises for some patterns and folders)
            files = [each for each in map(Path, sorted(found_by_it)) if is_file(each)]
            if not files:
                raise MictapeError(Failure(f"No file fits {name}", "Check the pattern", ExitCode.USAGE))
        else:
            files = [path]
        found += [each for each in files if each not in found]
    return found


def _sound_files(folder: Path) -> list[Path]:
    """The sound files in a folder and those below it. Raises MictapeError when one of them cannot be read."""

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # else it was removed meanwhile
            what = f"{error.filename} cannot be read: {(error.strerror or str(error)).lower()}"
            raise MictapeError(Failure(what, "Make that folder readable, or name the files")) from error

    found = (Path(at, name) for at, _, names in os.walk(folder, onerror=fail) for name in names)
    return sorted(path for path in found if path.suffix.lower() in ENDINGS and is_file(path))
