"""Finished parts as FLAC: half the size, the same samples.

The sound is never only in a file that was not checked: a part is packed under another name, read back and compared
sample by sample, made to survive a loss of power and renamed; only then the WAV goes. A process that is killed at any
moment leaves the WAV, the FLAC or both, and a rest that the next one removes.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from mictape.audio.tape.files import (
    HEADER,
    PRIVATE,
    Part,
    TapeError,
    cannot_read,
    cannot_write,
    find_parts,
    find_tracks,
)
from mictape.failure import Failure
from mictape.units import RATE, SAMPLE_BYTES

PIECE: Final = 10 * RATE
"""Samples that are packed at once."""
_UNFINISHED: Final = ".packing"


def read_packed(path: Path, start: int, count: int) -> bytes:
    """Up to `count` samples of a FLAC file from its sample `start`. Raises TapeError."""
    try:
        with _soundfile().SoundFile(path) as file:
            file.seek(start)
            return bytes(file.buffer_read(count, dtype="int16"))
    except (OSError, RuntimeError) as error:  # libsndfile's is a RuntimeError
        what = f"The recording {path} cannot be read: {error}"
        raise TapeError(Failure(what, "Restore the file from a backup")) from error


def pack(folder: Path) -> int:
    """Pack all parts in a session's folder that are not written any more; hold its lock.

    Returns:
        The bytes that are free now.

    Raises:
        TapeError: The disk is full, or a part cannot be read; what was packed stays packed.
    """
    for left in folder.glob(f"track*{_UNFINISHED}"):
        left.unlink(missing_ok=True)
    freed = 0
    for track in find_tracks(folder):
        for part in find_parts(folder, track):
            if part.samples and not part.packed:
                freed += _pack_part(part)
    return freed


def remove_sound(folder: Path) -> int:
    """Remove all sound of a session whose lock is held; its journals stay. The bytes that are free now.

    Raises TapeError when a file cannot be removed.
    """
    freed = 0
    try:
        for track in find_tracks(folder):
            while parts := find_parts(folder, track):  # of a part that is there twice the FLAC comes second
                for part in parts:
                    size = part.path.stat().st_size
                    part.path.unlink()
                    freed += size
    except OSError as error:
        raise cannot_write(folder, error) from error
    return freed


def _pack_part(part: Part) -> int:
    unfinished = part.path.with_suffix(_UNFINISHED)
    packed = part.path.with_suffix(".flac")
    try:
        _write(part, unfinished)
        if not _holds_the_same(part, unfinished):
            what = f"The recording {part.path} was not packed: the FLAC file differs from it"
            raise TapeError(Failure(what, "The recording itself is complete; check the disk"))
        unfinished.replace(packed)
        _sync_folder(packed.parent)
        freed = part.path.stat().st_size - packed.stat().st_size
        part.path.unlink()
    except RuntimeError as error:  # libsndfile's: it gives no number of the disk's
        raise TapeError(Failure(f"The recording {part.path} cannot be packed: {error}", "Check the disk")) from error
    except OSError as error:
        raise cannot_write(part.path.parent, error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return freed


def _write(part: Part, path: Path) -> None:
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, PRIVATE), "w+b") as file:  # noqa: PTH123
        with _soundfile().SoundFile(file, "w", RATE, 1, "PCM_16", format="FLAC") as flac:
            for piece in _pieces(part):
                flac.buffer_write(piece, dtype="int16")
        file.flush()
        os.fsync(file.fileno())


def _holds_the_same(part: Part, path: Path) -> bool:
    with _soundfile().SoundFile(path, "r") as flac:
        for piece in _pieces(part):
            if bytes(flac.buffer_read(len(piece) // SAMPLE_BYTES, dtype="int16")) != piece:
                return False
        return int(flac.frames) == part.samples and not len(flac.buffer_read(1, dtype="int16"))


def _pieces(part: Part) -> Iterator[bytes]:
    """A WAV part's samples; the rest of one that a killed process left in half is left out."""
    try:
        with part.path.open("rb") as file:
            file.seek(HEADER.size)
            left = part.samples * SAMPLE_BYTES
            while left and (piece := file.read(min(PIECE * SAMPLE_BYTES, left))):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise cannot_read(part.path.parent, error) from error


def _sync_folder(folder: Path) -> None:
    """Make a new name survive a loss of power; Windows has no way to ask for it and needs none."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _soundfile() -> Any:  # noqa: ANN401  (soundfile has few types; it is loaded where there are FLAC files only)
    import soundfile

    return soundfile
