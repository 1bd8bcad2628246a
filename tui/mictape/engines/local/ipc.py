"""The messages between the app and the local engine's process: msgpack frames, each after its length.

The app numbers the connections it opens on one process (`stream`), so that neither side can take a message of
a connection that was given up for one of the next. Times are samples at 16 kHz since the first one sent on the
connection.
"""

import struct
from typing import Final, Literal

import msgspec

from mictape.engines.base import Word

SecondPass = Literal["live", "after", "off"]
"""When neighbouring lines are recognised again together: while there is time, at the end of the session, never."""
WordTimes = Literal["estimated", "measured"]
"""Whether the times of words are guessed from their length, or measured when there is time."""

LENGTH: Final = struct.Struct("<I")
"""The bytes of the message that follows, in front of each message."""


class Audio(msgspec.Struct, tag="audio", array_like=True, frozen=True):
    """Samples; the first ones of a stream open it."""

    stream: int
    pcm: bytes
    """16-bit little-endian mono, 16 kHz."""


class Endpoint(msgspec.Struct, tag="endpoint", array_like=True, frozen=True):
    """End the utterance here."""

    stream: int


class KeyTerms(msgspec.Struct, tag="key_terms", array_like=True, frozen=True):
    """Favour these words from now on; may come before the first samples."""

    stream: int
    terms: tuple[str, ...]


class Finish(msgspec.Struct, tag="finish", array_like=True, frozen=True):
    """No more samples come: report all that is left, then `Done`."""

    stream: int


class Drop(msgspec.Struct, tag="drop", array_like=True, frozen=True):
    """This stream is not read any more: forget it, then `Done`."""

    stream: int


class Measure(msgspec.Struct, tag="measure", array_like=True, frozen=True):
    """Measure where in the samples each of the words begins and ends, when there is time; then `Measured`.

    It has a number of its own among the streams.
    """

    stream: int
    pcm: bytes
    """16-bit little-endian mono, 16 kHz."""
    words: tuple[str, ...]


Order = Audio | Endpoint | KeyTerms | Finish | Drop | Measure
"""Everything the process is sent. It ends when the pipe closes."""


class Ready(msgspec.Struct, tag="ready", array_like=True, frozen=True):
    """The model is loaded."""


class ReceivedReport(msgspec.Struct, tag="received", array_like=True, frozen=True):
    """Samples before `until` have been looked at."""

    stream: int
    until: int


class TurnReport(msgspec.Struct, tag="turn", array_like=True, frozen=True):
    """The text of a turn so far, or its final text; another final one revises the first."""

    stream: int
    turn: int
    text: str
    """Empty only in a partial that takes back what was shown."""
    start: int
    end: int
    final: bool
    words: tuple[Word, ...] = ()
    stable: int = 0
    """Characters at the front of a partial that are likely to stay."""


class AnsweredReport(msgspec.Struct, tag="answered", array_like=True, frozen=True):
    """Nothing more will be reported about samples before `until`."""

    stream: int
    until: int


class UnrecognizedReport(msgspec.Struct, tag="unrecognized", array_like=True, frozen=True):
    """There is speech in `[start, end)`, and nothing was recognised in it."""

    stream: int
    start: int
    end: int


class Measured(msgspec.Struct, tag="measured", array_like=True, frozen=True):
    """The answer to `Measure`."""

    stream: int
    spans: tuple[tuple[int, int], ...] | None
    """Samples since the first one: the beginning and the end of each word; None where the model cannot measure them."""


class Done(msgspec.Struct, tag="done", array_like=True, frozen=True):
    """The stream is over; the process is ready for the next one."""

    stream: int


class Broken(msgspec.Struct, tag="broken", array_like=True, frozen=True):
    """The process cannot go on and ends after this."""

    what: str
    retry: bool
    """Whether a new process may fare better."""
    remedy: str = ""
    """The one thing to do, where the log is not it."""


EventReport = ReceivedReport | TurnReport | AnsweredReport | UnrecognizedReport
"""What is an event of a connection."""

Report = Ready | EventReport | Measured | Done | Broken
"""Everything the process reports."""

_encoder = msgspec.msgpack.Encoder()
decode_order: Final = msgspec.msgpack.Decoder(Order).decode
"""The message inside one frame on its way to the process. Raises `msgspec.DecodeError`."""
decode_report: Final = msgspec.msgpack.Decoder(Report).decode
"""The message inside one frame from the process. Raises `msgspec.DecodeError`."""


def frame(message: Order | Report) -> bytes:
    """One message as it goes through the pipe, its length in front."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body
