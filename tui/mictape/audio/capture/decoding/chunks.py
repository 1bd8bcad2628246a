"""Containers made of chunks (WAV, AIFF, CAF, W64), and AU: where their sound really ends.

A recorder writes its sizes at the end. One that was killed leaves 0, the largest number, or what was true some time
before; a file that was cut short says more than it has. So a size holds only when the file agrees: what lies behind the
sound has to be chunks again, up to the end. libsndfile is then shown the file with the right size in it.

Microsoft's and IBM's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF), EBU Tech 3306 (RF64),
Apple's "Audio Interchange File Format 1.3" and "Core Audio Format Specification 1.0", Sony's Wave64.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from mictape.audio.capture.decoding.sound import NotReadableError, SndfileSound, Sound
from mictape.audio.capture.decoding.view import Stream, View
from mictape.audio.capture.decoding.wav import UNKNOWN_SIZE, WavStream

_CHANCE_BYTES: Final = 4096
"""So little behind the last chunk is no sound that the size leaves out, but what some program put there."""
_LARGEST: Final = 0xFFFF_FFFF
_HEADERS_OWN: Final = 8
"""AIFF counts these bytes as sound: a size no larger is that of a recorder that was killed."""
_W64_NAME: Final = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
"""What follows four letters in Wave64's names of chunks."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a kind of container is built."""

    first: int
    """Where its first chunk begins."""
    data: bytes
    """The name of the chunk with the sound."""
    order: Literal["little", "big"] = "big"
    name_bytes: int = 4
    size_bytes: int = 4
    counts_head: bool = False
    """Whether a chunk's size counts its name and itself."""
    align: int = 2
    unknown: int = UNKNOWN_SIZE
    """A size from here on means `until the end`."""

    @property
    def head(self) -> int:
        """Bytes before what a chunk holds."""
        return self.name_bytes + self.size_bytes


_WAV: Final = _Layout(12, b"data", "little")
_LAYOUTS: Final = {
    b"RIFF": _WAV,
    b"RF64": _WAV,
    b"BW64": _WAV,
    b"RIFX": replace(_WAV, order="big"),
    b"FORM": _Layout(12, b"SSND"),
    b"caff": _Layout(8, b"data", size_bytes=8, align=1, unknown=1 << 62),
    b"riff": _Layout(40, b"data" + _W64_NAME, "little", 16, 8, counts_head=True, align=8, unknown=1 << 62),
}


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk as it describes itself."""

    name: bytes
    start: int
    """Where what it holds begins, a position in the file."""
    size: int
    """Bytes of what it holds."""
    size_at: int
    """Where its size is written."""
    size_bytes: int
    """In how many bytes."""


def chunk_sounds(view: View) -> Iterator[Sound]:
    """The sound of a container, and of those that were joined to it. Raises NotReadableError."""
    begin: int | None = 0
    while begin is not None:
        file = view.part(begin)
        joined = None
        if file.at(0, 4) == b".snd":
            yield _au_sound(file)
        else:
            layout = _LAYOUTS[file.at(0, 4)]
            data = _find_data(file, layout)
            end, joined = _end_of(file, layout, data)
            yield _sound(file, layout, data, end)
        begin = None if joined is None else begin + joined


def _find_data(file: View, layout: _Layout) -> _Chunk:
    at = layout.first
    long: _Chunk | None = None
    while (chunk := _chunk_at(file, layout, at)) is not None:
        if chunk.name == layout.data:
            # RF64: the size is in a chunk of its own, which has room for it.
            if long is not None and chunk.size >= _LARGEST:
                return replace(long, name=chunk.name, start=chunk.start)
            return chunk
        if chunk.name == b"ds64":
            size_at = chunk.start + 8
            long = replace(chunk, size=int.from_bytes(file.at(size_at, 8), "little"), size_at=size_at, size_bytes=8)
        at = _behind(layout, chunk)
    raise NotReadableError("it has no sound in it")


def _chunk_at(file: View, layout: _Layout, at: int) -> _Chunk | None:
    head = file.at(at, layout.head)
    if len(head) < layout.head:
        return None
    size = int.from_bytes(head[layout.name_bytes :], layout.order) - layout.head * layout.counts_head
    name, start = head[: layout.name_bytes], at + layout.head
    if size < 0 or not name[:4].isascii():
        return None
    return _Chunk(name, start, size, at + layout.name_bytes, layout.size_bytes)


def _behind(layout: _Layout, chunk: _Chunk) -> int:
    end = chunk.start + chunk.size
    return end + -end % layout.align


def _end_of(file: View, layout: _Layout, data: _Chunk) -> tuple[int, int | None]:
    """Where the sound ends, and where another file begins that was joined to this one."""
    length = len(file)
    if data.start + data.size > length:
        return length, None
    at = _behind(layout, data)
    while length - at > _CHANCE_BYTES:
        if file.at(at, 4) in _LAYOUTS and layout.align > 1 and file.at(at, 4) == file.at(0, 4):
            return data.start + data.size, at
        chunk = _chunk_at(file, layout, at)
        if chunk is None or not chunk.name[:4].decode().isprintable() or chunk.start + chunk.size > length + 1:
            return length, None
        at = _behind(layout, chunk)
    return data.start + data.size, None


def _sound(file: View, layout: _Layout, data: _Chunk, end: int) -> Sound:
    size = end - data.start
    if size >= 1 << 8 * data.size_bytes:
        return WavStream(Stream(file))
    field = (size + layout.head * layout.counts_head).to_bytes(data.size_bytes, layout.order)
    known = _HEADERS_OWN < data.size < layout.unknown and size > 0
    return SndfileSound(file.part(0, end, {data.size_at: field}), share=data.size / size if known else 1.0)


def _au_sound(file: View) -> Sound:
    """AU has one header and no chunks, so everything behind the header is sound."""
    start, said = (int.from_bytes(file.at(at, 4)) for at in (4, 8))
    size = len(file) - start
    known = 0 < said < UNKNOWN_SIZE and not 0 <= size - said <= _CHANCE_BYTES and size > 0
    return SndfileSound(file.part(0, None, {8: b"\xff" * 4}), share=said / size if known else 1.0)
