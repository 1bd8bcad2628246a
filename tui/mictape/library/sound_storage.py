"""The sound of finished sessions on disk: what it weighs, packed as FLAC, or removed while the text stays.

`python -m mictape.library.sound_storage SESSIONS [ID]` packs one session after the other, or the one of this id, at the
lowest priority, and ends when its standard input does.
"""

import os
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mictape.audio.tape import find_parts, find_tracks, packing
from mictape.failure import ExitCode, MictapeError
from mictape.library.folders import SessionFolder, is_alive


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes of sound."""

    packed: int = 0
    """In FLAC files."""
    unpacked: int = 0
    """In WAV files."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.packed + self.unpacked

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(self.packed + other.packed, self.unpacked + other.unpacked)


def weight_of(folder: Path) -> Weight:
    """What the sound in a session's folder weighs; nothing where there is no folder. Raises TapeError."""
    sizes = Weight()
    for track in find_tracks(folder):
        for part in find_parts(folder, track):
            size = part.path.stat().st_size
            sizes += Weight(packed=size) if part.packed else Weight(unpacked=size)
    return sizes


def pack(folder: Path) -> int:
    """Pack a finished session's sound; the bytes that are free now.

    Raises:
        MictapeError: (`ExitCode.USAGE`) it is being recorded; (`ExitCode.SOUND`) the disk is full or fails: what was
            packed stays packed, and the rest is as it was.
    """
    with SessionFolder(folder):
        return packing.pack(folder)


def remove(folder: Path) -> int:
    """Remove a finished session's sound; the bytes that are free now.

    Raises:
        MictapeError: (`ExitCode.USAGE`) it is being recorded; (`ExitCode.SOUND`) a file cannot be removed.
    """
    with SessionFolder(folder):
        return packing.remove_sound(folder)


def pack_all(folders: Iterable[Path]) -> None:
    """Pack all sessions that no process holds; one that cannot be packed is left as it is."""
    for folder in folders:
        try:
            if weight_of(folder).unpacked and not is_alive(folder):
                pack(folder)
        except MictapeError as error:
            print(f"{folder.name} is not packed: {error}", file=sys.stderr, flush=True)
            if error.failure.code is not ExitCode.USAGE:  # a full disk will not be less full for the next one
                return


def main() -> None:
    """Pack what is in the folder of sessions, the newest first, or one of them."""
    threading.Thread(target=_leave_with_the_app, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(19)
    sessions, *ids = sys.argv[1:]
    folders = [Path(sessions, id) for id in ids] or Path(sessions).iterdir()
    pack_all(sorted((path for path in folders if path.is_dir()), reverse=True))


def _leave_with_the_app() -> None:
    while os.read(sys.stdin.fileno(), 1):  # not by sys.stdin: Python aborts at its end when a thread reads that
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
