"""Ogg after RFC 3533: a file may be a chain of links, each a stream of its own; libsndfile reads the first one only."""

from collections.abc import Iterator
from typing import Final

from mictape.audio.capture.decoding.sound import PipedSound
from mictape.audio.capture.decoding.view import Stream

_HEADER_BYTES: Final = 27
_BEGINS: Final = 2
_ENDS: Final = 4
_LOOK_BYTES: Final = 1 << 16


class _Pages:
    """The pages of an Ogg stream; what lies between two of them is passed over."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def next(self) -> bytes:
        """The next page, which is still to be taken; what is there of the last one; empty at the end."""
        while (head := self._stream.peek(_HEADER_BYTES)) and not head.startswith(b"OggS"):
            near = self._stream.peek(_LOOK_BYTES)
            found = near.find(b"OggS", 1)
            self._stream.read(found if found > 0 else max(len(near) - 3, 1))
        if len(head) < _HEADER_BYTES:
            return b""
        lacing = self._stream.peek(_HEADER_BYTES + head[26])[_HEADER_BYTES:]
        return self._stream.peek(_HEADER_BYTES + head[26] + sum(lacing))

    def take(self, page: bytes) -> None:
        """Go behind it."""
        self._stream.read(len(page))


class OggSound(PipedSound):
    """One link of a chain."""

    def __init__(self, pages: _Pages) -> None:
        self._pages = pages
        self._finished = False
        super().__init__(self._link())

    @property
    def remark(self) -> str:
        """See `Sound`."""
        return super().remark or ("" if self._finished else "it has no end mark")

    def _link(self) -> Iterator[bytes]:
        """The pages up to the first one of another link."""
        begun = False
        while page := self._pages.next():
            begins = bool(page[5] & _BEGINS)
            if begins and begun:
                return
            begun = begun or not begins
            self._finished = bool(page[5] & _ENDS)
            self._pages.take(page)
            yield page


def ogg_sounds(stream: Stream) -> Iterator[OggSound]:
    """The links of a chain. Raises NotReadableError at one that libsndfile cannot read."""
    pages = _Pages(stream)
    while pages.next():
        yield OggSound(pages)
