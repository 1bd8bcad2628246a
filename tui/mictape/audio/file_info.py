"""What a sound file is, asked of a child process: decoders crash, hang, and need numpy, which the app does without.

`python -m mictape.audio.file_info PATH` prints it as JSON.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from mictape import subprocesses
from mictape.failure import Failure, MictapeError

TIMEOUT_S: Final = 60.0
"""A file behind a slow network may take its time; a decoder that hangs never answers."""


class FileInfo(msgspec.Struct, tag="file", frozen=True):
    """A sound file that can be read."""

    rate: int
    """Frames a second."""
    channels: int


class _Unreadable(msgspec.Struct, tag="unreadable", frozen=True):
    what: str
    remedy: str


async def file_info(path: Path) -> FileInfo:
    """Look into a regular file.

    Raises:
        MictapeError: (`ExitCode.SOUND`) it is no sound that can be read.
    """
    process = await subprocesses.start("mictape.audio.file_info", "--", str(path), stdin=subprocess.DEVNULL)
    try:
        said, _ = await subprocesses.answer_of(process, TIMEOUT_S)
        found = msgspec.json.decode(said, type=FileInfo | _Unreadable)
    except (TimeoutError, msgspec.DecodeError) as error:
        what = f"{path.name} cannot be read"
        raise MictapeError(Failure(what, "Convert the file to another format, or choose another one")) from error
    if isinstance(found, _Unreadable):
        raise MictapeError(Failure(found.what, found.remedy))
    return found


def _look(path: Path) -> FileInfo | _Unreadable:
    from mictape.audio.capture.decoding.decoder import FileDecoder, UnreadableError

    try:
        decoder = FileDecoder(path, path.name, Path(tempfile.gettempdir()))
    except UnreadableError as error:
        return _Unreadable(error.what, error.remedy)
    return FileInfo(decoder.rate, decoder.channels)


def main() -> None:
    """Print what a file is."""
    import os

    sys.stdout.buffer.write(msgspec.json.encode(_look(Path(sys.argv[-1]))) + b"\n")
    sys.stdout.flush()
    os._exit(0)  # a decoder's threads and children are not waited for


if __name__ == "__main__":
    main()
