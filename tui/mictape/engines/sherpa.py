"""The websocket servers of sherpa-onnx (k2-fsa/sherpa-onnx), online and offline.

Both take 32-bit little-endian floats, and the text `Done` when no more comes. The online server reads a stream and
sends the text of the current segment again and again as it grows; the offline one reads whole utterances, each
behind a header of its own, and answers each with one message.
"""

import asyncio
import logging
import struct
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from mictape.engines.base import Answered, Capabilities, EngineEvent, FinalTurn, Partial, Received, Request, Word
from mictape.engines.bounds import samples
from mictape.engines.remote import RemoteEngine
from mictape.engines.verdicts import Service, lost
from mictape.engines.websocket import Frame, SocketConnection
from mictape.units import RATE

DONE: Final = "Done"
ALL_SAID: Final = "Done!"
"""What the C++ online server says last; the Python one (python-api-examples/streaming_server.py) closes instead."""

FRAME: Final = 4 * RATE
"""Bytes of an utterance sent at once, a second. The Python servers refuse messages over 1 MiB."""

AHEAD: Final = 1
"""Utterances that may wait behind the one that is being recognised."""

WORD_MARK: Final = "▁"
"""Where a word begins among the tokens of sentencepiece models; other servers have made it a space already."""

_log = logging.getLogger(__name__)


class SherpaOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.sherpa-onnx]`. Everything else is set where the server is started."""

    mode: Literal["online", "offline"] = "online"
    """Which of the two servers listens: the one for streaming models or the one for whole utterances."""
    url: str = "ws://127.0.0.1:6006"
    """Where it listens."""
    longest_utterance_s: Annotated[float, msgspec.Meta(gt=0, le=300)] = 30.0
    """Offline: an utterance is cut after so many seconds. Whisper takes 30 s at a time; a server refuses 300."""


class _Online(msgspec.Struct):
    """What a segment sounds like so far. The Python server sends `text` and `segment` only."""

    text: str
    segment: int
    tokens: tuple[str, ...] = ()
    timestamps: tuple[float, ...] = ()
    """Seconds after `start_time` at which the tokens were found."""
    start_time: float | None = None
    """Seconds from the first sample to the segment's beginning."""
    is_final: bool = False


class _Offline(msgspec.Struct):
    """The text of an utterance."""

    text: str
    tokens: tuple[str, ...] = ()
    timestamps: tuple[float, ...] = ()
    """Seconds after the utterance's beginning; many models have none."""
    lang: str = ""
    """`en`, or `<|en|>`; empty when the model does not say."""


LAST_WORD: Final = RATE * 3 // 10
"""A token's time is where it is found, and its word sounds on: so long behind the last one a segment is said to end."""

_ONLINE: Final = msgspec.json.Decoder(_Online)
_OFFLINE: Final = msgspec.json.Decoder(_Offline)


def floats(pcm: bytes) -> bytes:
    """16-bit little-endian PCM as 32-bit little-endian floats from -1 to 1."""
    count = len(pcm) // 2
    return struct.pack(f"<{count}f", *(sample / 32768 for sample in struct.unpack(f"<{count}h", pcm)))


def token_times(timestamps: Sequence[float], begin: int, sent: int) -> list[int]:
    """Samples since the connection's first, of seconds since sample `begin`; none is beyond what was `sent`.

    (Servers pad a stream's end with silence, and a token may be found in there.)
    """
    return [min(begin + samples(seconds), sent) for seconds in timestamps]


def words_of(text: str, tokens: Sequence[str], times: Sequence[int]) -> tuple[Word, ...] | None:
    """The words of a text with their starts; None when the tokens do not say where words begin."""
    if not tokens or len(tokens) != len(times):
        return None
    words: list[Word] = []
    for token, start in zip(tokens, times, strict=True):
        piece = token.replace(WORD_MARK, " ")
        if words and not piece.startswith(" "):
            words[-1] = Word(words[-1].text + piece, words[-1].start)
        else:
            words.append(Word(piece.strip(), start))
    return tuple(words) if [word.text for word in words] == text.split() else None


class OnlineConnection(SocketConnection):
    """A conversation with an online server: a stream out, segments back.

    A segment is over when the server says so (`is_final`), or, where it never does, when the next one begins.
    """

    finish_s = 30.0
    """The server acknowledges nothing: it may have everything still before it that the socket took."""

    def __init__(self, socket: ClientConnection, service: Service, *, patience_s: float) -> None:
        super().__init__(socket, service, patience_s=patience_s)
        self._turn = 0
        self._open: _Online | None = None
        self._answered = 0

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block as floats."""
        return (floats(pcm),)

    def finish_frames(self) -> Iterable[Frame]:
        """What makes the server say the rest."""
        return (DONE,)

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """What a segment sounds like now."""
        if message == ALL_SAID:
            self._on_all_said()
            return
        result = self._read(message, _ONLINE.decode)
        if result is None:
            return
        if self._open is not None and result.segment != self._open.segment:
            yield from self._end(self._open)
        yield Received(self._taken(result))
        yield from self._answer(min(samples(result.start_time or 0.0), self._sent))
        if result.is_final:
            yield from self._end(result)
        else:
            yield from self._go_on(result)

    def last_words(self) -> Iterator[EngineEvent]:
        """A segment that the server left open when it had no more sound; then all is answered."""
        if self._open is not None:
            yield from self._end(self._open)
        yield Answered(self._sent)

    def _on_all_said(self) -> None:
        if self._finishing:
            self.said_all()
        else:
            _log.warning("%s said that it was done, unasked", self._service)

    def _taken(self, result: _Online) -> int:
        """What the server has surely read: up to the newest token.

        The Python server gives no times. It reads a message when it has answered the one before it, so what it
        has not read is still in the socket's buffers, and what was sent comes close enough.
        """
        if result.start_time is None:
            return self._sent
        return max(self._times(result), default=min(samples(result.start_time), self._sent))

    def _times(self, result: _Online) -> list[int]:
        return token_times(result.timestamps, samples(result.start_time or 0.0), self._sent)

    def _go_on(self, result: _Online) -> Iterator[EngineEvent]:
        """News only: the text comes again with every chunk that was decoded."""
        before = self._open.text if self._open else ""
        self._open = result
        if result.text != before:
            yield Partial(self._turn, result.text)

    def _end(self, result: _Online) -> Iterator[EngineEvent]:
        times = self._times(result)
        if result.text:
            start, end = (times[0], min(times[-1] + LAST_WORD, self._sent)) if times else (None, None)
            yield FinalTurn(self._turn, result.text, words_of(result.text, result.tokens, times), start=start, end=end)
            self._turn += 1
        elif self._open and self._open.text:
            yield Partial(self._turn, "")
        self._open = None
        if times:
            yield from self._answer(min(times[-1] + LAST_WORD, self._sent))

    def _answer(self, until: int) -> Iterator[EngineEvent]:
        """Segments that are over are answered for: up to the beginning of the one that goes on."""
        if until > self._answered:
            self._answered = until
            yield Answered(until)


@dataclass(frozen=True, slots=True)
class _Utterance:
    """Samples `[start, end)` of a connection, as floats."""

    start: int
    end: int
    sound: bytes

    @property
    def header(self) -> bytes:
        """The rate and the number of bytes, as 32-bit little-endian integers."""
        return struct.pack("<ii", RATE, len(self.sound))

    def frames(self) -> Iterator[bytes]:
        """The sound, in any parts."""
        for at in range(0, len(self.sound), FRAME):
            yield self.sound[at : at + FRAME]


class OfflineConnection(SocketConnection):
    """A conversation with an offline server: utterances out, one answer each.

    One utterance at a time: the server recognises with several threads, so two answers might change places; and
    `Done` makes it close at once, so that comes after the last answer.
    """

    finish_s = 120.0
    """Two of the longest utterances, by a model half as fast as speech."""

    def __init__(self, socket: ClientConnection, service: Service, longest_s: float, *, patience_s: float) -> None:
        super().__init__(socket, service, patience_s=patience_s)
        self._longest = 4 * round(longest_s * RATE)
        self._turn = 0
        self._collected = bytearray()
        self._waiting: deque[_Utterance] = deque()
        self._asked: _Utterance | None = None
        self._done = False

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """Nothing yet: the header, which goes first, has the utterance's length."""
        self._collected += floats(pcm)
        return ()

    def finish_frames(self) -> Iterable[Frame]:
        """Nothing yet: `Done` is said when all is answered."""
        return ()

    async def send(self, pcm: bytes) -> None:
        """Collect a block; sends only where an utterance has grown too long. Raises `Lost`."""
        await super().send(pcm)
        if len(self._collected) >= self._longest:
            await self.endpoint()
        await asyncio.sleep(0)  # nothing else here waits, and others want to run

    async def endpoint(self) -> None:
        """Send what was collected, or queue it; returns when at most `AHEAD` wait. Raises `Lost`."""
        self._collect()
        await self._go_on()
        await self._until(lambda: len(self._waiting) <= AHEAD)

    async def finish(self) -> None:
        """Send what was collected as soon as the server is free for it. Raises `Lost`."""
        self._collect()
        await super().finish()
        await self._go_on()

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        """The events. Reading an answer sends what waited for it."""
        async for event in super().__aiter__():
            yield event
            await self._go_on()

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """The answer to the utterance that was sent last."""
        result = self._read(message, _OFFLINE.decode)
        utterance, self._asked = self._asked, None
        if utterance is None:
            _log.warning("%s answered something that was not asked", self._service)
            return
        yield Received(utterance.end)
        if result is None:
            return
        if result.text:
            times = token_times(result.timestamps, utterance.start, utterance.end)
            words = words_of(result.text, result.tokens, times)
            language = result.lang.strip("<|>") or None
            # Without times of its own a line gets the stretch it answers for: the utterance.
            yield FinalTurn(self._turn, result.text, words, utterance.start, utterance.end, language=language)
            self._turn += 1
        yield Answered(utterance.end)

    def last_words(self) -> Iterator[EngineEvent]:
        """Nothing, if the server closed because it was asked to."""
        if not self._done:
            raise lost(f"{self._service} closed the connection with an utterance unanswered")
        return iter(())

    def _collect(self) -> None:
        if self._collected:
            start = self._sent - len(self._collected) // 4
            self._waiting.append(_Utterance(start, self._sent, bytes(self._collected)))
            self._collected.clear()

    async def _go_on(self) -> None:
        """Send the next utterance if the server is free for it, and `Done` when there will be none."""
        if self._asked is not None:
            return
        if self._waiting:
            self._asked = self._waiting.popleft()
            await self._send((self._asked.header,))
            await self._accepted()
            for frame in self._asked.frames():
                await self._send((frame,))
        elif self._finishing and not self._done:
            self._done = True
            await self._send((DONE,))

    async def _accepted(self) -> None:
        """Wait for a round trip: a server that finds an utterance too long closes when it has read the header.

        Sound sent after that would break the connection before the reason is read.
        """
        try:
            await (await self._socket.ping())  # a dead connection is ended by the base's own pings
        except ConnectionClosed as closed:
            raise self._ended(closed) from None


class SherpaEngine(RemoteEngine[SherpaOptions, OnlineConnection | OfflineConnection]):
    """A server of sherpa-onnx, on this machine or another one. It has no keys and no address of a vendor's."""

    Options: ClassVar = SherpaOptions
    name = "sherpa-onnx"
    vendor = "sherpa-onnx"

    def _model(self) -> str:
        return self._options.mode

    def _able(self) -> Capabilities:
        online = self._options.mode == "online"
        return Capabilities(
            block_ms=(1, 1000),
            endpointing="engine" if online else "follower",
            partials=online,
        )

    async def _open(self, request: Request) -> OnlineConnection | OfflineConnection:
        """The server takes no settings, key terms neither."""
        del request
        socket = await self._socket(self.url)
        if self._options.mode == "online":
            return OnlineConnection(socket, self.service, patience_s=self.patience_s)
        longest_s = self._options.longest_utterance_s
        return OfflineConnection(socket, self.service, longest_s, patience_s=self.patience_s)
