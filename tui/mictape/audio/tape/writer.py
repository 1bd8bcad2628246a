"""The only writer of a tape, in the capture process."""

import errno
import os
import sys
import threading
from io import FileIO
from pathlib import Path

import msgspec

from mictape.audio.clock import Anchor
from mictape.audio.messages import Account, Hole
from mictape.audio.tape.files import PART_SAMPLES, PRIVATE, cannot_write, count_samples, wav_header
from mictape.audio.tape.journal import journal_path
from mictape.units import SAMPLE_BYTES


class TapeWriter:
    """Appends to a tape, beginning a new part at its true end; one writer at a time.

    Every append is followed by the header, so a part is whole after each of them. `sync` may be called from
    another thread, since a slow disk must not delay the sound; nothing else may. Every method raises
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
                raise cannot_write(self.folder, error) from error
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
        self._write(self._file, wav_header(0))

    def _append_to_part(self, pcm: memoryview) -> None:
        assert self._file
        self._write(self._file, pcm)
        samples = self._samples + len(pcm) // SAMPLE_BYTES
        self._write_header(self._file, wav_header(samples - self._first))
        self._samples = samples

    def _write_header(self, file: FileIO, header: bytes) -> None:
        if sys.platform == "win32":
            file.seek(0)
            self._write(file, header)
            file.seek(0, os.SEEK_END)
            return
        try:
            os.pwrite(file.fileno(), header, 0)  # over the one that is there: no disk is too full for it
        except OSError as error:
            self.close()
            raise cannot_write(self.folder, error) from error

    def _open(self, path: Path, flags: int) -> FileIO:
        binary = getattr(os, "O_BINARY", 0)  # on Windows a file is text by default
        try:
            return FileIO(os.open(path, os.O_RDWR | os.O_CREAT | binary | flags, PRIVATE), "r+")
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def _write(self, file: FileIO, data: bytes | memoryview) -> None:
        try:
            if os.name == "posix" and os.fstat(file.fileno()).st_nlink == 0:
                raise OSError(errno.ENOENT, "it was deleted")  # writing would go on into nowhere
            while data:
                data = data[file.write(data) :]
        except (OSError, ValueError) as error:
            self.close()
            raise cannot_write(self.folder, error) from error


def _ends_with_newline(file: FileIO) -> bool:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 1, 0))
    return file.read(1) in {b"", b"\n"}
