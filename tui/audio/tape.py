"""The tape: everything a track heard, as WAV parts that any player opens at any moment.

A tape of track N in a session's folder is the files `trackN-FIRST.wav`, FIRST being the tape position of the
part's first sample in twelve digits, and `trackN.jsonl`, its journal of anchors, holes and accounts. The capture
process is the only writer. Readers trust the number of samples they are told, never the header of a growing file;
a finished tape is as long as its files are.
"""

import asyncio
import errno
import os
import re
import struct
import threading
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from tui.audio.clock import Anchor
from tui.audio.messages import RATE, Account, Hole
from tui.failure import Failure, MictapeError

SAMPLE_BYTES: Final = 2
PART_SAMPLES: Final = 12 * 3600 * RATE
"""A part is closed after 12 h: a WAV file ends at 4 GiB, which is 37 h."""

_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PART_NAME: Final = re.compile(r"track(\d+)-(\d{12})\.wav")
_PRIVATE: Final = 0o600


class TapeError(MictapeError):
    """The tape cannot be written or read; what is on it already is not touched."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a tape."""

    first: int
    """Tape position of its first sample."""
    samples: int
    """As many whole samples as the file holds, whatever its header says."""
    path: Path


@dataclass(frozen=True, slots=True)
class Journal:
    """What is known of a tape beside its sound."""

    anchors: tuple[Anchor, ...] = ()
    holes: tuple[Hole, ...] = ()
    """In order and without overlap; the last one may reach beyond the tape when its writer was killed."""
    account: Account | None = None
    """The newest account, its counts those of all; at most 10 s old when its writer was killed. None: there is none."""


def find_parts(folder: Path, track: int) -> list[Part]:
    """The parts of a tape, in order. Raises TapeError when the folder cannot be read."""
    parts: list[Part] = []
    try:
        for entry in os.scandir(folder):
            match = _PART_NAME.fullmatch(entry.name)
            if match and int(match[1]) == track:
                samples = max(entry.stat().st_size - _HEADER.size, 0) // SAMPLE_BYTES
                parts.append(Part(int(match[2]), samples, Path(entry.path)))
    except OSError as error:
        raise _cannot_read(folder, error) from error
    return sorted(parts, key=lambda part: part.first)


def count_samples(folder: Path, track: int) -> int:
    """The length of a tape that nobody writes, from its files. Raises TapeError."""
    return max((part.first + part.samples for part in find_parts(folder, track)), default=0)


def find_tracks(folder: Path) -> list[int]:
    """The tracks that have a tape in the folder. Raises TapeError when it cannot be read."""
    try:
        matches = (_PART_NAME.fullmatch(entry.name) for entry in os.scandir(folder))
        return sorted({int(match[1]) for match in matches if match})
    except OSError as error:
        raise _cannot_read(folder, error) from error


def delete_tape(folder: Path, track: int) -> None:
    """Delete a tape and its journal. Raises TapeError."""
    paths = [part.path for part in find_parts(folder, track)]
    try:
        for path in (*paths, journal_path(folder, track)):
            path.unlink(missing_ok=True)
    except OSError as error:
        what = f"The recording in {folder} could not be deleted: {error.strerror}"
        raise TapeError(Failure(what, "Check who may write in that folder")) from error


def read_journal(folder: Path, track: int) -> Journal:
    """The journal of a tape; a line that was cut off when its writer was killed is left out. Raises TapeError."""
    try:
        lines = journal_path(folder, track).read_bytes().split(b"\n")
    except FileNotFoundError:
        return Journal()
    except OSError as error:
        raise _cannot_read(folder, error) from error
    decoder = msgspec.json.Decoder(Anchor | Hole | Account)
    anchors: list[Anchor] = []
    holes: list[Hole] = []
    account: Account | None = None
    for line in lines:
        try:
            entry = decoder.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(entry, Anchor):
            while anchors and anchors[-1].sample > entry.sample:  # its writer was killed before it got there
                anchors.pop()
            anchors.append(entry)
            continue
        if isinstance(entry, Account):
            account = _added(account, entry)
            continue
        if holes and holes[-1].end > entry.start:  # its writer was killed while it wrote the silence
            holes[-1] = msgspec.structs.replace(holes[-1], end=entry.start)
        holes.append(entry)
    return Journal(tuple(anchors), tuple(hole for hole in holes if hole.end > hole.start), account)


def _added(before: Account | None, newer: Account) -> Account:
    if before is None:
        return newer
    return msgspec.structs.replace(
        newer,
        overflows=before.overflows + newer.overflows,
        lost=before.lost + newer.lost,
        missing=before.missing + newer.missing,
    )


class TapeWriter:
    """Appends to a tape, beginning a new part at its true end; one writer at a time.

    Every append is followed by the header, so a part is whole after each of them. `sync` may be called from
    another thread, since a slow disk must not hold up the sound; nothing else may. Every method raises
    TapeError, and after one the writer is closed.
    """

    # The standard library's `wave` would write the same bytes, but through a buffer: after a full disk it
    # writes again when it is closed, and once more when it is collected.

    def __init__(self, folder: Path, track: int, *, part_samples: int = PART_SAMPLES) -> None:
        self.folder = folder
        self.track = track
        self._part_samples = part_samples
        self._samples = count_samples(folder, track)
        self._first = self._samples
        self._file: FileIO | None = None
        self._lock = threading.Lock()
        self._journal = self._open(journal_path(folder, track), os.O_APPEND)
        if not _ends_with_newline(self._journal):
            self._write(self._journal, b"\n")

    @property
    def samples(self) -> int:
        """The length of the tape."""
        return self._samples

    def begin(self) -> None:
        """Go to the tape's true end: until the first sample, another writer may have had the tape."""
        if self._file is None:
            self._samples = self._first = count_samples(self.folder, self.track)

    def append(self, pcm: bytes) -> None:
        """Append 16-bit little-endian mono PCM at 16 kHz, whole samples."""
        rest = memoryview(pcm)
        while rest:
            if self._file is None or self._samples - self._first >= self._part_samples:
                self._begin_part()
            room = (self._part_samples - (self._samples - self._first)) * SAMPLE_BYTES
            self._append_to_part(rest[:room])
            rest = rest[room:]

    def silence(self, samples: int, why: Hole) -> None:
        """Append `samples` of silence for the hole `why`; the journal knows of it first."""
        self.note(why)
        self.append(bytes(samples * SAMPLE_BYTES))

    def note(self, entry: Anchor | Hole | Account) -> None:
        """Append a line to the journal."""
        self._write(self._journal, msgspec.json.encode(entry) + b"\n")

    def sync(self) -> None:
        """Make what is written survive a loss of power."""
        with self._lock:
            copies = [os.dup(file.fileno()) for file in (self._file, self._journal) if file and not file.closed]
        for copy in copies:
            try:
                os.fsync(copy)
            except OSError as error:
                raise _cannot_write(self.folder, error) from error
            finally:
                os.close(copy)

    def close(self) -> None:
        """Close the files; nothing is written any more."""
        with self._lock:
            if self._file:
                self._file.close()
            self._journal.close()

    def _begin_part(self) -> None:
        with self._lock:
            if self._file:
                self._file.close()
            self._first = self._samples
            self._file = self._open(self.folder / f"track{self.track}-{self._first:012d}.wav", os.O_TRUNC)
        self._write(self._file, _header(0))

    def _append_to_part(self, pcm: memoryview) -> None:
        assert self._file
        self._write(self._file, pcm)
        samples = self._samples + len(pcm) // SAMPLE_BYTES
        self._file.seek(0)
        self._write(self._file, _header(samples - self._first))
        self._file.seek(0, os.SEEK_END)
        self._samples = samples

    def _open(self, path: Path, flags: int) -> FileIO:
        binary = getattr(os, "O_BINARY", 0)  # on Windows a file is text unless told otherwise
        try:
            return FileIO(os.open(path, os.O_RDWR | os.O_CREAT | binary | flags, _PRIVATE), "r+")
        except OSError as error:
            raise _cannot_write(self.folder, error) from error

    def _write(self, file: FileIO, data: bytes | memoryview) -> None:
        try:
            if os.name == "posix" and os.fstat(file.fileno()).st_nlink == 0:
                raise OSError(errno.ENOENT, "it was deleted")  # writing would go on into nowhere
            while data:
                data = data[file.write(data) :]
        except (OSError, ValueError) as error:
            self.close()
            raise _cannot_write(self.folder, error) from error


class Tape:
    """A tape as the app reads it: as long as it was told, each reader at its own position.

    Belongs to one event loop.
    """

    def __init__(self, folder: Path, track: int, origin: int = 0) -> None:
        self.folder = folder
        self.track = track
        self.origin = origin
        """Session time of the tape's first sample."""
        self._samples = 0
        self._ended = False
        self._nudges = 0
        self._told = asyncio.Event()

    @classmethod
    def finished(cls, folder: Path, track: int, origin: int = 0) -> "Tape":
        """A tape that nobody writes any more, as long as its files are. Raises TapeError."""
        tape = cls(folder, track, origin)
        tape.report(count_samples(folder, track))
        tape.end()
        return tape

    @property
    def samples(self) -> int:
        """The told length."""
        return self._samples

    @property
    def ended(self) -> bool:
        """Whether it will not grow any more."""
        return self._ended

    def report(self, samples: int) -> None:
        """Tell the length; a tape never gets shorter."""
        if samples > self._samples:
            self._samples = samples
            self._wake()

    def end(self) -> None:
        """Tell that it will not grow any more."""
        self._ended = True
        self._wake()

    def read(self, start: int, count: int) -> bytes:
        """Up to `count` samples from tape position `start` as 16-bit PCM; fewer only at the told end.

        Raises TapeError when the files do not hold what was told.
        """
        position, end = max(start, 0), min(start + count, self._samples)
        pieces: list[bytes] = []
        for part in find_parts(self.folder, self.track) if position < end else ():
            if part.first <= position < part.first + part.samples:
                piece = self._read_part(part, position, min(end, part.first + part.samples))
                position += len(piece) // SAMPLE_BYTES
                pieces.append(piece)
        if position < end:
            what = f"A piece of the recording in {self.folder} is missing"
            raise TapeError(Failure(what, "Look whether files were deleted there"))
        return b"".join(pieces)

    async def wait(self, beyond: int) -> int:
        """Return the length as soon as it is more than `beyond`, when the tape has ended, or when nudged."""
        told = self._nudges
        while self._samples <= beyond and not self._ended and self._nudges == told:
            await self._told.wait()
        return self._samples

    def nudge(self) -> None:
        """Let whoever waits look again: something else than the length has changed."""
        self._nudges += 1
        self._wake()

    def close(self) -> None:
        """Let go: whoever waits returns."""
        self.end()

    def _wake(self) -> None:
        self._told.set()
        self._told = asyncio.Event()

    def _read_part(self, part: Part, start: int, end: int) -> bytes:
        try:
            with part.path.open("rb", buffering=0) as file:
                file.seek(_HEADER.size + (start - part.first) * SAMPLE_BYTES)
                return file.read((end - start) * SAMPLE_BYTES)
        except OSError as error:
            raise _cannot_read(self.folder, error) from error


def _header(samples: int) -> bytes:
    """The 44 bytes before 16-bit mono PCM (RIFF WAVE, format 1)."""
    size = samples * SAMPLE_BYTES
    fields = (16, 1, 1, RATE, RATE * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    return _HEADER.pack(b"RIFF", _HEADER.size - 8 + size, b"WAVE", b"fmt ", *fields, b"data", size)


def journal_path(folder: Path, track: int) -> Path:
    """Where the journal of a tape is."""
    return folder / f"track{track}.jsonl"


def _ends_with_newline(file: FileIO) -> bool:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 1, 0))
    return file.read(1) in {b"", b"\n"}


def _cannot_read(folder: Path, error: OSError) -> TapeError:
    what = f"The recording in {folder} cannot be read: {error.strerror}"
    return TapeError(Failure(what, "Check that the folder is there and who may read it"))


def _cannot_write(folder: Path, error: OSError | ValueError) -> TapeError:
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return TapeError(Failure(f"No space is left for the recording in {folder}", "Free some space on that disk"))
    if number == errno.ENOENT:
        what = f"The folder of the recording has vanished: {folder}"
        return TapeError(Failure(what, "Start a new session"))
    reason = error.strerror if isinstance(error, OSError) else "it is closed"
    what = f"The recording cannot be written in {folder}: {reason}"
    return TapeError(Failure(what, "Check that the disk is there and who may write in that folder"))
