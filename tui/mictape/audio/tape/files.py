"""The files of a tape: WAV parts, named by the position of their first sample, and FLAC parts of finished sessions."""

import errno
import os
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mictape.failure import Failure, MictapeError
from mictape.units import RATE, SAMPLE_BYTES

PART_SAMPLES: Final = 12 * 3600 * RATE
"""A part is closed after 12 h: a WAV file ends at 4 GiB, which is 37 h."""


HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")


_PART_NAME: Final = re.compile(r"track(\d+)-(\d{12})\.(wav|flac)")


_FLAC_HEAD_BYTES: Final = 26

PRIVATE: Final = 0o600


class TapeError(MictapeError):
    """The tape cannot be written or read; what is on it already is not touched."""


class DiskFullError(TapeError):
    """There is no room for the tape; it can be written again once there is."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a tape."""

    first: int
    """Tape position of its first sample."""
    samples: int
    """As many whole samples as the file holds; of a WAV, whatever its header says."""
    path: Path

    @property
    def packed(self) -> bool:
        """Whether it is a FLAC file."""
        return self.path.suffix == ".flac"


def find_parts(folder: Path, track: int) -> list[Part]:
    """The parts of a tape, in order; none without a folder. Raises TapeError when the folder cannot be read."""
    parts: dict[int, Part] = {}
    for number, first, path in _files(folder):
        if number == track:
            try:
                part = _part(first, path)
            except OSError as error:
                raise cannot_read(folder, error) from error
            # Both are there while a part is packed, and the WAV goes last.
            if part.first not in parts or parts[part.first].packed:
                parts[part.first] = part
    return [part for _, part in sorted(parts.items())]


def _files(folder: Path) -> list[tuple[int, int, Path]]:
    """Track, first sample and path of every part in a folder. Raises TapeError."""
    try:
        found = [(_PART_NAME.fullmatch(entry.name), Path(entry.path)) for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise cannot_read(folder, error) from error
    return [(int(match[1]), int(match[2]), path) for match, path in found if match]


def _part(first: int, path: Path) -> Part:
    if path.suffix == ".wav":
        with suppress(FileNotFoundError):  # it was packed since the folder was listed
            return Part(first, max(path.stat().st_size - HEADER.size, 0) // SAMPLE_BYTES, path)
        path = path.with_suffix(".flac")
    return Part(first, _flac_samples(path), path)


def _flac_samples(path: Path) -> int:
    """The length that a FLAC file says it has: 36 bits of the block STREAMINFO, which is always the first one."""
    with path.open("rb") as file:
        head = file.read(_FLAC_HEAD_BYTES)
    return int.from_bytes(head[18:26]) & (1 << 36) - 1 if len(head) == _FLAC_HEAD_BYTES else 0


def find_tracks(folder: Path) -> list[int]:
    """The numbers of the tracks that have a tape in a session's folder, in order; none without a folder.

    Raises TapeError.
    """
    return sorted({track for track, _, _ in _files(folder)})


def count_samples(folder: Path, track: int) -> int:
    """The length of a tape that is not being written, from its files. Raises TapeError."""
    return max((part.first + part.samples for part in find_parts(folder, track)), default=0)


def wav_header(samples: int) -> bytes:
    """The 44 bytes before 16-bit mono PCM (RIFF WAVE, format 1)."""
    size = samples * SAMPLE_BYTES
    fields = (16, 1, 1, RATE, RATE * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    return HEADER.pack(b"RIFF", HEADER.size - 8 + size, b"WAVE", b"fmt ", *fields, b"data", size)


def cannot_read(folder: Path, error: OSError) -> TapeError:
    """Return the error of a tape that cannot be read, with its cause and remedy."""
    what = f"The recording in {folder} cannot be read: {error.strerror}"
    return TapeError(Failure(what, "Check that the folder is there and who may read it"))


def cannot_write(folder: Path, error: OSError | ValueError) -> TapeError:
    """Return the error of a tape that cannot be written, with its cause and remedy."""
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(Failure(f"No space is left for the recording in {folder}", "Free some space on that disk"))
    if number == errno.ENOENT:
        what = f"The folder of the recording has vanished: {folder}"
        return TapeError(Failure(what, "Start a new session"))
    reason = error.strerror if isinstance(error, OSError) else "it is closed"
    what = f"The recording cannot be written in {folder}: {reason}"
    return TapeError(Failure(what, "Check that the disk is there and who may write in that folder"))
