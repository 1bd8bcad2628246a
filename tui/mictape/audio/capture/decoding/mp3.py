"""MPEG audio (ISO 11172-3, 13818-3): the frames are counted, never estimated, and joined files are taken apart.

A file may begin with a frame that is no sound but says how many frames there are, and how much silence the encoder put
around the sound (Xing's and LAME's, Fraunhofer's VBRI). libsndfile believes it, ends there, and takes no notice of
a second file behind it. So it never sees that frame: what it says is applied here, where it is true.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mictape.audio.capture.decoding.sound import PipedSound
from mictape.audio.capture.decoding.view import Stream
from mictape.audio.capture.levels import Samples

_LAYER_1: Final = (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448)
_LAYER_2: Final = (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_LAYER_3: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_LOW_LAYER_1: Final = (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_LOW: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_KBIT: Final = {
    (1, 1): _LAYER_1, (1, 2): _LAYER_2, (1, 3): _LAYER_3,
    (2, 1): _LOW_LAYER_1, (2, 2): _LOW, (2, 3): _LOW,
}  # fmt: skip
"""Thousands of bits a second by (MPEG version, layer) and the header's four bits."""
_RATES: Final = (44_100, 48_000, 32_000)
_DECODER_DELAY: Final = 529
"""Samples that every decoder of layer III is late by."""
_HEAD_BYTES: Final = 4
_ID3_BYTES: Final = 10
_TAG_AT: Final = frozenset({13, 15, 21, 23, 36, 38})
"""Where Xing's mark may be: behind the side information of mono and stereo, with and without a checksum."""
_VBRI_AT: Final = 36
_LAME_DELAY_AT: Final = 21
_LOOK_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame's header says."""

    layer: int
    rate: int
    channels: int
    samples: int
    """Samples in it, a channel."""
    size: int
    """Bytes of it, its header included."""


def frame_at(head: bytes) -> Frame | None:
    """Read a frame's header, four bytes; None when it is none."""
    if len(head) < _HEAD_BYTES or head[0] != 0xFF or head[1] < 0xE0:  # noqa: PLR2004  (eleven bits set)
        return None
    version_code, layer_code = head[1] >> 3 & 3, head[1] >> 1 & 3
    kbit_code, rate_code = head[2] >> 4, head[2] >> 2 & 3
    if version_code == 1 or layer_code == 0 or kbit_code in {0, 15} or rate_code == 3:  # noqa: PLR2004  (reserved)
        return None
    layer, version = 4 - layer_code, 1 if version_code == 3 else 2  # noqa: PLR2004  (3: MPEG 1, 2: MPEG 2, 0: 2.5)
    rate = _RATES[rate_code] >> {3: 0, 2: 1, 0: 2}[version_code]
    samples = {1: 384, 2: 1152, 3: 1152 if version == 1 else 576}[layer]
    bits, padding = _KBIT[version, layer][kbit_code] * 1000, head[2] >> 1 & 1
    size = (12 * bits // rate + padding) * 4 if layer == 1 else samples // 8 * bits // rate + padding
    return Frame(layer, rate, 1 if head[3] >> 6 == 3 else 2, samples, size)  # noqa: PLR2004  (3: one channel)


@dataclass(frozen=True, slots=True)
class _Tag:
    """What the first frame says of the others."""

    frames: int
    """How many there are; 0 when it does not say."""
    delay: int = 0
    """Samples of silence that the encoder put before the sound."""
    padding: int = 0
    """And behind it."""


def _tag_in(data: bytes) -> _Tag | None:
    """What a whole frame says of the others; None when it is sound like them."""
    if data[_VBRI_AT : _VBRI_AT + 4] == b"VBRI":
        return _Tag(int.from_bytes(data[_VBRI_AT + 14 : _VBRI_AT + 18]))
    at = next((at for at in _TAG_AT if data[at : at + 4] in {b"Xing", b"Info"}), None)
    if at is None:
        return None
    flags = int.from_bytes(data[at + 4 : at + 8])
    frames = int.from_bytes(data[at + 8 : at + 12]) if flags & 1 else 0
    lame = at + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    if not data[lame : lame + 4].isalpha():  # `LAME`, `Lavc`, `Lavf`: else it is not known
        return _Tag(frames)
    gaps = int.from_bytes(data[lame + _LAME_DELAY_AT : lame + _LAME_DELAY_AT + 3])
    return _Tag(frames, gaps >> 12, gaps & 0xFFF)


class _Frames:
    """The frames of a stream; tags and everything else between them is passed over."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def next(self) -> tuple[Frame, bytes] | None:
        """The next whole frame, which is still to be taken; None at the end."""
        while head := self._stream.peek(_ID3_BYTES):
            if head.startswith(b"ID3") and len(head) == _ID3_BYTES:
                skip_id3(self._stream)
            elif (frame := frame_at(head)) is not None and self._another_follows(frame):
                data = self._stream.peek(frame.size)
                return (frame, data) if len(data) == frame.size else None
            else:
                found = self._stream.peek(_LOOK_BYTES).find(b"\xff", 1)
                self._stream.read(found if found > 0 else _LOOK_BYTES)
        return None

    def take(self, data: bytes) -> None:
        """Go behind it."""
        self._stream.read(len(data))

    def _another_follows(self, frame: Frame) -> bool:
        """Whether a frame of its kind begins where this one ends, or nothing: eleven bits alone are found anywhere."""
        behind = self._stream.peek(frame.size + _HEAD_BYTES)[frame.size :]
        if len(behind) < _HEAD_BYTES or behind.startswith((b"ID3", b"TAG", b"APET", b"LYRI")):
            return True
        following = frame_at(behind)
        return following is not None and following.layer == frame.layer


class Mp3Sound(PipedSound):
    """Frames of one rate and channel count, up to the next tag frame."""

    def __init__(self, frames: _Frames, first: tuple[Frame, bytes]) -> None:
        self._source = frames
        self._first, data = first
        self._tag = tag = _tag_in(data) or _Tag(0)
        if tag.frames:
            frames.take(data)
        self._length = tag.frames * self._first.samples - tag.delay - tag.padding
        """Samples that it should have, silence left out."""
        self._silence = tag.delay + _DECODER_DELAY if tag.delay or tag.padding else 0
        """Samples still to be left out at the start."""
        self._count = 0
        """Frames that went into the pipe."""
        self._counted = threading.Event()
        """Set when there are more of them than the tag says, or when there will be no more."""
        self._given = 0
        super().__init__(self._piece())

    def read(self, frames: int) -> Samples:
        """See `Sound`."""
        while self._silence and len(skipped := super().read(min(self._silence, frames))):
            self._silence -= len(skipped)
        samples = super().read(frames)
        if self._tag.frames and self._given + len(samples) > self._length:
            self._counted.wait()  # what follows is the encoder's silence, unless there are more frames than it says
            if self._count <= self._tag.frames:
                samples = samples[: max(self._length - self._given, 0)]
        self._given += len(samples)
        return samples

    def declared(self, read: int) -> int:
        """See `Sound`."""
        return read if self._count == self._tag.frames or not self._tag.frames else self._length

    def _piece(self) -> Iterator[bytes]:
        first = self._first
        while (found := self._source.next()) is not None:
            frame, data = found
            same = (frame.rate, frame.channels, frame.layer) == (first.rate, first.channels, first.layer)
            if not same or (self._count and _tag_in(data) is not None):
                break
            self._source.take(data)
            self._count += 1
            if self._count > self._tag.frames:
                self._counted.set()
            yield data
        self._counted.set()


def mp3_sounds(stream: Stream) -> Iterator[Mp3Sound]:
    """The files that were joined, each one piece. Raises NotReadableError at one that libsndfile cannot read."""
    frames = _Frames(stream)
    while (first := frames.next()) is not None:
        yield Mp3Sound(frames, first)


def skip_id3(stream: Stream) -> None:
    """Pass over ID3v2 tags, which may be long: they hold pictures."""
    while (head := stream.peek(_ID3_BYTES)).startswith(b"ID3") and len(head) == _ID3_BYTES:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        stream.skip(_ID3_BYTES + size + (_ID3_BYTES if head[5] & 0x10 else 0))
