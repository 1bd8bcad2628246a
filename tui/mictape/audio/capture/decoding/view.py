"""Bytes of a file: a range of it as a file of its own, and a pipe that can be looked into before it is read."""

import io
import os
from collections.abc import Mapping
from typing import Final

COPY_BYTES: Final = 1 << 16


class View(io.RawIOBase):
    """A range of an open file as a file of its own, some bytes of it replaced by others.

    Reads by position, so that several views of one descriptor do not disturb each other; does not close it.
    """

    def __init__(
        self, fd: int, start: int = 0, end: int | None = None, patches: Mapping[int, bytes] | None = None
    ) -> None:
        """Make it.

        Args:
            fd: A regular file, open for reading.
            start: Its first byte, a position in the file.
            end: Where it ends; None: where the file ends.
            patches: Bytes to show instead of the file's own, by their position in the view.
        """
        super().__init__()
        self.fd = fd
        self.start = start
        self.end = os.fstat(fd).st_size if end is None else end
        self._patches = dict(patches or {})
        self._position = 0

    def __len__(self) -> int:
        return max(self.end - self.start, 0)

    def part(self, start: int, end: int | None = None, patches: Mapping[int, bytes] | None = None) -> "View":
        """A range of this one, positions counted in it."""
        return View(self.fd, self.start + start, self.end if end is None else self.start + end, patches)

    def at(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position`; fewer only at the end."""
        count = min(count, len(self) - position)
        data = bytearray()
        while len(data) < count and (piece := _read_at(self.fd, count - len(data), self.start + position + len(data))):
            data += piece
        for where, patch in self._patches.items():
            first, last = max(where, position), min(where + len(patch), position + len(data))
            if first < last:
                data[first - position : last - position] = patch[first - where : last - where]
        return bytes(data)

    def find(self, pattern: bytes, position: int) -> int | None:
        """Where `pattern` begins, at `position` or behind it; None: nowhere."""
        while len(piece := self.at(position, 16 * COPY_BYTES + len(pattern) - 1)) >= len(pattern):
            if (found := piece.find(pattern)) >= 0:
                return position + found
            position += len(piece) - len(pattern) + 1
        return None

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, as in any file."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self)}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Read into a buffer; the number of bytes."""
        data = self.at(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class Stream:
    """Bytes that are read once, from front to end, with a look ahead."""

    def __init__(self, source: int | View) -> None:
        """A descriptor, or a view."""
        self._source = source
        self._ahead = b""
        self._at = 0
        """How much of `_ahead` is read."""
        self._ended = False
        self.position = 0
        """Bytes that were read."""

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, which are still to be read; waits for them; fewer only at the end."""
        while len(self._ahead) - self._at < count and not self._ended:
            self._take(count)
        return self._ahead[self._at : self._at + count]

    def read(self, count: int) -> bytes:
        """The next `count` bytes; waits for them; fewer only at the end."""
        data = self.peek(count)
        self._at += len(data)
        self.position += len(data)
        return data

    def skip(self, count: int) -> None:
        """Pass over so many bytes, or what there is of them."""
        while count > 0 and (passed := self.read_some(min(count, COPY_BYTES))):
            count -= len(passed)

    def read_some(self, count: int) -> bytes:
        """At most `count` bytes, as soon as there are any; none at the end."""
        self.peek(1)
        return self.read(min(count, max(len(self._ahead) - self._at, 1)))

    def _take(self, count: int) -> None:
        count = max(count, COPY_BYTES)
        piece = os.read(self._source, count) if isinstance(self._source, int) else self._source.read(count) or b""
        self._ended = not piece
        self._ahead = self._ahead[self._at :] + piece
        self._at = 0


def _read_at(fd: int, count: int, position: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, count, position)
    os.lseek(fd, position, os.SEEK_SET)  # Windows; one thread reads a file at a time
    return os.read(fd, count)
