"""Vosk servers (alphacep/vosk-server, `websocket/asr_server.py`): one reply for each frame.

The client sends a text frame with the settings, which is not answered, then 16-bit mono PCM in binary frames. Each
of these is answered by exactly one JSON message, in order: `partial` while an utterance goes on, `text` once it
ended. So the replies acknowledge, one by one, and a client that does not count them fills every buffer on the way.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import msgspec
from websockets.asyncio.client import ClientConnection

from mictape.engines.base import Answered, Capabilities, EngineEvent, FinalTurn, Partial, Received, Request, Word
from mictape.engines.bounds import samples
from mictape.engines.remote import RemoteEngine
from mictape.engines.verdicts import Service
from mictape.engines.websocket import Frame, SocketConnection
from mictape.units import RATE

AHEAD: Final = 10
"""Frames on their way at most: a second of 100 ms blocks, what the network and the server may hold."""

EOF: Final = '{"eof" : 1}'
"""The server compares the whole string, spaces included."""

RESET: Final = '{"reset" : 1}'


_log = logging.getLogger(__name__)


class VoskOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.vosk]`. The server's sample rate is always set to 16 kHz."""

    url: str = "ws://127.0.0.1:2700"
    """Where the server listens."""
    words: bool = True
    """Ask for the times and the confidence of each word."""
    max_alternatives: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Ask for this many readings; the best is taken, and words have no confidence then. 0: one, with confidence."""
    phrase_list: tuple[str, ...] = ()
    """The only phrases that may be recognised (a grammar, not a hint); `[unk]` among them stands for all else."""
    model: str | None = None
    """A model's folder on the server, for servers that can change theirs; None: the one it was started with."""
    reset: bool = True
    """Whether the server knows the message that ends an utterance; older ones end the connection at it."""


class _Config(msgspec.Struct, omit_defaults=True):
    sample_rate: int
    words: bool
    max_alternatives: int
    phrase_list: tuple[str, ...] = ()
    model: str | None = None


class _Configure(msgspec.Struct):
    config: _Config


class _Entry(msgspec.Struct):
    """A word; seconds since the first sample."""

    word: str
    start: float
    end: float
    conf: float | None = None


class _Reading(msgspec.Struct):
    """One of several alternatives, the best one first."""

    text: str
    result: tuple[_Entry, ...] = ()


class _Reply(msgspec.Struct):
    """The answer to a frame: it has one of `partial`, `text` and `alternatives`."""

    partial: str | None = None
    text: str | None = None
    result: tuple[_Entry, ...] = ()
    alternatives: tuple[_Reading, ...] | None = None


_REPLY: Final = msgspec.json.Decoder(_Reply)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What has still to be answered: all samples before `until`."""

    until: int
    last: bool = False


class VoskConnection(SocketConnection):
    """A conversation with a Vosk server; `send` returns when at most `AHEAD` frames are unanswered."""

    finish_s = 30.0
    """`AHEAD` frames and the last utterance's rescoring by a large model on a busy machine."""

    def __init__(self, socket: ClientConnection, service: Service, options: VoskOptions, *, patience_s: float) -> None:
        super().__init__(socket, service, patience_s=patience_s)
        self._options = options
        self._asked: deque[_Asked] = deque()
        self._turn = 0
        self._partial = ""

    async def configure(self) -> None:
        """Say what is wanted: the first frame of every connection. Raises `Lost`."""
        options = self._options
        config = _Config(RATE, options.words, options.max_alternatives, options.phrase_list, options.model)
        await self._send((msgspec.json.encode(_Configure(config)).decode(),))

    async def send(self, pcm: bytes) -> None:
        """Send a block; returns when the next may come. Raises `Lost`."""
        await super().send(pcm)
        await self._until(lambda: len(self._asked) <= AHEAD)

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block as it is."""
        self._asked.append(_Asked(self._sent))
        return (pcm,)

    def endpoint_frames(self) -> Iterable[Frame]:
        """What makes the server say the utterance's text now, where it can."""
        if not self._options.reset:
            return ()
        self._asked.append(_Asked(self._sent))
        return (RESET,)

    def finish_frames(self) -> Iterable[Frame]:
        """What makes the server say the last text and close."""
        self._asked.append(_Asked(self._sent, last=True))
        return (EOF,)

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """The answer to the oldest frame that has none yet."""
        reply = self._read(message, _REPLY.decode)
        if not self._asked:
            _log.warning("%s answered something that was not asked", self._service)
            return
        asked = self._asked.popleft()
        yield Received(asked.until)
        match reply:
            case None:
                pass
            case _Reply(partial=str(text)):
                yield from self._on_partial(text)
            case _Reply(text=str(text), result=entries):
                yield from self._on_text(text, entries, asked.until)
            case _Reply(alternatives=(best, *_)):
                yield from self._on_text(best.text, best.result, asked.until)
            case _:
                _log.warning("%s sent an answer without a text", self._service)
        if asked.last:
            self.said_all()

    def _on_partial(self, text: str) -> Iterator[EngineEvent]:
        """News only: each frame is answered, most of them with the same text as before."""
        if text != self._partial:
            self._partial = text
            yield Partial(self._turn, text)

    def _on_text(self, text: str, entries: tuple[_Entry, ...], until: int) -> Iterator[EngineEvent]:
        """The utterance ended with the frame that is answered; an empty text ends one too."""
        if text:
            words = tuple(_word(entry) for entry in entries) or None
            start, end = (words[0].start, words[-1].end) if words else (None, None)
            yield FinalTurn(self._turn, text, words, start=start, end=end)
            self._turn += 1
        elif self._partial:
            yield Partial(self._turn, "")
        self._partial = ""
        yield Answered(until)


def _word(entry: _Entry) -> Word:
    return Word(entry.word, samples(entry.start), samples(entry.end), entry.conf)


class VoskEngine(RemoteEngine[VoskOptions, VoskConnection]):
    """A Vosk server, on this machine or another one. It has no keys and no address of a vendor's."""

    Options: ClassVar = VoskOptions
    name = "vosk"
    vendor = "Vosk"

    def _able(self) -> Capabilities:
        options = self._options
        return Capabilities(
            block_ms=(1, 1000),
            word_times=options.words,
            confidence=options.words and not options.max_alternatives,
        )

    async def _open(self, request: Request) -> VoskConnection:
        """Key terms are not passed on: a phrase list would forbid every other word."""
        del request
        socket = await self._socket(self.url)
        connection = VoskConnection(socket, self.service, self._options, patience_s=self.patience_s)
        await connection.configure()
        return connection
