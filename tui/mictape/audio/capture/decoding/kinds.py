"""What kind of file it is, by how it begins: names and endings lie."""

from collections.abc import Callable
from typing import Final, Literal

from mictape.audio.capture.decoding.mp3 import frame_at

Kind = Literal["wav", "chunks", "flac", "ogg", "mp3", "ffmpeg"]
"""Who reads it: a WAV comes through pipes, too; `chunks` are its relatives; what is `ffmpeg`'s only ffmpeg reads."""

HEAD_BYTES: Final = 512
"""As much of the beginning as decides."""
WAV_HEAD_BYTES: Final = 12
"""As much as shows a WAV."""

_STARTS: Final[dict[bytes, Kind]] = {
    b"FORM": "chunks",
    b".snd": "chunks",
    b"caff": "chunks",
    b"riff\x2e\x91\xcf\x11": "chunks",
    b"RIFX": "chunks",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"\x1a\x45\xdf\xa3": "ffmpeg",  # Matroska, WebM
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "ffmpeg",  # ASF: WMA, WMV
    b"#!AMR": "ffmpeg",
    b"FLV\x01": "ffmpeg",
    b"\x00\x00\x01\xba": "ffmpeg",  # MPEG program stream
    b"MAC ": "ffmpeg",  # Monkey's Audio
    b"wvpk": "ffmpeg",  # WavPack
    b"TTA1": "ffmpeg",
    b".RMF": "ffmpeg",  # RealMedia
    b"ADIF": "ffmpeg",  # AAC
    b"\x0b\x77": "ffmpeg",  # AC-3
    b"\x7f\xfe\x80\x01": "ffmpeg",  # DTS
}
_OGG_CODECS: Final = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_MP4_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_TS_PACKET: Final = 188


def _is_adts(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0  # noqa: PLR2004  (sync, layer 0)


_TESTS: Final[tuple[tuple[Callable[[bytes], bool], Kind], ...]] = (
    (lambda head: head[:4] == b"OggS" and not any(codec in head[:64] for codec in _OGG_CODECS), "ffmpeg"),
    (lambda head: head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:12] == b"WAVE", "wav"),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"AVI ", "ffmpeg"),
    (lambda head: head[4:8] in _MP4_BOXES, "ffmpeg"),
    (lambda head: head[:1] == b"G" and head[_TS_PACKET : _TS_PACKET + 1] == b"G", "ffmpeg"),
    (_is_adts, "ffmpeg"),
    (lambda head: frame_at(head[:4]) is not None, "mp3"),
)


def kind_of(head: bytes) -> Kind | None:
    """The kind by the first `HEAD_BYTES`, tags left out; None: it is none that is known."""
    for fits, kind in _TESTS:
        if fits(head):
            return kind
    return next((kind for start, kind in _STARTS.items() if head.startswith(start)), None)
